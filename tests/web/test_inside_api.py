"""One example inside a network, over HTTP: arrays, cells, checks, what-ifs, refusals."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")

import safetensors.numpy
from served import Answer, Served, make_run, served

from handgrad.data.datasets import load
from handgrad.inspection.trace import trace
from handgrad.optimizers import SGD, Adam
from handgrad.training.experiment import Experiment
from handgrad.training.recipe import Recipe


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("runs")) as running:
        yield running


@pytest.fixture(scope="module")
def mlp() -> Experiment:
    return Experiment.prepare(Recipe.load("mlp"))


IMAGE, LABEL = load("mnist").test.inputs[7], int(load("mnist").test.labels[7])
SITUATION: dict[str, Any] = {"input": IMAGE.ravel().tolist(), "label": LABEL}


def arrays_of(answer: Answer) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of an answer, and what is said about them."""
    assert answer.status == 200, answer.body
    length = int.from_bytes(answer.body[:8], "little")
    about = json.loads(json.loads(answer.body[8 : 8 + length])["__metadata__"]["about"])
    return safetensors.numpy.load(answer.body), about


def ask(server: Served, operation: str, **changes: Any) -> Answer:
    model = changes.pop("model", "recipes/mlp")
    return server.post_json(f"/api/models/{model}/{operation}", SITUATION | changes)


def test_a_trace_holds_the_librarys_own_numbers(server: Served, mlp: Experiment) -> None:
    wanted = ["activation.0", "activation.2", "gradient.1", "parameter_gradient.0.weight", "updated.2.bias"]
    arrays, about = arrays_of(ask(server, "trace", arrays=wanted))
    expected = trace(mlp.model, mlp.loss, mlp.preprocessing(IMAGE[None]), np.array([LABEL]), optimizer=SGD(0.01))
    for name in wanted:
        np.testing.assert_array_equal(arrays[name], expected[name])
    assert about["loss"] == expected.loss_value
    assert about["probabilities"] == pytest.approx(expected.probabilities.tolist())
    assert about["shapes"].keys() == expected.arrays.keys()
    assert about["step"] == 1


def test_the_same_numbers_give_the_same_answer_wherever_they_are_asked_for(server: Served) -> None:
    """Grey levels are bytes, as in the data: what is more than white is white."""
    raw = [300, -20, 7.4] * 261 + [0]
    answers = [
        arrays_of(server.post_json("/api/models/recipes/mlp/predict", {"inputs": [values]}))[0]["outputs"][0]
        for values in (raw, [255, 0, 7] * 261 + [0])
    ]
    answers.append(arrays_of(ask(server, "trace", input=raw, arrays=["probabilities"]))[0]["probabilities"])
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_allclose(answers[0], answers[2], rtol=1e-6)


def test_without_a_label_there_is_no_loss_and_no_gradient(server: Served) -> None:
    _, about = arrays_of(ask(server, "trace", label=None, arrays=["activation.3"]))
    assert about["loss"] is None
    assert not [name for name in about["shapes"] if "gradient" in name]
    refused = ask(server, "trace", label=None, arrays=["gradient.1"])
    assert refused.status == 400
    assert "give a target" in refused.error


@pytest.mark.parametrize(
    ("chosen", "optimizer"),
    [({"name": "adam", "learning_rate": 0.1}, Adam(0.1)), ({"name": "sgd", "learning_rate": 0.2}, SGD(0.2))],
)
def test_updates_are_made_with_the_optimizer_asked_for(
    server: Served, mlp: Experiment, chosen: dict[str, Any], optimizer: SGD | Adam
) -> None:
    arrays, about = arrays_of(ask(server, "trace", optimizer=chosen, updates=3, arrays=["updated.2.weight"]))
    given = mlp.preprocessing(IMAGE[None]), np.array([LABEL])
    expected = trace(mlp.model, mlp.loss, *given, optimizer=optimizer, updates=3)
    np.testing.assert_array_equal(arrays["updated.2.weight"], expected["updated.2.weight"])
    assert about["loss"] == expected.loss_value
    assert about["optimizer"]["name"].lower() == chosen["name"]


def test_a_silenced_unit_is_silent_and_the_model_stays_as_it_was(server: Served) -> None:
    silence = [{"parameter": f"0.{name}", "index": [5], "factor": 0, "offset": 0} for name in ("weight", "bias")]
    other = {"input": IMAGE[::-1].ravel().tolist(), "arrays": ["activation.1"]}  # that no other test has asked for
    before, _ = arrays_of(ask(server, "trace", **other))
    during, _ = arrays_of(ask(server, "trace", **other, edits=silence))
    after, _ = arrays_of(ask(server, "trace", **other, label=None))  # not the one that is remembered
    assert during["activation.1"][5] == 0 != before["activation.1"][5]
    np.testing.assert_array_equal(np.delete(during["activation.1"], 5), np.delete(before["activation.1"], 5))
    np.testing.assert_array_equal(after["activation.1"], before["activation.1"])


def test_new_weights_of_a_run_give_new_numbers(tmp_path: Path) -> None:
    run, body = make_run(tmp_path, "again"), {"input": [1, 2], "label": 0, "arrays": ["activation.1"]}
    with served(tmp_path) as server:
        first, said = arrays_of(server.post_json("/api/models/runs/again/trace", body))
        shutil.rmtree(run.path)
        make_run(tmp_path, "again", train__epochs=9)
        second, says = arrays_of(server.post_json("/api/models/runs/again/trace", body))
    assert said["version"] != says["version"]
    assert not np.array_equal(first["activation.1"], second["activation.1"])


def test_one_weight_can_be_scaled_and_shifted(server: Served) -> None:
    name, place = "parameter.2.weight", (3, 7)
    before, _ = arrays_of(ask(server, "trace", arrays=[name]))
    edit = {"parameter": "2.weight", "index": list(place), "factor": -2, "offset": 0.5}
    during, _ = arrays_of(ask(server, "trace", arrays=[name], edits=[edit]))
    assert during[name][place] == pytest.approx(-2 * before[name][place] + 0.5)
    assert np.count_nonzero(during[name] != before[name]) == 1


def test_a_cell_is_explained_with_its_formula_and_numbers(server: Served, mlp: Experiment) -> None:
    answer = ask(server, "cell", array="activation.1", index=[3]).values
    expected = mlp.model(mlp.preprocessing(IMAGE[None]))
    assert expected.shape == (1, 10)
    found = trace(mlp.model, mlp.loss, mlp.preprocessing(IMAGE[None]))
    assert answer["value"] == float(found["activation.1"][3])
    assert answer["rule"]["latex"] == mlp.model.sublayers()["0"].formulas.forward
    assert len(answer["parts"]) == 12
    assert answer["rest"]["count"] == 785 - 12
    total = sum(part["product"] for part in answer["parts"]) + answer["rest"]["sum"]
    assert total == pytest.approx(answer["value"], rel=1e-4)
    assert answer["sources"]["activation.0"] == list(range(784))
    assert answer["sources"]["parameter.0.weight"] == list(range(3 * 784, 4 * 784))
    assert answer["sources"]["parameter.0.bias"] == [3]
    assert all(step.startswith("<math") for line in answer["lines"] for step in line)


@pytest.mark.parametrize("array", ["loss", "probabilities", "gradient.3", "gradient.0", "updated.0.weight"])
@pytest.mark.parametrize("model", ["recipes/mlp", "recipes/cnn", "recipes/fast"])
def test_every_kind_of_number_can_be_explained(server: Served, model: str, array: str) -> None:
    _, about = arrays_of(ask(server, "trace", model=model))
    index = [0 if size < 5 else 4 for size in about["shapes"].get(array, [])]
    answer = ask(server, "cell", model=model, array=array, index=index).values
    assert np.isfinite(answer["value"])
    assert answer["lines"]


def test_a_check_compares_and_says_where_it_is_worst(server: Served) -> None:
    arrays, about = arrays_of(ask(server, "check", array="gradient.1"))
    assert about["passed"]
    assert about["compared"] == about["size"] == 128
    np.testing.assert_allclose(arrays["analytic"], arrays["numeric"], atol=1e-6)
    worst = tuple(about["worst"]["index"])
    assert arrays["analytic"][worst] == pytest.approx(about["worst"]["analytic"])


def test_numbers_as_inputs_work_too(server: Served) -> None:
    answer = server.post_json(
        "/api/models/recipes/xor/trace", {"input": [1, 0], "label": 1, "arrays": ["activation.0", "gradient.0"]}
    )
    arrays, about = arrays_of(answer)
    np.testing.assert_array_equal(arrays["activation.0"][:2], [1, 0])
    assert about["prediction"] is None
    assert np.any(arrays["gradient.0"])


@pytest.mark.parametrize(
    ("operation", "changes", "sentence"),
    [
        ("trace", {"input": [0] * 783}, "Input 0 has 783 numbers, expected 784, as recipes/mlp takes"),
        ("trace", {"label": 10}, "label is 10, expected a class from 0 to 9"),
        ("trace", {"arrays": ["activation.7"]}, "array is 'activation.7'"),
        (
            "trace",
            {"edits": [{"parameter": "9.weight", "index": [], "factor": 0, "offset": 0}]},
            "parameter is '9.weight'",
        ),
        ("trace", {"edits": [{"parameter": "0.bias", "index": [128], "factor": 0, "offset": 0}]}, "index is [128]"),
        ("cell", {"array": "activation.1", "index": [128]}, "a place in activation.1, whose shape is (128,)"),
        ("cell", {"array": "activation.1", "index": []}, "a place in activation.1"),
        ("check", {"array": "activation.1"}, "a gradient of the trace"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(
    server: Served, operation: str, changes: dict[str, Any], sentence: str
) -> None:
    answer = ask(server, operation, **changes)
    assert answer.status == 400
    assert sentence in answer.error


def test_more_arrays_than_can_be_sent_at_once_are_refused(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handgrad.web.arrays._MOST_SENT", 4 * 784 * 128)
    assert ask(server, "trace", arrays=["parameter.0.weight"] * 2).status == 200
    refused = ask(server, "trace", arrays=["parameter.0.weight", "parameter.0.bias"])
    assert refused.status == 413
    assert "arrays would be 401,920 bytes, expected at most 401,408" in refused.error
    weights = server.ask("/api/models/recipes/mlp/weights")
    assert weights.status == 413
    assert "ask for fewer at once" in weights.error
    assert server.ask("/api/models/recipes/mlp/weights?arrays=2.weight").status == 200


def test_examples_are_kept_up_to_so_many_bytes(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = server.context.traces
    asked = [ask(server, "trace", label=label, arrays=["gradient.3"]) for label in range(3)]
    assert {answer.status for answer in asked} == {200}
    kept = traces.bytes
    assert kept > 3 * 4 * 4 * 784 * 128  # each at least weights, gradient, update and a copy of the network
    monkeypatch.setattr(traces, "most_bytes", kept - 1)
    ask(server, "trace", label=3)
    assert 0 < traces.bytes < kept
    monkeypatch.setattr(traces, "most_bytes", 1)
    ask(server, "trace", label=4)
    assert 0 < traces.bytes < kept / 2

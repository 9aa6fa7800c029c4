"""What the lessons measure, and what models answer to rows of numbers."""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

pytest.importorskip("starlette")

from served import Answer, Served

from handgrad.data.datasets import load
from handgrad.errors import HandgradError
from handgrad.ops import limit_threads
from handgrad.web.catalog import Catalog
from handgrad.web.errors import BusyError, NotFoundError
from handgrad.web.lesson_cases import CASES
from handgrad.web.lessons import Lessons
from handgrad.web.measuring import measure

BROKEN = [name for name, variants in CASES.items() if "broken" in variants]
#: What the doctor says first of each broken network; the order of the examples is nothing that it looks at.
FOUND = {
    "pixels": "Inputs not scaled",
    "sum": "Learning rate too high",
    "zeros": "Weights all 0",
    "depth": "Gradients vanish",
    "leak": "Test data in the training data",
}


def about(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    values: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["about"])
    return values


Measured = dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture(scope="module")
def measured() -> Measured:
    with limit_threads(1):
        return {(name, variant): measure(case) for name, cases in CASES.items() for variant, case in cases.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_the_broken_network_is_worse_and_the_doctor_knows_why(measured: Measured, name: str) -> None:
    (_, broken), (_, fixed) = measured[name, "broken"], measured[name, "fixed"]
    names = [finding["name"] for finding in broken["findings"]]
    assert names[:1] == [FOUND[name]] if name in FOUND else names == []
    assert fixed["findings"] == []
    assert fixed["scores"]["fresh"]["accuracy"] > 0.85
    if name == "leak":  # the network is as good as the other; only what was said of it is not true
        assert broken["scores"]["fresh"] == fixed["scores"]["fresh"]
        assert broken["scores"]["test"]["accuracy"] > 0.97
    else:
        assert broken["scores"]["test"]["accuracy"] < 0.3
    assert broken["stopped"] == fixed["stopped"] == ""


@pytest.mark.slow
def test_the_two_networks_of_a_lesson_differ_in_one_setting_or_in_their_data(measured: Measured) -> None:
    for name, cases in CASES.items():
        one, other = cases.values()
        assert one.others == other.others
        assert one.setting.keys() == other.setting.keys()
        assert len(one.setting) == 1 or (one.data, one.shuffled) != (other.data, other.shuffled), name


@pytest.mark.slow
def test_he_begins_near_ln_10_and_gets_further_than_the_normal_law(measured: Measured) -> None:
    normal, he = measured["start", "normal"][1], measured["start", "he"][1]
    assert normal["moved"] < 0.1 < he["moved"]
    assert normal["first_loss"] > 20 > 3 > he["first_loss"]
    assert he["scores"]["test"]["accuracy"] > normal["scores"]["test"]["accuracy"] + 0.02
    assert [finding["name"] for finding in normal["findings"]] == ["First loss too high"]


@pytest.mark.slow
def test_everything_that_is_shown_was_measured(measured: Measured) -> None:
    for (name, variant), (arrays, values) in measured.items():
        curve, scores = arrays["losses"], values["scores"]
        assert curve.shape == (120, 2)
        assert curve[-1, 0] == values["steps"] == values["epochs"] * -(-values["examples"] // 64)
        assert np.all(np.diff(curve[:, 0]) > 0)
        assert np.isfinite(curve).all()
        right = np.trace(arrays["confusion"]) / arrays["confusion"].sum()
        assert right == pytest.approx(scores["test"]["accuracy"])
        assert arrays["confusion"].sum() == scores["test"]["count"]
        assert arrays["change"].shape == (12, 784)
        last = values["layers"][-1]
        width = 128 if name == "start" else 64
        assert last["before"]["title"] == last["after"]["title"] == f"Linear({width} → 10)"
        assert values["seconds"] < 10, (name, variant)


@pytest.mark.slow
def test_nothing_flows_through_weights_of_zero(measured: Measured) -> None:
    layers = measured["zeros", "broken"][1]["layers"]
    assert [layer["after"]["size"] for layer in layers[:2]] == [0, 0]
    assert layers[1]["after"]["idle"] == 1
    assert layers[0]["after"]["gradient"] == 0
    assert layers[2]["after"]["size"] > 0  # the biases of the output, which do learn


@pytest.mark.slow
def test_without_shuffling_the_network_says_what_it_saw_last(measured: Measured) -> None:
    answers = measured["order", "broken"][0]["confusion"].sum(axis=0)
    assert answers[9] > 0.9 * answers.sum()


@pytest.mark.slow
def test_the_same_is_measured_again(measured: Measured) -> None:
    arrays, values = measure(CASES["zeros"]["broken"])
    before = measured["zeros", "broken"]
    assert all(np.array_equal(arrays[name], before[0][name]) for name in arrays)
    assert values | {"seconds": 0} == before[1] | {"seconds": 0}


def test_the_page_gets_it_as_arrays_and_the_second_time_at_once(page: Served) -> None:
    answer = page.ask("/api/lessons/zeros/broken")
    assert answer.status == 200
    assert safetensors.numpy.load(answer.body)["confusion"].dtype == np.float32
    assert about(answer.body)["setting"] == {"model.init": "zeros"}
    assert page.ask("/api/lessons/zeros/broken").body == answer.body


@pytest.mark.parametrize("path", ["nothing/broken", "zeros/mended", "xor/broken", "zeros/--help", "..%00/broken"])
def test_what_is_no_lesson_is_not_found(page: Served, path: str) -> None:
    answer = page.ask(f"/api/lessons/{path}")
    assert answer.status == 404
    assert "lesson" in answer.error


def test_one_is_measured_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, lessons = threading.Event(), threading.Event(), Lessons()

    def run(lesson: str, variant: str) -> bytes:
        begun.set()
        assert go_on.wait(30)
        return lesson.encode()

    monkeypatch.setattr(lessons, "_run", run)
    first = threading.Thread(target=lessons.measure, args=("zeros", "broken"))
    first.start()
    assert begun.wait(30)
    for lesson in ("zeros", "pixels"):
        with pytest.raises(BusyError, match="try again"):
            lessons.measure(lesson, "broken")
    go_on.set()
    first.join(30)
    assert lessons.measure("zeros", "broken") == b"zeros"
    assert lessons.measure("pixels", "broken") == b"pixels"


def test_a_measurement_that_fails_says_why_and_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(HandgradError, match=r"more than 0\.01 s"):
        Lessons(seconds=0.01).measure("zeros", "broken")
    lessons = Lessons()
    with monkeypatch.context() as patch:
        script = tmp_path / "python"
        script.write_text("#!/bin/sh\necho 'Traceback' >&2\necho 'OSError: no room.' >&2\nexit 3\n")
        script.chmod(0o755)
        patch.setattr(sys, "executable", str(script))
        with pytest.raises(HandgradError, match="exit code 3: OSError: no room"):
            lessons.measure("zeros", "broken")
    assert sys.executable != str(script)
    assert about(lessons.measure("zeros", "broken"))["steps"] == 376
    with pytest.raises(NotFoundError):
        lessons.measure("zeros", "normal")


def predict(page: Served, model: str, inputs: Any) -> Answer:
    return page.post_json(f"/api/models/{model}/predict", {"inputs": inputs})


@pytest.mark.parametrize("model", ["recipes/xor", "recipes/points", "runs/finished"])
def test_a_model_answers_row_by_row(page: Served, tmp_path: Path, runs: Path, model: str) -> None:
    grid = [[x / 4, y / 4] for x in range(-2, 7) for y in range(-2, 7)]
    answer = predict(page, model, grid)
    expected = Catalog(runs).open(*model.split("/")).probabilities(np.array(grid, np.float32))
    assert np.allclose(safetensors.numpy.load(answer.body)["outputs"], expected, atol=1e-6)
    assert about(answer.body)["version"] == page.ask(f"/api/models/{model}").values["version"]


def test_images_are_rows_of_grey_levels(page: Served) -> None:
    images = load("mnist").test.inputs[:3]
    answer = predict(page, "recipes/mlp", images.reshape(3, 784).tolist())
    expected = page.context.catalog.open("recipes", "mlp").probabilities(images)
    assert np.allclose(safetensors.numpy.load(answer.body)["outputs"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "status", "said"),
    [
        ([[0, 1], [0, 1, 2]], 400, "Input 1 has 3 numbers, expected 2, as recipes/xor takes"),
        ([[0]], 400, "Input 0"),
        ([[0, 1]] * 4097, 422, "at most 4096 items"),
        ([], 422, "inputs"),
        ([[]], 422, "inputs[0]"),
        ([[0, 1e7]], 422, "inputs[0][1] is 10000000"),
        ([0], 422, "inputs[0] is 0, expected array"),
    ],
)
def test_rows_that_do_not_fit_are_named(page: Served, inputs: Any, status: int, said: str) -> None:
    answer = predict(page, "recipes/xor", inputs)
    assert answer.status == status
    assert said in answer.error

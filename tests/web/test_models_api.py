"""What the page is told of a model."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.dom import minidom

import numpy as np
import pytest

pytest.importorskip("starlette")

import jsonschema
import safetensors
import safetensors.numpy
from discovery import LAYER_KINDS, LOSS_KINDS, OPTIMIZER_KINDS
from served import Served

from handgrad.training.experiment import Experiment
from handgrad.training.recipe import Recipe, recipe_names
from handgrad.web.arrays import arrays_response
from handgrad.web.contract import document
from handgrad.web.mathematics import formulas, mathematics

IDS = [*(f"recipes/{name}" for name in recipe_names()), "runs/finished", "runs/left-off"]


def describe(page: Served, model: str) -> Any:
    answer = page.ask(f"/api/models/{model}")
    assert answer.status == 200, answer.body
    return answer.values


def test_the_list_is_as_the_contract_says(page: Served) -> None:
    values = page.ask("/api/models").values
    schema = document()["paths"]["/api/models"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(values, schema | {"components": document()["components"]})
    assert {entry["id"] for entry in values["models"]} == set(IDS)
    by_id = {entry["id"]: entry for entry in values["models"]}
    assert by_id["recipes/mlp"]["raw_shape"] == [28, 28]
    assert by_id["recipes/mlp"]["classes"] == 10
    assert by_id["runs/finished"]["trained"]
    assert not by_id["recipes/mlp"]["trained"]


@pytest.mark.parametrize("model", IDS)
def test_a_model_is_described_by_its_layers(page: Served, model: str) -> None:
    values = describe(page, model)
    listed = next(entry for entry in page.ask("/api/models").values["models"] if entry["id"] == model)
    assert listed.items() <= values.items()
    layers = values["layers"]
    assert layers[0]["input_shape"] == values["input_shape"]
    for one, following in pairwise(layers):
        assert one["output_shape"] == following["input_shape"]
    sizes = [np.prod(parameter["shape"]) for layer in layers for parameter in layer["parameters"]]
    assert sum(sizes) == values["parameters"]
    assert values["optimizer"]["settings"]["learning_rate"] > 0
    assert values["optimizer"]["formula"] == values["optimizer"]["formulas"][0]
    assert values["loss"]["formulas"]["forward"]["mathml"].startswith("<math")


def test_layers_have_titles_and_their_parameters_letters(page: Served) -> None:
    first, relu, last = describe(page, "recipes/mlp")["layers"]
    assert (first["name"], first["kind"], first["title"]) == ("0", "Linear", "Linear(784 → 128)")
    assert [(p["name"], p["shape"], p["letter"]) for p in first["parameters"]] == [
        ("0.weight", [128, 784], "W"),
        ("0.bias", [128], "b"),
    ]
    assert relu["parameters"] == []
    assert last["title"] == "Linear(128 → 10)"
    convolution, normalization = describe(page, "recipes/fast")["layers"][:2]
    assert convolution["title"] == "Conv2d(1 → 16, 5×5)"
    assert [p["letter"] for p in normalization["parameters"]] == [r"\gamma", r"\beta"]
    assert [b["name"] for b in normalization["buffers"]] == ["1.running_mean", "1.running_var"]


def test_formulas_are_the_layers_own(page: Served) -> None:
    from handgrad.layers import Linear

    stated = describe(page, "recipes/mlp")["layers"][0]["formulas"]
    assert stated["forward"]["latex"] == Linear.formulas.forward
    assert {name: both["latex"] for name, both in stated["backward"].items()} == dict(Linear.formulas.backward)
    assert {row["letter"]["latex"]: row["shape"]["latex"] for row in stated["shapes"]} == dict(Linear.formulas.shapes)
    assert describe(page, "recipes/mlp-adam")["optimizer"]["name"] == "adam"


def mathml(values: Any) -> list[str]:
    """Every formula in nested values."""
    if isinstance(values, dict):
        own = [values["mathml"]] if "mathml" in values else []
        return own + [found for value in values.values() for found in mathml(value)]
    return [found for value in values for found in mathml(value)] if isinstance(values, list) else []


@pytest.mark.parametrize("kind", [*LAYER_KINDS, *LOSS_KINDS, *OPTIMIZER_KINDS], ids=lambda kind: kind.__name__)
def test_every_formula_becomes_mathematics_that_a_browser_can_show(kind: type) -> None:
    stated = mathematics(kind.formula) if hasattr(kind, "formula") else formulas(kind.formulas)  # type: ignore[attr-defined]
    found = mathml(stated)
    assert found
    for text in found:
        minidom.parseString(text)
        assert "\\" not in text, "a command of LaTeX was left as it was"
        assert "merror" not in text
        assert " style=" not in text, "which the page's own policy would forbid"
        assert 'xmlns="http://www.w3.org/1998/Math/MathML"' in text


def test_weights_are_those_of_the_model(page: Served) -> None:
    answer = page.ask("/api/models/recipes/mlp/weights")
    experiment = Experiment.prepare(Recipe.load("mlp"))
    arrays, expected = safetensors.numpy.load(answer.body), experiment.model.parameters.state_dict()
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        assert array.dtype == np.float32
        assert np.array_equal(array, expected[name])
    version = describe(page, "recipes/mlp")["version"]
    assert answer.headers["etag"] == f'"{version}"'
    length = int.from_bytes(answer.body[:8], "little")
    assert json.loads(json.loads(answer.body[8 : 8 + length])["__metadata__"]["about"]) == {"version": version}


def test_only_the_arrays_asked_for_are_sent_and_not_twice(page: Served) -> None:
    path = "/api/models/recipes/fast/weights?arrays=1.running_mean,0.bias"
    answer = page.ask(path)
    assert set(safetensors.numpy.load(answer.body)) == {"1.running_mean", "0.bias"}
    again = page.ask(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert page.ask(path, headers={"If-None-Match": '"older"'}).status == 200


def test_an_array_that_is_not_there_is_named(page: Served) -> None:
    answer = page.ask("/api/models/recipes/xor/weights?arrays=0.weight,7.bias")
    assert answer.status == 400
    assert answer.error == "arrays is '7.bias', expected names among 0.weight, 2.weight."


@pytest.mark.parametrize("path", ["", "/weights", "/examples", "/digit?side=28"])
@pytest.mark.parametrize(
    "model", ["recipes/nope", "runs/nope", "runs/..", "runs/%2e%2e", "runs/%00", "recipes/%F0%9F%98%80"]
)
def test_an_unknown_model_is_not_found(page: Served, model: str, path: str) -> None:
    body = bytes(28 * 28) if "digit" in path else None
    answer = page.ask(f"/api/models/{model}{path}", body, headers={"Content-Type": "application/octet-stream"})
    assert answer.status == 404
    assert answer.error


def test_a_broken_run_says_what_is_wrong(page: Served) -> None:
    answer = page.ask("/api/models/runs/broken")
    assert answer.status == 400
    assert "not a complete run" in answer.error


def test_arrays_keep_their_shape_whatever_their_order_in_memory(tmp_path: Path) -> None:
    arrays = {"turned": np.arange(6.0).reshape(2, 3).T, "one": np.float64(3), "none": np.zeros((0, 2))}
    (tmp_path / "file").write_bytes(bytes(arrays_response(arrays, {"loss": float("inf")}).body))  # type: ignore[arg-type]
    with safetensors.safe_open(tmp_path / "file", "numpy") as file:
        assert json.loads(file.metadata()["about"]) == {"loss": None}
        for name, array in arrays.items():
            assert np.array_equal(file.get_tensor(name), array)  # type: ignore[arg-type]

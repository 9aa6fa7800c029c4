"""A drawing and the test images, as the page gets them."""

import base64
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("starlette")

from served import BYTES, Answer, Served

from handgrad.data.datasets import load
from handgrad.data.digits import mnist_steps
from handgrad.web.catalog import Catalog


def seven(side: int) -> NDArray[np.uint8]:
    """Strokes like a 7, light on dark."""
    drawing, unit = np.zeros((side, side), np.uint8), side // 14
    drawing[3 * unit : 4 * unit, 4 * unit : 10 * unit] = 255
    for row in range(4 * unit, 11 * unit):
        middle = 9 * unit - (row - 4 * unit) // 2
        drawing[row, middle : middle + unit] = 255
    return drawing


def look(page: Served, drawing: NDArray[np.uint8], model: str = "recipes/mlp") -> Answer:
    path = f"/api/models/{model}/digit?side={len(drawing)}"
    return page.ask(path, drawing.tobytes(), headers={"Content-Type": BYTES})


def pixels(text: str, shape: Any) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape)


@pytest.mark.parametrize("side", [28, 140, 280, 512])
def test_a_drawing_is_shown_after_every_step(page: Served, side: int) -> None:
    answer = look(page, seven(side))
    assert answer.status == 200
    steps, expected = answer.values["steps"], mnist_steps(seven(side))
    assert [step["name"] for step in steps] == ["light_on_dark", "cropped", "scaled", "centred"]
    for step in steps:
        assert np.array_equal(pixels(step["pixels"], step["shape"]), getattr(expected, step["name"]))
    assert answer.values["image"] == steps[-1]["pixels"]


@pytest.mark.parametrize("model", ["mlp", "cnn", "fast"])
def test_the_probabilities_are_the_models(page: Served, tmp_path: Path, model: str) -> None:
    values = look(page, seven(140), f"recipes/{model}").values
    image = pixels(values["image"], (1, 28, 28))
    expected = Catalog(tmp_path).open("recipes", model).probabilities(image)[0]
    assert np.allclose(values["probabilities"], expected, atol=1e-6)
    assert values["prediction"] == int(expected.argmax())
    assert abs(sum(values["probabilities"]) - 1) < 1e-5


def test_dark_on_light_is_the_same_drawing(page: Served) -> None:
    light, dark = look(page, seven(140)).values, look(page, 255 - seven(140)).values
    assert light["probabilities"] == dark["probabilities"]


@pytest.mark.parametrize("level", [0, 120, 255])
def test_nothing_drawn_is_said_in_a_sentence(page: Served, level: int) -> None:
    answer = look(page, np.full((64, 64), level, np.uint8))
    assert answer.status == 200
    assert answer.values["empty"] is True
    assert "no ink" in answer.values["error"]


def test_a_body_of_another_size_is_refused(page: Served) -> None:
    for size in (0, 63, 65):
        answer = page.ask("/api/models/recipes/mlp/digit?side=8", bytes(size), headers={"Content-Type": BYTES})
        assert answer.status == 422
        assert "side² = 64" in answer.error


def test_a_model_of_something_else_does_not_look_at_drawings(page: Served) -> None:
    for model in ("recipes/xor", "recipes/points", "runs/finished"):
        answer = look(page, seven(28), model)
        assert answer.status == 400
        assert "does not look at square grey images" in answer.error


def test_any_noise_is_a_drawing(page: Served) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        side = int(rng.integers(8, 64))
        drawing = (rng.random((side, side)) < rng.random() ** 3) * rng.integers(0, 256, (side, side))
        assert look(page, drawing.astype(np.uint8)).status == 200


@pytest.mark.parametrize("model", ["mlp", "cnn", "fast"])
def test_it_is_quick_enough_to_follow_a_pen(page: Served, model: str) -> None:
    took = []
    look(page, seven(280), f"recipes/{model}")
    for _ in range(11):
        started = time.perf_counter()
        look(page, seven(280), f"recipes/{model}")
        took.append(time.perf_counter() - started)
    assert statistics.median(took) < 0.05


def test_examples_come_in_order(page: Served) -> None:
    test = load("mnist").test
    values = page.ask("/api/models/recipes/mlp/examples?start=17&count=3").values
    assert values["total"] == 10_000
    assert [example["index"] for example in values["examples"]] == [17, 18, 19]
    for example in values["examples"]:
        assert example["label"] == test.labels[example["index"]]
        assert np.array_equal(pixels(example["pixels"], (28, 28)), test.inputs[example["index"]])


def test_mistakes_come_worst_first(page: Served) -> None:
    values = page.ask("/api/models/recipes/mlp/examples?mistakes=true&count=100").values
    assert 0 < values["total"] < 10_000
    assert len(values["examples"]) == 100
    assert all(example["label"] != example["prediction"] for example in values["examples"])
    catalog = page.context.catalog
    expected = catalog.mistakes(catalog.open("recipes", "mlp"))[:101].tolist()
    assert [example["index"] for example in values["examples"]] == expected[:100]
    following = page.ask("/api/models/recipes/mlp/examples?mistakes=true&start=99&count=2").values
    assert [example["index"] for example in following["examples"]] == expected[99:]


def test_there_are_no_examples_behind_the_last(page: Served) -> None:
    values = page.ask("/api/models/recipes/mlp/examples?start=1000000").values
    assert values == {"total": 10_000, "examples": []}


def test_examples_that_are_no_images_are_numbers(page: Served) -> None:
    xor = page.ask("/api/models/recipes/xor/examples").values
    assert [example["inputs"] for example in xor["examples"]] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert [example["target"] for example in xor["examples"]] == [[0], [1], [1], [0]]
    assert all(len(example["outputs"]) == 1 for example in xor["examples"])
    assert page.ask("/api/models/recipes/xor/examples?mistakes=true").values["total"] == 0
    points = page.ask("/api/models/runs/finished/examples?count=1").values
    assert points["total"] == 10
    assert points["examples"][0]["inputs"] == [2, 1]
    assert points["examples"][0]["label"] == 0

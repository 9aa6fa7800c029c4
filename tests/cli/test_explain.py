"""`handgrad explain`: whatever it prints fits the terminal, and every number in it is the library's."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from discovery import LAYER_KINDS, LOSS_KINDS, OPTIMIZER_KINDS
from rich.cells import cell_len
from typer.testing import CliRunner

import handgrad
from handgrad.cli import app
from handgrad.cli.explain import find, kinds
from handgrad.cli.explain.by_hand import Line, Sheet
from handgrad.cli.explain.explanation import first_sentence, page_of
from handgrad.cli.explain.layers_by_hand import LAYERS
from handgrad.cli.explain.losses_by_hand import LOSSES, OPTIMIZERS
from handgrad.cli.explain.matrices import Values, aligned, blocks, number, side_by_side
from handgrad.cli.explain.worked_example import Example, bar, layer_example, loss_example, optimizer_example
from handgrad.display.mathematics import to_text
from handgrad.errors import ArgumentError
from handgrad.layers import Layer
from handgrad.optimizers import Optimizer

PASSES: list[Any] = [*LAYER_KINDS, *LOSS_KINDS]
KINDS: list[Any] = [*PASSES, *OPTIMIZER_KINDS]
OPS = handgrad.ops.for_device("cpu")
SEEDS = (0, 1, 2)


def explain(*arguments: str, width: int = 80) -> str:
    """What the command prints."""
    environment = {"COLUMNS": str(width), "FORCE_COLOR": None, "TTY_COMPATIBLE": None}
    result = CliRunner().invoke(app, ["explain", *arguments], env=environment)
    if result.exception:
        raise result.exception
    return result.stdout


def example_of(kind: Any, seed: int) -> Example:
    return layer_example(kind, seed) if issubclass(kind, Layer) else loss_example(kind, seed)


def by_hand(kind: Any, seed: int) -> list[Line]:
    if kind in OPTIMIZERS:
        return OPTIMIZERS[kind](optimizer_example(kind, seed))
    writers = {**LAYERS, **LOSSES}
    return writers[kind](Sheet(example_of(kind, seed))) if kind in writers else []


def test_everything_can_be_explained() -> None:
    found = kinds()
    assert set(found["Layers"]) == set(LAYER_KINDS)
    assert set(found["Losses"]) == set(LOSS_KINDS)
    assert set(found["Optimizers"]) == set(OPTIMIZER_KINDS)


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_page_fits_the_terminal(kind: Any, width: int) -> None:
    page = explain(kind.__name__, width=width)
    assert page.startswith(kind.__name__)
    assert first_sentence(kind).split()[0] in page
    assert page.rstrip().endswith(page_of(kind))
    assert not re.search(r"[\\{}]|\bnan\b|0x[0-9a-f]", page)
    if width >= 60:
        assert [line for line in page.splitlines() if cell_len(line) > width] == []
        assert [line for line in page.splitlines() if line != line.rstrip()] == []


@pytest.mark.parametrize("kind", PASSES, ids=lambda kind: kind.__name__)
def test_a_page_holds_the_formulas_and_the_numbers(kind: Any) -> None:
    page = explain(kind.__name__, width=100)
    for formula in (kind.formulas.forward, *kind.formulas.backward.values()):
        for clause in to_text(formula).split("   "):
            name, equals, right = clause.partition(" = ")
            assert f" = {right}" in page if equals else clause in page, clause
            assert f"  {name}" in page
    for letter, array in example_of(kind, 0).arrays.items():
        for block in blocks(to_text(letter), array):
            assert f"{block.name} {block.shape}".rstrip() in page
            assert all(line in page for line in block.lines)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", LAYER_KINDS, ids=lambda kind: kind.__name__)
def test_a_layers_numbers_are_the_librarys(kind: Any, seed: int) -> None:
    example = layer_example(kind, seed)
    x, dy = example.given["x"], example.upstream[bar("y")]
    layer = kind.example()[0].initialize(np.random.default_rng(99), dtype="float64")
    for name, values in zip(layer.parameters.names, list(example.given.values())[1:], strict=True):
        layer.parameters.assign(name, values)
        assert np.array_equal(values, values.round(1))
    y, cache = layer.forward(x, ops=OPS, training=True, rng=np.random.default_rng(seed))
    grads = layer.parameters.gradients()
    dx = layer.backward(dy, cache, ops=OPS, grads=grads.tree)
    np.testing.assert_allclose(example.computed["y"], y, rtol=1e-12)
    found = [dx, *(grads.views[name] for name in layer.parameters.names)]
    for values, expected in zip(example.gradients.values(), found, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-12)
    assert len(set(np.abs(x).flat)) == x.size  # no two of one size, so no ties
    assert np.array_equal(2 * x, (2 * x).round())
    assert np.all(x)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", LOSS_KINDS, ids=lambda kind: kind.__name__)
def test_a_losss_numbers_are_the_librarys(kind: Any, seed: int) -> None:
    example = loss_example(kind, seed)
    outputs, targets = example.given.values()
    value, cache = kind().forward(outputs, targets, ops=OPS)
    assert float(example.computed["L"]) == pytest.approx(float(value), rel=1e-12)
    (gradient,) = example.gradients.values()
    np.testing.assert_allclose(gradient, kind().backward(cache, ops=OPS), rtol=1e-12)


@pytest.mark.parametrize("kind", OPTIMIZER_KINDS, ids=lambda kind: kind.__name__)
def test_an_optimizers_numbers_are_the_librarys(kind: Any) -> None:
    page = explain(kind.__name__, width=100)
    descent = optimizer_example(kind, 0)
    w = np.array([descent.rows[0]["w"]])
    state = descent.optimizer.start(w, ops=OPS)
    for row in descent.rows:
        before = w.copy()
        assert (row["w"], row["g"]) == (before[0], before[0])
        descent.optimizer.step(w, before, state, ops=OPS)
        remembered = [float(state.slots[name][0]) for name in descent.optimizer.slot_names()]
        assert [row["w'"], *(row[name] for name in descent.optimizer.slot_names())] == [float(w[0]), *remembered]
        cells = [number(value, 0 if name == "t" else 5) for name, value in row.items()]
        assert re.search(r"\s+".join(map(re.escape, cells)), page)
    assert abs(w[0]) < descent.rows[0]["w"]  # downhill


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", PASSES, ids=lambda kind: kind.__name__)
def test_the_slope_agrees_with_the_gradient(kind: Any, seed: int) -> None:
    check = example_of(kind, seed).check
    assert check.digits >= 6
    assert f"the same to {check.digits} digits" in explain(kind.__name__, "--seed", str(seed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_written_out_is_right(kind: Any, seed: int) -> None:
    page = " ".join(explain(kind.__name__, "--seed", str(seed)).split())
    arrays = {} if kind in OPTIMIZERS else example_of(kind, seed).arrays
    named = {to_text(letter): array for letter, array in arrays.items()}
    for line in by_hand(kind, seed):
        value = calculate(line.steps[-1])
        assert value is not None
        assert all(step in page for step in line.steps)
        for step in line.steps:
            numbers = calculate(step)
            assert numbers is None or numbers == pytest.approx(value, rel=2e-3, abs=5e-4), (line, step)
            exact = calculate(ELEMENT.sub(lambda found: exactly(named, found[1], found[2]), step))
            if exact is not None and not re.search(r"\d\.\d", step):
                assert exact == pytest.approx(value, abs=5.1e-5), (line, step)


#: An element by its name, such as x̄[0,1].
ELEMENT = re.compile(r"([^\W\d][\w.]*[\u0302\u0304]*)\[([\d,]+)\]")


def exactly(arrays: dict[str, Values], name: str, place: str) -> str:
    """An element's number with all its digits."""
    return f"({float(arrays[name][tuple(map(int, place.split(',')))])!r})"


def calculate(step: str) -> float | None:
    """The value of a step that consists of numbers; None for one that has names in it."""
    if any(c.isalpha() and c != "ε" for c in re.sub(r"e\^|max|log|tanh", "", step)):
        return None
    text = re.sub(r"e\^([\d.]+)", r"e^(\1)", step).replace("e^", "math.exp").replace("ε", "1e-8")
    text = text.replace("log", "math.log").replace("tanh", "math.tanh").replace("√", "math.sqrt")
    text = text.replace("²", "**2").replace("·", "*").replace("−", "-").replace("[", "(").replace("]", ")")
    return float(eval(text, {"math": math, "max": max}))


def test_calculate_reads_numbers_only() -> None:
    assert calculate("2·(−0.5)² − e^0 + √(4) + e^(−1)·e^1.0") == 2.5
    assert calculate("(−2)·[1.5 > 0]") == -2
    assert calculate("max(1, −2)") == 1
    assert calculate("x[0,0]·2") is None
    assert calculate("−(log ŷ[0,0]) / 2") is None


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("conv", "Conv2d"),
        ("MAXPOOL", "MaxPool2d"),
        ("max_pool_2d", "MaxPool2d"),
        ("batchnorm", "BatchNorm1d"),
        ("batch norm 2d", "BatchNorm2d"),
        ("crossentropy", "CrossEntropy"),
        ("softmax-cross-entropy", "SoftmaxCrossEntropy"),
        ("softmax", "Softmax"),
        ("adam", "Adam"),
        ("adamw", "AdamW"),
        ("mse", "MeanSquaredError"),
        ("relu", "ReLU"),
    ],
)
def test_a_name_is_found_however_it_is_typed(typed: str, name: str) -> None:
    assert find(typed).__name__ == name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_class_is_found_by_its_name(kind: Any) -> None:
    assert find(kind.__name__) is kind
    assert (Path(__file__).parents[2] / page_of(kind)).is_file()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("liner", r"name is 'liner', expected one of AvgPool2d, .*AdamW; did you mean Linear\?"),
        ("transformer", r"name is 'transformer', expected one of .*AdamW\."),
        ("soft", r"name is 'soft', expected one of Softmax, SoftmaxCrossEntropy; type more of it"),
        ("", "name is '', expected one of"),
    ],
)
def test_an_unknown_name_is_a_sentence(typed: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        explain(typed)


@pytest.mark.parametrize("width", [60, 100])
def test_the_list_names_everything(width: int) -> None:
    page = explain(width=width)
    assert all(f"  {kind.__name__} " in page for kind in KINDS)
    assert max(map(cell_len, page.splitlines())) <= width


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_latex_is_printed_as_it_is_stated(kind: Any) -> None:
    stated = (
        kind.formula
        if issubclass(kind, Optimizer)
        else "\n".join([kind.formulas.forward, *kind.formulas.backward.values()])
    )
    assert explain(kind.__name__, "--latex", width=60) == stated + "\n"


@pytest.mark.parametrize("name", ["Linear", "MeanSquaredError", "BatchNorm2d"])
def test_the_seed_decides_the_numbers(name: str) -> None:
    pages = [explain(name, "--seed", str(seed)) for seed in (3, 3, 4)]
    assert pages[0] == pages[1]
    assert pages[0] != pages[2]


def test_the_linear_layer_reads_as_people_write_it() -> None:
    page = explain("linear")
    for text in (
        "  y = x Wᵀ + b\n",
        "  x̄ = ȳ W\n  W̄ = ȳᵀ x\n  b̄ = Σₙ ȳₙ\n",
        "  y[0,0] = x[0,0]·W[0,0] + x[0,1]·W[0,1]",
    ):
        assert text in page


def test_matrices_line_up() -> None:
    array: Values = np.array([[1.0, -20.5], [0.25, 3.0]])
    (block,) = blocks("x̄", array)
    assert block.lines == ("⎡1.00  −20.50⎤", "⎣0.25    3.00⎦")
    assert blocks("b", np.array([1.0, -2.0]))[0].lines == ("[1  −2]",)
    assert blocks("L", np.array(0.5))[0].lines == ("0.5",)
    names = [block.name for block in blocks("x", np.zeros((2, 2, 1, 3)))]
    assert names == ["x[0,0]", "x[0,1]", "x[1,0]", "x[1,1]"]
    lines = [line.plain for line in side_by_side([block, block], 60)]
    assert lines == ["x̄ (2, 2)         x̄ (2, 2)", *(f"{line}   {line}" for line in block.lines)]
    assert len(list(side_by_side([block, block], 20))) == 6  # below each other
    assert list(side_by_side([], 20)) == []


def test_long_formulas_break_before_a_sign() -> None:
    text = to_text(handgrad.GELU.formulas.backward["x"])
    for width in (30, 40, 58):
        lines = list(aligned([("x̄", "=", text.removeprefix("x̄ = "))], width))
        assert all(cell_len(line) <= width for line in lines)
        assert " ".join(line.strip() for line in lines) == text

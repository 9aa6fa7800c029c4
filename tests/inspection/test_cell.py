"""Every number of every layer, loss and optimizer explained: the account must come to the number."""

import math
import re
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase
from discovery import LOSS_KINDS, OPTIMIZER_KINDS

from handgrad import losses
from handgrad.errors import ArgumentError
from handgrad.inspection.cell import Cell, explain
from handgrad.inspection.cell.functions import FUNCTIONS, DerivativeWiring
from handgrad.inspection.cell.sums import SUMS
from handgrad.inspection.trace import Trace, trace
from handgrad.layers import GELU, BatchNorm1d, Flatten, Layer, LeakyReLU, Linear, Sequential, Sigmoid, Softmax, Tanh
from handgrad.losses import Loss, MeanSquaredError
from handgrad.optimizers import SGD, Adam, AdamW, Optimizer, RMSProp

RNG_SEED = 3


def traced(layer: Layer, shape: tuple[int, ...], optimizer: Optimizer | None = None) -> Trace:
    """A layer in float64 with random parameters, behind and before nothing but a reshaping, and a random target."""
    rng = np.random.default_rng(RNG_SEED)
    model = Sequential(deepcopy(layer), Flatten()).initialize(rng, dtype="float64")
    model.parameters.vector[...] = rng.normal(size=model.parameters.count)
    model.parameters.buffers[...] = rng.uniform(0.5, 2, size=model.parameters.buffers.shape)
    x = rng.normal(size=(1, *shape))
    target = rng.normal(size=model(x).shape)
    return trace(model, MeanSquaredError("sum"), x, target, optimizer=optimizer, updates=2)


def some_places(array: Any, count: int = 6) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(RNG_SEED)
    picked = rng.choice(array.size, size=min(count, array.size), replace=False)
    return [tuple(map(int, np.unravel_index(place, array.shape))) for place in picked]


def calculated(latex: str, epsilon: float = 1e-5) -> float:
    """A line of LaTeX with numbers only, calculated."""
    text = latex.replace(r"\left", "").replace(r"\right", "").replace(r",\,", ",")
    text = re.sub(r"\\t?frac(\d)(\d)", r"((\1)/(\2))", text).replace(r"\,", "*")
    text = re.sub(r"\[([^\[\]]*)\]", lambda found: f"float({found[1].replace(chr(92) + 'le', '<=')})", text)
    while (found := re.search(r"\\t?frac\{([^{}]*)\}\{([^{}]*)\}", text)) or (
        found := re.search(r"\^\{([^{}]*)\}|\\sqrt\{([^{}]*)\}", text)
    ):
        if found[0].startswith("^"):
            new = f"**({found[1]})"
        elif found[0].startswith("\\sqrt"):
            new = f"sqrt({found[2]})"
        else:
            new = f"(({found[1]})/({found[2]}))"
        text = text[: found.start()] + new + text[found.end() :]
    text = text.replace("^", "**").replace(r"\cdot", "*").replace(r"\varepsilon", "epsilon")
    text = re.sub(r"\\(max|tanh|log|pi|sigma)", r"\1", text)
    text = re.sub(r"(tanh|log|sqrt) *(-?[\d.]+)", r"\1(\2)", text)
    known = {name: getattr(math, name) for name in ("tanh", "log", "sqrt", "pi", "e")} | {
        "epsilon": epsilon,
        "max": max,
    }
    return float(eval(text, {"__builtins__": {"float": float}}, known))


def check_account(cell: Cell, epsilon: float = 1e-5) -> None:
    """The addends add up to the number, and where all is written out in numbers, so do they."""
    parts, lines = cell.account.parts, cell.account.lines
    assert lines, cell.array
    if parts:
        assert math.isclose(sum(part.product for part in parts), cell.value, rel_tol=1e-9, abs_tol=1e-12)
        assert {f.array for part in parts for f in part.factors if f.array} <= set(cell.sources)
    if len(lines[-1]) > 3 and r"\cdots" not in lines[-1][-2] and r"\quad" not in lines[-1][-2]:
        assert calculated(lines[-1][-2], epsilon) == pytest.approx(cell.value, rel=5e-3, abs=2e-3), lines[-1]


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if case.training or "eval" in case.note], ids=str)
def test_every_number_of_a_layer_is_accounted_for(case: LayerCase) -> None:
    found = traced(case.layer, case.shape[1:])
    for name, array in found.arrays.items():
        for index in some_places(array):
            cell = explain(found, name, index)
            assert cell.value == array[index]
            check_account(cell, getattr(case.layer, "epsilon", 1e-5))


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if type(case.layer) in SUMS | FUNCTIONS], ids=str)
def test_what_a_number_depends_on_holds_everything_with_a_slope(case: LayerCase) -> None:
    found = traced(case.layer, case.shape[1:])
    by_derivative = DerivativeWiring()
    from handgrad.inspection.cell.parts import Site

    for index in some_places(found.activations[1]):
        site = Site(found, 0)
        reached = {factor.index for factor in by_derivative.output(site, site.layer, index).sources}
        assert reached <= set(explain(found, "activation.1", index).sources.get("activation.0", []))
    for index in some_places(found.gradients[0]):
        chain_rule = by_derivative.input_gradient(site, site.layer, index)
        reached = {part.factors[0].index for part in chain_rule.parts}
        assert reached <= set(explain(found, "gradient.0", index).sources.get("gradient.1", []))
        check_account(Cell("gradient.0", index, float(found.gradients[0][index]), 0, "", chain_rule))


def loss_and_output(kind: type[Loss]) -> tuple[Loss, list[Layer], Any]:
    last: list[Layer] = [Softmax()] if kind is losses.CrossEntropy else [Sigmoid()] if kind is MeanSquaredError else []
    target: Any = [[1.0, 0.0, 0.0]] if issubclass(kind, losses.RegressionLoss) else [2]
    return kind(), last, target


@pytest.mark.parametrize("kind", LOSS_KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_every_loss_is_accounted_for(kind: type[Loss], reduction: str) -> None:
    loss, last, target = loss_and_output(kind)
    loss.reduction = reduction
    model = Sequential(Linear(4, 3), *last).initialize(np.random.default_rng(RNG_SEED), dtype="float64")
    found = trace(model, loss, np.random.default_rng(1).normal(size=(1, 4)), target)
    whole = explain(found, "loss")
    assert whole.value == found.loss_value
    assert sum(part.product for part in whole.account.parts) == pytest.approx(found.loss_value, rel=1e-9)
    assert f"activation.{len(found.layers)}" in whole.sources
    for name in ("probabilities", f"gradient.{len(found.layers)}"):
        for index in np.ndindex(found[name].shape):
            cell = explain(found, name, index)
            check_account(cell)
            assert len(cell.account.lines[-1]) > 2, "the loss's gradient must be written out in numbers"
            assert cell.sources


def test_label_smoothing_is_in_the_gradient() -> None:
    model = Linear(4, 3).initialize(np.random.default_rng(RNG_SEED), dtype="float64")
    found = trace(model, losses.SoftmaxCrossEntropy(label_smoothing=0.3), np.ones((1, 4)), [2])
    for index in np.ndindex(3):
        check_account(explain(found, "gradient.1", index))
    parts = explain(found, "loss").account.parts
    assert len(parts) == 3
    assert sum(part.product for part in parts) == pytest.approx(found.loss_value, rel=1e-9)


OPTIMIZERS = [
    SGD(0.1),
    SGD(0.1, momentum=0.9),
    SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    RMSProp(0.1, weight_decay=0.01),
    Adam(0.1),
    Adam(0.1, weight_decay=0.5),
    AdamW(0.1, weight_decay=0.5),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_update_is_accounted_for(optimizer: Optimizer) -> None:
    found = traced(Linear(3, 2), (3,), optimizer)
    assert found.update is not None
    assert found.update.step == 3
    for index in np.ndindex(2, 3):
        cell = explain(found, "updated.0.weight", index)
        check_account(cell)
        assert set(cell.sources) == {"parameter.0.weight", "parameter_gradient.0.weight"}
        for line in cell.account.lines:
            assert len(line) < 4 or calculated(line[-2]) == pytest.approx(calculated(line[-1]), rel=5e-3, abs=5e-4)


def test_every_optimizer_is_among_them() -> None:
    assert {type(optimizer) for optimizer in OPTIMIZERS} == set(OPTIMIZER_KINDS)


def test_a_place_or_an_array_that_is_not_there_is_refused() -> None:
    found = traced(Linear(3, 2), (3,))
    with pytest.raises(ArgumentError, match=r"index is \[2\], expected a place in activation.1, whose shape is \(2,\)"):
        explain(found, "activation.1", (2,))
    with pytest.raises(ArgumentError, match=r"array is 'activation\.9'"):
        explain(found, "activation.9", (0,))
    without = trace(Linear(3, 2).initialize(np.random.default_rng(0)), losses.SoftmaxCrossEntropy(), np.ones((1, 3)))
    for array in ("gradient.1", "loss"):
        with pytest.raises(ArgumentError, match="give a target"):
            explain(without, array, (0,) if array != "loss" else ())


@pytest.mark.parametrize("layer", [Linear(3, 2), Sigmoid(), Tanh(), GELU(), LeakyReLU(), BatchNorm1d(3)], ids=repr)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_numbers_of_any_size_can_be_typeset(layer: Layer, optimizer: Optimizer) -> None:
    """A power in a power has to stand in parentheses, or no browser could show it."""
    convert = pytest.importorskip("latex2mathml.converter").convert
    model = Sequential(deepcopy(layer), Linear(layer.output_shape((3,))[0], 2)).initialize(np.random.default_rng(1))
    for size in (1e-6, 1.0, 1e6):
        x = size * np.array([[1.0, -2.0, 3.0]], np.float32)
        found = trace(model, MeanSquaredError(), x, np.array([[size, -size]], np.float32), optimizer=optimizer)
        for name, array in found.arrays.items():
            for index in some_places(array, 3):
                for line in explain(found, name, index).account.lines:
                    for step in line:
                        assert convert(step).startswith("<math")

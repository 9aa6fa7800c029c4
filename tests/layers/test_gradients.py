"""Every layer's derivation against the slope of its own forward pass, element by element."""

import math
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase
from prepare import Prepared, Values, has_kinks, prepare, prepare_above_a_layer

from handgrad.inspection.slopes import numerical_gradient, relative_error


def gradient_errors(run: Prepared) -> dict[str, float]:
    """Relative error of the gradient of Σ ȳ y with respect to every parameter and the input, by name."""
    _, cache = run.forward()
    dx, gradients = run.backward(cache)
    arrays = {name: run.layer.parameters.views[name] for name in run.layer.parameters.names} | {"input": run.x}
    derived = {**gradients.views, "input": dx}

    def objective() -> float:
        return float(np.sum(run.dy * run.forward()[0]))

    return {name: relative_error(derived[name], numerical_gradient(objective, arrays[name])) for name in arrays}


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_every_gradient_is_the_slope_also_in_the_layer_below(case: LayerCase) -> None:
    errors = gradient_errors(prepare_above_a_layer(case))
    tolerance = 1e-5 if has_kinks(case.layer) else 1e-7
    assert {name: error for name, error in errors.items() if not error <= tolerance} == {}
    assert {"0.weight", "0.bias", "input"} <= errors.keys()


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_backward_writes_gradients_and_does_not_add(case: LayerCase) -> None:
    run = prepare(case)
    _, cache = run.forward()
    gradients = run.layer.parameters.gradients()
    seen = []
    for leftover in (0.0, 123.0):
        gradients.vector[...] = leftover
        dx = run.layer.backward(run.dy, cache, ops=run.ops, grads=gradients.tree)
        seen.append((dx.copy(), gradients.vector.copy()))
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    np.testing.assert_array_equal(seen[0][1], seen[1][1])


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_neither_pass_changes_what_it_reads(case: LayerCase) -> None:
    run = prepare(case)
    parameters = run.layer.parameters.vector
    x, dy, weights = run.x.copy(), run.dy.copy(), parameters.copy()
    y, cache = run.forward()
    output, remembered = y.copy(), deepcopy(cache)
    run.backward(cache)
    for now, before in ((run.x, x), (run.dy, dy), (parameters, weights), (y, output)):
        np.testing.assert_array_equal(now, before)
    assert_same_cache(cache, remembered)


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_only_training_changes_buffers(case: LayerCase) -> None:
    run = prepare(case)
    run.training = False
    buffers = run.layer.parameters.buffers.copy()
    run.results()
    np.testing.assert_array_equal(run.layer.parameters.buffers, buffers)


def assert_same_cache(now: Any, before: Any) -> None:
    """Equal arrays, numbers and shapes, however deeply nested."""
    if isinstance(now, list | tuple):
        assert len(now) == len(before)
        for one, other in zip(now, before, strict=True):
            assert_same_cache(one, other)
    else:
        np.testing.assert_array_equal(now, before)


def test_the_gradient_check_itself_sees_a_small_mistake() -> None:
    def wrong(values: Values) -> Values:
        spoiled = values.copy()
        spoiled.flat[0] += 1e-6 * math.copysign(np.abs(values).max(), values.flat[0])
        return spoiled

    x = np.linspace(-1.0, 1.0, 7)
    slope = numerical_gradient(lambda: float(np.sum(np.sin(x))), x)
    assert relative_error(np.cos(x), slope) <= 1e-7
    assert relative_error(wrong(np.cos(x)), slope) > 1e-7

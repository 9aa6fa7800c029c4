"""A trace is the library's own forward and backward pass, and the optimizer's own steps."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from handgrad.errors import ArgumentError
from handgrad.inspection.trace import trace
from handgrad.inspection.trace_check import check
from handgrad.layers import BatchNorm1d, Dropout, Linear, ReLU, Sequential
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.optimizers import SGD, Adam

LOSS = SoftmaxCrossEntropy()


def network() -> Sequential:
    model = Sequential(Linear(4, 6), BatchNorm1d(6), ReLU(), Dropout(0.5), Sequential(Linear(6, 3)))
    return model.initialize(np.random.default_rng(0))


X, Y = np.random.default_rng(1).normal(size=(1, 4)).astype(np.float32), np.array([2])


def test_activations_are_those_of_a_prediction() -> None:
    model = network()
    found = trace(model, LOSS, X)
    np.testing.assert_array_equal(found.activations[-1], model(X)[0])
    np.testing.assert_allclose(found.probabilities.sum(), 1, rtol=1e-6)
    assert found.gradients == ()
    assert found.loss_value is None
    assert [name for name, _ in found.layers] == ["0", "1", "2", "3", "4.0"]


def test_gradients_are_those_of_the_loss() -> None:
    model = network()
    ops, gradients = model.parameters.ops, model.parameters.gradients()
    outputs, cache = model.forward(X, ops=ops)
    value, loss_cache = LOSS.forward(outputs, Y, ops=ops)
    dx = model.backward(LOSS.backward(loss_cache, ops=ops), cache, ops=ops, grads=gradients.tree)
    found = trace(model, LOSS, X, Y)
    assert found.loss_value == float(value)
    np.testing.assert_array_equal(found["gradient.0"], dx[0])
    for name in model.parameters.names:
        np.testing.assert_array_equal(found[f"parameter_gradient.{name}"], gradients.views[name])


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, momentum=0.9), Adam(0.01)], ids=repr)
def test_updates_are_the_optimizers_steps(optimizer: SGD | Adam) -> None:
    model, twin = network(), network()
    state = optimizer.start(twin.parameters.vector, ops=twin.parameters.ops)
    gradients = twin.parameters.gradients()
    before = {}
    for _ in range(4):
        before = twin.parameters.state_dict()
        for name, array in trace(twin, LOSS, X, Y).parameter_gradients.items():
            gradients.views[name][...] = array
        optimizer.step(twin.parameters.vector, gradients.vector, state, ops=twin.parameters.ops)
    untouched = deepcopy(model.parameters.state_dict())
    found = trace(model, LOSS, X, Y, optimizer=optimizer, updates=3)
    assert found.update is not None
    assert found.update.step == 4
    for name in model.parameters.names:
        np.testing.assert_array_equal(found[f"parameter.{name}"], before[name])
        np.testing.assert_array_equal(found[f"updated.{name}"], twin.parameters.views[name])
        np.testing.assert_array_equal(model.parameters.views[name], untouched[name])
        for slot in state.slots:
            after = twin.parameters.named(state.slots[slot])[name]
            np.testing.assert_array_equal(found[f"slot_updated.{slot}.{name}"], after)
            assert not np.array_equal(found[f"slot.{slot}.{name}"], after)


def test_the_arrays_are_copies_that_training_does_not_change() -> None:
    model = network()
    found = trace(model, LOSS, X, Y)
    kept = {name: array.copy() for name, array in found.arrays.items()}
    model.parameters.vector[...] = 0
    trace(model, LOSS, X, Y)
    for name, array in kept.items():
        np.testing.assert_array_equal(found[name], array)


def test_an_update_needs_a_target() -> None:
    with pytest.raises(ArgumentError, match="no update without a gradient"):
        trace(network(), LOSS, X, optimizer=SGD(0.1))


def test_every_gradient_of_a_trace_is_the_slope_of_the_loss() -> None:
    found = trace(network(), LOSS, X, Y)
    gradients = [name for name in found.arrays if "gradient" in name]
    assert len(gradients) == 6 + 6
    for name in gradients:
        result, slopes = check(found, name)
        assert result.passed, result
        assert len(slopes.places) == found[name].size
        np.testing.assert_allclose(slopes.numeric, found[name].ravel()[slopes.places], rtol=1e-4, atol=1e-6)


def test_a_wrong_gradient_is_found() -> None:
    model = network()
    layer = model[0]
    assert isinstance(layer, Linear)

    class Wrong(Linear):
        def backward(self, dy: Any, x: Any, *, ops: Any, grads: Any) -> Any:
            dx = super().backward(dy, x, ops=ops, grads=grads)
            grads.weight[...] = -grads.weight
            return dx

    wrong = Sequential(Wrong(4, 6), ReLU(), Linear(6, 3)).initialize(np.random.default_rng(0))
    found = trace(wrong, LOSS, X, Y)
    result, _ = check(found, "parameter_gradient.0.weight")
    assert not result.passed
    assert "sign" in result.hint or "negative" in result.hint or "-1" in result.hint or "−1" in result.hint
    assert check(found, "gradient.0")[0].passed


def test_of_a_large_array_some_elements_are_compared() -> None:
    model = Sequential(Linear(4, 300), ReLU(), Linear(300, 3)).initialize(np.random.default_rng(0))
    result, slopes = check(trace(model, LOSS, X, Y), "parameter_gradient.0.weight", seconds=0)
    assert result.passed
    assert len(slopes.places) == result.compared == 32


@pytest.mark.parametrize("array", ["activation.1", "parameter.0.weight", "gradient.9", "loss"])
def test_only_gradients_can_be_checked(array: str) -> None:
    with pytest.raises(ArgumentError, match="a gradient of the trace"):
        check(trace(network(), LOSS, X, Y), array)

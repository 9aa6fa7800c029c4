"""Activations, softmax and dropout: values by hand, and numbers that overflow in a careless formula."""

import math

import numpy as np
import pytest
from expect import rejected
from prepare import CPU, Values

from handgrad.layers import (
    GELU,
    Activation,
    Dropout,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)

HUGE = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [0.0, 1e4, 1e4]])


def both_passes(layer: Activation, x: Values) -> tuple[Values, Values]:
    """Output, and input gradient for an upstream gradient of 1, 2, 3."""
    layer.initialize(np.random.default_rng(0))
    y, cache = layer.forward(x, ops=CPU)
    dy = np.broadcast_to(np.arange(1.0, x.shape[-1] + 1), x.shape)
    return y, layer.backward(dy, cache, ops=CPU, grads=layer.parameters.gradients().tree)


@pytest.mark.parametrize(
    ("layer", "x", "y", "dx"),
    [
        (ReLU(), [-2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 3.0]),
        (LeakyReLU(0.5), [-2.0, 0.0, 3.0], [-1.0, 0.0, 3.0], [0.5, 1.0, 3.0]),
        (Sigmoid(), [0.0, math.log(3.0), -math.log(3.0)], [0.5, 0.75, 0.25], [0.25, 2 * 3 / 16, 3 * 3 / 16]),
        (Tanh(), [0.0, math.atanh(0.5), -math.atanh(0.8)], [0.0, 0.5, -0.8], [1.0, 2 * 0.75, 3 * 0.36]),
        (GELU(), [0.0, 20.0, -20.0], [0.0, 20.0, 0.0], [0.5, 2.0, 0.0]),
        (Softmax(), [0.0, math.log(2.0), 0.0], [0.25, 0.5, 0.25], [-0.25, 0.0, 0.25]),
        (LogSoftmax(), [0.0, math.log(2.0), 0.0], np.log([0.25, 0.5, 0.25]), [1 - 1.5, 2 - 3.0, 3 - 1.5]),
    ],
    ids=lambda value: repr(value) if isinstance(value, Activation) else "",
)
def test_values_and_gradients_are_those_computed_by_hand(layer: Activation, x: object, y: object, dx: object) -> None:
    output, gradient = both_passes(layer, np.array([x]))
    np.testing.assert_allclose(output, np.array([y]), atol=1e-15)
    np.testing.assert_allclose(gradient, np.array([dx]), atol=1e-15)


def test_gelu_follows_the_normal_distribution_function() -> None:
    x = np.linspace(-5.0, 5.0, 101)
    exact = np.array([0.5 * v * (1.0 + math.erf(v / math.sqrt(2.0))) for v in x])
    np.testing.assert_allclose(GELU().forward(x, ops=CPU)[0], exact, atol=5e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", [ReLU(), LeakyReLU(), Sigmoid(), Tanh(), GELU(), Softmax(), LogSoftmax()], ids=repr)
def test_huge_numbers_stay_finite_both_ways(layer: Activation, dtype: str) -> None:
    y, dx = both_passes(layer, HUGE.astype(dtype))  # an overflow would also warn, and warnings are errors
    assert np.isfinite(y).all()
    assert np.isfinite(dx).all()


def test_probabilities_of_huge_scores_are_exact() -> None:
    expected = np.array([[1.0, 0.0, 0.0], [1 / 3] * 3, [0.0, 0.5, 0.5]])
    np.testing.assert_allclose(both_passes(Softmax(), HUGE)[0], expected, rtol=1e-15)
    np.testing.assert_array_equal(both_passes(Sigmoid(), HUGE[:1])[0], [[1.0, 0.0, 0.5]])


def test_log_probabilities_keep_what_probabilities_lose() -> None:
    y, _ = both_passes(LogSoftmax(), HUGE)
    half = math.log(2.0)
    np.testing.assert_allclose(y, [[0.0, -2e4, -1e4], [-math.log(3.0)] * 3, [-1e4 - half, -half, -half]], rtol=1e-12)


def test_softmax_rows_add_up_to_1_and_ignore_a_common_shift() -> None:
    x = np.random.default_rng(0).normal(size=(4, 3, 5))
    y, dx = both_passes(Softmax(), x)
    np.testing.assert_allclose(y.sum(axis=-1), np.ones((4, 3)), rtol=1e-14)
    np.testing.assert_allclose(both_passes(Softmax(), x + 100.0)[0], y, rtol=1e-12)
    np.testing.assert_allclose(dx.sum(axis=-1), np.zeros((4, 3)), atol=1e-15)


# -- dropout -------------------------------------------------------------------------------------------


def dropped(p: float, shape: tuple[int, ...], seed: int = 0) -> Values:
    y: Values = Dropout(p).forward(np.ones(shape), ops=CPU, training=True, rng=np.random.default_rng(seed))[0]
    return y


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_a_share_of_p_and_keeps_the_expected_value(p: float) -> None:
    y = dropped(p, (100, 1000))
    assert set(np.unique(y)) == {0.0, 1.0 / (1.0 - p)}
    five_sigma = 5 * math.sqrt(p * (1 - p) / y.size)
    assert abs(float((y == 0.0).mean()) - p) < five_sigma
    assert abs(float(y.mean()) - 1.0) < five_sigma / (1 - p)


def test_dropout_draws_its_mask_from_the_generator_alone() -> None:
    np.testing.assert_array_equal(dropped(0.5, (4, 5), seed=1), dropped(0.5, (4, 5), seed=1))
    assert not np.array_equal(dropped(0.5, (4, 5), seed=1), dropped(0.5, (4, 5), seed=2))


def test_two_dropouts_of_one_model_draw_different_masks() -> None:
    model = Sequential(Dropout(0.5), Dropout(0.5)).initialize(np.random.default_rng(0))
    _, masks = model.forward(np.ones((4, 5)), ops=CPU, training=True, rng=np.random.default_rng(0))
    assert not np.array_equal(*masks)


def test_dropout_needs_a_generator_in_training_only() -> None:
    x = np.ones((2, 2))
    with rejected("rng", None):
        Dropout(0.5).forward(x, ops=CPU, training=True)
    np.testing.assert_array_equal(Dropout(0.5).forward(x, ops=CPU)[0], x)
    np.testing.assert_array_equal(Dropout(0.0).forward(x, ops=CPU, training=True)[0], x)

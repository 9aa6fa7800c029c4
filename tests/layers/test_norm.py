"""Normalisation: what the statistics are taken over, and how the running averages move."""

import numpy as np
import pytest
from prepare import CPU, Values

from handgrad.errors import ShapeError
from handgrad.layers import BatchNorm1d, BatchNorm2d, LayerNorm

BATCHES = [3.0 + 2.0 * np.random.default_rng(seed).normal(size=(4, 3, 2, 5)) for seed in range(3)]


def trained(layer: BatchNorm1d, batches: list[Values]) -> list[Values]:
    """Outputs of the layer in training on one batch after the other."""
    layer.initialize(np.random.default_rng(0), dtype="float64")
    return [layer.forward(batch, ops=CPU, training=True)[0] for batch in batches]


def test_training_output_has_mean_0_and_variance_1_in_each_channel() -> None:
    for y in trained(BatchNorm2d(3, epsilon=1e-12), BATCHES):
        np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), np.zeros(3), atol=1e-12)
        np.testing.assert_allclose(y.var(axis=(0, 2, 3)), np.ones(3), atol=1e-10)


def test_running_averages_move_by_the_momentum_towards_mean_and_unbiased_variance() -> None:
    layer = BatchNorm2d(3, momentum=0.25)
    trained(layer, BATCHES)
    mean, variance = np.zeros(3), np.ones(3)
    for batch in BATCHES:
        mean = 0.75 * mean + 0.25 * batch.mean(axis=(0, 2, 3))
        variance = 0.75 * variance + 0.25 * batch.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, variance, rtol=1e-12)


def test_prediction_uses_the_running_averages_and_not_the_batch() -> None:
    layer = BatchNorm1d(2, epsilon=1.0).initialize(np.random.default_rng(0), dtype="float64")
    layer.parameters.assign("running_mean", [1.0, 2.0])
    layer.parameters.assign("running_var", [3.0, 8.0])
    layer.parameters.assign("weight", [4.0, 6.0])
    layer.parameters.assign("bias", [10.0, 20.0])
    assert layer([[3.0, 5.0]]).tolist() == [[10.0 + 4.0 * 2.0 / 2.0, 20.0 + 6.0 * 3.0 / 3.0]]


def test_a_single_value_a_feature_is_refused_in_training_only() -> None:
    layer = BatchNorm1d(2).initialize(np.random.default_rng(0))
    one_row = np.ones((1, 2), np.float32)
    with pytest.raises(ShapeError, match="use a larger batch"):
        layer.forward(one_row, ops=CPU, training=True)
    assert layer.running_mean.tolist() == [0.0, 0.0]
    assert layer(one_row).shape == (1, 2)


def test_one_image_with_several_pixels_is_enough_to_train() -> None:
    (y,) = trained(BatchNorm2d(1), [np.arange(4.0).reshape(1, 1, 2, 2)])
    assert abs(y.mean()) < 1e-12


def test_layer_norm_gives_each_row_mean_0_and_variance_1() -> None:
    layer = LayerNorm(5, epsilon=1e-12).initialize(np.random.default_rng(0), dtype="float64")
    y = layer(BATCHES[0])
    np.testing.assert_allclose(y.mean(axis=-1), np.zeros((4, 3, 2)), atol=1e-12)
    np.testing.assert_allclose(y.var(axis=-1), np.ones((4, 3, 2)), atol=1e-10)


def test_operations_are_counted_by_element() -> None:
    assert BatchNorm2d(3).flops((3, 2, 5)) == 60
    assert LayerNorm(5).flops((3, 5)) == 120

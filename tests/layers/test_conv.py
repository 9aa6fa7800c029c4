"""Convolution against loops that nobody can misread, over sizes that nobody would think of."""

import itertools
import math
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from expect import assert_agree, rejected
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare import CPU, Values, distinct, fill

from handgrad.errors import ShapeError
from handgrad.layers import AvgPool2d, Conv2d, Layer, Linear, MaxPool2d
from handgrad.ops import Pair, Shape

examples = settings(deadline=None, max_examples=25, derandomize=True)
sizes = st.integers(1, 3)
pairs = st.tuples(sizes, sizes)


def windows(x: Values, kernel: Pair, stride: Pair) -> dict[Pair, Values]:
    """Every window of x (N, C, H, W) that fits, by its place in the output."""
    found = {}
    for p, top in enumerate(range(0, x.shape[2] - kernel[0] + 1, stride[0])):
        for q, left in enumerate(range(0, x.shape[3] - kernel[1] + 1, stride[1])):
            found[p, q] = x[:, :, top : top + kernel[0], left : left + kernel[1]]
    return found


def convolved(x: Values, layer: Conv2d) -> Values:
    """The definition of the layer's forward pass, as loops over places and output channels."""
    (down, across), weight = layer.padding, layer.weight
    padded = np.pad(x, ((0, 0), (0, 0), (down, down), (across, across)))
    places = windows(padded, layer.kernel_size, layer.stride)
    y = np.empty((len(x), layer.out_channels, *(index + 1 for index in max(places))))
    for (p, q), o in itertools.product(places, range(layer.out_channels)):
        y[:, o, p, q] = (places[p, q] * weight[o]).sum(axis=(1, 2, 3)) + (0.0 if layer.bias is None else layer.bias[o])
    return y


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Conv2d, Shape]:
    """Any convolution of small size, and a batch that at least one window fits into."""
    kernel, padding = draw(pairs), draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    least = [max(1, k - 2 * p) for k, p in zip(kernel, padding, strict=True)]
    image = [draw(st.integers(low, low + 4)) for low in least]
    layer = Conv2d(draw(sizes), draw(sizes), kernel, draw(pairs), padding, draw(st.booleans()))
    return layer, (draw(sizes), layer.in_channels, *image)


@examples
@given(convolutions())
def test_convolution_is_its_definition_in_loops(drawn: tuple[Conv2d, Shape]) -> None:
    layer, shape = drawn
    rng = np.random.default_rng(0)
    fill(layer.initialize(rng, dtype="float64"), rng)
    x = distinct(rng, shape)
    y = layer(x)
    assert_agree({"y": y}, {"y": convolved(x, layer)}, 1e-10)
    assert y.shape[1:] == layer.output_shape(shape[1:])


@examples
@given(convolutions())
def test_both_gradients_are_the_transposes_of_the_convolution(drawn: tuple[Conv2d, Shape]) -> None:
    """Without its bias y is linear in x and in W, so ⟨ȳ, y⟩ = ⟨x̄, x⟩ = ⟨W̄, W⟩."""
    layer, shape = drawn
    rng = np.random.default_rng(0)
    fill(layer.initialize(rng, dtype="float64"), rng)
    if layer.bias is not None:
        layer.bias[...] = 0.0
    x = distinct(rng, shape)
    y, cache = layer.forward(x, ops=CPU)
    dy, gradients = rng.normal(size=y.shape), layer.parameters.gradients()
    dx = layer.backward(dy, cache, ops=CPU, grads=gradients.tree)
    product = pytest.approx(float((dy * y).sum()), rel=1e-10, abs=1e-12)
    assert float((dx * x).sum()) == product
    assert float((gradients.tree.weight * layer.weight).sum()) == product


def test_the_kernel_is_not_flipped() -> None:
    layer = Conv2d(1, 1, 2).initialize(np.random.default_rng(0), dtype="float64")
    layer.weight[...] = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    assert layer([[[[1.0, 2.0], [3.0, 4.0]]]]).item() == 1.0 + 20.0 + 300.0 + 4000.0


@pytest.mark.parametrize(
    ("layer", "shape", "flops"),
    [
        (Conv2d(1, 32, 3, padding=1), (1, 28, 28), 2 * 9 * 32 * 28 * 28),
        (Conv2d(3, 2, (1, 2), stride=2), (3, 5, 4), 2 * (3 * 2) * 2 * (3 * 2)),
        (Linear(784, 128), (784,), 2 * 784 * 128),
        (Linear(3, 2), (5, 3), 5 * 2 * 3 * 2),
    ],
)
def test_operations_are_two_for_each_weight_and_place(layer: Any, shape: Shape, flops: int) -> None:
    assert layer.flops(shape) == flops


@examples
@given(st.lists(sizes, min_size=1, max_size=3), sizes, sizes)
def test_a_linear_layer_maps_the_last_axis_of_any_shape(leading: list[int], inputs: int, outputs: int) -> None:
    rng = np.random.default_rng(0)
    layer = Linear(inputs, outputs).initialize(rng, dtype="float64")
    fill(layer, rng)
    x = distinct(rng, (*leading, inputs))
    y = np.empty((*leading, outputs))
    for place in np.ndindex(*leading):
        for o in range(outputs):
            y[(*place, o)] = math.fsum(x[place] * layer.weight[o]) + (0.0 if layer.bias is None else layer.bias[o])
    assert_agree({"y": layer(x)}, {"y": y}, 1e-12)
    assert layer.output_shape(x.shape) == y.shape


@pytest.mark.parametrize("layer", [Conv2d(1, 2, 3), MaxPool2d(2), AvgPool2d(2)], ids=repr)
def test_a_single_image_is_no_batch(layer: Layer) -> None:
    layer = deepcopy(layer).initialize(np.random.default_rng(0))
    with rejected("x", (1, 5, 5), ShapeError):
        layer(np.ones((1, 5, 5)))

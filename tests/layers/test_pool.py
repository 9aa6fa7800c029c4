"""Pooling against loops, and where the gradient of a maximum goes."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from expect import assert_agree
from hypothesis import given
from hypothesis import strategies as st
from prepare import CPU, Values, distinct
from test_conv import examples, pairs, sizes, windows

from handgrad.layers import AvgPool2d, MaxPool2d
from handgrad.layers.pool import Pool2d
from handgrad.ops import Shape


def pooled(x: Values, pool: Pool2d, border: float, summary: Callable[..., Values]) -> Values:
    """The definition: one number for each window of x with its border."""
    down, across = pool.padding
    padded = np.pad(x, ((0, 0), (0, 0), (down, down), (across, across)), constant_values=border)
    places = windows(padded, pool.kernel_size, pool.stride)
    y = np.empty((*x.shape[:2], *(index + 1 for index in max(places))))
    for (p, q), window in places.items():
        y[:, :, p, q] = summary(window, axis=(2, 3))
    return y


@st.composite
def pools(draw: st.DrawFn, kind: type[Pool2d]) -> tuple[Pool2d, Shape]:
    """Any pooling of small size, and a batch that at least one window fits into."""
    kernel = draw(pairs)
    padding = (draw(st.integers(0, kernel[0] // 2)), draw(st.integers(0, kernel[1] // 2)))
    least = [max(1, k - 2 * p) for k, p in zip(kernel, padding, strict=True)]
    image = [draw(st.integers(low, low + 4)) for low in least]
    return kind(kernel, draw(st.none() | pairs), padding), (draw(sizes), draw(sizes), *image)


@examples
@given(pools(MaxPool2d))
def test_max_pooling_is_its_definition_in_loops(drawn: tuple[Pool2d, Shape]) -> None:
    check_against_loops(*drawn, border=-math.inf, summary=np.max)


@examples
@given(pools(AvgPool2d))
def test_average_pooling_is_its_definition_in_loops(drawn: tuple[Pool2d, Shape]) -> None:
    check_against_loops(*drawn, border=0.0, summary=np.mean)


def check_against_loops(pool: Pool2d, shape: Shape, border: float, summary: Callable[..., Values]) -> None:
    x = distinct(np.random.default_rng(0), shape)
    y, _ = pool.forward(x, ops=CPU)
    assert_agree({"y": y}, {"y": pooled(x, pool, border, summary)}, 1e-10)
    assert y.shape[1:] == pool.output_shape(shape[1:])


def test_windows_tile_the_image_unless_a_stride_is_given() -> None:
    assert MaxPool2d((2, 3)).stride == (2, 3)
    assert MaxPool2d((2, 3), stride=1).stride == (1, 1)


def input_gradient(pool: Pool2d, x: Values, dy: Values) -> list[list[float]]:
    """Gradient of a single image of one channel."""
    _, cache = pool.forward(x[None, None], ops=CPU)
    grads = pool.initialize(np.random.default_rng(0)).parameters.gradients().tree
    gradient: list[list[float]] = pool.backward(dy[None, None], cache, ops=CPU, grads=grads)[0, 0].tolist()
    return gradient


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_a_tie_goes_to_the_first_pixel_in_reading_order(value: float) -> None:
    tied = np.full((2, 4), value)
    assert input_gradient(MaxPool2d(2), tied, np.array([[5.0, 7.0]])) == [[5.0, 0.0, 7.0, 0.0], [0.0] * 4]


def test_a_pixel_that_wins_several_windows_gets_the_sum() -> None:
    x = np.array([[0.0, 9.0, 1.0]])
    assert input_gradient(MaxPool2d((1, 2), stride=1), x, np.array([[2.0, 3.0]])) == [[0.0, 5.0, 0.0]]


def test_padding_never_wins_a_maximum_but_counts_in_an_average() -> None:
    x = np.full((1, 1, 2, 2), -4.0)
    assert MaxPool2d(2, padding=1).forward(x, ops=CPU)[0].tolist() == [[[[-4.0, -4.0], [-4.0, -4.0]]]]
    assert AvgPool2d(2, padding=1).forward(x, ops=CPU)[0].tolist() == [[[[-1.0, -1.0], [-1.0, -1.0]]]]


def test_a_window_may_have_more_pixels_than_a_byte_can_count() -> None:
    x = np.zeros((1, 300))
    x[0, 299] = 1.0
    gradient = input_gradient(MaxPool2d((1, 300)), x, np.array([[6.0]]))
    assert gradient == [[0.0] * 299 + [6.0]]


def test_operations_are_one_for_each_pixel_of_each_window() -> None:
    assert MaxPool2d(2).flops((3, 4, 4)) == 3 * 4 * 4
    assert AvgPool2d(3, stride=1).flops((1, 5, 4)) == 9 * 3 * 2

"""Convolution as kernels compute it, beside the reference: odd sizes, every kind of window, any number of threads."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from compare import (
    Case,
    Stored,
    absolute_values,
    assert_close,
    assert_identical,
    by_kernels,
    by_reference,
    compile_case,
    share_everything,
)
from op_cases import numbers, to_fill

from handgrad.layers.windows import window_grid
from handgrad.ops import Ops, Pair, Shape

ORDER = (2, 3, 1, 0)
#: Images (N, C, H, W), output channels, kernel, stride, padding.
CONVOLUTIONS: list[tuple[Shape, int, Pair, Pair, Pair]] = [
    ((1, 1, 1, 1), 1, (1, 1), (1, 1), (0, 0)),
    ((1, 3, 1, 7), 17, (1, 3), (1, 1), (0, 1)),
    ((3, 3, 7, 1), 64, (3, 1), (2, 1), (1, 0)),
    ((2, 1, 13, 13), 32, (3, 3), (1, 1), (1, 1)),
    ((5, 17, 7, 7), 33, (3, 3), (1, 1), (1, 1)),
    ((2, 33, 13, 13), 64, (3, 3), (1, 1), (0, 0)),
    ((1, 64, 7, 7), 3, (3, 3), (2, 2), (1, 1)),
    ((4, 3, 13, 13), 17, (5, 5), (3, 3), (0, 0)),
    ((37, 1, 28, 28), 32, (5, 5), (3, 3), (0, 0)),
    ((19, 3, 7, 13), 33, (2, 5), (3, 2), (0, 2)),
    ((3, 17, 13, 7), 1, (4, 2), (1, 3), (2, 0)),
    ((2, 3, 9, 31), 5, (3, 3), (1, 1), (1, 1)),  # wider than the tallest tile
    ((2, 17, 5, 26), 5, (3, 3), (1, 1), (0, 0)),  # two tiles a row that must not overlap
    ((2, 33, 5, 19), 8, (3, 3), (1, 1), (0, 0)),  # windows that no tile divides
    ((3, 40, 13, 13), 24, (5, 3), (2, 3), (0, 0)),
    ((2, 33, 6, 6), 16, (1, 1), (1, 1), (0, 0)),
    ((2, 5, 7, 7), 64, (1, 1), (2, 2), (0, 0)),  # inputs that no window meets
    ((2, 3, 7, 8), 7, (2, 2), (3, 3), (0, 0)),
    ((2, 3, 3, 3), 7, (2, 2), (1, 1), (3, 3)),  # windows that meet only the border
    ((2, 3, 2, 2), 7, (2, 2), (5, 5), (1, 1)),
    ((1, 2, 4, 5), 3, (4, 5), (1, 1), (0, 0)),
    ((9, 32, 14, 14), 64, (3, 3), (1, 1), (1, 1)),
    ((37, 8, 6, 5), 33, (3, 3), (1, 1), (1, 1)),  # groups of images of which the last is smaller
]


def cases() -> Iterator[Case]:
    """Forward and both gradients, with a bias and without."""
    for x_shape, outputs, kernel, stride, padding in CONVOLUTIONS:
        yield from cases_of(x_shape, outputs, kernel, stride, padding)


def cases_of(x_shape: Shape, outputs: int, kernel: Pair, stride: Pair, padding: Pair) -> Iterator[Case]:
    """Each operation for one shape."""
    note = f"{x_shape} to {outputs} kernel {kernel} stride {stride} padding {padding}".replace(", ", "x")
    weight_shape = (outputs, x_shape[1], *kernel)
    y_shape = (x_shape[0], outputs, *window_grid(x_shape[1:], kernel, stride, padding))
    x, dy = numbers(x_shape), numbers(y_shape, seed=1)
    weight, bias = Stored(numbers(weight_shape, seed=2), ORDER), Stored(numbers((outputs,), seed=3))
    fill = to_fill(*weight_shape, order=ORDER), to_fill(outputs)

    def forward(ops: Ops, x: Any, weight: Any, bias: Any = None) -> Any:
        return ops.conv2d(x, weight, bias, stride, padding)

    def backward(ops: Ops, dy: Any, weight: Any) -> Any:
        return ops.conv2d_dx(dy, weight, x_shape, stride, padding)

    def gradients(ops: Ops, dy: Any, x: Any, weight: Any, bias: Any = None) -> None:
        ops.conv2d_grads(dy, x, (weight, bias), stride, padding)

    yield Case("conv2d", note, forward, (x,), (weight, bias), absolute_values)
    yield Case("conv2d", f"no bias {note}", forward, (x,), (weight,), absolute_values)
    yield Case("conv2d_dx", note, backward, (dy,), (weight,), absolute_values)
    yield Case("conv2d_grads", note, gradients, (dy, x), fill, absolute_values)
    yield Case("conv2d_grads", f"no bias {note}", gradients, (dy, x), fill[:1], absolute_values)


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_kernels_agree_with_the_reference_on_any_number_of_threads(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    one = by_kernels(case)
    assert_close(case, one, by_reference(case))
    share_everything(monkeypatch)
    for threads in (2, 3):
        assert_identical(one, by_kernels(case, threads))


def test_forward_and_both_gradients_share_the_border() -> None:
    """In one function the padded images are made once, and serve two layers that read the same images."""
    shape, stride, padding = (3, 2, 6, 5), (1, 1), (1, 1)
    x, dy = numbers(shape), numbers((3, 4, 6, 5), seed=1)
    weights = [Stored(numbers((4, 2, 3, 3), seed=seed), ORDER) for seed in (2, 3)]

    def call(ops: Ops, x: Any, dy: Any, first: Any, second: Any, out: Any) -> Any:
        y = ops.add(*(ops.conv2d(x, weight, None, stride, padding) for weight in (first, second)))
        ops.conv2d_grads(dy, x, (out, None), stride, padding)
        return y, ops.conv2d_dx(dy, first, shape, stride, padding)

    case = Case("conv2d", "twice", call, (x, dy), (*weights, to_fill(4, 2, 3, 3, order=ORDER)), absolute_values)
    assert_close(case, by_kernels(case), by_reference(case))


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_a_number_spreads_as_in_the_reference(number: float, padding: int) -> None:
    size = 5 + 2 * padding
    x, dy = numbers((2, 3, 7, 7)), numbers((2, 17, size, size), seed=1)
    x[1, 2, 3, 0], dy[0, 16, 4, 4] = number, number
    for case in cases_of((2, 3, 7, 7), 17, (3, 3), (1, 1), (padding, padding)):
        inputs = tuple({x.shape: x, dy.shape: dy}[array.shape] for array in case.inputs)
        spoilt = Case(case.operation, case.note, case.call, inputs, case.state, case.magnitude)
        ours, theirs = by_kernels(spoilt), by_reference(spoilt)
        assert any(not np.all(np.isfinite(array)) for array in ours)
        assert_close(spoilt, ours, theirs)


@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "dy_shape"),
    [
        ((2, 3, 7, 7), (5, 4, 3, 3), (2, 5, 5, 5)),  # channels that the weight does not have
        ((2, 3, 2, 7), (5, 3, 3, 3), (2, 5, 1, 5)),  # a window larger than the images
        ((2, 3, 7, 7), (5, 3, 3, 3), (2, 5, 6, 5)),  # a gradient of other outputs
    ],
)
def test_what_does_not_fit_is_left_to_the_reference(x_shape: Shape, weight_shape: Shape, dy_shape: Shape) -> None:
    """Kernels would read past the end of an array; the reference refuses."""

    def call(ops: Ops, x: Any, dy: Any, weight: Any) -> Any:
        ops.conv2d_grads(dy, x, (weight, None), (1, 1), (0, 0))
        return ops.conv2d(x, weight, None, (1, 1), (0, 0)), ops.conv2d_dx(dy, weight, x_shape, (1, 1), (0, 0))

    weight = Stored(numbers(weight_shape), ORDER)
    compiled, _ = compile_case(Case("conv2d", "does not fit", call, (), (weight,)))
    with pytest.raises((ValueError, IndexError)):
        compiled(numbers(x_shape), numbers(dy_shape))
    assert list(compiled._programs.values()) == [None]

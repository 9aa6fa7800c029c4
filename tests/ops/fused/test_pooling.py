"""Pooling as kernels compute it, beside the reference: every kind of window, ties, borders, any number of threads."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from compare import (
    REFERENCE,
    Case,
    Numbers,
    absolute_values,
    assert_close,
    assert_identical,
    by_kernels,
    by_reference,
    share_everything,
)
from op_cases import numbers

from handgrad.layers.windows import window_grid
from handgrad.ops import Ops, Pair, Shape

#: Images (N, C, H, W), kernel, stride, padding.
POOLINGS: list[tuple[Shape, Pair, Pair, Pair]] = [
    ((1, 1, 1, 1), (1, 1), (1, 1), (0, 0)),
    ((2, 3, 1, 7), (1, 2), (1, 2), (0, 0)),
    ((3, 17, 4, 4), (2, 2), (2, 2), (0, 0)),
    ((2, 33, 13, 13), (2, 2), (2, 2), (0, 0)),  # the last row and column are left out
    ((1, 64, 7, 7), (3, 3), (2, 2), (1, 1)),
    ((5, 32, 14, 14), (2, 2), (2, 2), (0, 0)),
    ((2, 33, 7, 9), (3, 3), (1, 1), (1, 1)),
    ((2, 3, 13, 7), (2, 3), (3, 1), (1, 0)),
    ((2, 17, 13, 13), (2, 2), (3, 3), (0, 0)),  # elements in no window
    ((2, 65, 6, 8), (2, 4), (2, 4), (0, 0)),
    ((3, 3, 5, 6), (2, 2), (2, 2), (1, 1)),
    ((2, 5, 7, 7), (7, 7), (7, 7), (0, 0)),
    ((2, 3, 17, 16), (16, 16), (1, 1), (0, 0)),  # 256 places, as many as a byte can tell apart
    ((2, 3, 18, 17), (17, 17), (1, 1), (1, 0)),
]


def cases() -> Iterator[Case]:
    """Both poolings and their gradients; of numbers that are all different, and of some that tie."""
    for shape, kernel, stride, padding in POOLINGS:
        for note, x in (("", numbers(shape)), ("ties ", np.round(numbers(shape)))):
            yield from cases_of(note, x, kernel, stride, padding)


def cases_of(note: str, x: Numbers, kernel: Pair, stride: Pair, padding: Pair) -> Iterator[Case]:
    """Each operation on some images."""
    shape, settings = x.shape, (kernel, stride, padding)
    note = f"{note}{shape} kernel {kernel} stride {stride} padding {padding}".replace(", ", "x")
    dy = numbers((*shape[:2], *window_grid(shape[1:], *settings)), seed=1)

    def both(ops: Ops, x: Any, dy: Any) -> Any:
        y, index = ops.max_pool2d(x, *settings)
        return y, index, ops.max_pool2d_dx(dy, index, shape, *settings)

    def maximum_dx(ops: Ops, dy: Any, index: Any) -> Any:
        return ops.max_pool2d_dx(dy, index, shape, *settings)

    def average_dx(ops: Ops, dy: Any) -> Any:
        return ops.avg_pool2d_dx(dy, shape, *settings)

    def magnitude(x: Numbers, dy: Numbers) -> list[Any]:
        _, index = REFERENCE.max_pool2d(x, *settings)
        return [None, None, REFERENCE.max_pool2d_dx(np.abs(dy), index, shape, *settings)]

    yield Case("max_pool2d", note, lambda ops, x: ops.max_pool2d(x, *settings), (x,))
    yield Case("max_pool2d_dx", f"both {note}", both, (x, dy), magnitude=magnitude)
    _, index = REFERENCE.max_pool2d(x, *settings)
    if index.dtype == np.uint8:
        yield Case("max_pool2d_dx", note, maximum_dx, (dy, index), magnitude=absolute_values)
    yield Case("avg_pool2d", note, lambda ops, x: ops.avg_pool2d(x, *settings), (x,), magnitude=absolute_values)
    yield Case("avg_pool2d_dx", note, average_dx, (dy,), magnitude=absolute_values)


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_kernels_agree_with_the_reference_on_any_number_of_threads(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    one = by_kernels(case)
    assert_close(case, one, by_reference(case))
    share_everything(monkeypatch)
    for threads in (2, 3):
        assert_identical(one, by_kernels(case, threads))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1))])
def test_what_is_not_a_number_comes_out_as_in_the_reference(kernel: Pair, stride: Pair, padding: Pair) -> None:
    """NaN at any place of a window is its maximum; a window of −∞ has its maximum at its first place."""
    x = numbers((7, 17, 6, 6))
    x[1] = -np.inf
    x[2, :, 2, 2], x[2, :, 3, 5], x[3, :, ::2] = np.nan, np.nan, np.nan
    x[4, :, 1, 1], x[5, :, 0, 3] = np.inf, -np.inf
    for case in cases_of("extreme ", x, kernel, stride, padding):
        ours = by_kernels(case)
        assert_close(case, ours, by_reference(case))
        if case.operation == "max_pool2d":
            assert np.isnan(ours[0]).sum() > 0

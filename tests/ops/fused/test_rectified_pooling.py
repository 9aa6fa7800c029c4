"""ReLU folded into the max pooling after it: the same numbers with two passes fewer, and only where nobody can tell."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compare import (
    REFERENCE,
    Case,
    Numbers,
    assert_close,
    assert_identical,
    by_kernels,
    by_reference,
    compile_case,
    programs,
    share_everything,
)
from op_cases import numbers

from handgrad.layers.windows import window_grid
from handgrad.ops import Ops, Pair
from handgrad.ops.fused.activations import relu, relu_dx
from handgrad.ops.fused.native import Native
from handgrad.ops.fused.pooling import max_pool, max_pool_dx

SHAPE = (5, 17, 6, 8)
TILES = ((2, 2), (2, 2), (0, 0))
WINDOWS: list[tuple[Pair, Pair, Pair]] = [
    TILES,
    ((3, 3), (2, 2), (1, 1)),
    ((3, 2), (1, 1), (1, 0)),
    ((2, 2), (3, 3), (0, 0)),
    ((1, 1), (1, 1), (0, 0)),
]


def case_of(call: Callable[..., Any], window: tuple[Pair, Pair, Pair], x: Numbers | None = None) -> Case:
    """A function of the images x and the gradient ȳ of what is pooled of them."""
    dy = numbers((*SHAPE[:2], *window_grid(SHAPE[1:], *window)), seed=1)

    def magnitude(x: Numbers, dy: Numbers) -> list[Any]:
        return [np.abs(array) for array in call(REFERENCE, x, np.abs(dy))]

    return Case(
        "max_pool2d", f"{call.__name__} {window}", call, (numbers(SHAPE) if x is None else x, dy), (), magnitude
    )


def both(window: tuple[Pair, Pair, Pair], slope: float = 0.0) -> Callable[..., Any]:
    """ReLU and pooling, forward and backward."""

    def there_and_back(ops: Ops, x: Any, dy: Any) -> Any:
        y, index = ops.max_pool2d(ops.relu(x, slope), *window)
        return y, ops.relu_dx(ops.max_pool2d_dx(dy, index, SHAPE, *window), x, slope)

    return there_and_back


def kernels_of(case: Case) -> list[Native]:
    """The kernels that a case runs, in order."""
    compiled, _ = compile_case(case)
    compiled(*case.inputs)
    (program,) = programs(compiled)
    return [instruction.kernel for instruction in program.instructions]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_relu_is_folded_in_and_nothing_changes(
    window: tuple[Pair, Pair, Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of(both(window), window)
    assert kernels_of(case) == [max_pool, max_pool_dx]
    one = by_kernels(case)
    assert_close(case, one, by_reference(case))
    share_everything(monkeypatch)
    assert_identical(one, by_kernels(case, 2))


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_windows_without_a_positive_number_hand_nothing_on(window: tuple[Pair, Pair, Pair]) -> None:
    """Also where they hold NaN, which ReLU makes 0, or a tie at 0."""
    x = numbers(SHAPE)
    x[0], x[1, :, 2, 3], x[2] = -1.0, np.nan, 0.0
    x[3, :, :2], x[4, :, 3, 3] = -np.inf, np.inf
    case = case_of(both(window), window, x)
    assert kernels_of(case) == [max_pool, max_pool_dx]
    assert_close(case, by_kernels(case), by_reference(case))


def test_it_is_folded_in_without_a_way_back() -> None:
    def scored(ops: Ops, x: Any, dy: Any) -> Any:
        return (ops.max_pool2d(ops.relu(x), *TILES)[0],)

    case = case_of(scored, TILES)
    assert kernels_of(case) == [max_pool]
    assert_close(case, by_kernels(case), by_reference(case))


def rectified_is_returned(ops: Ops, x: Any, dy: Any) -> Any:
    rectified = ops.relu(x)
    return ops.max_pool2d(rectified, *TILES)[0], rectified


def rectified_is_added(ops: Ops, x: Any, dy: Any) -> Any:
    rectified = ops.relu(x)
    y, index = ops.max_pool2d(rectified, *TILES)
    return y, ops.add(rectified, ops.relu_dx(ops.max_pool2d_dx(dy, index, SHAPE, *TILES), x))


def index_is_returned(ops: Ops, x: Any, dy: Any) -> Any:
    y, index = ops.max_pool2d(ops.relu(x), *TILES)
    return y, index, ops.relu_dx(ops.max_pool2d_dx(dy, index, SHAPE, *TILES), x)


def gradient_between_is_returned(ops: Ops, x: Any, dy: Any) -> Any:
    _, index = ops.max_pool2d(ops.relu(x), *TILES)
    between = ops.max_pool2d_dx(dy, index, SHAPE, *TILES)
    return between, ops.relu_dx(between, x)


def gradient_goes_elsewhere(ops: Ops, x: Any, dy: Any) -> Any:
    y, index = ops.max_pool2d(ops.relu(x), *TILES)
    return y, ops.relu_dx(ops.max_pool2d_dx(dy, index, SHAPE, *TILES), ops.affine(x, -1.0, 0.5))


def images_are_the_input(ops: Ops, x: Any, dy: Any) -> Any:
    y, index = ops.max_pool2d(x, *TILES)
    return y, ops.relu_dx(ops.max_pool2d_dx(dy, index, SHAPE, *TILES), x)


def leaky(ops: Ops, x: Any, dy: Any) -> Any:
    return both(TILES, slope=0.1)(ops, x, dy)


def border_only(ops: Ops, x: Any, dy: Any) -> Any:
    y, _ = ops.max_pool2d(ops.relu(x), (2, 2), (2, 2), (2, 2))
    return (y,)


@pytest.mark.parametrize(
    "call",
    [
        rectified_is_returned,
        rectified_is_added,
        index_is_returned,
        gradient_between_is_returned,
        gradient_goes_elsewhere,
        images_are_the_input,
        leaky,
        border_only,
    ],
)
def test_it_is_left_alone_where_somebody_could_tell(call: Callable[..., Any]) -> None:
    case = case_of(call, TILES)
    kernels = kernels_of(case)
    assert relu in kernels or relu_dx in kernels
    assert_close(case, by_kernels(case), by_reference(case))

"""Numbers at the edge of float32: kernels give what the reference gives, be it an infinity, NaN or zero."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from compare import Case, Numbers, assert_close, assert_identical, by_kernels, by_reference, share_everything
from op_cases import LOSSES, ONE_ARGUMENT, TWO_ARGUMENTS

NAN, INFINITY = float("nan"), float("inf")
#: Zeros, denormals, where e^x leaves float32, large logits, what overflows when it is squared, what is not a number.
POSITIVE = (0.0, 1e-45, 1e-40, 1.2e-38, 1e-20, 0.624, 0.626, 1.0, 9.0, 87.2, 87.4, 88.7, 88.8, 104.0, 1e4, 1e19, 3e38)
EXTREMES = [*POSITIVE, *(-x for x in POSITIVE), INFINITY, -INFINITY, NAN]
#: One row each.
ROWS = [
    [1e4, -1e4, 0.0, 1.0],
    [-1e4, -1e4, -1e4, -1e4],
    [1e4, 1e4, 1e4, -1e4],
    [0.0, -0.0, 1e-40, -1e-40],
    [0.0, -87.2, -87.4, -104.0],
    [3e38, -3e38, 0.0, 1.0],
    [INFINITY, 0.0, 1.0, 2.0],
    [-INFINITY, 0.0, 1.0, 2.0],
    [-INFINITY, -INFINITY, -INFINITY, -INFINITY],
    [NAN, 0.0, 1.0, 2.0],
    [0.0, 1.0, 2.0, NAN],
    [INFINITY, NAN, -INFINITY, 0.0],
]


def table(rows: list[list[float]]) -> Numbers:
    return np.array(rows, np.float32)


def elementwise() -> Iterator[Case]:
    """Every number, and for two arguments every pair, more than once: in a vector and in what is left over."""
    singles = np.tile(np.array(EXTREMES, np.float32), (3, 1))
    first, second = (
        np.array(column, np.float32) for column in zip(*itertools.product(EXTREMES, EXTREMES), strict=True)
    )
    for name, note, call, _ in ONE_ARGUMENT:
        yield Case(name, note, call, (singles,))
    for name, note, call, _ in TWO_ARGUMENTS:
        yield Case(name, note, call, (first, second))


def rows() -> Iterator[Case]:
    """Softmax and the losses of rows that hold such numbers, one row at a time, so that none hides another's fault."""
    for index, row in enumerate(ROWS):
        x, dy = table([row]), table([[0.5, -1.0, 2.0, 3.0]])
        yield Case("softmax", f"row {index}", lambda ops, x: ops.softmax(x), (x,))
        yield Case("log_softmax", f"row {index}", lambda ops, x: ops.log_softmax(x), (x,))
        yield Case("softmax_dx", f"row {index}", lambda ops, dy, y: ops.softmax_dx(dy, y), (dy, x))
        yield Case("log_softmax_dx", f"row {index}", lambda ops, dy, y: ops.log_softmax_dx(dy, y), (dy, x))
        for targets, (name, call, _, _) in itertools.product(([0.0, 1.0, 0.0, 0.0], [0.25] * 4), LOSSES):
            inputs = x, table([targets]), np.array([0.5], np.float32)
            yield Case(name, f"row {index} {targets}", call, inputs)


@pytest.mark.parametrize("case", [*elementwise(), *rows()], ids=str)
def test_extreme_numbers_come_out_as_in_the_reference(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    one = by_kernels(case)
    assert_close(case, one, by_reference(case))
    share_everything(monkeypatch)
    assert_identical(one, by_kernels(case, threads=2))


@pytest.mark.parametrize("name", ["relu", "relu_dx", "add", "multiply", "sigmoid", "gelu"])
def test_zeros_keep_their_sign_where_the_reference_keeps_it(name: str) -> None:
    (case,) = (case for case in elementwise() if (case.operation, case.note) == (name, ""))
    (ours,), (theirs,) = by_kernels(case), by_reference(case)
    zeros = (ours == 0) & (theirs == 0)
    np.testing.assert_array_equal(np.signbit(ours[zeros]), np.signbit(theirs[zeros]))

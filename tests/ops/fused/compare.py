"""One function, with the reference and with kernels: what both give, and how far apart that is."""

import atexit
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handgrad.ops import Ops, ReferenceOps
from handgrad.ops.fused import plan
from handgrad.ops.fused.compiled import CompiledFunction
from handgrad.ops.fused.threads import Pool

Numbers = npt.NDArray[Any]
REFERENCE = ReferenceOps(np)
TOLERANCE = 1e-5
_SMALLEST = float(np.finfo(np.float32).tiny)  # kernels may take a denormal result for 0
_GUARD = 8  # numbers between the arrays of the state, which nobody may write to
_UNTOUCHED = -12345.0


@dataclass(frozen=True)
class Stored:
    """An array of the state: what it holds at first, and the order of its axes in memory."""

    values: Numbers
    order: tuple[int, ...] | None = None


def absolute_values(*_: Numbers) -> Sequence[Any]:
    """As a case's `magnitude`: what the operation, which adds products, makes of absolute values."""
    raise NotImplementedError  # _magnitudes does it, which has the call


@dataclass(frozen=True)
class Case:
    """A call of one operation.

    `call` is given the ops, the inputs and the arrays of the state. `magnitude` is given the inputs and these arrays in
    float64, and says for every result, and then for every array of the state, how large the numbers are that are added
    up there; where it says nothing, or None, that is the result itself.
    """

    operation: str
    note: str
    call: Callable[..., Any]
    inputs: tuple[Numbers, ...] = ()
    state: tuple[Stored, ...] = ()
    magnitude: Callable[..., Sequence[Any]] | None = None

    def __str__(self) -> str:
        return f"{self.operation}-{self.note}"


class Memory:
    """The state of a case as a model has it: views into one vector, whatever lies before and behind them."""

    def __init__(self, state: Sequence[Stored]) -> None:
        floats = [stored for stored in state if stored.values.dtype == np.float32]
        size = 1 + sum(stored.values.size + _GUARD for stored in floats)
        self.vector = np.full(size, _UNTOUCHED, np.float32)
        self._free = np.ones(size, bool)
        self.others = [stored.values.copy() for stored in state if stored.values.dtype != np.float32]
        self.views = []
        start, others = 1, iter(self.others)  # 1: parameters need not begin where a cache line does
        for stored in state:
            if stored.values.dtype != np.float32:
                self.views.append(next(others))
                continue
            view = _ordered(self.vector[start : start + stored.values.size], stored)
            view[...] = stored.values
            self._free[start : start + stored.values.size] = False
            self.views.append(view)
            start += stored.values.size + _GUARD

    @property
    def arrays(self) -> list[Numbers]:
        """What is told to `compile`."""
        return [self.vector, *self.others]

    def check_guards(self) -> None:
        """Nothing but the arrays themselves has been written to."""
        assert np.all(self.vector[self._free] == np.float32(_UNTOUCHED))


def _ordered(flat: Numbers, stored: Stored) -> Numbers:
    shape, order = stored.values.shape, stored.order or tuple(range(stored.values.ndim))
    in_memory = flat.reshape([shape[axis] for axis in order])
    return in_memory.transpose([order.index(axis) for axis in range(len(shape))])


@cache
def pool_of(threads: int) -> Pool:
    """A pool for all tests of the kernels."""
    pool = Pool(threads)
    atexit.register(pool.close)
    return pool


def by_reference(case: Case) -> list[Numbers]:
    """Results, then the state as it was left."""
    memory = Memory(case.state)
    with np.errstate(all="ignore"):
        results = case.call(REFERENCE, *case.inputs, *memory.views)
    return [np.asarray(array).copy() for array in (*_several(results), *memory.views)]


def by_kernels(case: Case, threads: int = 1) -> list[Numbers]:
    """The same from a program, which must not depend on what is in its memory before it runs."""
    compiled, memory = compile_case(case, threads)
    first = _finish(compiled(*case.inputs), memory)
    for stored, view in zip(case.state, memory.views, strict=True):
        view[...] = stored.values
    (program,) = programs(compiled)
    program._memory.fill(0xFF)  # NaN in every place
    again = _finish(compiled(*case.inputs), memory)
    assert_identical(first, again)
    return first


def _finish(results: Any, memory: Memory) -> list[Numbers]:
    memory.check_guards()
    return [np.asarray(array).copy() for array in (*_several(results), *memory.views)]


def compile_case(case: Case, threads: int = 1) -> tuple[CompiledFunction, Memory]:
    """The call of a case as a compiled function, and the state that it works on."""
    memory = Memory(case.state)

    def function(*inputs: Any, ops: Ops) -> Any:
        return case.call(ops, *inputs, *memory.views)

    return CompiledFunction(function, REFERENCE, memory.arrays, lambda: pool_of(threads)), memory


def programs(compiled: Any) -> list[Any]:
    """Every program of a compiled function; none of its calls may have been left to the reference."""
    recorded = list(compiled._programs.values())
    assert recorded
    assert None not in recorded, "not compiled"
    return recorded


def share_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all threads take part in the smallest program, and cut it as finely as can be."""
    monkeypatch.setattr(plan, "_WORTH_SHARING", -1)
    monkeypatch.setattr(plan, "_CHUNK_BYTES", 1)
    monkeypatch.setattr(plan, "_CHUNK_ROWS", 1)


def assert_identical(xs: Sequence[Numbers], ys: Sequence[Numbers]) -> None:
    """To the last bit."""
    assert len(xs) == len(ys)
    for index, (x, y) in enumerate(zip(xs, ys, strict=True)):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        assert x.tobytes() == y.tobytes(), f"result {index} differs"


def assert_close(case: Case, ours: Sequence[Numbers], theirs: Sequence[Numbers]) -> None:
    """Each number to 1e-5 of the magnitude of what is summed there; NaN and infinities exactly."""
    given = _magnitudes(case)
    magnitudes = given + [None] * (len(theirs) - len(given))
    assert len(ours) == len(theirs)
    for index, (x, y, magnitude) in enumerate(zip(ours, theirs, magnitudes, strict=True)):
        assert x.shape == y.shape
        assert y.dtype == np.float32 or y.dtype.kind in "iu"
        errors = _relative_errors(x, y, np.abs(y) if magnitude is None else magnitude)
        assert np.all(errors <= TOLERANCE), f"result {index} is off by {np.max(errors)}"


def _magnitudes(case: Case) -> list[Any]:
    arrays = [*case.inputs, *(stored.values for stored in case.state)]
    wide = [array.astype(np.float64) if array.dtype == np.float32 else array for array in arrays]
    if case.magnitude is None:
        return []
    with np.errstate(all="ignore"):
        if case.magnitude is not absolute_values:
            return list(case.magnitude(*wide))
        absolute = [np.abs(array) if array.dtype == np.float64 else array for array in wide]
        return [*_several(case.call(REFERENCE, *absolute)), *absolute[len(case.inputs) :]]


def _relative_errors(x: Numbers, y: Numbers, magnitude: Any) -> Numbers:
    x, y = x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        allowed = np.broadcast_to(np.asarray(magnitude, np.float64), x.shape)
        finite = np.where(np.isfinite(allowed), allowed, 0.0)
        errors = np.maximum(np.abs(x - y) - _SMALLEST, 0.0) / np.maximum(finite, _SMALLEST)
    return np.where(same, 0.0, np.where(np.isnan(errors), np.inf, errors))


def _several(results: Any) -> tuple[Any, ...]:
    if results is None:
        return ()
    return results if isinstance(results, tuple) else (results,)

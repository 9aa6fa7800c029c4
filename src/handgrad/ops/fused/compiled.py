"""Functions that are recorded once, and run by kernels from then on."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from handgrad.ops.fused.activations import ActivationOps
from handgrad.ops.fused.arrays import ArrayOps
from handgrad.ops.fused.convolution import ConvolutionOps
from handgrad.ops.fused.distortion import DistortionOps
from handgrad.ops.fused.fuse import fuse_updates
from handgrad.ops.fused.linear import LinearOps
from handgrad.ops.fused.losses import LossOps
from handgrad.ops.fused.normalization import NormalizationOps
from handgrad.ops.fused.optimizers import OptimizerOps
from handgrad.ops.fused.plan import Program
from handgrad.ops.fused.pooling import PoolingOps
from handgrad.ops.fused.recorder import NotTraceable, Recorder, Recording, Scalar, Value
from handgrad.ops.fused.rectified_pooling import fuse_rectified_pooling
from handgrad.ops.fused.threads import ONE_AT_A_TIME, Pool, shared_pool
from handgrad.ops.reference import ReferenceOps

_MOST_PROGRAMS = 16  # that a function keeps, each for arguments of other shapes


class RecordingOps(
    ArrayOps,
    DistortionOps,
    LinearOps,
    ConvolutionOps,
    PoolingOps,
    ActivationOps,
    NormalizationOps,
    LossOps,
    OptimizerOps,
):
    """Every operation of the interface, recorded instead of done."""


class CompiledFunction:
    """A function of arrays and numbers that is recorded once for each set of shapes, and then run by kernels.

    Args:
        function: what is repeated; it is given the operations as `ops`.
        ops: what it is given where it cannot be recorded.
        state: arrays that the function reads or writes besides its arguments.
        pool: the threads that run it.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        ops: ReferenceOps,
        state: Sequence["np.ndarray[Any, Any]"],
        pool: Callable[[], Pool] = shared_pool,
    ) -> None:
        self._function = function
        self._plain = ReferenceOps.compile(ops, function)
        self._state = state
        self._pool = pool
        self._programs: dict[Any, Program | None] = {}

    def __call__(self, *arguments: Any) -> Any:
        with ONE_AT_A_TIME:
            key = _kinds(arguments)
            try:  # not by `in` first: to look twice takes a thirtieth of XOR's steps
                program = self._programs[key]
            except KeyError:
                self.prepare(arguments)
                program = self._programs[key]
            return self._plain(*arguments) if program is None else program.run(self._pool(), arguments)

    def prepare(self, arguments: Sequence[Any], report: Callable[[int, int], None] | None = None) -> None:
        """Record and compile for arguments of these shapes, without running.

        Args:
            arguments: as the function is called with.
            report: called with the number of kernels that are ready, and of all.
        """
        with ONE_AT_A_TIME:
            key = _kinds(arguments)
            if key not in self._programs:
                if len(self._programs) == _MOST_PROGRAMS:
                    del self._programs[next(iter(self._programs))]  # the oldest
                self._programs[key] = program = self._record(arguments, report)
                if program is not None:
                    self._pool()  # whose own functions are compiled, and its threads started

    def _record(self, arguments: Sequence[Any], report: Callable[[int, int], None] | None) -> Program | None:
        """A program, or None where the function cannot be repeated by operations alone."""
        try:
            return Program(self._trace_twice(arguments), report)
        except Exception as error:  # if it is the function's own, calling it with arrays says so
            logging.getLogger(__name__).info("not compiled: %s", error)
            return None

    def _trace_twice(self, arguments: Sequence[Any]) -> Recording:
        """What the function does, if that is the same whatever numbers the state holds, and it leaves them alone."""
        before = [(x, x.copy()) for x in self._state if x.dtype == np.float32 and x.flags.writeable]
        try:
            recorded = self._trace(arguments)
            if any(not np.array_equal(array, copy, equal_nan=True) for array, copy in before):
                raise NotTraceable("an array was written to past the operations")
            with np.errstate(over="ignore"):
                for array, copy in before:
                    array[...] = 1 - 2 * copy  # what was a number read from one is another number now
            again = self._trace(arguments)
        finally:
            for array, copy in before:
                array[...] = copy
        if recorded.signature != again.signature:
            raise NotTraceable("it does not do the same every time")
        return recorded

    def _trace(self, arguments: Sequence[Any]) -> Recording:
        recorder = RecordingOps(self._state)
        inputs = [_stand_in(recorder, index, argument) for index, argument in enumerate(arguments)]
        outputs = self._function(*inputs, ops=recorder)
        recording = Recording(recorder, inputs, outputs)
        fuse_rectified_pooling(recorder, recording.results)
        fuse_updates(recorder)
        return recording


_ARRAY = np.ndarray  # looked up at every step otherwise, four times


def _kinds(arguments: Sequence[Any]) -> Any:
    """What about the arguments decides which program fits them."""
    return tuple([(x.shape, x.dtype.num) if isinstance(x, _ARRAY) else type(x) for x in arguments])


def _stand_in(recorder: Recorder, index: int, argument: Any) -> Value | Scalar:
    if isinstance(argument, np.ndarray):
        return recorder.new(argument.shape, argument.dtype)
    if isinstance(argument, int | float):
        return Scalar(index, isinstance(argument, int))
    raise NotTraceable(f"an argument is a {type(argument).__name__}")

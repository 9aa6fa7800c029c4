"""Writing down what a function does with arrays, instead of doing it.

The function is called with stand-ins that have a shape and no numbers. Every operation it asks for becomes an
`Instruction`. Whatever looks at a number, or computes past the operations, cannot be written down: it meets
`NotTraceable`, and the function is then simply called each time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import numpy as np

from handgrad.errors import HandgradError
from handgrad.ops.fused.native import Native
from handgrad.ops.interface import Array, Shape


class NotTraceable(HandgradError):  # noqa: N818 - it is no mistake, only a limit
    """The function does something that operations alone cannot repeat."""


@dataclass(eq=False)
class Block:
    """A piece of memory: of an array that exists (`array`), or a place that the plan still has to choose."""

    size: int  # bytes
    array: "np.ndarray[Any, Any] | None" = None
    address: int = 0


@dataclass(eq=False, frozen=True)
class Value:
    """A stand-in for an array. In memory its elements lie in row-major order, images with their channels last.

    Args:
        shape: as the caller sees it.
        dtype: of its elements.
        block: the memory.
        offset: where in the block it begins, in bytes.
    """

    shape: Shape
    dtype: "np.dtype[Any]"
    block: Block
    offset: int = 0

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """Where in the block it ends, in bytes."""
        return self.offset + self.size * self.dtype.itemsize

    @property
    def address(self) -> int:
        """Where in the process it begins, once the plan has placed its block."""
        return self.block.address + self.offset

    def view(self) -> "np.ndarray[Any, Any]":
        """The memory as an array of its shape, once the plan has placed its block."""
        assert self.block.array is not None
        raw = self.block.array.view(np.uint8)[self.offset : self.end].view(self.dtype)
        if self.ndim == 4:  # channels last in memory, second in the shape
            n, c, h, w = self.shape
            return raw.reshape(n, h, w, c).transpose(0, 3, 1, 2)
        return raw.reshape(self.shape)

    def _refuse(self, *_: Any) -> NoReturn:
        raise NotTraceable("the value of an array is looked at, or computed with past the operations")

    __array__ = __float__ = __int__ = __bool__ = __len__ = __iter__ = __getitem__ = __setitem__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __neg__ = __pow__ = __matmul__ = __rmatmul__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse


@dataclass(eq=False, frozen=True)
class Scalar:
    """A stand-in for a number that changes from call to call, such as the learning rate.

    Args:
        index: its place among the function's arguments.
        is_integer: whether it is passed on as an integer.
    """

    index: int
    is_integer: bool

    def _refuse(self, *_: Any) -> NoReturn:
        raise NotTraceable("a number that changes from call to call is computed with")

    __float__ = __int__ = __bool__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __neg__ = __pow__ = __rpow__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse


class Randomness:
    """A stand-in for a generator: layers hand it on to operations, and cannot draw from it.

    Args:
        generator: the numbers are drawn from it before each run.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self.generator = generator

    def __getattr__(self, name: str) -> NoReturn:
        raise NotTraceable("a layer draws random numbers itself")


@dataclass(frozen=True)
class Written:
    """Marks an argument that the kernel writes; `also_read` if it reads it too."""

    value: Value
    also_read: bool = False


Argument: TypeAlias = Value | Written | Scalar | int | float | None


@dataclass(eq=False)
class Instruction:
    """A kernel with its arguments.

    Args:
        kernel: what runs.
        arguments: its words in order.
        items: how many pieces the work has; threads share them.
        by_rows: item n reads and writes only row n of the values that have `items` rows.
        flops: how much work it is, roughly.
        whole: values that each item reads from one end to the other, however many rows they have.
    """

    kernel: Native
    arguments: tuple[Argument, ...]
    items: int
    by_rows: bool
    flops: int
    whole: Sequence[Value] = ()
    reads: list[Value] = field(init=False)
    writes: list[Value] = field(init=False)

    def __post_init__(self) -> None:
        written = [a for a in self.arguments if isinstance(a, Written)]
        self.writes = [a.value for a in written]
        self.reads = [a for a in self.arguments if isinstance(a, Value)] + [a.value for a in written if a.also_read]


@dataclass(frozen=True)
class Draw:
    """Random numbers from [0, 1) that must be there before the program starts."""

    rng: np.random.Generator
    into: Value


class Recorder:
    """What all families of operations share: making values and writing instructions.

    Args:
        state: arrays that exist and may be read and written: parameters, gradients, an optimizer's memory.
    """

    device = "cpu"

    def __init__(self, state: Sequence["np.ndarray[Any, Any]"]) -> None:
        self.instructions: list[Instruction] = []
        self.draws: list[Draw] = []
        self.checks: list[tuple[str, Value]] = []
        self.blocks = [Block(array.nbytes, array.reshape(-1), array.ctypes.data) for array in state]

    def new(self, shape: Shape, dtype: Any = np.float32) -> Value:
        """A value that an instruction will write."""
        kind = np.dtype(dtype)
        return Value(tuple(shape), kind, Block(max(1, math.prod(shape)) * kind.itemsize))

    def constant(self, array: "np.ndarray[Any, Any]") -> Value:
        """A stand-in for numbers that never change; the array must lie in row-major order."""
        return Value(array.shape, array.dtype, Block(array.nbytes, array.reshape(-1), array.ctypes.data))

    def value(self, x: Array, order: tuple[int, ...] | None = None, dtype: Any = np.float32) -> Value:
        """A stand-in for x; itself if it is one already, else x must be part of the state.

        Args:
            x: a value or an array.
            order: the axes of x from outermost to innermost in memory, if not first to last.
            dtype: which the kernels read; None where any will do.
        """
        if dtype is not None and getattr(x, "dtype", dtype) != dtype:
            raise NotTraceable(f"an array of {x.dtype} is computed with")
        if isinstance(x, Value):
            if order is not None:
                raise NotTraceable("an array that is not a parameter takes the place of one")
            return x
        if not isinstance(x, np.ndarray):
            raise NotTraceable(f"{type(x).__name__} is not an array of these operations")
        if not x.transpose(order or range(x.ndim)).flags.c_contiguous:
            raise NotTraceable("an array lies in memory in another order than the kernels read")
        place = x.ctypes.data
        for block in self.blocks:
            if block.address <= place and place + x.nbytes <= block.address + block.size:
                return Value(x.shape, x.dtype, block, place - block.address)
        raise NotTraceable("an array belongs neither to the arguments nor to the parameters")

    def emit(
        self,
        kernel: Native,
        *arguments: Argument,
        items: int,
        by_rows: bool = False,
        whole: Sequence[Value] = (),
        flops: int | None = None,
    ) -> None:
        """Write an instruction; its work is taken as one operation an element unless said otherwise."""
        if items == 0:
            return
        instruction = Instruction(kernel, arguments, items, by_rows, 0, whole)
        sizes = [value.size for value in (*instruction.reads, *instruction.writes)]
        instruction.flops = max(sizes, default=0) if flops is None else flops
        self.instructions.append(instruction)

    def rowwise(self, kernel: Native, *arguments: Argument, like: Value, flops_each: int = 1) -> None:
        """Write an instruction whose items are the rows of `like`, each of `like.size / rows` elements."""
        self.emit(kernel, *arguments, items=like.shape[0], by_rows=True, flops=like.size * flops_each)


@dataclass(frozen=True)
class Recording:
    """What a function did.

    Args:
        recorder: with its instructions.
        inputs: the stand-ins it was called with.
        outputs: what it returned: a value, a tuple of values, or None.
    """

    recorder: Recorder
    inputs: Sequence[Value | Scalar]
    outputs: Any

    @property
    def results(self) -> tuple[Value, ...]:
        """The outputs, one by one."""
        if self.outputs is None:
            return ()
        return self.outputs if isinstance(self.outputs, tuple) else (self.outputs,)

    @property
    def signature(self) -> list[Any]:
        """What is done with which values, but not where these lie: equal if the same was done twice."""
        numbers = {block: number for number, block in enumerate(self.recorder.blocks)}  # others in order of appearance

        def describe(argument: Any) -> Any:
            if isinstance(argument, Written):
                argument = argument.value  # not by calling itself, for then it would hold all blocks until collected
            if isinstance(argument, Value):
                return argument.shape, argument.offset, numbers.setdefault(argument.block, len(numbers))
            return argument.index if isinstance(argument, Scalar) else argument

        recorder = self.recorder
        done = [(i.kernel, i.items, *map(describe, i.arguments)) for i in recorder.instructions]
        drawn = [(id(draw.rng), describe(draw.into)) for draw in recorder.draws]
        checked = [(what, describe(value)) for what, value in recorder.checks]
        return [*map(describe, self.inputs), *done, *drawn, *checked, *map(describe, self.results)]


def require_shape(shape: Shape, *values: Value) -> None:
    """Leave what is broadcast, or does not fit, to the reference, which knows what to do or to say."""
    if any(value.shape != shape for value in values):
        raise NotTraceable(f"arrays of {[value.shape for value in values]} are combined with {shape}")


def row_size(x: Value) -> int:
    """Elements in one row."""
    return math.prod(x.shape[1:])

"""From instructions to a program: what can be left out, what can run side by side, and where everything lies.

Instructions are put into phases. Threads wait for each other only between phases. Within one, a thread's rows of a
value may be used by the next instruction at once, since it is the same thread that made them.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from handgrad.errors import NonFiniteError
from handgrad.ops.fused.build import build
from handgrad.ops.fused.pace import Pace
from handgrad.ops.fused.recorder import Argument, Block, Instruction, Recording, Scalar, Value, Written
from handgrad.ops.fused.threads import CHUNK, ENTRIES, FIRST_ARGUMENT, GROUP, ITEMS, KERNEL, ROW_WORDS, WAIT, Pool, Word
from handgrad.ops.fused.tile import ROWS

_CHUNK_BYTES = 256 * 1024  # of the rows that a group of instructions works on at a time; fits a core's own cache
_CHUNK_ROWS = ROWS  # of whole tiles: 31 rows of 512 → 10 take 1.5 times as long as 32
_WORTH_SHARING = 200_000  # operations, below which waking other threads costs more than it saves
_LARGE = 20_000_000  # operations, for which a core needs a tenth of a millisecond
_ALIGNMENT = 64


class Program:
    """A recorded function, ready to run.

    Args:
        recording: what it did.
        report: called with the number of kernels that are compiled, and of all.
    """

    def __init__(self, recording: Recording, report: Callable[[int, int], None] | None = None) -> None:
        self._outputs, recorder, inputs = recording.outputs, recording.recorder, recording.inputs
        results = recording.results
        kept = [*results, *(value for _, value in recorder.checks)]
        phases = _phases(_needed(recorder.instructions, kept))
        self._memory = _place(phases, inputs, kept, [draw.into for draw in recorder.draws])
        groups = [(group, first) for phase in phases for group, first in _groups(phase)]
        self.instructions = [instruction for group, _ in groups for instruction in group]
        build([*dict.fromkeys(instruction.kernel for instruction in self.instructions), *ENTRIES], report)
        self._table = np.zeros((len(self.instructions), ROW_WORDS), np.int64)
        self._reals = self._table.view(np.float64)
        self._address, self._rows = Word(self._table.ctypes.data), Word(len(self._table))
        self._scalars: list[tuple[np.ndarray[Any, Any], tuple[int, int], int]] = []
        self._write(groups)
        flops = sum(i.flops for i in self.instructions)
        self._pace = Pace(large=flops > _LARGE)
        self._workers = 2 if flops > _WORTH_SHARING else 1
        self._draws = [(draw.rng, draw.into.view()) for draw in recorder.draws]
        self._arrays = [(n, x.view()) for n, x in enumerate(inputs) if isinstance(x, Value)]
        # Bound methods, since a small step feels the time it takes to look them up.
        self._results = [value.view().copy if value.ndim else value.view().item for value in results]
        self._checked = [(what, value.view().item) for what, value in recorder.checks]

    def run(self, pool: Pool, arguments: Sequence[Any]) -> Any:
        """Do what the function did, with these arguments.

        Returns:
            its results: floats, or new arrays.

        Raises:
            NonFiniteError: a number that must be finite is not.
        """
        for index, view in self._arrays:
            view[...] = arguments[index]
        for rng, view in self._draws:
            rng.random(out=view, dtype=np.float32)
        for words, place, index in self._scalars:
            words[place] = arguments[index]
        pool.run(self._address, self._rows, self._workers, self._pace)
        for what, number in self._checked:
            if not math.isfinite(number()):
                raise NonFiniteError(what, number())
        results = tuple([result() for result in self._results])
        return results if isinstance(self._outputs, tuple) else results[0] if results else None

    def _write(self, groups: Sequence[tuple[Sequence[Instruction], bool]]) -> None:
        """Fill the table: a row an instruction, the first of a group saying how the group is run."""
        row = 0
        for group, begins_phase in groups:
            chunk = _chunk(group)
            for instruction in group:
                head = self._table[row]
                head[KERNEL], head[ITEMS], head[GROUP], head[CHUNK] = instruction.kernel.address, group[0].items, 1, 1
                for column, argument in enumerate(instruction.arguments, start=FIRST_ARGUMENT):
                    self._write_word(row, column, argument)
                row += 1
            first = self._table[row - len(group)]
            first[GROUP], first[CHUNK], first[WAIT] = len(group), chunk, begins_phase

    def _write_word(self, row: int, column: int, argument: Argument) -> None:
        if isinstance(argument, Scalar):
            words = self._table if argument.is_integer else self._reals
            self._scalars.append((words, (row, column), argument.index))
        elif isinstance(argument, Value):
            self._table[row, column] = argument.address
        elif isinstance(argument, Written):
            self._table[row, column] = argument.value.address
        elif isinstance(argument, float):
            self._reals[row, column] = argument
        else:
            self._table[row, column] = argument or 0


def _needed(instructions: Sequence[Instruction], kept: Sequence[Value]) -> list[Instruction]:
    """Without those that only write what nobody reads, such as the gradient with respect to a batch of images."""
    wanted = {value.block for value in kept}
    needed = []
    for instruction in reversed(instructions):
        if any(value.block in wanted or value.block.array is not None for value in instruction.writes):
            needed.append(instruction)
            wanted.update(value.block for value in instruction.reads)
    return needed[::-1]


def _phases(instructions: Sequence[Instruction]) -> list[list[Instruction]]:
    """Each instruction as early as what it depends on allows."""
    number: dict[Instruction, int] = {}
    for index, instruction in enumerate(instructions):
        after = [number[e] + (not _aligned(e, instruction)) for e in instructions[:index] if _conflict(e, instruction)]
        number[instruction] = max(after, default=0)
    phases: dict[int, list[Instruction]] = defaultdict(list)
    for instruction in instructions:
        phases[number[instruction]].append(instruction)
    return [phases[n] for n in sorted(phases)]


def _conflict(earlier: Instruction, later: Instruction) -> bool:
    """Whether their order matters: one writes what the other reads or writes."""
    return _overlap(earlier.writes, [*later.reads, *later.writes]) or _overlap(earlier.reads, later.writes)


def _overlap(xs: Sequence[Value], ys: Sequence[Value]) -> bool:
    return any(x.block is y.block and x.offset < y.end and y.offset < x.end for x in xs for y in ys)


def _aligned(earlier: Instruction, later: Instruction) -> bool:
    """Whether a thread needs, of what both touch, only its own rows."""
    by_rows = earlier.by_rows and later.by_rows and earlier.items == later.items
    return by_rows and not _overlap(earlier.writes, later.whole) and not _overlap(earlier.whole, later.writes)


def _groups(phase: Sequence[Instruction]) -> list[tuple[list[Instruction], bool]]:
    """Instructions by rows of the same number together, every other alone; and whether the phase begins there."""
    together: dict[int, list[Instruction]] = defaultdict(list)
    for instruction in phase:
        together[instruction.items if instruction.by_rows else -1].append(instruction)
    alone = together.pop(-1, [])
    groups = [*together.values(), *([instruction] for instruction in alone)]
    return [(group, index == 0) for index, group in enumerate(groups)]


def _chunk(group: Sequence[Instruction]) -> int:
    """How many items a group works on at a time."""
    first = group[0]
    if not first.by_rows:
        return first.items
    written = sum(value.size * value.dtype.itemsize for i in group for value in i.writes)
    rows = _CHUNK_BYTES * first.items // max(1, written)
    return max(_CHUNK_ROWS, rows // _CHUNK_ROWS * _CHUNK_ROWS)


def _place(
    phases: Sequence[Sequence[Instruction]],
    inputs: Sequence[Value | Scalar],
    kept: Sequence[Value],
    drawn: Sequence[Value],
) -> "np.ndarray[Any, Any]":
    """Give every block an address in one array; blocks that are never in use in the same phase share a place."""
    in_use: dict[Block, list[int]] = {}
    given = [x for x in inputs if isinstance(x, Value)]
    for number, values in [(-1, [*given, *drawn]), *enumerate(_touched(phases)), (len(phases), list(kept))]:
        for value in values:
            if value.block.array is None:
                in_use.setdefault(value.block, [number, number])[1] = number
    offsets: dict[Block, int] = {}
    for block in sorted(in_use, key=lambda b: -b.size):  # large ones first leave the smallest gaps
        offsets[block] = _first_gap(block, in_use, offsets)
    memory = np.zeros(max((offsets[b] + b.size for b in offsets), default=0) + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    for block, offset in offsets.items():
        block.array = memory[start + offset : start + offset + block.size]
        block.address = block.array.ctypes.data
    return memory


def _touched(phases: Sequence[Sequence[Instruction]]) -> list[list[Value]]:
    return [[value for i in phase for value in (*i.reads, *i.writes)] for phase in phases]


def _first_gap(block: Block, in_use: dict[Block, list[int]], offsets: dict[Block, int]) -> int:
    """The lowest offset at which the block overlaps no other that is in use at the same time."""
    first, last = in_use[block]
    offset = 0
    for other in sorted(offsets, key=offsets.__getitem__):
        shares_time = in_use[other][0] <= last and first <= in_use[other][1]
        if shares_time and offset + block.size > offsets[other]:
            offset = max(offset, -(-(offsets[other] + other.size) // _ALIGNMENT) * _ALIGNMENT)
    return offset

"""Numbers, arrays and formulas as text that lines up in a terminal, however narrow."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from rich.cells import cell_len
from rich.text import Text

Values: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

#: Decimals at which a number that does not end before is rounded.
PLACES = 4
_GAP = 3  # columns between two matrices


def places(values: Any) -> int:
    """Decimals that these numbers need: the fewest that write all of them exactly, at most four.

    >>> places([0.5, -2.0]), places(1 / 3)
    (1, 4)
    """
    exact = (p for p in range(PLACES) if np.allclose(np.round(values, p), values, rtol=0.0, atol=1e-9))
    return next(exact, PLACES)


def number(value: float, decimals: int | None = None) -> str:
    """A number with a real minus sign, and as many decimals as it needs where none are asked for.

    >>> number(-0.5), number(-0.5, 2), number(-0.00001, 2)
    ('−0.5', '−0.50', '0.00')
    """
    decimals = places(value) if decimals is None else decimals
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}".replace("-", "−")


def place_name(place: Iterable[int]) -> str:
    """The index of an element as Python writes it.

    >>> place_name((0, 1))
    '[0,1]'
    """
    return f"[{','.join(map(str, place))}]"


@dataclass(frozen=True)
class Block:
    """A matrix of text with its name above.

    Args:
        name: such as x, or x[0,1] for one channel of it.
        shape: of the whole array; empty where it has been said.
        lines: its rows, all equally wide.
    """

    name: str
    shape: str
    lines: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns it takes."""
        return max(cell_len(line) for line in (f"{self.name} {self.shape}".rstrip(), *self.lines))

    def line(self, index: int) -> Text:
        """Its name for index 0, then its rows, then nothing; always equally wide."""
        if index == 0:
            text = Text.assemble((self.name, "bold cyan"), " ", (self.shape, "dim"))
        else:
            text = Text(self.lines[index - 1] if index <= len(self.lines) else "")
        text.pad_right(max(0, self.width - text.cell_len))
        text.truncate(self.width)
        return text


def blocks(name: str, array: Values) -> list[Block]:
    """An array as matrices: one for each example and channel where it has more than two axes.

    >>> for line in blocks("x", np.array([[1.0, -2.0], [0.5, 3.0]]))[0].lines:
    ...     print(line)
    ⎡1.0  −2.0⎤
    ⎣0.5   3.0⎦
    """
    shape = f"({', '.join(map(str, array.shape))})" if array.ndim else ""
    decimals = places(array)
    planes = list(np.ndindex(array.shape[:-2]))
    found = []
    for place in planes:
        rows = _rows(array[place], decimals) if array.ndim else (number(float(array), decimals),)
        found.append(Block(name + (place_name(place) if len(planes) > 1 else ""), shape, rows))
        shape = ""
    return found


def _rows(plane: Values, decimals: int) -> tuple[str, ...]:
    """The rows of one matrix, in brackets; one row for a vector."""
    cells = [[number(value, decimals) for value in row] for row in np.atleast_2d(plane)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    if len(rows) == 1:
        return (f"[{rows[0]}]",)
    sides = [("⎡", "⎤"), *[("⎢", "⎥")] * (len(rows) - 2), ("⎣", "⎦")]
    return tuple(left + row + right for (left, right), row in zip(sides, rows, strict=True))


def side_by_side(found: Sequence[Block], width: int) -> Iterator[Text]:
    """Lines of text with as many matrices beside each other as fit.

    Args:
        found: the matrices, in order.
        width: columns to use.
    """
    row: list[Block] = []
    for block in found:
        if row and sum(b.width + _GAP for b in row) + block.width > width:
            yield from _row_of_blocks(row)
            row = []
        row.append(block)
    yield from _row_of_blocks(row)


def _row_of_blocks(row: Sequence[Block]) -> Iterator[Text]:
    for index in range(1 + max((len(block.lines) for block in row), default=-1)):
        line = Text(" " * _GAP).join(block.line(index) for block in row)
        line.rstrip()
        yield line


def equations(text: str) -> list[tuple[str, str, str]]:
    """Left side, relation and right side of every clause of a formula; without relation, all is on the right.

    >>> equations("y = x t,   t = 1,   and so on")
    [('y', '=', 'x t,'), ('t', '=', '1,'), ('', '', 'and so on')]
    """
    found = []
    for clause in filter(None, text.split("   ")):
        parts = re.fullmatch(r"(\S+) ([=←]) (.*)", clause)
        found.append((parts[1], parts[2], parts[3]) if parts else ("", "", clause))
    return found


def aligned(rows: Sequence[tuple[str, str, str]], width: int) -> Iterator[str]:
    """Equations with their relations below each other; long right sides go on below themselves.

    >>> for line in aligned([("y", "=", "x + b"), ("long", "=", "1")], 40):
    ...     print(line)
    y    = x + b
    long = 1
    """
    left = max((cell_len(row[0]) for row in rows), default=0)
    for name, relation, text in rows:
        first = f"{name}{' ' * (left - cell_len(name))} {relation} " if relation else ""
        indent = " " * cell_len(first)
        for index, line in enumerate(wrapped(text, width - len(indent))):
            yield (indent if index else first) + line


def wrapped(text: str, width: int) -> list[str]:
    """A formula in lines, broken before a sign that stands in as few brackets as possible.

    >>> wrapped("a + (b + c) + d", 12)
    ['a + (b + c)', '+ d']
    """
    lines = []
    while cell_len(text) > width and (breaks := list(_breaks(text, width))):
        cut = min(breaks)[-1]
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, text]


def _breaks(text: str, width: int) -> Iterator[tuple[bool, int, int, int, int]]:
    """Places to break a line at, the best one smallest: not too early, in few brackets, before a sign, far right."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        columns = cell_len(text[:index])
        if character == " " and 0 < columns <= width:
            following = text[index + 1]
            looseness = 0 if following in "+−=≈" else 1 if following in "⊙/Σ[" else 2
            yield columns < 0.3 * width, depth, looseness, -index, index


def significant(value: float, digits: int = 7) -> str:
    """A number with that many digits that matter, never in scientific notation.

    >>> significant(0.00123456789), significant(-12.5)
    ('0.001234568', '−12.50000')
    """
    size = math.floor(math.log10(abs(value))) if value else 0
    return number(value, max(0, digits - 1 - size))

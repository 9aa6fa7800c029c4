"""How single elements of a worked example are written out, so that they can be followed with a pencil."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from handgrad.cli.explain.matrices import PLACES, number, place_name
from handgrad.cli.explain.worked_example import Example, bar
from handgrad.display.mathematics import to_text

X, Y, W, DX, DY, Y_HAT = "x", "y", "W", bar("x"), bar("y"), r"\hat y"

#: Where a number stands: the letter of its array, as LaTeX, and its place there.
Place: TypeAlias = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Line:
    """One element and the steps that lead to it.

    Args:
        name: such as y[0,0].
        steps: each what follows an equals sign, the last one the number itself.
    """

    name: str
    steps: tuple[str, ...]

    def rows(self) -> list[tuple[str, str, str]]:
        """For every step the name, once, the sign before the step, and the step.

        A number with four decimals may have been rounded to them, so the sign before it is ≈.
        """
        signs = ["≈" if re.search(rf"\.\d{{{PLACES}}}", step) else "=" for step in self.steps]
        names = [self.name] + [""] * (len(self.steps) - 1)
        return list(zip(names, signs, self.steps, strict=True))

    def joined(self) -> tuple[str, str, str]:
        """The same in one row."""
        (_, sign, step), *others = self.rows()
        return self.name, sign, step + "".join(f" {sign} {step}" for _, sign, step in others)


class Sheet:
    """An example's arrays, and how their elements are written."""

    def __init__(self, example: Example) -> None:
        self.example = example
        self.arrays = example.arrays

    def __call__(self, letter: str, *place: int) -> str:
        """An element's number."""
        return number(self.arrays[letter][place])

    def factor(self, letter: str, *place: int) -> str:
        """An element's number, in parentheses if it is negative."""
        return in_product(self.arrays[letter][place])

    def line(self, letter: str, place: Sequence[int], *steps: str) -> Line:
        """An element with the steps to it and, last, itself."""
        value = self(letter, *place)
        kept = [step for step in steps if step != value]
        return Line(name(letter, place), (*kept, value))

    def sum_of_products(
        self, letter: str, place: Sequence[int], pairs: Sequence[tuple[Place, Place]], *ends: Place
    ) -> Line:
        """An element that is a sum of products, and of single numbers at its end."""
        symbols = [f"{name(*left)}·{name(*right)}" for left, right in pairs] + [name(*end) for end in ends]
        products = " + ".join(f"{self.factor(a[0], *a[1])}·{self.factor(b[0], *b[1])}" for a, b in pairs)
        numbers = summed([self.arrays[letter][place] for letter, place in ends], after=products)
        return self.line(letter, place, " + ".join(symbols), numbers)


def name(letter: str, place: Sequence[int]) -> str:
    """An element's name, such as W̄[0,1]; only the letter for a number that stands alone."""
    return to_text(letter) + (place_name(place) if place else "")


def in_product(value: float) -> str:
    """A number as a factor: in parentheses if it is negative."""
    text = number(value)
    return f"({text})" if text.startswith("−") else text


def summed(values: Iterable[float], after: str = "") -> str:
    """Numbers with + and − between them, behind a sum that has begun already.

    >>> summed([-1.0, 2.0, -0.5]), summed([-1.0], after="a·b")
    ('−1 + 2 − 0.5', 'a·b − 1')
    """
    for value in values:
        sign = "−" if number(value).startswith("−") else "+"
        after = f"{after} {sign} {number(abs(value))}" if after else number(value)
    return after


def exponentials(a: Sheet) -> tuple[int, str, str]:
    """The row whose scores lie closest together; there, e to the power of the first score, and the sum of all such."""
    row = int(np.ptp(a.arrays[X], axis=1).argmin())
    powers = [f"e^{in_product(score)}" for score in a.arrays[X][row] - a.arrays[X][row].max()]
    return row, powers[0], " + ".join(powers)

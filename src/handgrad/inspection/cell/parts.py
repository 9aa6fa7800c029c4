"""What an explanation of a number is made of, and how it is written in LaTeX."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from handgrad.inspection.trace import Trace, Values
from handgrad.layers import Layer
from handgrad.layers.parameters import dotted

Index: TypeAlias = tuple[int, ...]

X, Y, DX, DY = "x", "y", r"\bar x", r"\bar y"

#: So many addends are written out in a line; the others become dots.
_SHOWN = 2


@dataclass(frozen=True)
class Factor:
    """A number in a product.

    Args:
        symbol: as LaTeX, such as W_{3,17}.
        value: the number.
        array: the trace's name for the array it stands in; "" for one that stands in none.
        index: its place there.
    """

    symbol: str
    value: float
    array: str = ""
    index: Index = ()


@dataclass(frozen=True)
class Part:
    """An addend: the product of some numbers."""

    factors: tuple[Factor, ...]

    @property
    def product(self) -> float:
        """Of the factors."""
        return float(np.prod([factor.value for factor in self.factors]))


@dataclass(frozen=True)
class Account:
    """How a number comes about.

    Args:
        lines: each a chain of expressions that equal one another, as LaTeX, from the name to the number.
        parts: the addends, where it is a sum.
        sources: further numbers that it depends on.
        remark: what the formula does not say, by the key under which the page has it in words.
    """

    lines: tuple[tuple[str, ...], ...] = ()
    parts: tuple[Part, ...] = ()
    sources: tuple[Factor, ...] = field(default=(), repr=False)
    remark: str = ""


class Site:
    """One layer of a trace, and its arrays under the letters of its formulas.

    Args:
        trace: where it stands.
        position: of the layer, from 0.
    """

    def __init__(self, trace: Trace, position: int) -> None:
        self.trace = trace
        self.position = position
        self.name, self.layer = trace.layers[position]
        self.arrays = {
            X: f"activation.{position}",
            Y: f"activation.{position + 1}",
            DX: f"gradient.{position}",
            DY: f"gradient.{position + 1}",
        }

    def __getitem__(self, letter: str) -> Values:
        """The array of x, y or a gradient."""
        return self.trace[self.arrays[letter]]

    def dotted(self, name: str) -> str:
        """A parameter's name in the model."""
        return dotted(self.name, name)

    def factor(self, letter: str, index: Index) -> Factor:
        """An element of x, y or a gradient."""
        return self._factor(letter, self.arrays[letter], index)

    def parameter(self, letter: str, name: str, index: Index) -> Factor:
        """An element of one of the layer's parameters."""
        return self._factor(letter, f"parameter.{self.dotted(name)}", index)

    def parameter_gradient(self, letter: str, name: str, index: Index) -> Factor:
        """An element of the gradient of one of them; the letter is the parameter's."""
        return self._factor(rf"\bar {letter}", f"parameter_gradient.{self.dotted(name)}", index)

    def _factor(self, letter: str, array: str, index: Index) -> Factor:
        return standing(self.trace, letter, array, index)


class Wiring:
    """How each number of a layer is connected with others; one for each kind of layer."""

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """An element of y."""
        raise NotImplementedError

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """An element of x̄."""
        raise NotImplementedError

    def parameter_gradient(self, site: Site, layer: Layer, name: str, index: Index) -> Account:
        """An element of a parameter's gradient."""
        raise NotImplementedError


def standing(trace: Trace, letter: str, array: str, index: Index) -> Factor:
    """A number of a trace."""
    return Factor(element(letter, index), float(trace[array][index]), array, index)


def product(*factors: Factor) -> Part:
    """An addend."""
    return Part(factors)


def element(letter: str, index: Index) -> str:
    """An element's name as LaTeX.

    >>> element("W", (3, 17)), element("L", ())
    ('W_{3,17}', 'L')
    """
    return f"{letter}_{{{','.join(map(str, index))}}}" if index else letter


def number(value: float, *, factor: bool = False) -> str:
    r"""A number as LaTeX with four significant digits; as a factor in parentheses if it is negative or a power.

    >>> number(0.123456), number(-2.0, factor=True), number(1.5e-7), number(2e-9, factor=True), number(float("inf"))
    ('0.1235', '(-2)', '1.5 \\cdot 10^{-7}', '(2 \\cdot 10^{-9})', '\\infty')
    >>> number(9999.97), number(12345.6)
    ('10000', '12346')
    """
    if not np.isfinite(value):
        return r"\text{NaN}" if np.isnan(value) else r"\infty" if value > 0 else r"-\infty"
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        text = f"{value:.4g}" if abs(value) < 9999.5 else f"{value:.0f}"
    else:
        digits, _, power = f"{value:.3g}".partition("e")
        text = rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits
    return f"({text})" if factor and (value < 0 or "10^" in text) else text


def equal(result: Factor, *steps: str, sources: Iterable[Factor], remark: str = "") -> Account:
    """The account of a number by the expressions that it equals."""
    return Account(((result.symbol, *steps, number(result.value)),), sources=tuple(sources), remark=remark)


def summed(result: Factor, parts: Sequence[Part], *, sources: Iterable[Factor] = (), remark: str = "") -> Account:
    """The account of a sum: its largest addends as symbols, then as numbers, then the number itself."""
    largest = sorted(range(len(parts)), key=lambda place: -abs(parts[place].product))[:_SHOWN]
    shown = [parts[place] for place in sorted(largest)]
    dots = [r"\cdots"] if len(shown) < len(parts) else []
    symbols = " + ".join(["\\,".join(f.symbol for f in part.factors) for part in shown] + dots) or "0"
    numbers = " + ".join([_in_numbers(part, alone=len(parts) == 1) for part in shown] + dots) or "0"
    chain = [result.symbol, symbols, numbers, number(result.value)]
    kept = [text for place, text in enumerate(chain) if not place or text != chain[place - 1]]
    return Account((tuple(kept),), tuple(parts), tuple(sources), remark)


def _in_numbers(part: Part, *, alone: bool) -> str:
    if len(part.factors) == 1:
        return number(part.factors[0].value, factor=not alone)
    return r" \cdot ".join(number(factor.value, factor=True) for factor in part.factors)

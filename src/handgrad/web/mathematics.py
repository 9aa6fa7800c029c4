"""LaTeX as MathML, which browsers typeset by themselves."""

import re
from functools import cache
from typing import TypedDict

from handgrad.layers.layer import Formulas


class Mathematics(TypedDict):
    """A formula in both languages; in MathML also cut where there is room to break the line."""

    latex: str
    mathml: str
    lines: list[str]


@cache
def mathematics(latex: str, *, inline: bool = False) -> Mathematics:
    r"""A formula as the page shows it.

    Args:
        latex: without dollar signs.
        inline: in a line of text, rather than on a line of its own.

    >>> print(mathematics(r"x^2", inline=True)["mathml"])
    <math ... display="inline"><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow></math>
    """
    lines = [typeset(part, inline=inline) for part in _parts(latex)]
    return {"latex": latex, "mathml": typeset(latex, inline=inline), "lines": lines}


def _parts(latex: str) -> list[str]:
    r"""A formula cut at each \quad that stands in no parentheses or braces.

    >>> _parts(r"y = \gamma x, \quad m = \max_j x_j"), _parts(r"w \quad (a \quad b)")
    (['y = \\gamma x,', 'm = \\max_j x_j'], ['w', '(a \\quad b)'])
    """
    parts, depth = [""], 0
    for token in re.split(r"(\\quad|[{}()])", latex):
        depth += (token in "{(" if token else 0) - (token in "})" if token else 0)
        if token == r"\quad" and not depth:
            parts.append("")
        else:
            parts[-1] += token
    return [part.strip() for part in parts]


def typeset(latex: str, *, inline: bool = True) -> str:
    """A formula as MathML; not kept, for there is no end of those with numbers in them."""
    from latex2mathml.converter import convert

    markup = convert(latex, display="inline" if inline else "block")
    # A minus behind a parenthesis or a comma belongs to its number; a browser would put space around it.
    return _SIGN.sub(r'\1<mo form="prefix">&#x02212;</mo>', markup)


_SIGN = re.compile("((?:&#x00028;|&#x0002C;)</mo>(?:<mspace[^>]*/>)?)<mo>&#x02212;</mo>")


def formulas(stated: Formulas) -> dict[str, object]:
    """All that a layer or a loss states of itself."""
    return {
        "forward": mathematics(stated.forward) if stated.forward else None,
        "backward": {name: mathematics(latex) for name, latex in stated.backward.items()},
        "shapes": [
            {"letter": mathematics(letter, inline=True), "shape": mathematics(shape, inline=True)}
            for letter, shape in stated.shapes.items()
        ],
        "notes": stated.notes,
    }

"""LaTeX as MathML, which browsers typeset by themselves."""

from functools import cache
from typing import TypedDict

from handgrad.display.formulas import parts, typeset
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
    lines = [typeset(part, inline=inline) for part in parts(latex)]
    return {"latex": latex, "mathml": typeset(latex, inline=inline), "lines": lines}


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

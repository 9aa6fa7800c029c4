"""LaTeX as MathML, which browsers typeset by themselves, or where latex2mathml is missing as a line of text."""

import re
from importlib.util import find_spec
from xml.etree import ElementTree

from handgrad.display.html import Html, element
from handgrad.display.mathematics import to_text

_SIGN = re.compile("((?:&#x00028;|&#x0002C;)</mo>(?:<mspace[^>]*/>)?)<mo>&#x02212;</mo>")
#: Fractions and sums as tall as on a line of their own, which small print makes hard to read otherwise.
_INLINE, _ROOMY = 'display="inline"', ' displaystyle="true"'
_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_ATTRIBUTES = {"accent", "display", "displaystyle", "fence", "form", "mathvariant", "scriptlevel", "stretchy", "width"}


def typeset(latex: str, *, inline: bool = True) -> str:
    """A formula as MathML.

    Args:
        latex: without dollar signs.
        inline: in a line of text, rather than on a line of its own.

    Raises:
        ModuleNotFoundError: latex2mathml is not installed.
    """
    from latex2mathml.converter import convert

    markup = convert(latex, display="inline" if inline else "block")
    # A minus behind a parenthesis or a comma belongs to its number; a browser would put space around it.
    return _SIGN.sub(r'\1<mo form="prefix">&#x02212;</mo>', markup)


def parts(latex: str) -> list[str]:
    r"""A formula cut at each \quad that stands in no parentheses or braces.

    >>> parts(r"y = \gamma x, \quad m = \max_j x_j"), parts(r"w \quad (a \quad b)")
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


def formula(latex: str) -> Html:
    r"""A formula in a line of text, whoever has written it: what cannot be read stays LaTeX.

    >>> "<math" in formula("x^2") or formula("x^2") == "<span>x²</span>"
    True
    >>> print(formula(r"\frac{1}{"))
    <code>\frac{1}{</code>
    """
    try:
        if not find_spec("latex2mathml"):
            return element("span", to_text(latex))
        markup = typeset(latex).replace(_INLINE, _INLINE + _ROOMY, 1)
        if _is_mathematics(markup):
            return Html(markup)
    except Exception:  # of LaTeX that it cannot read, latex2mathml says so by errors of every kind
        pass
    return element("code", latex)


def _is_mathematics(markup: str) -> bool:
    r"""Whether it is MathML and nothing else: latex2mathml leaves what it finds in \text and \color as it is."""
    elements = list(ElementTree.fromstring(markup).iter())
    return all(part.tag.startswith(_NAMESPACE + "m") and part.attrib.keys() <= _ATTRIBUTES for part in elements)

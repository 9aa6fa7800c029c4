"""HTML that any notebook can hold: no script, no style sheet, no fixed background, all text escaped.

Colours are those of the notebook's theme, but for small marks and for charts, whose colours stand out from a white page
and from a black one (a contrast of at least 3, for words of 4), and which never carry a meaning alone.
"""

import html
from collections.abc import Iterable, Sequence
from typing import Any

#: Marks of what is right and what is wrong.
GREEN, RED = "#2b9a47", "#e5534b"

#: Rows of a table at most; of more, evenly spaced ones are shown.
MOST_ROWS = 30

_CELL = "padding:2px 10px;vertical-align:top;"
_COLUMNS = {
    "l": "text-align:left;white-space:nowrap",
    "r": "text-align:right;white-space:nowrap",
    "t": "text-align:left",
}


class Html(str):
    """Text that is HTML already; every other text is escaped when it is put into an element or a template."""

    __slots__ = ()

    def __html__(self) -> str:  # what Jinja2 asks for
        return str(self)


def element(tag: str, *content: object, **attributes: object) -> Html:
    """One element; an underscore in an attribute's name stands for a hyphen, and one behind it is left out.

    Args:
        tag: its name.
        content: texts, which are escaped, and `Html`, which is not.
        attributes: their values, which are escaped.

    >>> print(element("b", "1 < 2", class_="note"))
    <b class="note">1 &lt; 2</b>
    """
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    opening = "".join(f' {name}="{html.escape(str(value))}"' for name, value in names.items())
    return Html(f"<{tag}{opening}>{joined(content)}</{tag}>")


def joined(parts: Iterable[object], separator: str = "") -> Html:
    """Parts one after another, each escaped unless it is `Html`."""
    return Html(separator.join(part if isinstance(part, Html) else html.escape(str(part)) for part in parts))


def paragraph(*content: object) -> Html:
    """A line of text."""
    return element("div", *content, style="margin:4px 0")


def muted(*content: object) -> Html:
    """Text that matters less."""
    return element("span", *content, style="opacity:.75")


def table(header: Sequence[object], rows: Iterable[Sequence[object]], align: str = "") -> Html:
    """A table, which scrolls sideways where it is too wide.

    Args:
        header: the columns' names.
        rows: their cells.
        align: a letter for each column: l for words, r for numbers, t for text that may be broken into lines; those
            left out are words.

    >>> "<th" in table(["loss"], [[0.5]], "r"), "<td" in table(["loss"], [], "r")
    (True, False)
    """
    styles = [_CELL + _COLUMNS[letter] for letter in align.ljust(len(header), "l")]
    heads = [element("th", name, style=style) for name, style in zip(header, styles, strict=True)]
    lines = [
        element("tr", *(element("td", cell, style=style) for cell, style in zip(row, styles, strict=True)))
        for row in rows
    ]
    whole = element("table", element("thead", element("tr", *heads)), element("tbody", *lines), style="margin:4px 0")
    return element("div", whole, style="overflow-x:auto")


def folded(title: object, *content: object, is_open: bool = False) -> Html:
    """Content that a click on its title shows."""
    opened: dict[str, Any] = {"open": ""} if is_open else {}
    return element("details", element("summary", title, style="cursor:pointer"), *content, **opened)


def verdict(passed: bool, right: str, wrong: str) -> Html:
    """A mark and a word: neither needs the other to be understood.

    >>> print(verdict(True, "right", "WRONG"))
    <span style="color:#2b9a47;font-weight:bold">✓</span> right
    """
    mark = element("span", "✓" if passed else "✗", style=f"color:{GREEN if passed else RED};font-weight:bold")
    return joined([mark, " ", right if passed else element("strong", wrong)])


def image(address: str, alternative: str, style: str) -> Html:
    """A picture, and what is read aloud for it."""
    return Html(f'<img src="{html.escape(address)}" alt="{html.escape(alternative)}" style="{html.escape(style)}">')


def output(*parts: object) -> str:
    """What a `_repr_html_` returns: its parts, one below another."""
    return str(element("div", *parts))


def evenly(count: int, most: int = MOST_ROWS) -> list[int]:
    """At most so many places of a list of that length, evenly spaced, the first and the last among them.

    >>> evenly(4, 30), evenly(100, 5)
    ([0, 1, 2, 3], [0, 25, 50, 74, 99])
    """
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]

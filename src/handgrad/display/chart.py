"""A chart of lines as a picture in SVG: a few kilobytes, readable on light and dark, and read aloud as a sentence.

It is an image, and not a part of the page, since JupyterLab throws SVG out of the HTML of a notebook that comes from
somebody else, and leaves its numbers behind as a heap of digits.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from handgrad.display.html import Html, element, image, joined
from handgrad.display.images import data_uri
from handgrad.display.numbers import is_steep

if TYPE_CHECKING:
    from matplotlib.ticker import Locator

#: x and y; what is not finite is left out.
Points: TypeAlias = Sequence[tuple[float, float]]

#: A line's colour and dashes: neither is needed to tell the lines apart where the other can be seen.
STYLES = (("#3a87c8", ""), ("#bd7b00", "6 3"), ("#d55e00", "2 3"), ("#8f7cc0", "8 3 2 3"))

#: Words, numbers and axes: as far from white as from JupyterLab's dark page, since an image knows no theme.
INK = "#797979"

_WIDTH, _HEIGHT = 360, 216
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 30, 38


class Axis:
    """From a number to its place, with the numbers that are written beside it.

    Args:
        values: that are drawn, at least one.
        start: the place of the smallest.
        end: the place of the largest.
        whole: whether only whole numbers are written.
        steep: whether large factors make it logarithmic.
    """

    def __init__(
        self, values: Sequence[float], start: float, end: float, *, whole: bool = False, steep: bool = False
    ) -> None:
        self.start, self.end = start, end
        low, high = min(values), max(values)
        self.is_logarithmic = steep and is_steep(values)
        margin = 0 if whole or self.is_logarithmic else 0.06 * (high - low)
        self.low, self.high = low - margin, high + margin
        if low == high:
            self.low, self.high = low - 0.5, high + 0.5
        self.ticks = [float(tick) for tick in self._locator(whole).tick_values(self.low, self.high)]
        self.ticks = [tick for tick in self.ticks if self.low <= tick <= self.high]

    def _locator(self, whole: bool) -> "Locator":
        from matplotlib.ticker import LogLocator, MaxNLocator

        return LogLocator(numticks=6) if self.is_logarithmic else MaxNLocator(5, integer=whole)

    def place(self, value: float) -> float:
        """Where a number is drawn."""
        low, high = self.low, self.high
        if self.is_logarithmic:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)


def line_chart(title: str, lines: Mapping[str, Points], *, across: str, unit: str = "") -> Html:
    """An image of lines over a common axis of whole numbers, their names above; nothing where there are no points.

    Args:
        title: what is drawn, in a word or two.
        lines: the points of each line, by its name; one without points is left out, and keeps its style to itself.
        across: what the horizontal axis counts.
        unit: "%" for shares, which are then written as percentages; otherwise numbers are drawn as they are.

    >>> chart = line_chart("loss", {"train": [(1, 0.5), (2, 0.25)]}, across="epoch")
    >>> 'alt="loss: train from 0.5 to 0.25"' in chart
    True
    """
    kept = {name: [point for point in points if all(map(math.isfinite, point))] for name, points in lines.items()}
    everything = [point for points in kept.values() for point in points]
    if not everything:
        return Html("")
    x = Axis([x for x, _ in everything], _LEFT, _WIDTH - _RIGHT, whole=True)
    y = Axis([y for _, y in everything], _HEIGHT - _BOTTOM, _TOP, steep=unit != "%")
    said = "; ".join(f"{name} from {_said(p[0][1], unit)} to {_said(p[-1][1], unit)}" for name, p in kept.items() if p)
    drawing = element(
        "svg",
        _grid(x, y, unit),
        joined(_line(place, name, points, x, y) for place, (name, points) in enumerate(kept.items()) if points),
        _words(title, (_WIDTH + _LEFT - _RIGHT) / 2, _HEIGHT - 4, across),
        xmlns="http://www.w3.org/2000/svg",
        width=_WIDTH,
        height=_HEIGHT,
        font_family="system-ui, sans-serif",
        font_size=11,
    )
    address = data_uri(drawing.encode(), "image/svg+xml")
    return image(address, f"{title}: {said}", "max-width:100%;margin-right:12px;display:inline-block")


def _grid(x: Axis, y: Axis, unit: str) -> Html:
    """Lines across at the vertical axis's numbers, and the numbers of both axes."""
    parts = []
    for tick in y.ticks:
        line = {"x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y.place(tick), "y2": y.place(tick)}
        parts.append(element("line", **line, stroke=INK, stroke_opacity=0.35))
        parts.append(_text(_said(tick, unit), _LEFT - 6, y.place(tick) + 4, "end"))
    parts += [_text(_said(tick), x.place(tick), _HEIGHT - _BOTTOM + 16, "middle") for tick in x.ticks]
    return joined(parts)


def _words(title: str, middle: float, bottom: float, across: str) -> Html:
    """The title above the numbers, and what is counted across."""
    return joined([_text(title, 4, 14, "start", bold=True), _text(across, middle, bottom, "middle")])


def _line(place: int, name: str, points: Points, x: Axis, y: Axis) -> Html:
    """A line, and its name above the chart behind a piece of it."""
    colour, dashes = STYLES[place % len(STYLES)]
    style = {"fill": "none", "stroke": colour, "stroke_width": 2} | ({"stroke_dasharray": dashes} if dashes else {})
    drawn = " ".join(f"{x.place(a)},{y.place(b)}" for a, b in points)
    shape = element("polyline", points=drawn, stroke_linejoin="round", **style)
    if len(points) == 1:
        shape = element("circle", cx=x.place(points[0][0]), cy=y.place(points[0][1]), r=3, fill=colour)
    left = _LEFT + 50 + 96 * place
    piece = element("line", x1=left, x2=left + 20, y1=10, y2=10, **style)
    return joined([shape, piece, _text(name, left + 25, 14, "start")])


def _text(text: str, x: float, y: float, anchor: str, *, bold: bool = False) -> Html:
    heavy = {"font_weight": "bold"} if bold else {}
    return element("text", text, x=x, y=y, text_anchor=anchor, fill=INK, **heavy)


def _said(value: float, unit: str = "") -> str:
    return f"{100 * value:.4g} %" if unit == "%" else f"{value:.4g}"

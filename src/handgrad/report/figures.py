"""Plots as inline SVG. Text stays text, and colours are the page's own, so that they follow light and dark."""

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray

from handgrad.display.html import Html, evenly
from handgrad.display.numbers import is_steep
from handgrad.report.calibration import Calibration
from handgrad.training.history import Epoch, History

#: What is drawn in these is shown in the page's colours.
_INK, _FAINT, _LINE = "#000000", "#010101", "#020202"
_SERIES = tuple(f"#03030{number}" for number in range(1, 7))
_PAGE_COLOURS = {_INK: "var(--ink)", _FAINT: "var(--faint)", _LINE: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, start=1)
}
_DASHES = ("-", "--", ":", "-.")  # of the first six lines, the next six, …
_PLACE = {"train": 0, "validation": 1, "test": 2}
_SIZE = (4.4, 3.1)
_MOST_POINTS = 400


def to_svg(figure: Figure, name: str) -> Html:
    """A figure as an SVG element for a page of HTML: the same bytes for the same figure.

    Args:
        figure: its colours black and the constants above become the page's.
        name: of the figure, different from all others on the page; ids begin with it.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": "handgrad", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    text = buffer.getvalue()
    svg = text[text.index("<svg") :]  # without the XML declaration, which HTML does not know
    svg = re.sub(r'\b(id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', svg, count=1)
    svg = svg.replace("xlink:href", "href")
    return Html(re.sub("|".join(_PAGE_COLOURS), lambda found: _PAGE_COLOURS[found[0]], svg))


def losses(history: History) -> Figure:
    """Loss by epoch: of the training steps, faint; their mean over each epoch; and of what else was scored."""
    figure, axis = _blank("mean loss")
    x, y = _means(_places(history), [step.loss for step in history.steps])
    if len(x) > len(history.epochs):
        axis.plot(x, y, color=_SERIES[0], linewidth=1, alpha=0.4, label="train, by steps")
    epochs, drawn = _even(history.epochs), y.tolist()
    if epochs:
        drawn += _line(axis, epochs, lambda epoch: epoch.train_loss, "train, mean of the epoch", 0)
    for name in _scored(epochs):
        drawn += _line(axis, _having(epochs, name), lambda e, n=name: e.scores[n].loss, name, _PLACE.get(name, 3))  # type: ignore[misc]
    return _with_scale(figure, axis, drawn)


def accuracies(history: History) -> Figure | None:
    """Accuracy by epoch of everything that was scored; None where nothing was, or the targets are amounts."""
    epochs = _even(history.epochs)
    names = _scored(epochs)
    if all(math.isnan(epoch.scores[name].accuracy) for name in names for epoch in _having(epochs, name)):
        return None
    figure, axis = _blank("accuracy")
    for name in names:
        _line(axis, _having(epochs, name), lambda e, n=name: e.scores[n].accuracy, name, _PLACE.get(name, 3))  # type: ignore[misc]
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.legend(frameon=False)
    return figure


def by_steps(history: History, label: str, values: Sequence[float], *, steep: bool = False) -> Figure:
    """Something of every training step.

    Args:
        history: of the steps.
        label: what it is.
        values: one a step.
        steep: whether it may be drawn on a logarithmic axis.
    """
    figure, axis = _blank(label)
    x, y = _means(_places(history), values)
    axis.plot(x, y, color=_SERIES[0], linewidth=1.2)
    return _with_scale(figure, axis, y.tolist(), named=False) if steep else figure


def compared(histories: Mapping[str, History], label: str, value: Callable[[Epoch], float | None]) -> Figure | None:
    """One figure of each epoch, a line for each run; None where no run has it.

    Args:
        histories: by what the runs are called.
        label: what is drawn; where it is a loss, on a logarithmic axis if need be.
        value: from an epoch to the figure, None where it was not taken.
    """
    figure, axis = _blank(label)
    drawn: list[float] = []
    for place, (name, history) in enumerate(histories.items()):
        epochs = [epoch for epoch in _even(history.epochs) if value(epoch) is not None]
        if epochs:
            drawn += _line(axis, epochs, value, name, place)  # type: ignore[arg-type]
    if not drawn:
        return None
    if "loss" in label:
        return _with_scale(figure, axis, drawn)
    axis.yaxis.set_major_formatter(PercentFormatter(1.0))
    axis.legend(frameon=False)
    return figure


def reliability(calibrations: Mapping[str, Calibration]) -> Figure:
    """Accuracy over confidence, a line for each run, and below how many answers there are of each confidence.

    Source: Guo, Pleiss, Sun and Weinberger (2017).

    Args:
        calibrations: by what the runs are called.
    """
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color=_FAINT, linestyle=":", label="as often right as sure")
    for place, (name, measured) in enumerate(calibrations.items()):
        style = _style(place)
        kept = measured.counts > 0
        upper.plot(measured.confidence[kept], measured.accuracy[kept], marker="o", markersize=4, label=name, **style)
        edges = np.linspace(0, 1, len(measured.counts) + 1)
        lower.stairs(measured.counts, edges, **style)
    upper.set(ylabel="share that is right", ylim=(-0.02, 1.02))
    lower.set(xlabel="probability of the predicted class", ylabel="answers", xlim=(-0.02, 1.02))
    if is_steep([1, *(measured.counts.max() for measured in calibrations.values())]):
        lower.set(yscale="log", ylim=(0.7, None))
        lower.yaxis.set_minor_formatter(NullFormatter())
    else:
        lower.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    lower.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    for axis in (upper, lower):
        _plain(axis)
    upper.yaxis.set_major_formatter(PercentFormatter(1.0))
    upper.xaxis.set_major_formatter(PercentFormatter(1.0))
    upper.legend(frameon=False)
    return figure


def wanted_and_predicted(targets: NDArray[Any], outputs: NDArray[Any]) -> Figure:
    """What a network of numbers says, over what it should say.

    Args:
        targets: (N, D).
        outputs: (N, D).
    """
    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axis = figure.subplots()
    ends = [float(targets.min()), float(targets.max())]
    axis.plot(ends, ends, color=_FAINT, linestyle=":", label="as wanted")
    rows = _even(range(len(targets)), 2000)
    axis.plot(targets[rows].ravel(), outputs[rows].ravel(), ".", color=_SERIES[0], alpha=0.5, label="predicted")
    axis.set(xlabel="wanted", ylabel="predicted")
    _plain(axis)
    axis.legend(frameon=False)
    return figure


def _blank(label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axis = figure.subplots()
    axis.set(xlabel="epoch", ylabel=label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain(axis)
    return figure, axis


def _plain(axis: Axes) -> None:
    axis.grid(color=_LINE, linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _style(place: int) -> dict[str, Any]:
    count = len(_SERIES)
    return {"color": _SERIES[place % count], "linestyle": _DASHES[place // count % len(_DASHES)]}


def _line(axis: Axes, epochs: Sequence[Epoch], value: Callable[[Epoch], float], name: str, place: int) -> list[float]:
    """Draw a figure by epoch; returns what was drawn."""
    values = [value(epoch) for epoch in epochs]
    marker = "o" if len(epochs) <= 40 else ""
    axis.plot([epoch.number for epoch in epochs], values, marker=marker, markersize=4, label=name, **_style(place))
    return values


def _with_scale(figure: Figure, axis: Axes, values: Sequence[float], *, named: bool = True) -> Figure:
    """With a logarithmic axis where values differ much, and the legend if lines are named."""
    if is_steep([value for value in values if math.isfinite(value)]):
        axis.set_yscale("log")
    if axis.lines and named:
        axis.legend(frameon=False)
    return figure


def _scored(epochs: Sequence[Epoch]) -> list[str]:
    return sorted({name for epoch in epochs for name in epoch.scores}, reverse=True)


def _having(epochs: Sequence[Epoch], name: str) -> list[Epoch]:
    return [epoch for epoch in epochs if name in epoch.scores]


def _even(things: Sequence[Any], most: int = _MOST_POINTS) -> list[Any]:
    """An even selection of very many things, the first and the last among them."""
    return [things[place] for place in evenly(len(things), most)]


def _places(history: History) -> list[float]:
    """Where each step was, in epochs."""
    return [step.epoch - 1 + step.batch / step.batches for step in history.steps]


def _means(places: Sequence[float], values: Sequence[float]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Places and values; of very many, the means of as many neighbours each."""
    size = max(1, -(-len(values) // _MOST_POINTS))
    starts = np.arange(0, len(values), size)
    if not len(starts):
        return np.empty(0), np.empty(0)
    counts = np.diff(np.append(starts, len(values)))
    x, y = (np.add.reduceat(np.array(column, np.float64), starts) / counts for column in (places, values))
    return x, y

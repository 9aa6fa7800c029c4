"""The plots of docs/benchmarks.md, as Matplotlib figures."""

import statistics
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from benchmarks.contestants import OURS, PEERS
from benchmarks.tables import GROWTH_TITLES, by_place
from benchmarks.workloads import Workload

_OURS_COLOUR, _PEER_COLOUR, _GREY = "#0072B2", "#BBBBBB", "#666666"
_GROWTH_COLOURS = {OURS.name: _OURS_COLOUR, "pytorch": "#D55E00", "jax": "#E69F00"}  # Okabe and Ito's


def training(section: dict[str, Any]) -> Figure:
    """Bars of time by contestant, a panel for each workload, with all threads; a line spans minimum to maximum."""
    threads = max(pair["threads"] for pair in section["pairs"])
    workloads = [Workload.from_dict(described) for described in section["workloads"].values()]
    figure = Figure(figsize=(9.5, 1.0 + 1.9 * len(workloads)), layout="constrained")
    panels = figure.subplots(len(workloads), 1, squeeze=False)[:, 0]
    for axis, workload in zip(panels, workloads, strict=True):
        times: dict[str, list[float]] = {}
        for (name, count, peer), pairs in by_place(section).items():
            if (name, count) == (workload.name, threads):
                times.setdefault(OURS.title, []).extend(workload.in_unit(pair["ours"]["seconds"]) for pair in pairs)
                times[PEERS[peer].title] = [workload.in_unit(pair["theirs"]["seconds"]) for pair in pairs]
        _bars(axis, times)
        axis.set_title(f"{workload.title}: {workload.unit}, {threads} threads", fontsize=10, loc="left")
    return figure


def _bars(axis: Axes, times: dict[str, list[float]]) -> None:
    """Fastest on top."""
    ordered = sorted(times.items(), key=lambda item: statistics.median(item[1]))
    for row, (title, values) in enumerate(ordered):
        median = statistics.median(values)
        axis.barh(row, median, color=_OURS_COLOUR if title == OURS.title else _PEER_COLOUR, height=0.7)
        axis.plot([min(values), max(values)], [row, row], color=_GREY, linewidth=1)
        axis.text(max(values), row, f"  {median:.3g}", va="center", fontsize=8)
    axis.set_yticks(range(len(ordered)), [title for title, _ in ordered], fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.08)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(axis="x", labelsize=8)


def accuracy(sections: dict[str, dict[str, Any]]) -> Figure:
    """The training loss by epoch, a panel for each recipe, a line for each seed."""
    figure = Figure(figsize=(4.6 * len(sections), 3.2), layout="constrained")
    panels = figure.subplots(1, len(sections), squeeze=False)[0]
    for panel, (recipe, section) in zip(panels, sections.items(), strict=True):
        for run in section["runs"]:
            losses, wrong = run["train_losses"], 1 - run["accuracy"]
            label = f"seed {run['seed']}: {wrong:.2%} wrong"
            panel.plot(range(1, len(losses) + 1), losses, linewidth=1, label=label)
        panel.set_title(f"{recipe}: loss on distorted training images", fontsize=9)
        panel.set_xlabel("epoch")
        panel.set_yscale("log")
        panel.grid(color="#E6E6E6", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, fontsize=8, title="on the test images", title_fontsize=8)
    return figure


def growth(section: dict[str, Any]) -> Figure:
    """Seconds an epoch by batch size, width, threads and examples, on logarithmic axes."""
    axes = list(dict.fromkeys(point["axis"] for point in section["points"]))
    figure = Figure(figsize=(3.4 * len(axes), 3.4), layout="constrained")
    panels = figure.subplots(1, len(axes), squeeze=False)[0]
    for panel, name in zip(panels, axes, strict=True):
        points = [point for point in section["points"] if point["axis"] == name]
        for contestant in dict.fromkeys(point["contestant"] for point in points):
            _curve(panel, contestant, [point for point in points if point["contestant"] == contestant])
        panel.set_title(GROWTH_TITLES[name], fontsize=9)
        panel.set_xlabel(name)
        ticks = sorted({point["value"] for point in points})
        panel.set_xticks(ticks, [f"{value:,}" for value in ticks], fontsize=7, rotation=45)
        panel.grid(color="#E6E6E6", linewidth=0.8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("seconds an epoch")
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def _curve(axis: Axes, contestant: str, points: Sequence[dict[str, Any]]) -> None:
    values = [point["value"] for point in points]
    medians = [statistics.median(point["seconds"]) for point in points]
    title = OURS.title if contestant == OURS.name else PEERS[contestant].title
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.minorticks_off()
    axis.plot(values, medians, marker="o", markersize=3, color=_GROWTH_COLOURS.get(contestant, _GREY), label=title)
    low, high = ([pick(point["seconds"]) for point in points] for pick in (min, max))
    axis.fill_between(values, low, high, color=_GROWTH_COLOURS.get(contestant, _GREY), alpha=0.15, linewidth=0)

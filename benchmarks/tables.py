"""From measurements to tables: medians, ranges, ratios and verdicts. A table is shown on a terminal or in a page."""

import statistics
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from benchmarks import estimators
from benchmarks.contestants import OURS, PEERS
from benchmarks.table import Table, judged, ratios, spread
from benchmarks.workloads import Workload

Section = dict[str, Any]

#: How far the mean losses of the last epoch may lie apart, relative to ours.
LOSS_TOLERANCE = 1e-3
#: Outputs of the same weights agree much better.
OUTPUT_TOLERANCE = 1e-4
#: The largest ratios that we accept, where they do not belong to a workload.
BUSY_BAR, MEMORY_BAR, DEFAULT_BAR = 4.0, 0.6, 0.5
#: Seconds that the default recipe may train, and the share of test images that it must get right on average.
DEFAULT_SECONDS, DEFAULT_ACCURACY = 3.0, 0.99

#: Seconds before the first step: what they go to, and how many we accept.
START_BARS = {
    "import": ("`from handgrad import Experiment`", 0.15),
    "help": ("`handgrad --help`, the whole process", 0.25),
    "compile": ("compiling the kernels of the default recipe, once", 8.0),
    "prepare": ("loading them in a later process", 0.3),
}

#: The share of the test images that a recipe may get wrong, on average over the seeds.
ACCURACY_BARS = {"mlp-best": 0.007, "cnn-best": 0.003}


def all_tables(results: Section) -> dict[str, list[Table]]:
    """The tables of every section that was measured, by its name; "bars" judges them together."""
    makers: dict[str, Callable[[Section], list[Table]]] = {
        "epochs": lambda section: [*_training(section), _starts(section)],
        "predictions": _predictions,
        "growth": _growth,
        "neighbour": _neighbour,
        "cold": _cold,
        "start": _start,
        "default": _default,
        "estimators": estimators.tables,
    }
    tables = {name: make(results[name]) for name, make in makers.items() if name in results}
    if recipes := accuracy_sections(results):
        tables["accuracy"] = [_accuracy(recipes)]
    return {"bars": [bars]} | tables if (bars := _bars(results)).rows else tables


def disagreements(results: Section) -> list[str]:
    """Where a peer did not reach our loss or our outputs, in words; then the times do not compare."""
    found = []
    for name, what, tolerance in (("epochs", "loss", LOSS_TOLERANCE), ("predictions", "mean output", OUTPUT_TOLERANCE)):
        for pair in results.get(name, {}).get("pairs", ()):
            if not _agree(pair, tolerance):
                ours, theirs = pair["ours"]["loss"], pair["theirs"]["loss"]
                place = f"{pair['workload']}, {pair['threads']} threads, {_title(pair['peer'])}"
                found.append(f"{place}: {what} {theirs:.6g}, ours {ours:.6g}")
    return list(dict.fromkeys(found))


def left_out(section: Section) -> list[str]:
    """What could not be measured, and why, in words."""
    skipped = [
        ", ".join(f"{_title(str(value)) if key in ('peer', 'contestant') else value}" for key, value in skip.items())
        for skip in section.get("skipped", ())
    ]
    return [f"{title}: {reason}" for title, reason in section.get("absent", {}).items()] + skipped


def by_place(section: Section) -> dict[tuple[str, int, str], list[Section]]:
    """Pairs by workload, threads and peer, in the order measured."""
    found: dict[tuple[str, int, str], list[Section]] = {}
    for pair in section["pairs"]:
        found.setdefault((pair["workload"], pair["threads"], pair["peer"]), []).append(pair)
    return found


def _training(section: Section) -> list[Table]:
    tables = []
    for name, described in section["workloads"].items():
        workload = Workload.from_dict(described)
        rows = []
        for (place, threads, peer), pairs in by_place(section).items():
            if place != name:
                continue
            ours, theirs = ([workload.in_unit(pair[who]["seconds"]) for pair in pairs] for who in ("ours", "theirs"))
            same = "same" if all(_agree(pair, LOSS_TOLERANCE) for pair in pairs) else "**differs**"
            rows.append(
                (_title(peer), str(threads), spread(ours), spread(theirs), f"**{spread(ratios(pairs))}**", same)
            )
        columns = ("peer", "threads", f"ours, {workload.unit}", f"peer, {workload.unit}", "ours / peer", "loss")
        tables.append(Table(workload.title, columns, rows))
    return tables


def _starts(section: Section) -> Table:
    """What comes before full speed, and the memory, with all threads."""
    most = max((pair["threads"] for pair in section["pairs"]), default=0)
    measured: dict[tuple[str, str], list[Section]] = {}
    for pair in section["pairs"]:
        if pair["threads"] == most:
            for name, run in ((OURS.name, pair["ours"]), (pair["peer"], pair["theirs"])):
                measured.setdefault((pair["workload"], name), []).append(run)
    rows = []
    for (workload, name), runs in measured.items():
        figures = [[run[key] for run in runs] for key in ("import_seconds", "prepare_seconds", "first_seconds")]
        memory = statistics.median(run["peak_bytes"] for run in runs) / 1e6
        rows.append((workload, _title(name), *map(spread, figures), f"{memory:.0f}"))
    columns = ("work", "who", "import, s", "model and data, s", "compiling and first touch, s", "peak memory, MB")
    return Table(f"Before full speed, {most} threads", columns, rows)


def _predictions(section: Section) -> list[Table]:
    rows = []
    for (name, threads, peer), pairs in by_place(section).items():
        ours, theirs = ([1e6 * pair[who]["seconds"] for pair in pairs] for who in ("ours", "theirs"))
        rates = [[pair[who]["images_per_second"] / 1e3 for pair in pairs] for who in ("ours", "theirs")]
        speed_up = [a / b for a, b in zip(*rates, strict=True)]
        same = "same" if all(_agree(pair, OUTPUT_TOLERANCE) for pair in pairs) else "**differ**"
        one = (spread(ours), spread(theirs), f"**{spread(ratios(pairs))}**")
        rows.append((name, _title(peer), str(threads), *one, *map(spread, rates), f"**{spread(speed_up)}**", same))
    one = ("one image: ours, µs", "peer, µs", "ours / peer")
    many = ("10,000: ours, thousand a second", "peer", "ours / peer (more is better)")
    return [Table("Prediction", ("network", "peer", "threads", *one, *many, "outputs"), rows)]


def _growth(section: Section) -> list[Table]:
    tables = []
    for axis, points in groupby(section["points"], key=lambda point: point["axis"]):
        measured: dict[int, dict[str, list[float]]] = {}
        for point in points:
            measured.setdefault(point["value"], {})[point["contestant"]] = point["seconds"]
        names = list(dict.fromkeys(name for row in measured.values() for name in row))
        rows = [
            (f"{value:,}", *(spread(row[name]) if name in row else "" for name in names))
            for value, row in measured.items()
        ]
        tables.append(Table(GROWTH_TITLES[axis], (axis, *(f"{_title(name)}, s an epoch" for name in names)), rows))
    return tables


GROWTH_TITLES = {
    "batch": "784-128-10 by batch size",
    "width": "784-h-10 at batch 64, by width h",
    "threads": "784-512-10 at batch 64, by threads",
    "examples": "784-128-10 at batch 64, by examples",
}


def _neighbour(section: Section) -> list[Table]:
    rows = []
    for name in dict.fromkeys(run["contestant"] for run in section["runs"]):
        runs = [run for run in section["runs"] if run["contestant"] == name]
        idle, busy = ([run[key] for run in runs] for key in ("idle", "busy"))
        rows.append((_title(name), spread(idle), spread(busy), f"**{spread(_slowdowns(section, name))}**"))
    title = f"{section['workload']['title']}, {section['threads']} threads, beside a process that counts on every core"
    return [Table(title, ("who", "idle, s an epoch", "busy, s an epoch", "busy / idle"), rows)]


def _slowdowns(section: Section, name: str) -> list[float]:
    return [run["busy"] / run["idle"] for run in section["runs"] if run["contestant"] == name]


def _cold(section: Section) -> list[Table]:
    pairs = [run for run in section["runs"] if "theirs" in run]
    seconds, memory = (
        [[run[who][key] for run in pairs] for who in ("ours", "theirs")] for key in ("seconds", "peak_bytes")
    )
    ours = [run["ours"]["seconds"] for run in section["runs"]]
    rows = [
        (
            "`handgrad train mlp --epochs 1`",
            spread(ours),
            spread([run["ours"]["peak_bytes"] / 1e6 for run in section["runs"]]),
        )
    ]
    if pairs:
        rows.append(("the same as a PyTorch script", spread(seconds[1]), spread([value / 1e6 for value in memory[1]])))
        rows.append(("ours / PyTorch's", f"**{spread(ratios(pairs))}**", f"**{spread(ratios(pairs, 'peak_bytes'))}**"))
    title = f"A whole process, {section['threads']} threads"
    return [Table(title, ("process", "seconds", "peak memory, MB"), rows)]


def _start(section: Section) -> list[Table]:
    rows = [(what, spread([run[key] for run in section["runs"]])) for key, (what, _) in START_BARS.items()]
    return [Table(f"Before the first step, {section['threads']} threads", ("what", "seconds"), rows)]


def _start_bars(section: Section) -> list[tuple[str, ...]]:
    return [
        judged(f"{what}, seconds", section["threads"], [run[key] for run in section["runs"]], bar)
        for key, (what, bar) in START_BARS.items()
    ]


def _default(section: Section) -> list[Table]:
    rows = []
    for key, name in (("ours", "`handgrad train`"), ("theirs", "the same as a PyTorch script")):
        runs = [run[key] for run in section["runs"] if key in run]
        if runs:
            accuracies = [run["accuracy"] for run in runs]
            rows.append((name, spread([run["seconds"] for run in runs]), _share(accuracies)))
    if pairs := [run for run in section["runs"] if "theirs" in run]:
        rows.append(("ours / PyTorch's", f"**{spread(ratios(pairs))}**", ""))
    title = f"The default recipe, {section['threads']} threads, {section['rounds']} seeds"
    return [Table(title, ("who", "seconds of training", "test images right, mean"), rows)]


def _default_bars(section: Section) -> list[tuple[str, ...]]:
    ours = [run["ours"] for run in section["runs"]]
    accuracy, threads = statistics.mean(run["accuracy"] for run in ours), section["threads"]
    verdict = "kept" if accuracy >= DEFAULT_ACCURACY else "**missed**"
    rows = [
        judged("the default recipe, seconds", threads, [run["seconds"] for run in ours], DEFAULT_SECONDS),
        (
            "the default recipe, test images right",
            str(threads),
            f"{accuracy:.2%}",
            f"at least {DEFAULT_ACCURACY:.0%}",
            verdict,
        ),
    ]
    if pairs := [run for run in section["runs"] if "theirs" in run]:
        rows.append(judged("the default recipe: time / PyTorch", threads, ratios(pairs), DEFAULT_BAR))
    return rows


def accuracy_sections(results: Section) -> dict[str, Section]:
    """The sections that are recipes made for accuracy, by name."""
    return {recipe: results[recipe] for recipe in ACCURACY_BARS if recipe in results}


def _accuracy(sections: dict[str, Section]) -> Table:
    rows = []
    for recipe, section in sections.items():
        runs = section["runs"]
        seconds, epochs = spread([run["seconds"] for run in runs]), len(runs[0]["train_losses"])
        rows.append((recipe, f"{len(runs)}", f"**{_share(_errors(section))}**", f"{epochs}", seconds))
    return Table(
        "Recipes made for accuracy",
        ("recipe", "seeds", "test images wrong, mean", "epochs", "seconds of training"),
        rows,
    )


def _accuracy_bars(sections: dict[str, Section]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for recipe, section in sections.items():
        errors, bar = _errors(section), ACCURACY_BARS[recipe]
        verdict = "kept" if round(statistics.mean(errors), 9) <= bar else "**missed**"
        rows.append((f"{recipe}: test images wrong", str(section["threads"]), _share(errors), f"{bar:.2%}", verdict))
    return rows


def _errors(section: Section) -> list[float]:
    return [1 - run["accuracy"] for run in section["runs"]]


def _share(values: Sequence[float]) -> str:
    """Mean, and minimum to maximum, in per cent."""
    return f"{statistics.mean(values):.2%} ({min(values):.2%}–{max(values):.2%})"


def _bars(results: Section) -> Table:
    """Every bar that the project has set itself, and whether what was measured keeps it."""
    rows = []
    if "epochs" in results:
        section = results["epochs"]
        for (name, threads, peer), pairs in by_place(section).items():
            bar = section["workloads"][name]["bars"].get(peer)
            if bar is not None:
                what = f"{section['workloads'][name]['title']}: time / {_title(peer)}"
                rows.append(judged(what, threads, ratios(pairs), bar))
    if "neighbour" in results:
        section = results["neighbour"]
        rows.append(
            judged(
                "an epoch beside a busy neighbour / idle", section["threads"], _slowdowns(section, OURS.name), BUSY_BAR
            )
        )
    if "cold" in results and (pairs := [run for run in results["cold"]["runs"] if "theirs" in run]):
        what = "peak memory of a whole process / PyTorch"
        rows.append(judged(what, results["cold"]["threads"], ratios(pairs, "peak_bytes"), MEMORY_BAR))
    if "start" in results:
        rows += _start_bars(results["start"])
    if "default" in results:
        rows += _default_bars(results["default"])
    rows += _accuracy_bars(accuracy_sections(results))
    if "estimators" in results:
        rows += estimators.bars(results["estimators"])
    return Table("The bars", ("what", "threads", "measured", "at most", "verdict"), rows)


def _agree(pair: Section, tolerance: float) -> bool:
    ours, theirs = pair["ours"]["loss"], pair["theirs"]["loss"]
    return bool(abs(theirs - ours) <= tolerance * abs(ours))  # False for NaN


def _title(name: str) -> str:
    return OURS.title if name == OURS.name else PEERS[name].title

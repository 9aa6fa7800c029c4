"""`python -m benchmarks`, from the root of the repository: ours against every peer that is installed."""

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from benchmarks import machine, measurements
from benchmarks.contestants import OURS, PEERS, Contestant
from benchmarks.estimators import measure as measure_estimators
from benchmarks.runner import ROOT, Session, usable_cores
from benchmarks.table import Table
from benchmarks.tables import ACCURACY_BARS, accuracy_sections, all_tables, disagreements, left_out
from benchmarks.workloads import WORKLOADS, Workload

app = typer.Typer(add_completion=False, help=__doc__)
console = Console(highlight=False)
progress = Console(stderr=True, highlight=False)

Out = Annotated[Path, typer.Option(help="JSON file; sections measured before stay in it.")]
Rounds = Annotated[int, typer.Option(min=1, help="Processes of each kind.")]
Limit = Annotated[float, typer.Option(help="Seconds a process may take, before its peer is left out.")]
Peers = Annotated[str, typer.Option(help="Peers with commas between them; all that are installed if left out.")]
Threads = Annotated[str, typer.Option(help="Numbers of threads with commas between them; 1 and all if left out.")]
Examples = Annotated[int | None, typer.Option(min=1, help="Training images used, to try things quickly.")]
Chosen = Annotated[str, typer.Option("--workloads", help=f"Some of {', '.join(WORKLOADS)}; all if left out.")]

OUT, PAGE, IMAGES = Path("runs/benchmarks.json"), ROOT / "docs/benchmarks.md", ROOT / "docs/images"


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Without a command: `epochs`."""
    if context.invoked_subcommand is None:
        epochs()


@app.command()
def epochs(
    workloads: Chosen = "",
    peers: Peers = "",
    threads: Threads = "",
    rounds: Rounds = 5,
    examples: Examples = None,
    limit: Limit = 300,
    out: Out = OUT,
) -> None:
    """Time training, at 1 thread and at all."""
    chosen = [_shortened(workload, examples) for workload in _pick(workloads, WORKLOADS, "workload")]
    who, absent = _installed(_pick(peers, PEERS, "peer"))
    with Session.start(chosen, limit) as session:
        pairs = measurements.Pairs("train", chosen, who, _counts(threads), rounds)
        _measure("epochs", out, pairs.run(session, _show), absent)


@app.command()
def predictions(
    workloads: Chosen = "mlp-128,cnn",
    peers: Peers = "pytorch,onnxruntime,jax,numpy",
    threads: Threads = "",
    rounds: Rounds = 5,
    limit: Limit = 300,
    out: Out = OUT,
) -> None:
    """Time the prediction of one image and of 10,000."""
    chosen = _pick(workloads, WORKLOADS, "workload")
    who, absent = _installed(_pick(peers, PEERS, "peer"))
    with Session.start(chosen, limit) as session:
        pairs = measurements.Pairs("predict", chosen, who, _counts(threads), rounds)
        _measure("predictions", out, pairs.run(session, _show), absent)


@app.command()
def growth(
    peers: Peers = "pytorch,jax",
    rounds: Rounds = 3,
    examples: Examples = None,
    limit: Limit = 300,
    out: Out = OUT,
) -> None:
    """Follow an epoch's time over batch sizes, widths, threads and numbers of examples."""
    points = measurements.growth_points(len(usable_cores()))
    if examples is not None:
        points = {axis: [(n, t, _shortened(w, examples)) for n, t, w in series] for axis, series in points.items()}
    who, absent = _installed(_pick(peers, PEERS, "peer"))
    with Session.start([workload for series in points.values() for *_, workload in series], limit) as session:
        _measure("growth", out, measurements.growth(session, points, who, rounds, _show), absent)


@app.command()
def neighbour(
    workload: Annotated[str, typer.Option(help="What is trained.")] = "mlp-128",
    peers: Peers = "pytorch,jax,numpy",
    rounds: Rounds = 5,
    examples: Examples = None,
    limit: Limit = 300,
    out: Out = OUT,
) -> None:
    """Time an epoch while other processes want every core."""
    (chosen,) = _pick(workload, WORKLOADS, "workload")
    chosen = replace(_shortened(chosen, examples), passes=1)
    who, absent = _installed(_pick(peers, PEERS, "peer"))
    cores = len(usable_cores())
    with Session.start([chosen], limit) as session:
        _measure("neighbour", out, measurements.neighbour(session, chosen, [OURS, *who], cores, rounds, _show), absent)


@app.command()
def cold(rounds: Rounds = 5, limit: Limit = 300, out: Out = OUT) -> None:
    """Time a whole process that trains one epoch, and its peak memory."""
    _measure("cold", out, measurements.cold(len(usable_cores()), rounds, limit, _show), {})


@app.command()
def start(rounds: Rounds = 5, limit: Limit = 300, out: Out = OUT) -> None:
    """Time what comes before the first step: imports, and compiling kernels."""
    _measure("start", out, measurements.start(len(usable_cores()), rounds, limit, _show), {})


@app.command()
def default(rounds: Rounds = 20, limit: Limit = 300, out: Out = OUT) -> None:
    """Train the default recipe to its end, and compare time and accuracy with PyTorch's."""
    _measure("default", out, measurements.default(len(usable_cores()), rounds, limit, _show), {})


@app.command()
def accuracy(
    recipes: Annotated[str, typer.Option(help="Names with commas between them.")] = ",".join(ACCURACY_BARS),
    rounds: Rounds = 5,
    limit: Limit = 7200,
    out: Out = OUT,
) -> None:
    """Train the recipes made for accuracy, and score the test images once a seed; takes hours.

    Seeds that are in the file already are not trained again, where others are missing.
    """
    threads, here = len(usable_cores()), machine.describe()
    for recipe in _pick(recipes, {name: name for name in ACCURACY_BARS}, "recipe"):
        before = _results(out).get(recipe, {})
        begun = before if before.get("machine") == here else {}
        _measure(recipe, out, measurements.accuracy(recipe, threads, rounds, limit, _show, begun), {})


@app.command()
def estimators(rounds: Rounds = 2, out: Out = OUT) -> None:
    """Fit the scikit-learn estimator and scikit-learn's own on ten data sets, cross-validated."""
    _measure("estimators", out, measure_estimators(len(usable_cores()), rounds, _show), {})


@app.command("all")
def everything(rounds: Rounds = 5, examples: Examples = None, limit: Limit = 300, out: Out = OUT) -> None:
    """Measure every section but the accuracy, one after another."""
    code = 0
    for measure in (
        partial(epochs, rounds=rounds, examples=examples),
        partial(predictions, rounds=rounds),
        partial(neighbour, rounds=rounds, examples=examples),
        partial(cold, rounds=rounds),
        partial(start, rounds=rounds),
        partial(default, rounds=4 * rounds),
        partial(growth, rounds=min(rounds, 3), examples=examples),
    ):
        try:
            measure(limit=limit, out=out)
        except typer.Exit as end:
            code = end.exit_code
    raise typer.Exit(code)


@app.command()
def page(results: Annotated[Path, typer.Argument(help="JSON to read.")] = ROOT / "docs/benchmarks.json") -> None:
    """Write the tables of the page beside a JSON file in docs, and the plots of docs/benchmarks.md."""
    from benchmarks import picture
    from benchmarks.page import regenerated
    from handgrad.inspection.plots import save

    values = json.loads(results.read_text(encoding="utf-8"))
    page = ROOT / "docs" / f"{results.stem}.md"
    page.write_text(regenerated(page.read_text(encoding="utf-8"), values), encoding="utf-8")
    if page != PAGE:
        return
    if "epochs" in values:
        (IMAGES / "benchmarks.png").write_bytes(save(picture.training(values["epochs"])))
    if recipes := accuracy_sections(values):
        (IMAGES / "benchmarks-accuracy.png").write_bytes(save(picture.accuracy(recipes)))
    if "growth" in values:
        (IMAGES / "benchmarks-growth.png").write_bytes(save(picture.growth(values["growth"])))


def _measure(name: str, out: Path, sections: Iterator[dict[str, Any]], absent: Mapping[str, str]) -> None:
    """Put the growing section into the file after every step, then show it; exit code 1 where results disagree."""
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "command": shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        "load": machine.load(),
        "machine": machine.describe(),
        "absent": dict(absent),
    }
    results = _results(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    for section in sections:
        results[name] = record | section
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    shown = {name: results[name]}
    for table in [table for tables in all_tables(shown).values() for table in tables]:
        console.print(_rich(table))
    for line in left_out(results[name]):
        console.print(f"[yellow]left out[/]: {escape(line)}")
    for line in disagreements(shown):
        console.print(f"[bold red]not the same result[/]: {escape(line)}")
    if disagreements(shown):
        raise typer.Exit(1)


def _results(out: Path) -> dict[str, Any]:
    """What was measured before, by section."""
    return dict(json.loads(out.read_text(encoding="utf-8"))) if out.exists() else {}


def _rich(table: Table) -> RichTable:
    shown = RichTable(*table.columns, title=table.title, title_justify="left")
    for row in table.rows:
        shown.add_row(*(f"[bold]{cell.strip('*')}[/]" if cell.startswith("**") else cell for cell in row))
    return shown


def _show(text: str) -> None:
    progress.print(f"[dim]{time.strftime('%H:%M:%S')}[/]  {text}")


def _pick(text: str, known: dict[str, Any], what: str) -> list[Any]:
    """The entries named in a list with commas; all where it is empty."""
    names = [name.strip() for name in text.split(",") if name.strip()] or list(known)
    for name in names:
        if name not in known:
            raise typer.BadParameter(f"{name!r} is no {what}; expected some of {', '.join(known)}.")
    return [known[name] for name in names]


def _installed(peers: Sequence[Contestant]) -> tuple[list[Contestant], dict[str, str]]:
    """Those that can take part, and why the others cannot."""
    absent = {peer.title: peer.absence() for peer in peers if peer.absence()}
    return [peer for peer in peers if not peer.absence()], absent


def _counts(text: str) -> list[int]:
    cores = len(usable_cores())
    counts = [int(part) for part in text.split(",") if part.strip()] or [1, cores]
    if any(not 1 <= count <= cores for count in counts):
        raise typer.BadParameter(f"threads are {text}, expected numbers from 1 to {cores}.")
    return sorted(set(counts))


def _shortened(workload: Workload, examples: int | None) -> Workload:
    """The workload on fewer images, and its title says so; XOR, which has four examples, takes a tenth of its steps."""
    if examples is None:
        return workload
    if workload.kind == "xor":
        return replace(workload, title="XOR, 2-3-1, 1,000 full-batch steps", warm_up=100, epochs=1_000)
    count = min(examples, workload.examples)
    return replace(workload, title=f"{workload.title}, {count:,} images", examples=count)


if __name__ == "__main__":
    app()

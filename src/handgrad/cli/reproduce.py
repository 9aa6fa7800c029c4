"""`handgrad reproduce`: train every figure of the workloads again."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handgrad.cli.console import Threads, output_console
from handgrad.display.numbers import seconds
from handgrad.errors import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console

    from handgrad.training.reproduction import Outcome
    from handgrad.training.run import RunDirectory


def command(
    only: Annotated[str | None, typer.Option(help="Workloads with commas between them, such as W5,W1.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="From which every random number follows.")] = 0,
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Directory for the results; below ./runs if left out.")] = None,
) -> None:
    """Train every figure of the workloads again and print claimed against measured, with a verdict for each."""
    from handgrad.ops import limit_threads
    from handgrad.training.run import RunDirectory

    names = _chosen(only)
    run = RunDirectory.create(out) if out else RunDirectory.create_next(Path("runs"), "reproduction")
    console = output_console()
    with limit_threads(threads) as count:
        header = _header(names, seed, count)
        console.print(header + "\n")
        outcomes = _run(names, seed, console, run, header)
    bad = [outcome for outcome in outcomes if not outcome.good]
    console.print(f"\n{len(outcomes) - len(bad)} of {len(outcomes)} figures good; results in {run.path}.", markup=False)
    if bad:
        raise typer.Exit(1)


def _chosen(only: str | None) -> tuple[str, ...]:
    from handgrad.training.reproduction import WORKLOADS

    if only is None:
        return tuple(WORKLOADS)
    names = tuple(dict.fromkeys(name.strip().upper() for name in only.split(",") if name.strip()))
    if not names or any(name not in WORKLOADS for name in names):
        raise ArgumentError("--only", only, f"some of {', '.join(WORKLOADS)}", "put commas between them")
    return names


def _header(names: tuple[str, ...], seed: int, threads: int) -> str:
    """The command and the machine, for the record."""
    from handgrad.training.run import environment

    machine = environment(threads, "cpu")
    words = ", ".join(f"{key} {machine[key]}" for key in ("handgrad", "python", "numpy", "numba", "blas"))
    day = time.strftime("%Y-%m-%d")
    only = "" if names == _chosen(None) else f" --only {','.join(names)}"
    command = f"python -m handgrad reproduce{only} --seed {seed} --threads {threads}"
    return f"`{command}` on {day}: {words}, {machine['system']}."


def _run(names: tuple[str, ...], seed: int, console: "Console", run: "RunDirectory", header: str) -> list["Outcome"]:
    """Train everything; each outcome is printed and saved as soon as it is there."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from handgrad.training.reproduction import Outcome, reproduce

    outcomes: list[Outcome] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        for event in reproduce(names, seed):
            if not isinstance(event, Outcome):
                bar.update(task, completed=event.share, description=event.title)
                continue
            outcomes.append(event)
            _print(console, event)
            _save(run, header, outcomes)
    return outcomes


def _print(console: "Console", outcome: "Outcome") -> None:
    verdict = "[green]good[/]" if outcome.good else "[bold red]BAD[/] "
    console.print(f"{verdict}  {outcome.workload}  {outcome.figure}")
    console.print(
        f"          [bold]{outcome.measured}[/]  claimed {outcome.claimed}; accepted {outcome.accepted}; "
        f"[dim]{seconds(outcome.seconds)}[/]"
    )


def _save(run: "RunDirectory", header: str, outcomes: list["Outcome"]) -> None:
    """Both files, written anew after every outcome so that an interruption loses none."""
    from dataclasses import asdict

    values = {"run": header, "outcomes": [asdict(outcome) for outcome in outcomes]}
    run.write_json("reproduction.json", values)
    run.write("reproduction.md", markdown(header, outcomes).encode())


def markdown(header: str, outcomes: list["Outcome"]) -> str:
    """The outcomes as a page with one table."""
    good = sum(outcome.good for outcome in outcomes)
    lines = ["# Reproduction", "", header, "", f"{good} of {len(outcomes)} figures good.", ""]
    lines += ["| | figure | claimed | measured | accepted | verdict | time |", "|---|---|---|---|---|---|---|"]
    for o in outcomes:
        verdict = "good" if o.good else "**bad**"
        cells = (o.workload, o.figure, o.claimed, o.measured, o.accepted, verdict, seconds(o.seconds))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"

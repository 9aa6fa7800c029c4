"""`handgrad report`: a run, or several compared, as one HTML file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import Threads, output_console
from handgrad.display.numbers import number, percent, seconds
from handgrad.errors import ArgumentError, RunError

if TYPE_CHECKING:
    from handgrad.report.measured import Measured

#: How the file is called unless told otherwise.
_NAME = "report.html"


def command(
    runs: Annotated[
        list[Path], typer.Argument(help="The directory of a run, or of several to compare.", metavar="RUN…")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The file.", show_default="report.html in RUN, or here where several are compared"),
    ] = None,
    split: Annotated[str, typer.Option(help="The data that is scored: test, validation or train.")] = "test",
    data: Annotated[str | None, typer.Option(help="Where the data lies now, if not where the recipe says.")] = None,
    doctor: Annotated[bool, typer.Option("--doctor/--no-doctor", help="Have the doctor look at it.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is no report.")] = False,
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Write one HTML file about a run: curves, scores, mistakes, calibration, statistics, findings and recipe.

    Of two or more runs it is a comparison.
    """
    import time

    from rich.markup import escape

    from handgrad.extras import load
    from handgrad.files import write_atomically

    load("jinja2", "report")
    started, console = time.perf_counter(), output_console(as_json=as_json)
    _check_runs(runs)
    if out is not None:
        _check_name(out)
    file = out or (runs[0] / _NAME if len(runs) == 1 else Path(_NAME))
    _check_target(file, force)
    with console.status("Measuring …") as status:
        measured = []
        for run in runs:
            status.update(f"Measuring {escape(str(run))} …")
            measured.append(_measured(run, split, data, doctor=doctor, threads=threads))
        status.update("Drawing …")
        content = _drawn(measured)
    write_atomically(file, content)
    size, took = f"{len(content) / 1e6:.1f} MB", seconds(time.perf_counter() - started)
    console.print(f"Wrote [bold]{escape(str(file))}[/], {size}, in {took}: {_sentence(measured)}", soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(_result(file, content, runs, measured)))


def _check_runs(runs: list[Path]) -> None:
    """Refuse to compare a run with itself."""
    if len({run.resolve() for run in runs}) < len(runs):
        raise ArgumentError("RUN", ", ".join(map(str, runs)), "different runs", "name each once")


def _check_name(file: Path) -> None:
    """Refuse, before anything is computed, what cannot be written."""
    if file.suffix not in (".html", ".htm"):
        raise ArgumentError("--out", str(file), "a name that ends in .html")
    if not file.parent.is_dir():
        raise ArgumentError("--out", str(file), "a file in a directory that exists", f"make {file.parent} first")


def _check_target(file: Path, force: bool) -> None:
    """Refuse to write over what is no report of ours."""
    from handgrad.report.page import is_report

    if file.exists() and not force and not (file.is_file() and is_report(file.read_bytes())):
        raise RunError(
            f"{file} already exists and is no report; choose another name with --out, or write over it with --force."
        )


def _measured(run: Path, split: str, data: str | None, *, doctor: bool, threads: int | None) -> "Measured":
    from handgrad.ops import limit_threads
    from handgrad.report.measured import Measured
    from handgrad.report.opened import OpenRun

    with limit_threads(threads, "cpu"):
        return Measured.of(OpenRun.open(run, data=data), split, doctor=doctor)


def _drawn(measured: "list[Measured]") -> bytes:
    from handgrad.report.page import report

    return report(measured).encode()


def _sentence(measured: "list[Measured]") -> str:
    """What is in the file, in a line."""
    if len(measured) > 1:
        return f"{len(measured)} runs compared."
    answers = measured[0].answers
    score = f"mean loss {number(answers.loss)}" if answers.accuracy is None else f"accuracy {percent(answers.accuracy)}"
    return f"{score} on {len(answers.dataset):,} examples ({answers.split})."


def _result(file: Path, content: bytes, runs: list[Path], measured: "list[Measured]") -> dict[str, Any]:
    from handgrad.training.run import finite

    scores = [
        {
            "run_directory": str(run),
            "split": one.answers.split,
            "examples": len(one.answers.dataset),
            "accuracy": one.answers.accuracy,
            "loss": one.answers.loss,
            "calibration_error": one.calibration.error if one.calibration else None,
            "findings": None if one.findings is None else [finding.name for finding in one.findings],
        }
        for run, one in zip(runs, measured, strict=True)
    ]
    return {"file": str(file), "bytes": len(content), "runs": finite(scores)}

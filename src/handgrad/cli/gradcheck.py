"""`handgrad gradcheck`: compare every gradient of a network with the slope it should be."""

import json
import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import output_console
from handgrad.cli.subject import Subject, SubjectName
from handgrad.display.numbers import seconds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from handgrad.inspection.gradcheck import GradientCheck, TensorCheck

#: Columns of a terminal that the whole table needs.
_ROOMY = 75


def command(
    subject: SubjectName = "fast",
    examples: Annotated[int, typer.Option(min=1, help="Training examples in the batch.")] = 4,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Elements of each array to compare, drawn at random.", show_default="all")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Largest relative error that passes.")] = 1e-6,
    seed: Annotated[int, typer.Option(min=0, help="Of the upstream gradient and the sample.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Compare every gradient of a network with the slope it should be, element by element, in float64.

    Ends with exit code 1 if one is wrong.
    """
    import numpy as np

    from handgrad.inspection.gradcheck import gradcheck

    found = Subject.open(subject)
    console, started = output_console(as_json=as_json), time.perf_counter()
    batch = found.batch(examples)
    with _bar(console) as bar:
        task = bar.add_task("Comparing", total=None)
        check = gradcheck(
            found.model,
            found.experiment.loss,
            *batch,
            tolerance=tolerance,
            sample=sample,
            rng=np.random.default_rng(seed),
            report=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _print(console, found, check, time.perf_counter() - started)
    if as_json:
        typer.echo(json.dumps(_result(found, check)))
    if not check.passed:
        raise typer.Exit(1)


def _bar(console: "Console") -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, refresh_per_second=5, disable=not console.is_terminal)


def _print(console: "Console", subject: Subject, check: "GradientCheck", duration: float) -> None:
    from rich.markup import escape

    console.print(f"\n[bold]{escape(subject.title)}[/]  {escape(subject.recipe.summary)}")
    console.print(_table(check, roomy=console.width >= _ROOMY))
    wrong = [tensor for tensor in check.tensors if not tensor.passed]
    for tensor in wrong:
        hint = tensor.hint or "the error is above the tolerance"
        console.print(f"[bold red]{escape(tensor.name)}[/]: {escape(hint)}.")
    compared = sum(tensor.compared for tensor in check.tensors)
    verdict = f"[bold red]{len(wrong)} wrong[/]" if wrong else "[bold green]Every gradient is right[/]"
    console.print(f"{verdict}: {compared:,} elements compared in {seconds(duration)}.{_remarks(check)}")


def _table(check: "GradientCheck", *, roomy: bool) -> "Table":
    """A row an array; on a narrow terminal without places and shapes."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = ("array", "", "error", "derived", "measured", *(("at", "shape") if roomy else ()))
    for title in columns:
        table.add_column(
            title, justify="right" if title in ("error", "derived", "measured") else "left", overflow="fold"
        )
    for tensor in check.tensors:
        table.add_row(*_row(tensor)[: len(columns)])
    return table


def _row(tensor: "TensorCheck") -> tuple[str, ...]:
    verdict = "[green]right[/]" if tensor.passed else "[bold red]wrong[/]"
    error = f"{tensor.error:.0e}" if math.isfinite(tensor.error) else "not finite"
    place, shape = ",".join(map(str, tensor.index)), "×".join(map(str, tensor.shape))
    return tensor.name, verdict, error, f"{tensor.analytic:.5g}", f"{tensor.numeric:.5g}", place, shape


def _remarks(check: "GradientCheck") -> str:
    """What a reader should know besides."""
    kinks = sum(tensor.kinks for tensor in check.tensors)
    remarks = " Some lay on a kink, so a point 0.001 beside was checked." if check.moved else ""
    return remarks + (f" Left out, still on a kink: {kinks:,}." if kinks else "")


def _result(subject: Subject, check: "GradientCheck") -> dict[str, Any]:
    """Everything found, in plain values; null where a number is not finite."""
    from handgrad.training.run import finite

    tensors = [asdict(tensor) | {"passed": tensor.passed} for tensor in check.tensors]
    return {"subject": subject.title, "passed": check.passed, "moved": check.moved, "tensors": finite(tensors)}

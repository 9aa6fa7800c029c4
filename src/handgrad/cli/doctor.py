"""`handgrad doctor`: what is wrong with a network or its training."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handgrad.cli.console import Threads, output_console
from handgrad.cli.subject import Subject, SubjectName
from handgrad.display.numbers import seconds

if TYPE_CHECKING:
    from rich.console import Console

    from handgrad.inspection.doctor import Finding, Patient
    from handgrad.training.recipe import Recipe


def command(
    subject: SubjectName = "fast",
    plot: Annotated[Path | None, typer.Option(help="Draw the loss over the learning rate into this PNG file.")] = None,
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Say what is wrong with a network or its training, with the figure that shows it and the change to make.

    Ends with exit code 1 if anything is.
    """
    from handgrad.inspection.doctor import CHECKS, examine
    from handgrad.ops import limit_threads

    console, started = output_console(as_json=as_json), time.perf_counter()
    with limit_threads(threads, "cpu"), console.status("Looking at the data, the network and a few short trainings …"):
        found = Subject.open(subject)
        patient = _admit(found)
        findings = examine(patient)
        if plot is not None:
            _draw(patient, plot)
    _print(console, found.recipe, findings, f"{len(CHECKS)} checks in {seconds(time.perf_counter() - started)}")
    if as_json:
        typer.echo(json.dumps({"subject": subject, "findings": [asdict(finding) for finding in findings]}))
    if findings:
        raise typer.Exit(1)


def _admit(subject: Subject) -> "Patient":
    """The training as it would begin, with what is known of it where it has been run."""
    from handgrad.inspection.doctor import Patient

    experiment, run = subject.experiment, subject.run
    trained, history = (run.model, run.history()) if run else (None, None)
    return Patient(experiment.trainer, experiment.test.dataset, trained, history, experiment.recipe.train.epochs)


def _draw(patient: "Patient", path: Path) -> None:
    from handgrad.files import write_atomically
    from handgrad.inspection.plots import learning_rates, save

    rate = patient.trainer.optimizer.learning_rate
    losses = {factor * rate: loss for factor, loss in patient.losses_by_rate.items()}
    write_atomically(path, save(learning_rates(losses, rate, patient.first_loss)))


def _print(console: "Console", recipe: "Recipe", findings: "list[Finding]", effort: str) -> None:
    from rich.markup import escape
    from rich.padding import Padding

    console.print(f"\n[bold]{escape(recipe.name)}[/]  {escape(recipe.summary)}")
    if not findings:
        console.print(f"[bold green]Nothing wrong was found[/]: {effort}.")
        return
    for number, finding in enumerate(findings, start=1):
        console.print(f"\n[bold]{number}. {escape(finding.name)}[/]")
        console.print(Padding(escape(f"{finding.measured} {finding.why}"), (0, 0, 0, 3)))
        console.print(Padding(f"[green]→[/] {escape(finding.change)}", (0, 0, 0, 3)))
    console.print(f"\n[bold red]{len(findings)} finding{'s' if len(findings) > 1 else ''}[/]: {effort}.")

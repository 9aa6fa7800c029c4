"""`handgrad evaluate`: score a finished run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import DATA_HELP, Threads, output_console, reading
from handgrad.display.numbers import number, percent

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from handgrad.data.datasets import Dataset
    from handgrad.training.saved_run import SavedRun


def command(
    run: Annotated[Path, typer.Argument(help="The directory of a finished run.")],
    data: Annotated[
        str | None, typer.Option(help=f"Other data, all of it where it has no test part: {DATA_HELP}")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, torch:cpu or torch:cuda.")] = "cpu",
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Score a finished run on its test data, or on other data of the same shape, class by class."""
    from rich.markup import escape

    from handgrad.ops import limit_threads
    from handgrad.training.assembly import load_data
    from handgrad.training.run import finite
    from handgrad.training.saved_run import SavedRun

    saved = SavedRun.open(run, device=device)
    console = output_console(as_json=as_json)
    with reading(console) as progress:
        section = replace(saved.recipe.data, dataset=data, held_out=1.0) if data else saved.recipe.data
        dataset = load_data(section, progress=progress).test
    dataset = saved.fitted(dataset)
    with limit_threads(threads, device), console.status(f"Scoring {len(dataset):,} examples …"):
        scores, outputs = _score(saved, dataset)
    result: dict[str, Any] = {"run_directory": str(run), "dataset": dataset.name, "examples": len(dataset)}
    result |= finite({"test_accuracy": scores.accuracy, "test_loss": scores.loss})
    accuracy = f"[bold green]Accuracy {percent(scores.accuracy)}[/]  " if dataset.is_right_or_wrong else ""
    console.print(f"{accuracy}loss {number(scores.loss)}, {len(dataset):,} examples of {escape(dataset.name)}")
    if saved.classes:
        result["classes"] = _print_classes(console, dataset.labels, outputs.argmax(axis=1), saved)
    if as_json:
        typer.echo(json.dumps(result))


def _score(saved: "SavedRun", dataset: "Dataset") -> tuple[Any, "np.ndarray[Any, Any]"]:
    """Loss and accuracy, and the outputs behind them."""
    from handgrad.training.assembly import scoring_loader
    from handgrad.training.evaluation import evaluate, predict

    loader = scoring_loader(dataset, saved.preprocessing, one_hot=saved.recipe.data.one_hot)
    return evaluate(saved.model, saved.loss, loader), predict(saved.model, loader)


def _print_classes(
    console: "Console", labels: "np.ndarray[Any, Any]", predicted: "np.ndarray[Any, Any]", saved: "SavedRun"
) -> list[dict[str, Any]]:
    """Recall, precision and the most frequent confusion of each class."""
    import numpy as np
    from rich.markup import escape
    from rich.table import Table

    from handgrad.training.evaluation import confusion_counts

    classes = saved.classes or 0
    counts = confusion_counts(labels, predicted, classes)  # (C, C)
    table = Table("class", "examples", "recall", "precision", "most often taken for", box=None, header_style="bold")
    rows = []
    for c in range(classes):
        recall = float(counts[c, c] / max(1, counts[c].sum()))
        precision = float(counts[c, c] / max(1, counts[:, c].sum()))
        others = np.where(np.arange(classes) == c, -1, counts[c])
        confused, times = int(others.argmax()), int(others.max())
        taken = f"{escape(saved.class_name(confused))} ({times}×)" if times > 0 else "nothing else"
        table.add_row(escape(saved.class_name(c)), f"{counts[c].sum():,}", percent(recall), percent(precision), taken)
        rows.append(
            {
                "class": c,
                "name": saved.class_name(c),
                "examples": int(counts[c].sum()),
                "recall": recall,
                "precision": precision,
            }
        )
    console.print(table)
    return rows

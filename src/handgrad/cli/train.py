"""`handgrad train`: train a recipe and keep the run in a directory."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import Threads, output_console
from handgrad.errors import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console

    from handgrad.training.experiment import Experiment
    from handgrad.training.recipe import Recipe
    from handgrad.training.run import RunDirectory


def command(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (see `handgrad recipes`) or a .toml file.")] = "fast",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training data.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=0, help="Examples a step; 0 for all.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Learning rate, > 0.")] = None,
    hidden: Annotated[str | None, typer.Option(help="Widths of the hidden layers, such as 128 or 25,25.")] = None,
    init: Annotated[str | None, typer.Option(help="Law of the first weights: he, normal, xavier, uniform, …")] = None,
    optimizer: Annotated[str | None, typer.Option(help="sgd, rmsprop, adam or adamw.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="From which every random number follows.")] = None,
    validation: Annotated[int | None, typer.Option(min=0, help="Training examples set aside to choose by.")] = None,
    threads: Threads = None,
    device: Annotated[str, typer.Option(help="cpu, torch:cpu or torch:cuda.")] = "cpu",
    data: Annotated[str | None, typer.Option(help="mnist, or a directory with MNIST's four file names.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory; below ./runs if left out.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="PLACE=VALUE", help="Any recipe value, as in TOML.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Train a recipe on the data it names, show how it goes, and keep everything in a run directory."""
    from handgrad.ops import limit_threads
    from handgrad.training.recipe import Recipe

    chosen = Recipe.load(recipe)
    if optimizer is not None:
        chosen = chosen.with_optimizer(optimizer)
    options = {
        "train.epochs": epochs,
        "train.batch_size": batch_size,
        "optimizer.learning_rate": lr,
        "model.hidden": None if hidden is None else _widths(hidden),
        "model.init": init,
        "train.seed": seed,
        "data.validation": validation,
        "data.dataset": data,
    }
    changes = {place: value for place, value in options.items() if value is not None}
    chosen = chosen.override(changes | dict(_assignment(text) for text in change or []))
    if hidden is not None or any(text.startswith("model.hidden") for text in change or []):
        chosen = chosen.override({"select.widths": ()})  # the width is chosen: by the caller
    with limit_threads(threads, device) as count:
        result = _train(chosen, device, count, out, output_console(as_json=as_json))
    if as_json:
        typer.echo(json.dumps(result))


def _widths(text: str) -> tuple[int, ...]:
    """Hidden widths from `128` or `25,25`; an empty text is no hidden layer."""
    try:
        widths = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ArgumentError("--hidden", text, "whole numbers with commas between them", "try 128 or 25,25") from error
    if any(width < 1 for width in widths):
        raise ArgumentError("--hidden", text, "widths of at least 1")
    return widths


def _assignment(text: str) -> tuple[str, Any]:
    """A place and a value from `place=value`, the value as in TOML, or a bare word as a string."""
    import tomllib

    place, equals, value = text.partition("=")
    if not equals:
        raise ArgumentError("--set", text, "PLACE=VALUE", "try train.epochs=3")
    try:
        return place.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return place.strip(), value.strip()


def _train(recipe: "Recipe", device: str, threads: int, out: Path | None, console: "Console") -> dict[str, Any]:
    """Every phase of the recipe, then the files and pictures; returns the result."""
    from handgrad.cli.progress import TrainingDisplay, stopping_on_interrupt
    from handgrad.training.experiment import phases
    from handgrad.training.run import RunDirectory

    remaining = phases(recipe, device=device)
    first = next(remaining)  # the data and the model, and their errors, before any directory is made
    run = RunDirectory.create(out) if out else RunDirectory.create_next(Path("runs"), recipe.name)
    display = TrainingDisplay(console)
    with stopping_on_interrupt() as trainers:
        for phase in itertools.chain([first], remaining):
            experiment = phase.experiment
            trainers[:] = [experiment.trainer]
            display.compile(experiment.trainer)
            with _saving_if_cut_off(run, experiment, threads), display.phase(phase):
                for event in experiment.trainer.run(experiment.recipe.train.epochs):
                    display.show(event)
            if experiment.trainer.stopped_by == "request":
                break
        with console.status("Saving, scoring the test data and drawing the pictures …"):
            result = _keep(run, experiment, threads)
    display.finish(experiment, result)
    return result


@contextmanager
def _saving_if_cut_off(run: "RunDirectory", experiment: "Experiment", threads: int) -> Iterator[None]:
    """Within the block, training that fails, or a second Ctrl-C, still leaves what was learned in the run directory."""
    from handgrad.training.trainer import TrainingError

    try:
        yield
    except TrainingError as error:
        run.save(experiment, threads)
        raise TrainingError(f"{error} What was learned before is in {run.path}.") from error
    except KeyboardInterrupt:
        run.save(experiment, threads)
        raise


def _keep(run: "RunDirectory", experiment: "Experiment", threads: int) -> dict[str, Any]:
    """Write everything that the run leaves behind, what was learned first; returns the result."""
    import numpy as np

    from handgrad.inspection.pictures import draw
    from handgrad.inspection.plots import save
    from handgrad.training.run import result_of

    run.save(experiment, threads)
    with np.errstate(over="ignore", invalid="ignore"):  # a network that diverged shows it in its scores
        result = result_of(experiment, threads, run.path)
        run.write_json("result.json", result)
        for name, figure in draw(experiment):
            run.write(f"{name}.png", save(figure))
    return result

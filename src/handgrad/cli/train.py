"""`handgrad train`: train a recipe and keep the run in a directory."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import DATA_HELP, Threads, output_console
from handgrad.errors import ArgumentError

if TYPE_CHECKING:
    from handgrad.cli.progress import TrainingDisplay
    from handgrad.interop.tensorboard import TensorBoard


def command(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A recipe's name (see `handgrad recipes`) or a .toml file.", show_default="fast"),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training data.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=0, help="Examples a step; 0 for all.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Learning rate, > 0.")] = None,
    hidden: Annotated[str | None, typer.Option(help="Widths of the hidden layers, such as 128 or 25,25.")] = None,
    init: Annotated[str | None, typer.Option(help="Law of the first weights: he, normal, xavier, uniform, …")] = None,
    optimizer: Annotated[str | None, typer.Option(help="sgd, rmsprop, adam or adamw.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="From which every random number follows.")] = None,
    validation: Annotated[int | None, typer.Option(min=0, help="Training examples set aside to choose by.")] = None,
    threads: Threads = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, torch:cpu or torch:cuda.", show_default="cpu, or that of the resumed run")
    ] = None,
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory; below ./runs if left out.")] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="PLACE=VALUE", help="Any recipe value, as in TOML.")
    ] = None,
    resumed: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Go on with a run that was interrupted.")
    ] = None,
    minutes: Annotated[
        float, typer.Option("--checkpoint-minutes", help="Longest time between two checkpoints; others follow epochs.")
    ] = 5.0,
    keep: Annotated[
        int, typer.Option("--keep-checkpoints", min=1, help="How many of the latest stay, besides the best.")
    ] = 2,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write what happens for TensorBoard, into RUN/tensorboard.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Train a recipe on the data it names, show how it goes, and keep everything in a run directory.

    With --resume RUN a run goes on where it was cut off, as if nothing had happened.
    """
    from handgrad.cli.progress import TrainingDisplay
    from handgrad.session import Saving, begin, resume
    from handgrad.training.recipe import Recipe

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
    changes |= dict(assignment(text) for text in change or [])
    if not minutes > 0:
        raise ArgumentError("--checkpoint-minutes", minutes, "a number > 0")
    saving, display = Saving(minutes, keep), TrainingDisplay(output_console(as_json=as_json))
    recorder = _tensorboard(display) if tensorboard else None
    if resumed is not None:
        _refuse_with_resume({"RECIPE": recipe, "--optimizer": optimizer, "--out": out})
        result = resume(
            resumed, changes, device=device, threads=threads, saving=saving, observer=display, recorder=recorder
        )
    else:
        chosen = Recipe.load(recipe or "fast")
        if optimizer is not None:
            chosen = chosen.with_optimizer(optimizer)
        chosen = chosen.tailored(changes)
        result = begin(
            chosen, out, device=device or "cpu", threads=threads, saving=saving, observer=display, recorder=recorder
        )
    if as_json:
        typer.echo(json.dumps(result))


def _tensorboard(display: "TrainingDisplay") -> "TensorBoard":
    """What writes event files; that a package is missing is said before anything is trained."""
    from handgrad.interop.tensorboard import TensorBoard

    return TensorBoard(display.warn)


def _refuse_with_resume(given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value is not None:
            raise ArgumentError(name, str(value), "nothing beside --resume", "a run keeps its recipe and its directory")


def _widths(text: str) -> tuple[int, ...]:
    """Hidden widths from `128` or `25,25`; an empty text is no hidden layer."""
    try:
        widths = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ArgumentError("--hidden", text, "whole numbers with commas between them", "try 128 or 25,25") from error
    if any(width < 1 for width in widths):
        raise ArgumentError("--hidden", text, "widths of at least 1")
    return widths


def assignment(text: str) -> tuple[str, Any]:
    """A place and a value from `place=value`, the value as in TOML, or a bare word as a string."""
    import tomllib

    place, equals, value = text.partition("=")
    if not equals:
        raise ArgumentError("--set", text, "PLACE=VALUE", "try train.epochs=3")
    try:
        return place.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return place.strip(), value.strip()

"""`handgrad sweep`: try values of a recipe's settings, and train with the best."""

import json
import logging
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import output_console
from handgrad.cli.train import assignment
from handgrad.display.numbers import number, percent, seconds
from handgrad.errors import ArgumentError, RecipeError

if TYPE_CHECKING:
    from rich.console import Console

    from handgrad.training.recipe import Recipe
    from handgrad.training.run import RunDirectory

#: Of the training data, what candidates are compared by where the recipe sets nothing aside: a twelfth.
_ASIDE = 12


def command(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (see `handgrad recipes`) or a .toml file.")],
    trials: Annotated[int, typer.Option(min=1, help="How many are to be finished, altogether.")] = 40,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that train here.", show_default="one for each core")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="sqlite:///FILE, or postgresql+psycopg://… for several machines.", show_default="OUT/sweep.db"
        ),
    ] = None,
    resumed: Annotated[bool, typer.Option("--resume", help="Go on with the sweep in --storage, or in --out.")] = False,
    ranges: Annotated[
        list[str] | None,
        typer.Option("--range", metavar="PLACE=RANGE", help="LOW..HIGH, LOW..HIGH:log, or values with | between them."),
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", metavar="PLACE=VALUE", help="Any recipe value, as in TOML.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory of the results; below ./runs if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Search the ranges of a recipe on validation data, then train the best on all training data and test it once.

    Ranges are the recipe's table [search], and those given by --range.
    """
    from handgrad.cli.progress import TrainingDisplay
    from handgrad.interop.sweep import Sweep, best_recipe, open_study
    from handgrad.ops.cores import usable_cores
    from handgrad.session import Saving, begin
    from handgrad.training.recipe import Recipe

    chosen = Recipe.load(recipe).tailored(dict(assignment(text) for text in change or []))
    searched = _searched(chosen, dict(_range(text) for text in ranges or []))
    if resumed and not (storage or out):
        raise ArgumentError("--resume", True, "--storage or --out beside it", "say where the sweep is")
    console = output_console(as_json=as_json)
    folder = _folder(out, searched, resumed)
    url = storage or f"sqlite:///{folder.path / 'sweep.db'}"
    logging.getLogger("optuna").setLevel(logging.WARNING)
    display = SweepDisplay(console, trials)
    with open_study(searched, url, resume=resumed) as study:
        with display.showing(searched, study, _way_on(recipe, url, folder.path)):
            Sweep(searched, study, trials, jobs or usable_cores(), display).run()
        result = _keep(study, folder)
        best = best_recipe(chosen, study)
        display.say_best(study.best_trial)
    saving, observer = Saving(minutes=5.0, keep=2), TrainingDisplay(console)
    final = begin(best, _place_for_best(folder), device="cpu", threads=None, saving=saving, observer=observer)
    if as_json:
        typer.echo(json.dumps(result | {"directory": str(folder.path), "final": final}))


def _searched(recipe: "Recipe", given: dict[str, Any]) -> "Recipe":
    """The recipe whose candidates are compared on validation data, never on test data."""
    from handgrad.training.assembly import load_data
    from handgrad.training.search import ranges

    recipe = recipe.override({"search": {**recipe.search, **given}, "train.report_test": False, "select.widths": ()})
    if not ranges(recipe):
        raise RecipeError(
            f"Recipe {recipe.name} has no ranges to search, expected a table [search] in it, or --range such as "
            "--range optimizer.learning_rate=0.001..1:log."
        )
    if recipe.data.validation:
        return recipe
    examples = len(load_data(recipe.data).train)
    return recipe.override({"data.validation": max(1, examples // _ASIDE)})


def _range(text: str) -> tuple[str, dict[str, Any]]:
    """A place and its range from `place=low..high`, `place=low..high:log` or `place=one|another`."""
    place, equals, given = text.partition("=")
    low, dots, high = given.partition("..")
    if not equals or not given:
        raise ArgumentError("--range", text, "PLACE=LOW..HIGH or PLACE=A|B", "try train.batch_size=32|64|128")
    if not dots:
        return place.strip(), {"choices": [assignment(f"value={choice}")[1] for choice in given.split("|")]}
    high, colon, law = high.partition(":")
    if colon and law != "log":
        raise ArgumentError("--range", text, "nothing or :log behind the numbers")
    return place.strip(), {
        "low": assignment(f"low={low}")[1],
        "high": assignment(f"high={high}")[1],
        "log": bool(colon),
    }


def _folder(out: Path | None, recipe: "Recipe", resumed: bool) -> "RunDirectory":
    """Where results go: a new directory, or that of the sweep that goes on."""
    from handgrad.training.run import RunDirectory

    if out is None:
        return RunDirectory.create_next(Path("runs"), f"{recipe.name}-sweep")
    return RunDirectory(out) if resumed and out.is_dir() else RunDirectory.create(out)


def _place_for_best(folder: "RunDirectory") -> Path:
    """Where the best is trained; that of a shorter sweep before stays."""
    first = folder.path / "best"
    return folder.create_next(folder.path, "best").path if first.exists() else first


def _way_on(recipe: str, storage: str, folder: Path) -> str:
    where = ["--storage", storage, "--out", str(folder)]
    return f"To go on: python -m handgrad sweep {shlex.join([recipe, *where])} --resume, with the same ranges."


def _keep(study: Any, folder: "RunDirectory") -> dict[str, Any]:
    """Write what was found: all trials, and pictures of them."""
    from handgrad.inspection.plots import save
    from handgrad.interop.sweep import report
    from handgrad.interop.sweep_pictures import draw

    found = report(study)
    folder.write_json("sweep.json", found)
    for name, figure in draw(study):
        folder.write(f"{name}.png", save(figure))
    return found


class SweepDisplay:
    """Prints a line a trial, with a bar below.

    Args:
        console: where to print.
        trials: that there will be.
    """

    def __init__(self, console: "Console", trials: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = console
        self._best = float("-inf")
        columns = (TextColumn("trials"), BarColumn(bar_width=None, complete_style="cyan"), MofNCompleteColumn())
        self._bar = Progress(
            *columns,
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("trials", total=trials)

    @contextmanager
    def showing(self, recipe: "Recipe", study: Any, way_on: str) -> Iterator[None]:
        """Within the block, trials are tried, after those there are; where interrupted, how to go on is said."""
        from rich.markup import escape

        from handgrad.interop.sweep import finished_trials, scored_trials

        self._best = max((trial.value for trial in scored_trials(study)), default=self._best)
        self._bar.update(self._task, completed=len(finished_trials(study)))
        self._console.print(f"\n[bold]{escape(recipe.name)}[/]  {escape(recipe.summary)}")
        places = ", ".join(recipe.search)
        self._console.print(f"searching {escape(places)}; {recipe.data.validation:,} examples set aside to compare by")
        try:
            with self._bar:
                yield
        except KeyboardInterrupt:
            self._console.print(f"\nStopped; trials that had ended are kept. {escape(way_on)}", soft_wrap=True)
            raise typer.Exit(130) from None

    def finished(self, trial: Any, count: int) -> None:
        """A line for a trial."""
        from rich.markup import escape

        word, _, where = trial.user_attrs.get("ended", "").partition(":")  # pruned or diverged, and where
        is_best = not word and trial.value > self._best
        self._best = trial.value if is_best else self._best
        style = "dim" if word else "bold green" if is_best else "default"
        said = f"[{style}]{word or _score(trial.value):>9}[/]"
        values = "  ".join(f"{place.rpartition('.')[2]} {_short(value)}" for place, value in trial.params.items())
        took = seconds(trial.user_attrs["seconds"]) if "seconds" in trial.user_attrs else ""
        self._console.print(f"{trial.number + 1:>5} {said}  {escape(values)}  [dim]{escape(f'{took}{where[:40]}')}[/]")
        self._bar.update(self._task, completed=count)

    def say_best(self, trial: Any) -> None:
        """What the search ends with."""
        from rich.markup import escape

        values = ", ".join(f"{place} {_short(value)}" for place, value in trial.params.items())
        self._console.print(
            f"\nBest is trial {trial.number + 1}, [bold]{_score(trial.value)}[/] on the examples set aside: "
            f"{escape(values)}.\nIt is trained again, on all training data, and the test data is scored once."
        )

    def warn(self, sentence: str) -> None:
        """A sentence in yellow."""
        from rich.markup import escape

        self._console.print(f"[yellow]Note:[/] {escape(sentence)}", soft_wrap=True)


def _score(value: float) -> str:
    """An accuracy, or a loss where scores are losses with a minus."""
    return percent(value) if value >= 0 else f"loss {number(-value)}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

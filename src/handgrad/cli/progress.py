"""What a person sees while a network trains."""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from handgrad.cli.console import reading
from handgrad.data.datasets import Progress as Reading
from handgrad.display.numbers import counted, number, percent, score, seconds
from handgrad.layers.summary import summary
from handgrad.observer import Interruption
from handgrad.training.change import Settings
from handgrad.training.experiment import Experiment, Phase
from handgrad.training.history import Epoch, Step
from handgrad.training.trainer import Trainer

#: At most so many epochs get a line of their own; of more, evenly spaced ones do.
_LINES = 30

#: Seconds between two updates of the bar: more often than the eye can follow would only slow training.
_REFRESH = 0.1

_STOPPING = b"\nStopping after this step; what was learned will be saved. Ctrl-C again to stop at once.\n"


@contextmanager
def stopping_on_interrupt() -> Iterator[Interruption]:
    """Within the block, Ctrl-C or SIGTERM asks to stop after the current step; Ctrl-C after that stops at once.

    Yields:
        What tells whoever trains; the signal itself touches nothing, since it may come at any moment.
    """
    interruption = Interruption()

    def stop(signum: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interruption.requested = True
        # Not by the console: the signal may have come while it prints.
        if sys.__stderr__ is not None:
            os.write(sys.__stderr__.fileno(), _STOPPING)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(kind, stop) for kind in signals]
    try:
        yield interruption
    finally:
        for kind, handler in zip(signals, before, strict=True):
            signal.signal(kind, handler)


class TrainingDisplay:
    """Prints the network, a line an epoch with a bar below, and at the end where to look next.

    Args:
        console: where to print.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._refreshed = 0.0

    def reading(self) -> AbstractContextManager[Reading]:
        """A bar while pictures are read or files fetched."""
        return reading(self.console)

    def interruptible(self) -> AbstractContextManager[Interruption]:
        """Within the block, Ctrl-C stops the training after the current step."""
        return stopping_on_interrupt()

    def compile(self, trainer: Trainer) -> None:
        """Compile what the training step needs, with a bar where that takes a while: the first time on a machine."""
        columns = (TextColumn("Compiling kernels, once"), BarColumn(bar_width=None), MofNCompleteColumn())
        shown = self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=not shown) as bar:
            task = bar.add_task("", total=None)
            trainer.prepare(lambda done, total: bar.update(task, completed=done, total=total))

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Show a phase's heading and, within the block, its bar."""
        experiment = phase.experiment
        self._epochs = experiment.recipe.train.epochs
        self._log_every = experiment.recipe.train.log_every
        self._title = phase.title
        self._print_heading(phase)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, complete_style="cyan"),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}{task.fields[score]}"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            transient=True,
            refresh_per_second=5,
            disable=not self.console.is_terminal,
        )
        trainer = experiment.trainer
        total = self._epochs * len(trainer.train)
        with self._bar:
            start = trainer.state.step
            self._task: TaskID = self._bar.add_task(phase.title, total=total, completed=start, loss="…", score="")
            for epoch in trainer.history.epochs:  # before a restart
                self._show_epoch(epoch)
            yield

    def _print_heading(self, phase: Phase) -> None:
        experiment = phase.experiment
        train, recipe = experiment.trainer.train, experiment.recipe
        size = f"in batches of {train.batch_size:,}" if recipe.train.batch_size else "all in one batch"
        self.console.print(f"\n[bold]{escape(phase.title)}[/]  {escape(recipe.summary)}")
        self.console.print(
            f"{escape(experiment.dataset)}: {len(train.dataset):,} training examples {size}, "
            f"{_test_examples(experiment)}; {recipe.optimizer['name']}, "
            f"learning rate {experiment.trainer.optimizer.learning_rate:g}, seed {recipe.train.seed}"
        )
        self.console.print(summary(experiment.model, experiment.input_shape), style="dim")
        if step := experiment.trainer.state.step:
            self.console.print(f"Going on from step {step:,}.")
        self.console.print(_row("epoch", "loss", *experiment.trainer.monitors, "rate", "time"), style="bold")

    def show(self, event: Step | Epoch) -> None:
        """Advance the bar, or print an epoch's line."""
        if isinstance(event, Epoch):
            self._show_epoch(event)
            return
        if self._log_every and event.batch % self._log_every == 0:
            self.console.print(
                f"  step {event.batch:>6,} of {event.batches:,}   loss {number(event.loss)}", style="dim"
            )
        now = time.monotonic()
        if now - self._refreshed > _REFRESH:
            self._refreshed = now
            description = f"{escape(self._title)} epoch {event.epoch}/{self._epochs}"
            self._bar.update(self._task, completed=event.number, description=description, loss=number(event.loss))

    def _show_epoch(self, epoch: Epoch) -> None:
        for name, scores in epoch.scores.items():
            self._bar.update(self._task, score=f", {name} {score(scores.accuracy, scores.loss)}")
        every = math.ceil(self._epochs / _LINES)
        if epoch.number % every and epoch.number not in (1, self._epochs) and epoch.complete:
            return
        figures = [number(s.loss) if math.isnan(s.accuracy) else percent(s.accuracy) for s in epoch.scores.values()]
        place = f"{epoch.number}/{self._epochs}" if epoch.complete else f"{epoch.number} (part)"
        cells = [number(epoch.train_loss), *figures, f"{epoch.learning_rate:.2g}", seconds(epoch.seconds)]
        self.console.print(_row(place, *cells))

    def steer(self, save: Callable[[], None]) -> Settings:
        """Nothing is changed in a training of the command line while it runs."""
        return {}

    def saved(self, path: Path, step: int) -> None:
        """Checkpoints are written in silence."""

    def warn(self, sentence: str) -> None:
        """Print what the user should know, above the bar."""
        self.console.print(f"[bold yellow]Warning:[/] {escape(sentence)}", soft_wrap=True)

    def keeping(self) -> AbstractContextManager[object]:
        """Say that there is still something to wait for."""
        return self.console.status("Saving, scoring the test data and drawing the pictures …")

    def finish(self, experiment: Experiment, result: dict[str, Any], way_on: str = "") -> None:
        """Print the scores, where everything lies, and what to do next, or how to go on if training was interrupted."""
        print_queries(self.console, result)
        trained = f"{counted(result['epochs'], 'epoch')} in {seconds(result['train_seconds'])}"
        if experiment.trainer.stopped_by == "request":
            trained += " (stopped early)"
        if experiment.trainer.stopped_by == "patience":
            trained += " (no better validation score for a while)"
        accuracy, loss = result["test_accuracy"], f"loss {number(result['test_loss'])}"
        best, rest = (loss, "") if accuracy is None else (f"accuracy {percent(accuracy)}", f"{loss}, ")
        title = best.capitalize() if _has_no_test_data(experiment) else f"Test {best}"
        self.console.print(f"\n[bold green]{title}[/]  {rest}{result['parameters']:,} parameters, {trained}")
        directory = escape(result["run_directory"])
        self.console.print(f"Everything is in [bold]{directory}[/]: weights, history, pictures.", soft_wrap=True)
        if experiment.trainer.stopped_by == "request":
            self.console.print(escape(way_on), soft_wrap=True)
            return
        shape = experiment.test.dataset.inputs.shape[1:]
        drawable = len(shape) == 2 and shape[0] == shape[1]
        following = f"predict {directory} your-digit.png" if drawable else f"evaluate {directory}"
        self.console.print(f"Next: [bold cyan]python -m handgrad {following}[/]", soft_wrap=True)


def _has_no_test_data(experiment: Experiment) -> bool:
    """Whether the data was too small to hold any back, so that the scores are those on the training data."""
    return experiment.test.dataset is experiment.trainer.train.dataset


def _test_examples(experiment: Experiment) -> str:
    if _has_no_test_data(experiment):
        return "scored on the same"
    return f"{len(experiment.test.dataset):,} to test on"


def print_queries(console: Console, result: dict[str, Any]) -> None:
    """What the trained network answers to the questions that its recipe asks."""
    if "queries" not in result:
        return
    answers = result["queries"][0][1]
    table = Table("input", *([f"class {c}" for c in range(len(answers))] if len(answers) > 1 else ["output"]), box=None)
    for inputs, outputs in result["queries"]:
        table.add_row(", ".join(f"{value:g}" for value in inputs), *(number(value) for value in outputs))
    console.print()
    console.print(table)


def _row(first: str, *cells: str) -> str:
    """One line of the epochs' table; fixed columns, so that a line can be printed before the next is known."""
    return f"{first:>12}" + "".join(f"{cell:>11}" for cell in cells)

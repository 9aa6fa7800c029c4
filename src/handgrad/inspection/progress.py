"""A training with a bar, for who drives a trainer: in a terminal, or in a notebook."""

import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from handgrad.display.html import Html, element, joined, muted, output, paragraph
from handgrad.display.numbers import counted, number, score, seconds
from handgrad.errors import ArgumentError
from handgrad.training.display import epochs_table, in_short
from handgrad.training.history import Epoch, Scores, Step
from handgrad.training.trainer import Trainer

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two looks at the most: more often than the eye can follow would only slow training.
_REFRESH = 0.2

#: Epochs that a notebook shows while it trains.
_LATEST = 10

_COMPILING = "compiling kernels, once"


def progress(trainer: Trainer, epochs: int) -> Generator[Step | Epoch, None, None]:
    """Train as `trainer.run(epochs)` does, with a bar in a terminal or a notebook, and none elsewhere.

    The bar shows the loss of the last step, each monitor's score, steps a second and the time left. In a terminal it
    leaves a line behind, in a notebook a table of the epochs, however the loop ends. A loop that is left early closes
    the bar at once, unless the iterator has a name: then call its `close()`.

    Args:
        trainer: what trains; nothing in it is changed but by training.
        epochs: at least 1.

    Yields:
        what `trainer.run` yields: a Step after each update, an Epoch after each pass.

    Raises:
        ArgumentError: trainer is something else, or there are no epochs to train.
        TrainingError: as `trainer.run` does.

    >>> splits = handgrad.datasets.load("points")
    >>> model = handgrad.Linear(2, 2).initialize(np.random.default_rng(0))
    >>> loader = handgrad.Loader(splits.train, 5, preprocessing=handgrad.Preprocessing(scale=1))
    >>> trainer = handgrad.Trainer(model, handgrad.SoftmaxCrossEntropy(), handgrad.SGD(0.1), train=loader)
    >>> [type(event).__name__ for event in progress(trainer, epochs=1)]
    ['Step', 'Step', 'Epoch']
    """
    if not isinstance(trainer, Trainer):
        raise ArgumentError("trainer", trainer, "a Trainer", "write progress(trainer, epochs=5)")
    if epochs < 1:
        raise ArgumentError("epochs", epochs, "an integer >= 1")
    return _events(trainer, epochs)


def _events(trainer: Trainer, epochs: int) -> Generator[Step | Epoch, None, None]:
    with Shown(Standing.of(trainer, epochs), _face()) as shown:
        trainer.prepare(shown.compiling)
        for event in trainer.run(epochs):
            shown.note(event)
            yield event


@dataclass
class Standing:
    """How far a training has come.

    Args:
        trainer: what trains.
        last: number of the epoch it is to end with.
        total: steps that it is to make.
        made: steps made.
        epoch: number of the epoch it is in.
        first: of the epochs that are its own: those before it belong to earlier runs.
        loss: of the last step; None before it.
        latest: scores, by monitor.
        started: when the first step had been made, which may have taken long to compile, on a clock of seconds.
        now: the time of the last event, on that clock.
    """

    trainer: Trainer
    last: int
    total: int
    epoch: int
    first: int
    made: int = 0
    loss: float | None = None
    latest: Mapping[str, Scores] = field(default_factory=dict)
    started: float = 0.0
    now: float = 0.0

    @classmethod
    def of(cls, trainer: Trainer, epochs: int) -> Self:
        """Before a run of so many epochs."""
        made_before, position = len(trainer.history.epochs), trainer.position
        steps = epochs * len(trainer.train) - (position.batch if position else 0)
        return cls(trainer, made_before + epochs, steps, made_before + 1, made_before + 1)

    def note(self, event: Step | Epoch, now: float) -> None:
        """What an event changes."""
        self.now = now
        if isinstance(event, Epoch):
            self.latest = event.scores
            return
        self.made += 1
        self.epoch, self.loss = event.epoch, event.loss
        if self.made == 1:
            self.started = now

    @property
    def epochs(self) -> list[Epoch]:
        """Those that this run has finished."""
        return self.trainer.history.epochs[self.first - 1 :]

    @property
    def rate(self) -> float | None:
        """Steps a second, scoring included; None before the second step."""
        return (self.made - 1) / (self.now - self.started) if self.made > 1 and self.now > self.started else None

    def place(self) -> str:
        """Which epoch of how many."""
        return f"epoch {self.epoch:,}/{self.last:,}"

    def scores(self) -> str:
        """Of the last step, and of each monitor."""
        said = [f"loss {number(self.loss)}"] if self.loss is not None else []
        return ", ".join([*said, *(f"{name} {score(s.accuracy, s.loss)}" for name, s in self.latest.items())])

    def pace(self) -> str:
        """Steps a second."""
        return f"{self.rate:,.0f} steps/s" if self.rate else ""

    def left(self) -> str:
        """For how long it will go on."""
        return f"{seconds((self.total - self.made) / self.rate)} left" if self.rate else ""

    def end(self, finished: bool) -> str:
        """Why it went no further, or nothing if it did all that was asked for."""
        if not finished:
            return f"Stopped in epoch {self.epoch:,} of {self.last:,}, after {counted(self.made, 'step')}."
        reasons = {"request": "Stopped early.", "patience": "No better validation score for a while."}
        return reasons.get(self.trainer.stopped_by, "")


class Face(Protocol):
    """Where a bar is shown."""

    def open(self, standing: Standing) -> None:
        """Begin."""

    def show(self, standing: Standing, compiled: tuple[int, int] | None = None) -> None:
        """How far it is; while kernels are compiled, how many of how many are."""

    def close(self, standing: Standing, finished: bool) -> None:
        """Put what is to stay in the place of the bar."""


class Shown:
    """A bar that is closed however the block within ends.

    Args:
        standing: at the beginning.
        face: where it is shown; None for nowhere.
    """

    def __init__(self, standing: Standing, face: Face | None) -> None:
        self._standing, self._face = standing, face
        self._refreshed = 0.0

    def __enter__(self) -> Self:
        if self._face:
            self._face.open(self._standing)
        return self

    def compiling(self, done: int, total: int) -> None:
        """So many kernels of so many are ready."""
        if self._face and self._is_due():
            self._face.show(self._standing, (done, total))

    def note(self, event: Step | Epoch) -> None:
        """Show what has happened, unless that was done just now."""
        if self._face:
            self._standing.note(event, time.monotonic())
            if self._is_due():
                self._face.show(self._standing)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._refreshed < _REFRESH:
            return False
        self._refreshed = now
        return True

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if self._face:
            self._face.close(self._standing, finished=kind is None)


def _face() -> Face | None:
    """A notebook where this runs in one, a terminal where there is one, or nothing."""
    ipython = sys.modules.get("IPython")  # who works in a notebook has it
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and hasattr(shell, "kernel"):
        return Notebook()
    from rich.console import Console

    console = Console(highlight=False)
    return Terminal(console) if console.is_terminal else None


class Terminal:
    """A bar on one line, by Rich, which prints above it what is printed meanwhile.

    Args:
        console: where to print.
    """

    def __init__(self, console: "Console") -> None:
        self._console = console

    def open(self, standing: Standing) -> None:
        """Draw it, empty."""
        from rich.progress import BarColumn, Progress, TextColumn

        names = ["place", "scores", *(["pace", "left"] if self._console.width >= 90 else ["left"])]
        texts = [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in names]
        bar = BarColumn(bar_width=None, complete_style="cyan")
        self._bar = Progress(texts[0], bar, *texts[1:], console=self._console, transient=True, auto_refresh=False)
        self._task = self._bar.add_task("", total=standing.total, **self._texts(standing))
        self._bar.start()

    def show(self, standing: Standing, compiled: tuple[int, int] | None = None) -> None:
        """Draw it anew."""
        texts = self._texts(standing)
        done, total = compiled or (standing.made, standing.total)
        if compiled:
            texts |= {"place": _COMPILING, "scores": f"{done:,}/{total:,}"}
        self._bar.update(self._task, completed=done, total=total, refresh=True, **texts)

    def _texts(self, standing: Standing) -> dict[str, Any]:
        parts = {"place": standing.place(), "scores": standing.scores()}
        return parts | {"pace": standing.pace(), "left": standing.left()}

    def close(self, standing: Standing, finished: bool) -> None:
        """Leave a line."""
        self._bar.stop()
        said = [line for line in (_result(standing), standing.end(finished)) if line]
        self._console.print("  ".join(said), markup=False, soft_wrap=True)


class Notebook:
    """One output of a cell, which is replaced as the training goes on: by IPython alone, no widget is needed."""

    def open(self, standing: Standing) -> None:
        """Put it there."""
        from IPython.display import display

        self._output: Any = display(self._running(standing, None), raw=True, display_id=True)

    def show(self, standing: Standing, compiled: tuple[int, int] | None = None) -> None:
        """Replace it."""
        self._output.update(self._running(standing, compiled), raw=True)

    def _running(self, standing: Standing, compiled: tuple[int, int] | None) -> dict[str, str]:
        done, total = compiled or (standing.made, standing.total)
        parts = [standing.place(), standing.scores(), standing.pace(), standing.left()]
        text = f"{_COMPILING}: {done:,} of {total:,}" if compiled else " · ".join(filter(None, parts))
        style = "display:block;width:100%;max-width:640px;accent-color:#3a87c8"
        bar = element("progress", value=done, max=total, aria_label="progress of the training", style=style)
        latest = standing.epochs[-_LATEST:]
        return _bundle(text, bar, paragraph(text), epochs_table(latest) if latest else Html(""))

    def close(self, standing: Standing, finished: bool) -> None:
        """Leave how it ended, and the epochs."""
        end, epochs = standing.end(finished), standing.epochs
        result = _result(standing)
        said = joined([result, " ", muted(end)])
        bundle = _bundle(f"{result} {end}".strip(), paragraph(said), epochs_table(epochs) if epochs else Html(""))
        self._output.update(bundle, raw=True)


def _result(standing: Standing) -> str:
    """What the epochs came to."""
    return in_short(standing.epochs) if standing.epochs else ""


def _bundle(text: str, *parts: Html) -> dict[str, str]:
    return {"text/html": output(*parts), "text/plain": text}

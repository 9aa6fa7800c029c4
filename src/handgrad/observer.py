"""Who watches a training in a run directory: what an observer is told and may steer, what a recorder keeps."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from handgrad.data.datasets import Progress
from handgrad.training.change import Settings
from handgrad.training.experiment import Experiment, Phase
from handgrad.training.history import Epoch, Step
from handgrad.training.trainer import Trainer


@dataclass
class Interruption:
    """Whether somebody has asked the training to stop."""

    requested: bool = False


class Observer(Protocol):
    """Who is told of a training, and may steer it: the command line, or the page.

    Everything is called by the thread that trains, between two steps.
    """

    def reading(self) -> AbstractContextManager[Progress]:
        """Within the block, the data are read, as far as the function that it gives is told."""

    def interruptible(self) -> AbstractContextManager[Interruption]:
        """Within the block, the user can ask to stop; the training looks at what is yielded after every step."""

    def compile(self, trainer: Trainer) -> None:
        """Call `trainer.prepare`, and show how it goes."""

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        """Within the block, a phase is trained. It is entered anew where a phase goes on with changed settings."""

    def show(self, event: Step | Epoch) -> None:
        """Show what has just happened."""

    def steer(self, save: Callable[[], None]) -> Settings:
        """Before a phase's first step and after each event: wait as long as is wanted.

        Args:
            save: writes a checkpoint now.

        Returns:
            new values for settings, with which to go on; empty where nothing is to change.
        """

    def saved(self, path: Path, step: int) -> None:
        """A checkpoint was written to that file, after so many steps."""

    def warn(self, sentence: str) -> None:
        """Tell what the user should know."""

    def keeping(self) -> AbstractContextManager[object]:
        """Within the block, what the run leaves is scored, drawn and written, which may take seconds."""

    def finish(self, experiment: Experiment, result: dict[str, Any], way_on: str) -> None:
        """Tell what came of it, and how an interrupted run is gone on with."""


class Recorder(Protocol):
    """Who keeps a record of a training in a format of its own, beside the run directory's."""

    def phase(self, phase: Phase, run: Path) -> AbstractContextManager[None]:
        """Within the block, a phase of the run in that directory is trained; entered anew as that of an `Observer`."""

    def show(self, event: Step | Epoch) -> None:
        """Note what has just happened."""

    def finish(self, experiment: Experiment, result: dict[str, Any], run: Path) -> None:
        """Note what came of it; the run's pictures are there."""

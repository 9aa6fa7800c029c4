"""The checkpoints of a run: when one is written, which stay, and which one is gone on from."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from handgrad.errors import ArgumentError, RunError
from handgrad.files import remove_unfinished
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.history import Epoch, Step
from handgrad.training.trainer import Trainer

#: At most this share of the time goes into checkpoints, those after the best epochs apart.
SHARE = 0.05
#: How often a folder is looked at again when a file vanishes, since whoever trains has written a newer one.
_ATTEMPTS = 3


class CheckpointFolder:
    """Writes a checkpoint after every epoch and every so many minutes, and keeps the last few and the best.

    None is written where that would take more than a twentieth of the time: an epoch of a tiny network is over before a
    file is on the disk, and the file of a huge one takes long. After an epoch whose validation score is the best so far
    it always is.

    Args:
        path: of the folder; made when it is first written to.
        keep: how many of the latest stay, at least 1; the best one stays besides.
        minutes: longest time between two, > 0, where writing takes less than a twentieth of it.
        name: that the files begin with. Trainings of one run follow each other in its alphabetical order.
        about: plain values to keep in each.
        clock: seconds.

    Raises:
        ArgumentError: a setting is out of range.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep: int = 2,
        minutes: float = 5.0,
        name: str = "step",
        about: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if keep < 1:
            raise ArgumentError("keep", keep, "an integer >= 1")
        if not minutes > 0:
            raise ArgumentError("minutes", minutes, "a number > 0")
        self.path = path
        self.keep = keep
        self.minutes = minutes
        self.name = name
        self.about = dict(about or {})
        self._clock = clock
        self._finished = clock()
        self._took = 0.0

    def after(self, event: Step | Epoch, trainer: Trainer) -> Path | None:
        """Write a checkpoint if it is time for one.

        Args:
            event: that `trainer.run` has just yielded.
            trainer: as it stands then.

        Returns:
            the file, if one was written.

        Raises:
            OSError, RunError: as `write`.
        """
        waited = self._clock() - self._finished
        due = waited * SHARE >= self._took and (isinstance(event, Epoch) or waited >= 60 * self.minutes)
        is_best = isinstance(event, Epoch) and event.is_best
        return self.write(trainer) if due or is_best else None

    def write(self, trainer: Trainer) -> Path:
        """Write a checkpoint now, and remove those that are no longer needed.

        Returns:
            the file.

        Raises:
            OSError: it cannot be written; those written before are there still.
            RunError: a parameter, or what the optimizer remembers, is not finite: nobody could go on from there.
        """
        started = self._clock()
        try:
            checkpoint = Checkpoint.of(trainer, self.about)
            if checkpoint.not_finite:
                raise RunError(f"{checkpoint.not_finite} holds NaN or infinity")
            self.path.mkdir(parents=True, exist_ok=True)
            checkpoint.save(path := self._path(trainer))
            with suppress(OSError):  # they are only in the way, and are tried again
                self._remove_old(path)
            return path
        finally:  # one that fails is not tried again at once
            self._finished = self._clock()
            self._took = self._finished - started

    def _path(self, trainer: Trainer) -> Path:
        epochs = trainer.history.epochs
        between_epochs = trainer.position is None or trainer.position.batch == 0
        is_best = between_epochs and bool(epochs) and epochs[-1].is_best
        return self.path / f"{self.name}-{trainer.state.step:09d}{'-best' if is_best else ''}.safetensors"

    def _remove_old(self, newest: Path) -> None:
        # What lies behind the newest could not be read when the run was gone on with, and is not counted.
        paths = [path for path in files(self.path) if path.name <= newest.name]
        best = [path for path in paths if path.match(f"{self.name}-*-best.safetensors")]
        for path in set(paths) - {*paths[-self.keep :], *best[-1:]}:
            path.unlink(missing_ok=True)


def files(path: Path) -> list[Path]:
    """The checkpoints in a folder, the latest last; none if there is no folder."""
    return sorted(path.glob("*.safetensors"))


def read_latest(path: Path) -> Checkpoint:
    """The latest checkpoint in a folder that can be read; unlike `latest`, no file is touched.

    Another process may be training there, and replace a file that was just listed.

    Args:
        path: of the folder.

    Raises:
        RunError: there is none.
    """
    error = RunError(f"{path.parent} has no checkpoint that can be read; train it, or wait for its first one.")
    for _ in range(_ATTEMPTS):
        for file in reversed(files(path)):
            try:
                return Checkpoint.load(file)
            except RunError as problem:
                error = problem
    raise error


def latest(path: Path, report: Callable[[str], None]) -> Checkpoint | None:
    """The latest checkpoint in a folder that can be read; what a crash left half written is removed.

    Args:
        path: of the folder.
        report: called with a sentence for each file that cannot be read.

    Returns:
        None if there is none.
    """
    remove_unfinished(path)
    for file in reversed(files(path)):
        try:
            return Checkpoint.load(file)
        except RunError as error:
            report(f"{error} An earlier one is taken, if there is one.")
    return None

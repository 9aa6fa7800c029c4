"""Run directories as they are now: finished, left off, or being trained by a process."""

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from handgrad.errors import RunError
from handgrad.training.checkpoint_folder import files as checkpoint_files
from handgrad.training.checkpoint_folder import read_latest
from handgrad.training.run import RunDirectory
from handgrad.training.saved_run import SavedRun
from handgrad.web.errors import NotFoundError

#: How often a run is looked at again when a file vanishes, since whoever trains it has written a newer one.
_ATTEMPTS = 3
#: Held while a run's lock is tried: of two that try the same one, each would take the other for who trains.
_PROBING = threading.Lock()


class RunFolder:
    """The directories that are offered, by name. A name is looked up in a list, so it never becomes a path.

    Args:
        directory: the folder; it need not exist.
        extra: directories from elsewhere.
    """

    def __init__(self, directory: Path, extra: Iterable[Path] = ()) -> None:
        self.directory = directory
        self._extra = tuple(path.resolve() for path in extra)

    def newest(self, count: int) -> list[Path]:
        """The latest, by when something was last put into them or taken out."""
        dated, inside = [], list[Path]()
        with suppress(OSError):  # not for us
            inside = self._inside()
        for path in self._named(inside).values():
            try:
                dated.append((path.stat().st_mtime_ns, path))
            except OSError:  # removed meanwhile
                continue
        return [path for _, path in sorted(dated, reverse=True)[:count]]

    def path(self, name: str) -> Path:
        """The directory of that name.

        Raises:
            NotFoundError: there is none.
            RunError: the folder cannot be read.
        """
        try:
            found = self._named(self._inside()).get(name)
        except OSError as error:
            raise RunError(f"{self.directory} cannot be read ({error.strerror}); see to its permissions.") from error
        if found is None:
            raise NotFoundError(f"There is no run {name[:60]!r} in {self.directory}.")
        return found

    def _inside(self) -> list[Path]:
        """The directories in the folder; none where there is no folder yet."""
        if not self.directory.is_dir():
            return []
        return [path for path in self.directory.iterdir() if path.is_dir() and not path.name.startswith(".")]

    def _named(self, inside: Iterable[Path]) -> dict[str, Path]:
        return {path.name: path for path in [*inside, *self._extra]}


@dataclass(frozen=True)
class RunFiles:
    """Where the weights of a run lie at the moment.

    Args:
        path: its directory.
        values: of run.json.
        described: when that and result.json were written, in nanoseconds; 0 for one that is not there.
        weights: model.safetensors of a finished run, else the latest checkpoint.
        version: of the weights.
    """

    path: Path
    values: dict[str, Any]
    described: tuple[int, int]
    weights: Path
    version: str

    @classmethod
    def find(cls, path: Path) -> Self:
        """Look into a directory.

        Raises:
            RunError: it holds no run, or one that has no weights yet.
        """
        values = RunDirectory(path).read_json("run.json")
        if not isinstance(values, dict):
            raise RunError(f"{path / 'run.json'} holds no table; expected the directory of a handgrad run.")
        for _ in range(_ATTEMPTS):
            weights = _weights(path, finished=values.get("saved") is not False)
            try:
                state = weights.stat()
            except OSError:
                continue
            described = _written(path / "run.json"), _written(path / "result.json")
            return cls(path, values, described, weights, weights_version(state))
        raise RunError(f"{path} has no weights yet; train it, or wait for its first checkpoint.")

    def open(self) -> SavedRun:
        """The network with these weights.

        Raises:
            RunError: a file is damaged.
        """
        if self.is_finished:
            return SavedRun.open(self.path)
        return SavedRun.open(self.path, weights=read_latest(self.path / "checkpoints").weights)

    @property
    def is_finished(self) -> bool:
        """Whether its weights are what was learned in the end."""
        return self.weights.name == "model.safetensors"

    def accuracy(self) -> float | None:
        """On test data, of a finished run that was scored."""
        if not self.is_finished:
            return None
        try:
            found = RunDirectory(self.path).read_json("result.json")["test_accuracy"]
        except (RunError, KeyError, TypeError):  # not there yet, or damaged: the weights are what matters
            return None
        return float(found) if isinstance(found, int | float) else None

    def is_being_trained(self) -> bool:
        """Whether a process holds its lock."""
        lock = self.path / ".lock"
        if self.is_finished or not lock.exists():
            return False
        import filelock

        probe = filelock.FileLock(lock, blocking=False)
        with _PROBING:
            try:
                probe.acquire()
            except filelock.Timeout:
                return True
            except OSError:
                return False
            probe.release()
        return False


def weights_version(state: os.stat_result) -> str:
    """What changes whenever the file of the weights does.

    Args:
        state: of the file.
    """
    return f"{state.st_mtime_ns:x}-{state.st_size:x}"


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _weights(path: Path, *, finished: bool) -> Path:
    saved = path / "model.safetensors"
    return saved if finished else max(checkpoint_files(path / "checkpoints"), default=saved)

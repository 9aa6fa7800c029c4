"""File operations that fail, one at a time: which one is counted, and what is left is looked at.

`python tests/reliability/faults.py` writes the figures of docs/reliability.md.
"""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from handgrad.training.checkpoint_folder import CheckpointFolder, latest
from handgrad.training.experiment import Experiment
from handgrad.training.recipe import Recipe
from handgrad.training.trainer import Trainer

#: What a disk, a quota, an administrator or a network may answer.
CODES = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.ESTALE)


class Fault:
    """Makes the operation of a certain number fail.

    Args:
        number: of the operation, from 0.
        code: what the system says.
        lasting: whether every operation after it fails too.
    """

    def __init__(self, number: int, code: int, *, lasting: bool) -> None:
        self.number = number
        self.code = code
        self.lasting = lasting
        self.operations: list[str] = []

    @property
    def happened(self) -> bool:
        return len(self.operations) > self.number

    def before(self, operation: str) -> None:
        self.operations.append(operation)
        if len(self.operations) == self.number + 1 or (self.lasting and self.happened):
            raise OSError(self.code, os.strerror(self.code))


class _Stream:
    """A file that may fail in the middle of a write."""

    def __init__(self, stream: Any, fault: Fault) -> None:
        self._stream = stream
        self._fault = fault

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, content: bytes) -> None:
        half = len(content) // 2
        self._stream.write(content[:half])
        self._fault.before("write")
        self._stream.write(content[half:])


@contextmanager
def failing(fault: Fault) -> Iterator[None]:
    """Within the block, the file operations of a checkpoint are counted, and one of them fails."""

    def counted(operation: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def function(*arguments: Any, **options: Any) -> Any:
            fault.before(operation)
            result = original(*arguments, **options)
            return _Stream(result, fault) if operation == "open" else result

        return function

    with (
        patch.object(Path, "mkdir", counted("make the folder", Path.mkdir)),
        patch.object(Path, "open", counted("open", Path.open)),
        patch.object(Path, "replace", counted("rename", Path.replace)),
        patch.object(Path, "unlink", counted("remove", Path.unlink)),
        patch.object(os, "open", counted("open the folder", os.open)),
        patch.object(os, "fsync", counted("flush", os.fsync)),
    ):
        yield


def trainer() -> Trainer:
    """A small one."""
    return Experiment.prepare(Recipe.load("points").override({"train.batch_size": 5, "model.hidden": (4,)})).trainer


def whole() -> bytes:
    """The weights after four epochs without any fault."""
    training = trainer()
    list(training.run(4))
    return bytes(training.model.parameters.vector.tobytes())


def attempt(fault: Fault, path: Path) -> bool:
    """Two checkpoints, then a third whose writing fails.

    Returns:
        whether the second or the third is loaded afterwards, and training goes on from it as if nothing had happened.
    """
    training, folder = trainer(), CheckpointFolder(path / "checkpoints", keep=1)
    for _ in range(2):
        list(training.run(1))
        folder.write(training)
    before = training.state.step
    list(training.run(1))
    try:
        with failing(fault):
            folder.write(training)
    except OSError:
        pass
    complaints: list[str] = []
    found = latest(path / "checkpoints", complaints.append)
    assert found is not None, complaints
    assert not complaints, complaints
    resumed = trainer()
    found.restore(resumed)
    list(resumed.run_to(4))
    return found.step in (before, training.state.step) and resumed.model.parameters.vector.tobytes() == whole()


def attempts(code: int) -> Iterator[tuple[str, bool]]:
    """Every operation of a write failing with that code, alone and with all after it: its name, and `attempt`."""
    for lasting in (False, True):
        for number in count():
            fault = Fault(number, code, lasting=lasting)
            with tempfile.TemporaryDirectory(prefix="handgrad-fault-") as folder:
                good = attempt(fault, Path(folder))
            if not fault.happened:
                break
            yield fault.operations[number], good


def main() -> None:
    """All of them, for the page."""
    from reliability_page import record

    from handgrad.ops import limit_threads

    with limit_threads(1):
        rows = [
            {"code": errno.errorcode[code], "operation": operation, "good": good}
            for code in CODES
            for operation, good in attempts(code)
        ]
    good = sum(bool(row["good"]) for row in rows)
    print(f"{good} of {len(rows)} faults left a checkpoint that could be gone on from")
    record("faults", "python tests/reliability/faults.py", rows)
    raise SystemExit(good < len(rows))


if __name__ == "__main__":
    main()

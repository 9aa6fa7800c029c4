"""The processes that train for a sweep, and what is said to them."""

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self

from handgrad.errors import HandgradError

#: Of a trial's processes in a row, before one of its epochs has ended.
_MOST_DEATHS = 20


class Worker:
    """One process, and the trial that it is busy with.

    Args:
        order: what it is told first: the recipe, and its number of threads.
    """

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._order = order
        self._changes: Mapping[str, Any] = {}
        self._heard: set[int] = set()  # epochs of this trial
        self._deaths = 0  # since the last epoch
        self.trial: Any = None
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "handgrad.interop.sweep_worker"]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
        except OSError as error:
            raise HandgradError(f"A process cannot be started ({error.strerror}); take fewer --jobs.") from error
        self._say(self._order)

    def give(self, trial: Any, changes: Mapping[str, Any]) -> None:
        """Have it try a recipe with changes."""
        self.trial, self._changes, self._heard, self._deaths = trial, changes, set(), 0
        self._say(changes)

    def take(self) -> Any:
        """It has nothing to do any more; the trial that it had."""
        trial, self.trial = self.trial, None
        return trial

    def answer(self, *, go_on: bool) -> None:
        """Say whether what it tries is worth another epoch."""
        self._say({"go_on": go_on})

    def restart(self) -> None:
        """Have what a process did that is gone done by a new one.

        Raises:
            HandgradError: that has been tried too often.
        """
        self._deaths += 1
        if self._deaths > _MOST_DEATHS:
            raise HandgradError(
                f"A process that tries {dict(self._changes)} has died {_MOST_DEATHS} times before the end of an epoch; "
                "is there enough memory? The sweep can be gone on with by --resume."
            )
        self.close()
        self._start()
        self._say(self._changes)

    def is_news(self, epoch: int) -> bool:
        """Whether this trial's epoch is heard of for the first time: who begins again tells all of them again."""
        self._deaths = 0
        news = epoch not in self._heard
        self._heard.add(epoch)
        return news

    def read(self) -> Mapping[str, Any] | None:
        """What it says next; None if it has died."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else None

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                assert stream is not None
                stream.close()
            except OSError:  # what was still to be said to it
                pass

    def _say(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except OSError:  # it has died, which reading will show
            pass


class Workers:
    """Several of them, ended with the block.

    Args:
        recipe: that they try changes of.
        jobs: how many.
        threads: that each computes with; None for all.
    """

    def __init__(self, recipe: Mapping[str, Any], jobs: int, threads: int | None) -> None:
        self._order = {"recipe": recipe, "threads": threads}
        self._jobs = jobs
        self._all: list[Worker] = []

    def __enter__(self) -> Self:
        try:
            for _ in range(self._jobs):
                self._all.append(Worker(self._order))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._all:
            worker.close()

    @property
    def idle(self) -> list[Worker]:
        """Those that have nothing to do."""
        return [worker for worker in self._all if worker.trial is None]

    @property
    def busy(self) -> list[Worker]:
        """Those that train."""
        return [worker for worker in self._all if worker.trial is not None]

    def answers(self, seconds: float) -> Iterator[tuple[Worker, Mapping[str, Any] | None]]:
        """What the busy ones say, as soon as one does, or nothing after so many seconds."""
        if not self.busy:
            time.sleep(seconds)
        with selectors.DefaultSelector() as selector:
            for worker in self.busy:
                assert worker.process.stdout is not None
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            ready = [key.data for key, _ in selector.select(seconds if self.busy else 0)]
        for worker in ready:
            yield worker, worker.read()

"""What the handlers share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

from handgrad.inspection.trace import Trace
from handgrad.web.cache import OnceCache
from handgrad.web.catalog import Catalog
from handgrad.web.errors import BusyError
from handgrad.web.event_stream import OpenStreams
from handgrad.web.lessons import Lessons
from handgrad.web.training import Trainings

T = TypeVar("T")

#: Bytes of the examples that are kept. Of a large network one alone may have more, and then it is the only one.
_MOST_TRACED = 256 * 2**20


@dataclass
class Turns:
    """Requests that compute in threads: so many at the same time, the others one after another.

    Args:
        at_once: that compute at the same time.
        most_waiting: that may wait for their turn; further ones are refused.
    """

    at_once: int
    most_waiting: int
    _there: int = field(default=0, init=False)  # computing or waiting; what the limiter counts, it counts later

    @cached_property
    def _limiter(self) -> CapacityLimiter:
        return CapacityLimiter(self.at_once)  # made when the event loop runs, which alone asks for it

    async def take(self, compute: Callable[[], T]) -> T:
        """What a function returns, when it has had its turn.

        Raises:
            BusyError: too many wait already.
        """
        if self._there >= self.at_once + self.most_waiting:
            raise BusyError("Too many requests wait for their turn; try again in a moment.")
        self._there += 1
        try:
            return await anyio.to_thread.run_sync(compute, limiter=self._limiter)
        finally:
            self._there -= 1


@dataclass
class Context:
    """The server's own things.

    Args:
        runs: the folder of runs.
        catalog: the models that can be looked at.
        threads: that compute in each training; None for all cores.

    Attributes:
        trainings: that were started here.
        lessons: what they have measured.
        traces: the last examples that were followed, by what was asked.
        turns: of the requests that compute a moment, such as those for a drawing.
        heavy_turns: of those that may compute for seconds, so that they hold up each other alone.
        streams: that follow trainings.
    """

    runs: Path
    catalog: Catalog
    threads: int | None = None
    trainings: Trainings = field(init=False)
    lessons: Lessons = field(init=False)
    traces: OnceCache[Trace] = field(init=False)
    turns: Turns = field(init=False)
    heavy_turns: Turns = field(init=False)
    streams: OpenStreams = field(init=False)

    def __post_init__(self) -> None:
        self.trainings = Trainings(self.runs, threads=self.threads)
        self.lessons = Lessons()
        self.traces = OnceCache[Trace](size=8, weigh=_bytes_of, most_bytes=_MOST_TRACED)
        self.turns, self.heavy_turns = Turns(at_once=4, most_waiting=64), Turns(at_once=2, most_waiting=16)
        self.streams = OpenStreams()

    def close(self) -> None:
        """End what is measured, and the trainings, which save what they learned; may be called twice."""
        self.lessons.close()
        self.trainings.close()


def _bytes_of(trace: Trace) -> int:
    """What a trace keeps in memory: its arrays, and the weights of the network, mostly a copy of its own."""
    return sum(array.nbytes for array in trace.arrays.values()) + int(trace.model.parameters.vector.nbytes)

"""What the handlers share."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from anyio import CapacityLimiter

from handgrad.inspection.trace import Trace
from handgrad.web.cache import OnceCache
from handgrad.web.catalog import Catalog
from handgrad.web.lessons import Lessons
from handgrad.web.training import Trainings


@dataclass
class Context:
    """The server's own things.

    Args:
        runs: the folder of runs.
        catalog: the models that can be looked at.
        at_once: requests that compute at the same time.
        most_waiting: that may wait for their turn; further ones are refused.

    Attributes:
        trainings: that were started here.
        lessons: what they have measured.
        traces: the last examples that were followed, by what was asked.
    """

    runs: Path
    catalog: Catalog
    at_once: int = 4
    most_waiting: int = 64
    trainings: Trainings = field(init=False)
    lessons: Lessons = field(init=False)
    traces: OnceCache[Trace] = field(init=False)

    def __post_init__(self) -> None:
        self.trainings = Trainings(self.runs)
        self.lessons = Lessons()
        self.traces = OnceCache[Trace](size=8)

    @cached_property
    def limiter(self) -> CapacityLimiter:
        """Lets so many requests compute at once; asked for by the event loop alone."""
        return CapacityLimiter(self.at_once)

    def close(self) -> None:
        """Stop the trainings, which save what they learned; may be called twice."""
        self.trainings.close()

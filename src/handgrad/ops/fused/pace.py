"""Whether a program runs faster on all threads or on one, found by trying.

Where other processes want the cores too, one of our threads is often waited for while it is not running: with both
cores of two taken by others, threads that gave their core away at each wait took 49 times as long as on an idle
machine. Then one thread does better alone. A thread that is held up only now and then is no reason for that: the
others gain more. Results do not depend on it.

With a small program one thread is tried first: then a first trial of all can be broken off as soon as it has taken too
long. NumPy's BLAS keeps its threads spinning for a tenth of a second, and a small training that began right after a
product of NumPy's took 0.12 s when its first 64 steps waited for them, now 0.045, and 0.025 on an idle machine. A large
program would lose more by that than it could gain, since it may run but ten times, to predict a test set.
"""

import math

_PERIOD, _TRIAL = 64, 16  # runs on all threads and on one, whose means are compared
_ENOUGH = 0.002  # seconds of a trial on one thread, after which even the few long runs of a large program tell
_LONGEST = 8192  # runs on one thread before all are tried again, and on all before one is


class Pace:
    """How long a program takes on all threads and on one, and so on which it should run next.

    Args:
        large: whether all threads are tried first.

    >>> pace = Pace()
    >>> for _ in range(1000):
    ...     pace.note(0.002 if pace.alone else 0.001)
    >>> pace.alone
    False
    """

    def __init__(self, *, large: bool = False) -> None:
        self._mean_alone, self._age = math.inf, _LONGEST  # so that one thread is tried as soon as all have been
        self._next_alone = _PERIOD
        self._is_first = True  # it touches memory that no run has touched, so it tells nothing
        if large:
            self._try_all()
        else:
            self._try_alone()

    def note(self, seconds: float) -> None:
        """Count a run, done as `alone` says."""
        if self._is_first:
            self._is_first = False
            return
        self._seconds += seconds
        self._runs += 1
        if self._runs < self._length and self._seconds <= self._limit:
            return
        mean = self._seconds / self._runs
        if self.alone:
            self._mean_alone, self._age = mean, 0
            self._try_all()
        else:
            self._age += self._runs
            self._choose(mean)

    def _choose(self, mean: float) -> None:
        """After some runs on all threads: go on so, or let one work."""
        if self._age >= _LONGEST:
            self._try_alone()
        elif mean <= self._mean_alone:
            self._next_alone = _PERIOD
            self._try_all()
        else:
            self._begin(alone=True, length=self._next_alone)
            self._next_alone = min(2 * self._next_alone, _LONGEST)

    def _try_alone(self) -> None:
        self._begin(alone=True, length=_TRIAL, limit=_ENOUGH)

    def _try_all(self) -> None:
        self._begin(alone=False, length=_PERIOD, limit=_PERIOD * self._mean_alone)  # no need to wait for its end then

    def _begin(self, *, alone: bool, length: int, limit: float = math.inf) -> None:
        """So many runs, or until they have taken longer than so many seconds."""
        self.alone, self._length, self._limit = alone, length, limit
        self._seconds, self._runs = 0.0, 0

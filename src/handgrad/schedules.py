"""Schedules: what the learning rate is multiplied by at each step, a pure function of the step's number, from 0."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from handgrad.errors import ArgumentError


@dataclass(frozen=True)
class Schedule(ABC):
    """A factor for the learning rate, from the number of steps already taken."""

    @abstractmethod
    def __call__(self, step: int) -> float:
        """Factor of the step that follows `step` finished ones."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name in _SETTINGS and not _SETTINGS[name][1](value):
                raise ArgumentError(name, value, _SETTINGS[name][0])


#: What every schedule's settings have to be, by name.
_SETTINGS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "every": ("an integer >= 1", lambda value: value >= 1),
    "steps": ("an integer >= 1", lambda value: value >= 1),
    "factor": ("a number > 0", lambda value: value > 0),
    "div": ("a number > 0", lambda value: value > 0),
    "final_div": ("a number > 0", lambda value: value > 0),
    "floor": ("a number in [0, 1]", lambda value: 0 <= value <= 1),
    "start": ("a number in [0, 1]", lambda value: 0 <= value <= 1),
    "warmup": ("a share with 0 < warmup < 1", lambda value: 0 < value < 1),
}


@dataclass(frozen=True)
class ConstantSchedule(Schedule):
    """Always 1.

    >>> ConstantSchedule()(1000)
    1.0
    """

    def __call__(self, step: int) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True)
class StepSchedule(Schedule):
    """Multiplied by `factor` after every `every` steps: factor^⌊step / every⌋.

    >>> halve = StepSchedule(every=5, factor=0.5)
    >>> [halve(step) for step in (0, 4, 5, 10)]
    [1.0, 1.0, 0.5, 0.25]
    """

    every: int
    factor: float = 0.1

    def __call__(self, step: int) -> float:
        """factor^⌊step / every⌋."""
        return float(self.factor ** (step // self.every))


@dataclass(frozen=True)
class ExponentialSchedule(Schedule):
    """Multiplied by `factor` over every `every` steps, smoothly: factor^(step / every).

    >>> ExponentialSchedule(every=1, factor=0.5)(3)
    0.125
    """

    every: int = 1
    factor: float = 0.99

    def __call__(self, step: int) -> float:
        """factor^(step / every)."""
        return float(self.factor ** (step / self.every))


@dataclass(frozen=True)
class CosineSchedule(Schedule):
    """Half a cosine from 1 down to `floor` over `steps`, then constant. Loshchilov and Hutter (2017).

    >>> cosine = CosineSchedule(steps=10)
    >>> [round(cosine(step), 6) for step in (0, 5, 10, 99)]
    [1.0, 0.5, 0.0, 0.0]
    """

    steps: int
    floor: float = 0.0

    def __call__(self, step: int) -> float:
        """floor + (1 − floor) · ½ (1 + cos(π · step / steps))."""
        share = min(step / self.steps, 1.0)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * share))


@dataclass(frozen=True)
class OneCycleSchedule(Schedule):
    """Up from 1/div to 1 over the first `warmup` share of the steps, then down to 1/(div·final_div). Smith (2018).

    Both ways along half a cosine, and as in PyTorch the peak is at step warmup·steps − 1 and the end at steps − 1.

    >>> cycle = OneCycleSchedule(steps=100)
    >>> [round(cycle(step), 3) for step in (0, 29, 99)]
    [0.04, 1.0, 0.0]
    """

    steps: int
    warmup: float = 0.3
    div: float = 25.0
    final_div: float = 1e4

    def __call__(self, step: int) -> float:
        """Half a cosine between the two ends of the phase that the step is in."""
        if self.steps == 1:
            return 1.0  # no room for a cycle
        peak, end = self.warmup * self.steps - 1, self.steps - 1
        low, lowest = 1 / self.div, 1 / (self.div * self.final_div)
        if step < peak:
            return _half_cosine(low, 1.0, step / peak)
        return _half_cosine(1.0, lowest, min((step - peak) / (end - peak), 1.0))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A straight line from `start` to 1 over `steps`, in front of another schedule. Goyal et al. (2017).

    >>> warm = WarmUp(ConstantSchedule(), steps=4, start=0.2)
    >>> [round(warm(step), 2) for step in range(6)]
    [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    """

    schedule: Schedule
    steps: int
    start: float = 0.1

    def __call__(self, step: int) -> float:
        """The line, times where the schedule begins; afterwards the schedule from its beginning."""
        if step >= self.steps:
            return self.schedule(step - self.steps)
        return (self.start + (1 - self.start) * step / self.steps) * self.schedule(0)


def _half_cosine(start: float, end: float, share: float) -> float:
    """From start to end along half a cosine, share in [0, 1]."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))


#: What a recipe's schedule may say.
NAMED: dict[str, type[Schedule]] = {
    "constant": ConstantSchedule,
    "step": StepSchedule,
    "exponential": ExponentialSchedule,
    "cosine": CosineSchedule,
    "one_cycle": OneCycleSchedule,
}

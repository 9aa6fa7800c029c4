"""Schedules: pure functions of the step, with the values their formulas give."""

import math
from collections.abc import Callable

import pytest
from cases import SCHEDULES
from expect import rejected

from handgrad.schedules import (
    ConstantSchedule,
    CosineSchedule,
    ExponentialSchedule,
    OneCycleSchedule,
    Schedule,
    StepSchedule,
    WarmUp,
)

every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)


@every_schedule
def test_the_factor_depends_on_nothing_but_the_step(schedule: Schedule) -> None:
    forwards = [schedule(step) for step in range(40)]
    backwards = [schedule(step) for step in reversed(range(40))]
    assert forwards == backwards[::-1]


@every_schedule
def test_the_factor_is_a_number_from_0_to_1_however_long_training_lasts(schedule: Schedule) -> None:
    for step in (*range(60), 10**6):
        assert type(schedule(step)) is float
        assert 0.0 <= schedule(step) <= 1.0


@every_schedule
def test_the_learning_rate_reaches_its_own_value_once(schedule: Schedule) -> None:
    assert max(schedule(step) for step in range(40)) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        (ConstantSchedule(), 7, 1.0),
        (StepSchedule(every=5, factor=0.5), 4, 1.0),
        (StepSchedule(every=5, factor=0.5), 5, 0.5),
        (StepSchedule(every=5, factor=0.5), 14, 0.25),
        (ExponentialSchedule(every=10, factor=0.25), 5, 0.5),
        (ExponentialSchedule(every=10, factor=0.25), 20, 0.0625),
        (CosineSchedule(steps=12), 4, 0.75),
        (CosineSchedule(steps=12, floor=0.2), 6, 0.6),
        (CosineSchedule(steps=12, floor=0.2), 12, 0.2),
        (CosineSchedule(steps=12, floor=0.2), 13, 0.2),
        (OneCycleSchedule(steps=21, warmup=1 / 3, div=10.0), 0, 0.1),
        (OneCycleSchedule(steps=21, warmup=1 / 3, div=10.0), 3, 0.55),
        (OneCycleSchedule(steps=21, warmup=1 / 3, div=10.0), 6, 1.0),
        (OneCycleSchedule(steps=21, warmup=1 / 3, div=10.0, final_div=10.0), 13, 0.505),
        (OneCycleSchedule(steps=21, warmup=1 / 3, div=10.0, final_div=10.0), 20, 0.01),
        (OneCycleSchedule(steps=21, warmup=1 / 3, div=10.0, final_div=10.0), 99, 0.01),
        (WarmUp(ConstantSchedule(), steps=4, start=0.2), 0, 0.2),
        (WarmUp(ConstantSchedule(), steps=4, start=0.2), 3, 0.8),
        (WarmUp(StepSchedule(every=5, factor=0.5), steps=4), 4, 1.0),
        (WarmUp(StepSchedule(every=5, factor=0.5), steps=4), 9, 0.5),
        (WarmUp(OneCycleSchedule(steps=21, div=10.0), steps=4, start=0.5), 2, 0.075),
    ],
)
def test_factors_are_those_computed_by_hand(schedule: Schedule, step: int, factor: float) -> None:
    assert schedule(step) == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10, 20])
@pytest.mark.parametrize("warmup", [0.05, 0.1, 0.25, 0.5, 0.9])
def test_one_cycle_has_a_factor_for_every_step_however_short(steps: int, warmup: float) -> None:
    schedule = OneCycleSchedule(steps=steps, warmup=warmup)
    assert all(0.0 < schedule(step) <= 1.0 for step in range(steps + 2))
    if steps > 1:
        assert schedule(steps - 1) == pytest.approx(4e-6)


def test_one_cycle_rises_to_its_peak_and_falls_from_there() -> None:
    factors = [OneCycleSchedule(steps=40)(step) for step in range(40)]
    peak = factors.index(max(factors))
    assert peak == 11  # 0.3 · 40 − 1
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda: StepSchedule(every=0), "every", 0),
        (lambda: StepSchedule(every=1, factor=0.0), "factor", 0.0),
        (lambda: ExponentialSchedule(every=-1), "every", -1),
        (lambda: ExponentialSchedule(every=2, factor=-0.5), "factor", -0.5),
        (lambda: CosineSchedule(steps=0), "steps", 0),
        (lambda: CosineSchedule(steps=3, floor=-0.1), "floor", -0.1),
        (lambda: CosineSchedule(steps=3, floor=1.5), "floor", 1.5),
        (lambda: OneCycleSchedule(steps=0), "steps", 0),
        (lambda: OneCycleSchedule(steps=10, warmup=0.0), "warmup", 0.0),
        (lambda: OneCycleSchedule(steps=10, warmup=1.0), "warmup", 1.0),
        (lambda: OneCycleSchedule(steps=10, div=0.0), "div", 0.0),
        (lambda: OneCycleSchedule(steps=10, final_div=-1.0), "final_div", -1.0),
        (lambda: WarmUp(ConstantSchedule(), steps=0), "steps", 0),
        (lambda: WarmUp(ConstantSchedule(), steps=1, start=-0.1), "start", -0.1),
        (lambda: CosineSchedule(steps=3, floor=math.nan), "floor", None),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(
    make: Callable[[], Schedule], name: str, value: float | None
) -> None:
    if value is None:  # NaN is not even itself
        with pytest.raises(ValueError, match=f"{name} is nan"):
            make()
    else:
        with rejected(name, value):
            make()


def test_one_cycle_of_a_single_step_is_at_the_full_rate() -> None:
    assert OneCycleSchedule(steps=1)(0) == 1.0

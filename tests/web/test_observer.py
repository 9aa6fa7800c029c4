"""How often a training tells of itself."""

from types import SimpleNamespace
from typing import Any

import pytest

from handgrad.training import Experiment, Recipe, Step
from handgrad.training.experiment import Phase
from handgrad.web import observer
from handgrad.web.steering import Steering

SMALL = {"model.hidden": [8], "train.batch_size": 1000}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The observer's time, which stands still until it is moved."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(observer, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_a_training_of_a_second_has_a_curve_and_a_long_one_does_not_flood_the_page(clock: SimpleNamespace) -> None:
    events: list[dict[str, Any]] = []
    page = observer.PageObserver(events.append, Steering(paused=False, seconds=3600))

    def steps_told(first: int, last: int) -> list[dict[str, Any]]:
        """Of steps that take a millisecond each."""
        events.clear()
        for number in range(first, last):
            clock.now += 0.001
            page.show(Step(number, 1, number, 100_000, loss=float(number), learning_rate=0.1, gradient_norm=1.0))
        return [event for event in events if event["event"] == "step"]

    with page.phase(Phase("main", Experiment.prepare(Recipe.load("mlp").override(SMALL)))):
        in_the_first_second, in_the_next_three, later = (
            steps_told(1, 1001),
            steps_told(1001, 4001),
            steps_told(4001, 7001),
        )
    assert 40 <= len(in_the_first_second) <= 70
    assert 30 <= len(in_the_next_three) <= 50
    assert len(later) == pytest.approx(30, abs=1)
    told = in_the_first_second[10:12]
    between = range(told[0]["number"] + 1, told[1]["number"] + 1)  # an event tells the mean of all since the last
    assert told[1]["loss"] == pytest.approx(sum(between) / len(between))

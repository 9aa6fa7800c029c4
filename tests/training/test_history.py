import json
import math

import pytest

from handgrad.training import Epoch, History, Scores, Step
from handgrad.training.run import finite


def step(number: int) -> Step:
    return Step(number, 1, number, 1000, loss=1 / number, learning_rate=0.1, gradient_norm=1.0)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("handgrad.training.history.MOST_STEPS", 10)
    return 10


def filled(history: History, first: int, last: int) -> History:
    for number in range(first, last + 1):
        history.add(step(number))
    return history


@pytest.mark.parametrize(("steps", "every"), [(0, 1), (10, 1), (11, 2), (21, 2), (22, 4), (1000, 128)])
def test_of_very_many_steps_an_even_selection_stays(steps: int, every: int, few: int) -> None:
    history = filled(History(), 1, steps)
    assert history.every == every
    assert [kept.number for kept in history.steps] == list(range(every, steps + 1, every))
    assert len(history.steps) <= few


def test_a_history_read_back_goes_on_with_the_same_selection(few: int) -> None:
    whole = filled(History(), 1, 100)
    parts = filled(History.from_dict(filled(History(), 1, 45).to_dict()), 46, 100)
    assert [kept.number for kept in parts.steps] == [kept.number for kept in whole.steps]
    assert parts.every == whole.every


def test_what_json_could_not_hold_comes_back_as_nan() -> None:
    epoch = Epoch(1, math.nan, {"test": Scores(math.inf, 0.5, 10)}, 0.1, math.nan, 1.0)
    history = History([step(1)._replace(loss=math.nan)], [epoch])
    back = History.from_dict(json.loads(json.dumps(finite(history.to_dict()))))
    (found,) = back.epochs
    assert all(map(math.isnan, (found.train_loss, found.gradient_norm, found.scores["test"].loss, back.steps[0].loss)))
    assert (found.number, found.learning_rate, back.steps[0].number) == (1, 0.1, 1)


def test_every_step_of_an_ordinary_run_stays() -> None:
    assert len(filled(History(), 1, 100_000).steps) == 100_000

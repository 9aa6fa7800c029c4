import pytest

from handgrad.training import History, Step


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


def test_every_step_of_an_ordinary_run_stays() -> None:
    assert len(filled(History(), 1, 100_000).steps) == 100_000

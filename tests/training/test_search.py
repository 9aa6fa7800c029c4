"""Ranges of a recipe's settings."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.errors import ArgumentError, RecipeError
from handgrad.training.recipe import Recipe, recipe_names
from handgrad.training.search import Range, ranges


class Dice:
    """Chooses by a generator, as a trial of Optuna would by its sampler."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))) if log else self.rng.uniform(low, high))

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return int(self.rng.integers(low, high + 1))

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        return choices[self.rng.integers(len(choices))]


def searching(search: Any) -> Recipe:
    return Recipe.load("mlp").override({"search": search})


@pytest.mark.parametrize("name", recipe_names())
def test_ranges_of_the_packages_recipes_are_good(name: str) -> None:
    recipe = Recipe.load(name)
    for place, values in ranges(recipe).items():
        for seed in range(20):
            recipe.override({place: values.suggest(place, Dice(seed))})
    assert ranges(Recipe.load("mlp"))


@given(low=st.integers(1, 50), width=st.integers(1, 50), seed=st.integers(0, 99))
def test_integers_stay_integers_and_in_their_range(low: int, width: int, seed: int) -> None:
    value = ranges(searching({"train.batch_size": {"low": low, "high": low + width}}))["train.batch_size"].suggest(
        "train.batch_size", Dice(seed)
    )
    assert type(value) is int
    assert low <= value <= low + width


def test_a_list_may_be_a_choice() -> None:
    values = ranges(searching({"model.hidden": {"choices": [[64], [128, 32], []]}}))["model.hidden"]
    tried = [values.suggest("model.hidden", Dice(seed)) for seed in range(30)]
    assert {tuple(value) for value in tried} == {(64,), (128, 32), ()}
    assert values.value_of("[128, 32]") == [128, 32]


def test_places_may_be_written_as_tables() -> None:
    nested = searching(
        {"optimizer": {"learning_rate": {"low": 0.1, "high": 1.0}}, "train": {"seed": {"choices": [1, 2]}}}
    )
    assert list(ranges(nested)) == ["optimizer.learning_rate", "train.seed"]


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"train.batch_size": {"low": 8}}, "low < high"),
        ({"train.batch_size": {"low": 8, "high": 8}}, "low < high"),
        ({"train.batch_size": {"low": 8, "high": 4}}, "low < high"),
        ({"train.batch_size": {"low": "8", "high": 9}}, "numbers"),
        ({"train.batch_size": {"low": True, "high": 9}}, "numbers"),
        ({"train.batch_size": {"low": 1, "high": 9, "choices": [3]}}, "either low and high, or choices"),
        ({"train.batch_size": {"choices": 3}}, "a list of choices"),
        ({"train.batch_size": {"choices": [32, "many"]}}, "expected an integer"),
        ({"train.batch_size": {"low": 0.5, "high": 9}}, "expected an integer"),
        ({"train.batch_size": {"low": -1, "high": 9}}, ">= 0"),
        ({"train.batch_sise": {"low": 1, "high": 9}}, "train.batch_si"),
        ({"optimizer.learning_rate": {"low": 0, "high": 1.0, "log": True}}, "> 0 where log is true"),
        ({"optimizer.learning_rate": {"low": 0.1, "high": 1.0, "log": "yes"}}, "log true or false"),
        ({"optimizer.learning_rate": {"low": 0.1, "high": 1.0, "steps": 3}}, "low, high and log"),
        ({"optimizer.learning_rate": 0.1}, "expected a table"),
    ],
)
def test_what_is_no_range_is_refused_in_a_sentence(search: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=r"^search\.") as error:
        ranges(searching(search))
    assert said in str(error.value)


def test_a_range_made_by_hand_is_checked_too() -> None:
    with pytest.raises(ArgumentError, match="low < high"):
        Range(low=2.0, high=1.0)

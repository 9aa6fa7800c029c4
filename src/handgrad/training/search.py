"""Which values a search may try: a recipe's table `search`, a range for each place.

[search]
"optimizer.learning_rate" = { low = 0.001, high = 1.0, log = true }
"model.hidden" = { choices = [[64], [128], [256]] }
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from handgrad.errors import ArgumentError, HandgradError, RecipeError
from handgrad.training.recipe import Recipe


class Suggester(Protocol):
    """What chooses values, as a trial of Optuna does."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from low to high."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """An integer from low to high."""

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        """One of some words."""


@dataclass(frozen=True)
class Range:
    """The values of one setting: all numbers from `low` to `high`, integers if both are, or one of `choices`.

    Args:
        low: the smallest.
        high: the largest.
        log: whether every factor is as likely as any other, rather than every difference.
        choices: in place of low and high.

    Raises:
        ArgumentError: neither or both of the two kinds are given, or numbers that are no range.

    >>> Range(low=0.01, high=1.0, log=True).ends
    (0.01, 1.0)
    """

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    choices: Sequence[Any] = ()

    def __post_init__(self) -> None:
        numbers = [value for value in (self.low, self.high) if value is not None]
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers):
            raise ArgumentError("range", vars(self), "low and high that are numbers")
        if not isinstance(self.choices, list | tuple) or not isinstance(self.log, bool):
            raise ArgumentError("range", vars(self), "a list of choices, and log true or false")
        if bool(self.choices) == (self.low is not None or self.high is not None):
            raise ArgumentError("range", vars(self), "either low and high, or choices")
        if self.choices:
            return
        if self.low is None or self.high is None or not self.low < self.high:
            raise ArgumentError("range", vars(self), "low < high")
        if self.log and self.low <= 0:
            raise ArgumentError("low", self.low, "a number > 0 where log is true")

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values among which all others lie, or all of them."""
        return tuple(self.choices) or (self.low, self.high)

    def suggest(self, place: str, suggester: Suggester) -> Any:
        """A value for the setting at a place."""
        if self.choices:
            # As words: a list cannot be kept in a database.
            return self.value_of(suggester.suggest_categorical(place, [str(choice) for choice in self.choices]))
        assert self.low is not None
        assert self.high is not None
        if isinstance(self.low, int) and isinstance(self.high, int):
            return suggester.suggest_int(place, self.low, self.high, log=self.log)
        return suggester.suggest_float(place, self.low, self.high, log=self.log)

    def value_of(self, suggested: Any) -> Any:
        """The setting's value for what a suggester has noted."""
        return {str(choice): choice for choice in self.choices}[suggested] if self.choices else suggested


def ranges(recipe: Recipe) -> dict[str, Range]:
    """The ranges of a recipe by place; every end of each is a value that the recipe can have.

    Raises:
        RecipeError: a range is none, or is of a setting that does not exist or cannot have its values.

    >>> sorted(ranges(Recipe.load("mlp").override({"search": {"train.batch_size": {"choices": [32, 64]}}})))
    ['train.batch_size']
    """
    found = {}
    for place, table in _flat(recipe.search):
        where = f"search.{place}"
        if not isinstance(table, Mapping) or set(table) - {"low", "high", "log", "choices"}:
            raise RecipeError(f"{where} is {table!r}, expected a table with low, high and log, or with choices.")
        try:
            found[place] = Range(**table)
            for value in found[place].ends:
                recipe.override({place: value})
        except HandgradError as error:
            raise RecipeError(f"{where}: {error}") from error
    return found


def _flat(tables: Mapping[str, Any], parent: str = "") -> list[tuple[str, Any]]:
    """Ranges by their dotted places, whether the places are written with quotation marks or without."""
    found: list[tuple[str, Any]] = []
    for name, table in tables.items():
        place = f"{parent}{name}"
        is_range = not isinstance(table, Mapping) or {"low", "high", "choices"} & set(table)
        found += [(place, table)] if is_range else _flat(table, f"{place}.")
    return found

"""What differs between runs: their recipes, and who is right where the other is wrong."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from handgrad.training.recipe import as_toml


@dataclass(frozen=True)
class Agreement:
    """Two networks on the same examples.

    Args:
        both: examples that both have right.
        only_first: that only the first has right.
        only_second: that only the second has right.
        neither: that neither has right.
        same: examples of which they say the same, right or wrong.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    same: int

    @classmethod
    def of(cls, labels: NDArray[Any], first: NDArray[Any], second: NDArray[Any]) -> Self:
        """Count.

        Args:
            labels: integers (N,).
            first: what the first predicts, (N,).
            second: what the second predicts, (N,).

        >>> Agreement.of(np.array([0, 1, 2, 3]), np.array([0, 1, 1, 1]), np.array([0, 2, 2, 1]))
        Agreement(both=1, only_first=1, only_second=1, neither=1, same=2)
        """
        one, two = first == labels, second == labels
        cells = (one & two, one & ~two, ~one & two, ~one & ~two, first == second)
        return cls(*(int(np.count_nonzero(cell)) for cell in cells))

    @property
    def p_value(self) -> float:
        """How likely only_first and only_second are at least so far apart if both are as good, two-sided and exact.

        With b and c for them, n = b + c and k = min(b, c): min(1, 2 Σ_{i ≤ k} n! / (i! (n − i)!) / 2ⁿ).

        Source: McNemar (1947), by the binomial distribution.

        >>> Agreement(0, 1, 5, 0, 0).p_value  # 2 (1 + 6) / 64
        0.21875
        """
        n, k = self.only_first + self.only_second, min(self.only_first, self.only_second)
        ways: int = 1  # n over 0
        term: int = 1
        for i in range(1, k + 1):
            term = term * (n - i + 1) // i
            ways += term
        return min(1.0, float(2 * ways / (1 << n)))  # integers of any size, so exact until the division


def disagreements(outputs: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """The rows of which not all networks say the same, those first of which they are surest on average, int64 (M,).

    Args:
        outputs: of each network, (N, C).

    >>> disagreements([np.array([[0.6, 0.4], [0, 1], [0.9, 0.1]]), np.array([[0, 1]] * 3)])
    array([2, 0])
    """
    answers = np.stack([rows.argmax(axis=1) for rows in outputs])  # (K, N)
    surest = np.mean([rows.max(axis=1) for rows in outputs], axis=0)  # (K, N) → (N,)
    rows = np.flatnonzero((answers != answers[0]).any(axis=0))  # (K, N) → (N,) → (M,)
    return rows[np.argsort(-surest[rows], kind="stable")]


def differences(tables: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Where nested tables differ: every such place with its value in each, as TOML writes it; "" where it is missing.

    Args:
        tables: recipes as `to_dict` gives them, or other plain values.

    >>> differences([{"train": {"epochs": 3, "seed": 0}}, {"train": {"epochs": 5, "seed": 0, "patience": 2}}])
    [('train.epochs', ['3', '5']), ('train.patience', ['', '2'])]
    """
    flat = [dict(places(table)) for table in tables]
    tops = list(dict.fromkeys(top for table in tables for top in table))
    names = dict.fromkeys(name for values in flat for name in values)
    ordered = sorted(names, key=lambda name: tops.index(re.split(r"[.\[]", name)[0]))
    rows = [(name, [values.get(name, "") for values in flat]) for name in ordered]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def places(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every value of nested tables by its place, as TOML writes it; of a list of tables each has a place.

    >>> dict(places({"model": {"hidden": [8], "features": [{"name": "ReLU"}]}, "augment": {}}))
    {'model.hidden': '[8]', 'model.features[0]': '{ name = "ReLU" }'}
    """
    for name, value in values.items():
        place = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from places(value, f"{place}.")
        elif isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            yield from ((f"{place}[{index}]", as_toml(item)) for index, item in enumerate(value))
        else:
            yield place, as_toml(value)

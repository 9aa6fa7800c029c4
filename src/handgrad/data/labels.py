"""From the labels that people have, such as words, to class numbers and their names."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import DataError

#: What the targets of a data set are taken to be.
Targets = Literal["auto", "classes", "numbers"]

_MANY = 100  # classes, in whole numbers: from here on it is asked whether they are amounts


def encode_targets(
    targets: NDArray[Any], name: str, kind: Targets = "auto"
) -> tuple[NDArray[Any], int | None, tuple[str, ...] | None]:
    """Class numbers from 0, or floating-point targets, from a column of labels.

    Texts, booleans and whole numbers are classes, other numbers are targets to come near to. Classes are sorted,
    numbers as numbers. Labels that are 0 to C − 1 already keep their numbers, and have no names.

    Args:
        targets: (N,), (N, 1), or floating-point (N, D).
        name: of the data, for messages.
        kind: "classes" or "numbers" where the rule would be wrong: whole numbers may be amounts.

    Returns:
        `(labels, classes, class_names)` as `Dataset` takes them: int64 (N,) with their number and names, or floating
        point (N, D), None and None.

    Raises:
        DataError: there are no labels or labels of many columns, some are missing, texts are wanted as numbers, or
            there are so many whole numbers that they may be amounts.

    Example:
        >>> encode_targets(np.array(["dog", "cat", "dog"]), "pets")
        (array([1, 0, 1]), 2, ('cat', 'dog'))
        >>> encode_targets(np.array([[0.5], [1.25]]), "prices")
        (array([[0.5 ],
               [1.25]], dtype=float32), None, None)
    """
    targets = np.asarray(targets)
    column = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets  # (N, 1) → (N,)
    _check(column, name, kind)
    if kind == "numbers" or (kind == "auto" and np.issubdtype(column.dtype, np.floating) and not _whole(column)):
        return column.reshape(len(column), -1).astype(np.float32), None, None  # (N,) → (N, 1)
    if column.ndim != 1:
        raise DataError(f"{name}: labels have the shape {column.shape}, expected (N,): one class for each example.")
    if np.issubdtype(column.dtype, np.floating):
        column = column.astype(np.int64)
    distinct, codes = np.unique(column, return_inverse=True)  # (C,), (N,)
    if kind == "auto" and not np.issubdtype(column.dtype, np.str_) and len(distinct) > max(_MANY, len(column) // 10):
        raise DataError(
            f"{name}: the targets are {len(distinct):,} different whole numbers, which may be classes or amounts; say "
            'which with targets = "classes" or "numbers", in a recipe data.targets.'
        )
    is_counted = np.issubdtype(distinct.dtype, np.integer) and np.array_equal(distinct, np.arange(len(distinct)))
    names = None if is_counted else tuple(str(value) for value in distinct.tolist())
    return codes.reshape(-1).astype(np.int64), len(distinct), names


def renumbered(labels: NDArray[np.int64], names: Sequence[str], wanted: Sequence[str], name: str) -> NDArray[np.int64]:
    """Class numbers by one list of names, as numbers by another that holds all of them.

    Args:
        labels: (N,), numbers of `names`.
        names: what the numbers mean.
        wanted: what the numbers returned mean.
        name: of the data, for messages.

    Raises:
        DataError: a name is not wanted.

    Example:
        >>> renumbered(np.array([0, 1]), ["dog", "owl"], ["cat", "dog", "owl"], "pets")
        array([1, 2])
    """
    unknown = [n for n in names if n not in wanted]
    if unknown:
        raise DataError(f"{name} has the classes {', '.join(unknown)}, expected some of {', '.join(wanted)}.")
    return np.array([wanted.index(n) for n in names], np.int64)[labels]


def _check(column: NDArray[Any], name: str, kind: Targets) -> None:
    if not len(column):
        raise DataError(f"{name} holds no examples, expected at least one.")
    kinds = (np.floating, np.integer, np.bool_, np.str_)
    if not any(np.issubdtype(column.dtype, accepted) for accepted in kinds):
        raise DataError(f"{name}: labels are {column.dtype}, expected numbers or texts.")
    if np.issubdtype(column.dtype, np.floating) and not np.isfinite(column).all():
        place = int(np.flatnonzero(~np.isfinite(column).reshape(len(column), -1).all(axis=1))[0])
        raise DataError(f"{name}: the label of example {place} (from 0) is missing or not finite; leave it out.")
    if kind == "numbers" and np.issubdtype(column.dtype, np.str_):
        raise DataError(f"{name}: the targets are texts such as {str(column[0])!r}, expected numbers.")


def _whole(column: NDArray[Any]) -> bool:
    """Whether floating-point labels are class numbers, as files often hold them: 0.0, 1.0, 2.0."""
    return column.ndim == 1 and bool((column == np.floor(column)).all())

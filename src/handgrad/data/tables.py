"""Tables: a CSV file or a pandas DataFrame, one column of which is to be predicted from the others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.data.datasets import Dataset, Splits, with_test_part
from handgrad.data.labels import Targets, encode_targets
from handgrad.errors import ArgumentError, DataError
from handgrad.extras import load

_MOST_CATEGORIES = 50  # different texts in a column, each of which becomes a column


def load_table(path: Path, *, target: str = "", targets: Targets = "auto", held_out: float = 0.2) -> Splits:
    """Read a table, or two of them, and keep a part of the only one for testing.

    Numbers and truth values are features as they are; a column of texts, such as `colour`, becomes a column of zeros
    and ones for each of them, such as `colour=red`. Every row is used, so nothing may be missing.

    Args:
        path: a .csv or .tsv file, gzipped or not, with the names of the columns in its first row; or a directory with
            train.csv and test.csv.
        target: the column to be predicted; "" for the last.
        targets: whether its values are "classes" or "numbers"; "auto" looks at them, see `encode_targets`.
        held_out: the part kept for testing, where there is one file.

    Returns:
        float32 rows with the names of their columns.

    Raises:
        MissingExtraError: pandas is not installed.
        ArgumentError: `held_out` is impossible, or there is no such column as `target`.
        DataError: it is not a table, values are missing, or columns hold what is no feature.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "fruit.csv"
        >>> rows = ["weight,colour,kind"] + ["150,red,apple", "120,yellow,lemon"] * 5
        >>> _ = file.write_text(chr(10).join(rows))
        >>> train, test = load_table(file)
        >>> train.feature_names, train.class_names, len(train), len(test)
        (('weight', 'colour=red', 'colour=yellow'), ('apple', 'lemon'), 8, 2)
    """
    if not path.is_dir():
        name = path.name.removesuffix(".gz").rpartition(".")[0]
        return with_test_part(from_dataframe(read_table(path), target=target, targets=targets, name=name), held_out)
    name = path.resolve().name
    train, test = (read_table(path / f"{part}.csv") for part in ("train", "test"))
    both = load("pandas", "data").concat([train, test], ignore_index=True)  # so that they have the same columns
    if list(train.columns) != list(test.columns):
        raise DataError(f"{path}: train.csv has the columns {list(train)}, but test.csv {list(test)}.")
    dataset = from_dataframe(both, target=target, targets=targets, name=name)
    return Splits(dataset[: len(train)], dataset[len(train) :])


def from_dataframe(frame: Any, *, target: str = "", targets: Targets = "auto", name: str = "table") -> Dataset:
    """Turn a pandas DataFrame into a data set; `load_table` says what becomes of the columns.

    Args:
        frame: N rows.
        target: the column to be predicted; "" for the last.
        targets: "auto", "classes" or "numbers".
        name: of the data set.

    Raises:
        MissingExtraError: pandas is not installed.
        ArgumentError: there is no such column as `target`.
        DataError: values are missing, or columns hold what is no feature.

    Example:
        >>> import pandas
        >>> dataset = from_dataframe(pandas.DataFrame({"x": [1.0, 2.0], "y": [0.5, 0.75]}), target="y")
        >>> dataset.inputs.tolist(), dataset.labels.tolist(), dataset.classes
        ([[1.0], [2.0]], [[0.5], [0.75]], None)
    """
    columns = [str(column) for column in frame.columns]
    frame = frame.set_axis(columns, axis=1)
    target = target or columns[-1]
    if target not in columns:
        raise ArgumentError("target", target, f"one of the columns {', '.join(columns)}")
    if len(set(columns)) < len(columns) or len(columns) < 2:
        raise DataError(f"{name} has the columns {', '.join(columns)}, expected at least two with different names.")
    _refuse_missing(frame, name)
    labels, classes, class_names = encode_targets(_plain(frame[target]), f"{name}, column {target!r}", targets)
    features = frame.drop(columns=target)
    feature_names = _feature_names(features, name)
    inputs = encode_rows(features, feature_names, name)
    return Dataset(inputs, labels, name, classes, class_names=class_names, feature_names=feature_names)


def read_table(path: Path) -> Any:
    """A CSV or TSV file as a pandas DataFrame; whether commas, semicolons or tabs part the columns is looked at.

    Raises:
        MissingExtraError: pandas is not installed.
        DataError: it cannot be read as a table.
    """
    pandas = load("pandas", "data")
    try:
        # One column whatever the separator: no text holds the character 0.
        head = pandas.read_csv(path, sep="\x00", nrows=1, header=None, dtype=str, encoding="utf-8-sig", quoting=3)
        separator = max("\t,;", key=str(head.iloc[0, 0]).count)
        return pandas.read_csv(path, sep=separator, encoding="utf-8-sig", skipinitialspace=True)
    except FileNotFoundError as error:
        raise DataError(f"{path} not found; expected a table with names of columns in its first row.") from error
    except Exception as error:  # mostly ValueErrors, but of damaged files pandas raises others too
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"{path} cannot be read as a table: {reason}; save it again as CSV in UTF-8.") from error


def encode_rows(frame: Any, feature_names: Sequence[str], name: str) -> NDArray[np.float32]:
    """Rows of numbers from rows of a table, for a network that was trained on columns of these names.

    Args:
        frame: a pandas DataFrame; columns that are not among the names are not looked at.
        feature_names: of columns, or "column=text" for ones where the column holds that text.
        name: of the data, for messages.

    Returns:
        (N, D), a column for each name.

    Raises:
        DataError: a column is missing, or holds what cannot be a number or a text that no name mentions.
    """
    rows = np.empty((len(frame), len(feature_names)), np.float32)
    texts: dict[str, list[str]] = {}
    for index, feature in enumerate(feature_names):
        column, _, text = feature.partition("=")
        if feature in frame:
            rows[:, index] = _numbers(frame[feature], name)
        elif column in frame:
            rows[:, index] = frame[column].astype(str) == text
            texts.setdefault(column, []).append(text)
        else:
            raise DataError(f"{name} has no column {column!r}; it has {', '.join(map(str, frame.columns))}.")
    for column, known in texts.items():
        unknown = sorted(set(frame[column].astype(str)) - set(known))
        if unknown:
            raise DataError(f"{name}: column {column!r} holds {unknown[0]!r}, expected one of {', '.join(known)}.")
    return rows


def _numbers(column: Any, name: str) -> NDArray[np.float32]:
    """A column as numbers, none of them missing."""
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite in it, and refused below
            numbers = column.to_numpy().astype(np.float32)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name}: column {column.name!r} holds what is no number: {error}.") from error
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise DataError(f"{name}: column {column.name!r} has no finite number in row {bad[0]} (from 0).")
    return np.asarray(numbers)


def _feature_names(frame: Any, name: str) -> tuple[str, ...]:
    """Names of the network's inputs: a column's own, or one for each text in it."""
    pandas = load("pandas", "data")
    names: list[str] = []
    for column in frame.columns:
        if pandas.api.types.is_numeric_dtype(frame[column]):
            names.append(column)
            continue
        texts = sorted(set(frame[column].astype(str)))
        if len(texts) > _MOST_CATEGORIES:
            raise DataError(
                f"{name}: column {column!r} holds {len(texts):,} different texts such as {texts[0]!r}, expected at "
                f"most {_MOST_CATEGORIES}, or numbers; leave the column out, or turn it into numbers."
            )
        names += [f"{column}={text}" for text in texts]
    return tuple(names)


def _refuse_missing(frame: Any, name: str) -> None:
    empty = frame.isna()
    counts = {column: int(count) for column, count in empty.sum().items() if count}
    if counts:
        column, count = next(iter(counts.items()))
        row = int(np.flatnonzero(empty[column].to_numpy())[0])
        raise DataError(
            f"{name} has no value in {sum(counts.values()):,} places, {count:,} of them in column {column!r}, first in "
            f"row {row} (from 0); fill them in or leave those rows out."
        )


def _plain(column: Any) -> NDArray[Any]:
    """A column as NumPy's numbers, truth values or texts."""
    values = column.to_numpy()
    return np.asarray(values if values.dtype.kind in "iufb" else column.astype(str).to_numpy().astype(np.str_))

"""Tables from CSV files and data frames."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.data import load
from handgrad.data.tables import encode_rows, from_dataframe, load_table, read_table
from handgrad.errors import ArgumentError, DataError

pandas: Any = pytest.importorskip("pandas")

ROWS = "weight,colour,ripe,kind\n" + "150,red,True,apple\n120,yellow,False,lemon\n" * 10


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_truths_and_texts_become_columns(tmp_path: Path) -> None:
    train, test = load(write(tmp_path / "fruit.csv", ROWS))
    assert train.feature_names == ("weight", "colour=red", "colour=yellow", "ripe")
    assert train.class_names == ("apple", "lemon")
    assert (train.name, len(train), len(test)) == ("fruit", 16, 4)
    assert train.inputs.dtype == np.float32
    expected = {0: [150, 1, 0, 1], 1: [120, 0, 1, 0]}
    for row, label in zip(train.inputs, train.labels, strict=True):
        assert row.tolist() == expected[int(label)]


@pytest.mark.parametrize(("separator", "suffix"), [(",", "csv"), (";", "csv"), ("\t", "tsv"), ("\t", "csv")])
def test_separators_are_found(tmp_path: Path, separator: str, suffix: str) -> None:
    text = ROWS.replace(",", separator)
    train, _ = load_table(write(tmp_path / f"fruit.{suffix}", text))
    assert train.feature_names == ("weight", "colour=red", "colour=yellow", "ripe")
    (tmp_path / f"zipped.{suffix}.gz").write_bytes(gzip.compress(text.encode("utf-8-sig")))
    assert load(tmp_path / f"zipped.{suffix}.gz").train.feature_names == train.feature_names


def test_texts_may_hold_separators(tmp_path: Path) -> None:
    text = 'size,"say ""well"", so"\n' + '1,"a;b,c"\n2,d\n' * 5
    train, _ = load(write(tmp_path / "quoted.csv", text))
    assert train.class_names == ("a;b,c", "d")


def test_the_target_may_be_any_column_and_numbers(tmp_path: Path) -> None:
    table = write(tmp_path / "fruit.csv", ROWS)
    train, _ = load(table, target="weight", targets="numbers")
    assert train.classes is None
    assert sorted(set(train.labels[:, 0].tolist())) == [120, 150]
    with pytest.raises(ArgumentError, match="target is 'size', expected one of the columns weight, colour, ripe, kind"):
        load(table, target="size")


def test_two_tables_are_encoded_together(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "colour,kind\nred,a\nblue,b\n")
    write(tmp_path / "test.csv", "colour,kind\ngreen,b\n")
    train, test = load(tmp_path)
    assert train.feature_names == test.feature_names == ("colour=blue", "colour=green", "colour=red")
    assert test.inputs.tolist() == [[0, 1, 0]]
    assert (test.classes, test.labels.tolist()) == (2, [1])
    write(tmp_path / "test.csv", "shape,kind\ngreen,b\n")
    with pytest.raises(DataError, match="'shape'"):
        load(tmp_path)


def test_other_tables_are_encoded_as_the_first_was() -> None:
    names = ("weight", "colour=red", "colour=yellow")
    frame = pandas.DataFrame({"kind": ["?"], "colour": ["yellow"], "weight": [7]})
    assert encode_rows(frame, names, "new").tolist() == [[7, 0, 1]]
    for column, value, pattern in (
        ("colour", "green", "column 'colour' holds 'green', expected one of red, yellow"),
        ("weight", "heavy", "column 'weight' holds what is no number"),
        ("weight", np.inf, "no finite number in row 0"),
    ):
        with pytest.raises(DataError, match=pattern):
            encode_rows(frame.assign(**{column: value}), names, "new")
    with pytest.raises(DataError, match="new has no column 'weight'; it has kind, colour"):
        encode_rows(frame.drop(columns="weight"), names, "new")


def test_a_column_named_with_an_equals_sign_is_itself() -> None:
    frame = pandas.DataFrame({"a=b": [1.0, 2.0], "y": ["p", "q"]})
    assert from_dataframe(frame).inputs.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("a,b\n1,\n2,x\n3,\n", "2 places, 2 of them in column 'b', first in row 0"),
        ("a,b\n,x\n1,y\n", "column 'a'"),
        ("a\n1\n", "at least two"),
        ("", "cannot be read as a table"),
        ("a,b\n1,2,3\n1,2,3,4\n", "cannot be read as a table"),
        ("name,b\n" + "".join(f"n{i},x\n" for i in range(60)), "60 different texts such as 'n0'"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        load(write(tmp_path / "bad.csv", text))


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(DataError, match="UTF-8"):
        load(tmp_path / "bad.csv")
    with pytest.raises(DataError, match="not found"):
        read_table(tmp_path / "none.csv")

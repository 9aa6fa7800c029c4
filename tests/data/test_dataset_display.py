import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shown import shown

from handgrad.data.datasets import Dataset, load


def pictures(source: str) -> list[Image.Image]:
    found = re.findall(r"data:image/png;base64,([^\"]+)", source)
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in found]


def test_mnist_shows_its_sizes_and_its_first_images() -> None:
    train = load("mnist").train
    read = shown(train)
    assert "mnist: 60,000 examples of 28 × 28 uint8, 10 classes" in read.text
    assert "0: 5,923, 1: 6,742" in read.text
    drawn = pictures(read.source)
    assert len(drawn) == 10
    for picture, image in zip(drawn, train.inputs, strict=False):
        assert np.array_equal(np.asarray(picture), 255 - image)  # dark on light, as everywhere
    assert len(read.source) < 12_000


def test_rows_show_their_numbers() -> None:
    read = shown(load("xor").train)
    assert "4 examples of 2 float32, 1 target" in read.text
    assert read.rows == [["0", "1", "label"], ["0", "0", "0"], ["0", "1", "1"], ["1", "0", "1"], ["1", "1", "0"]]


def test_classes_and_columns_are_called_by_their_names() -> None:
    names, columns = ("cat", "a <b>"), ("weight", "colour=red")
    table = Dataset(np.eye(2), np.array([1, 0]), "pets", 2, class_names=names, feature_names=columns)
    read = shown(table)
    assert read.rows == [["weight", "colour=red", "label"], ["1", "0", "a <b>"], ["0", "1", "cat"]]
    assert "of each class: cat: 1, a <b>: 1" in read.text
    images = Dataset(np.zeros((2, 4, 4), np.uint8), np.array([1, 0]), "pets", 2, class_names=names)
    assert "an example of a &lt;b&gt;" in shown(images).source


def test_of_wide_rows_the_first_numbers_are_shown() -> None:
    wide = Dataset(np.ones((3, 500)), np.zeros((3, 2)), "wide", None, np.ones(3))
    read = shown(wide)
    assert read.rows[0] == [*map(str, range(12)), "…", "label"]
    assert read.rows[1][-2:] == ["…", "0, 0"]
    assert "weighted" in read.text


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 5, 7, 1), (2, 5, 7, 3), (2, 300, 200)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_of_every_kind_are_drawn(shape: tuple[int, ...], dtype: Any) -> None:
    images = (np.random.default_rng(0).normal(size=shape) * 100).clip(0).astype(dtype)
    if dtype is np.float32:
        images[0, 0, 0], images[1, 0, 0] = np.nan, np.inf
    drawn = pictures(shown(Dataset(images, np.array([0, 1]), "some", 2)).source)
    assert len(drawn) == 2
    assert all(max(picture.size) <= 112 for picture in drawn)
    assert all((picture.mode == "RGB") == (shape[3:] == (3,)) for picture in drawn)


def test_images_of_other_channels_and_no_examples_have_no_pictures() -> None:
    assert pictures(shown(Dataset(np.zeros((2, 4, 4, 5)), np.array([0, 1]), "many", 2)).source) == []
    assert "0 examples" in shown(load("mnist").train[:0]).text


def test_splits_show_both_parts_or_the_one_that_is_both() -> None:
    assert "mnist, train: 60,000" in shown(load("mnist")).text
    assert "mnist, test: 10,000" in shown(load("mnist")).text
    assert shown(load("points")).text.count("10 examples") == 1


def test_a_name_is_escaped() -> None:
    assert "<script>" in shown(Dataset(np.zeros((1, 2)), np.array([0]), "<script>", 1)).text

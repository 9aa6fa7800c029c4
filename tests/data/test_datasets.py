import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handgrad.data import Dataset, Loader, Preprocessing, load, split, write_idx
from handgrad.data.idx_folder import MNIST_FILES
from handgrad.errors import ArgumentError, DataError


def images(count: int, *shape: int) -> NDArray[np.uint8]:
    return (np.arange(count * int(np.prod(shape))) % 256).astype(np.uint8).reshape(count, *shape)


def numbered(count: int) -> Dataset:
    """Rows that hold their own number, with the same number as label."""
    return Dataset(np.arange(count, dtype=np.float32)[:, None], np.arange(count), "numbered", count)


def write_four(directory: Path, names: list[str], size: tuple[int, ...] = (5, 4)) -> Path:
    directory.mkdir(exist_ok=True)
    contents = [
        images(6, *size),
        np.array([0, 1, 2, 3, 4, 0], np.uint8),
        images(3, *size),
        np.array([1, 6, 2], np.uint8),
    ]
    for name, content in zip(names, contents, strict=True):
        write_idx(directory / name, content)
    return directory


def test_indexing_gives_samples_or_data_sets() -> None:
    dataset = Dataset(images(4, 3, 2), np.array([0, 1, 1, 2]), "tiny", 3)
    image, label = dataset[-1]
    np.testing.assert_array_equal(image, dataset.inputs[3])
    assert label == 2
    part = dataset[1:3]
    assert (len(part), part.name, part.classes, part.labels.tolist()) == (2, "tiny", 3, [1, 1])
    assert dataset[np.array([3, 0])].labels.tolist() == [2, 0]
    assert dataset[dataset.labels == 1].inputs.tolist() == dataset.inputs[1:3].tolist()
    assert dataset[np.int64(1)][1] == 1
    assert len(dataset[:0]) == 0
    with pytest.raises(IndexError):
        dataset[4]


def test_class_counts_cover_empty_classes() -> None:
    assert Dataset(images(3, 1, 1), np.array([3, 1, 1]), "tiny", 5).class_counts().tolist() == [0, 2, 0, 1, 0]
    with pytest.raises(ArgumentError, match="classes"):
        load("xor").train.class_counts()


@pytest.mark.parametrize(
    ("inputs", "labels", "classes", "parts"),
    [
        (images(3, 2, 2), np.zeros(2, np.int64), 1, ["3 inputs", "2 labels"]),
        (np.zeros((3, 2), np.int64), np.zeros(3, np.int64), 1, ["int64", "(3, 2)"]),
        (np.zeros((3, 2), np.uint8), np.zeros(3, np.int64), 1, ["uint8", "(3, 2)"]),
        (np.zeros((3, 2, 2), np.int16), np.zeros(3, np.int64), 1, ["int16", "(3, 2, 2)"]),
        (np.zeros((3, 2, 2, 1, 1), np.float32), np.zeros(3, np.int64), 1, ["float32", "(3, 2, 2, 1, 1)"]),
        (images(2, 2, 2), np.array([0, 3]), 3, ["label 3", "index 1", "0 to 2"]),
        (images(2, 2, 2), np.array([-1, 0]), 3, ["label -1", "index 0"]),
        (images(2, 2, 2), np.array([0, 1]), None, ["classes = None", "int64"]),
        (images(2, 2, 2), np.zeros((2, 1)), 2, ["classes = 2", "float64"]),
        (images(2, 2, 2), np.zeros(2), None, ["float64", "(2,)"]),
        (images(2, 2, 2), np.zeros((2, 1), np.int64), 2, ["int64", "(2, 1)"]),
    ],
)
def test_what_does_not_fit_is_refused(
    inputs: NDArray[Any], labels: NDArray[Any], classes: int | None, parts: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        Dataset(inputs, labels, "broken", classes)
    assert [part for part in ["broken", *parts] if part not in str(caught.value)] == []


def test_images_may_be_floating_point() -> None:
    dataset = Dataset(np.full((2, 4, 3), 0.5, np.float32), np.array([0, 1]), "grey", 2)
    batch = Loader(dataset, 2, preprocessing=Preprocessing(scale=2.0, layout="image"))[0]
    assert batch.inputs.shape == (2, 1, 4, 3)
    assert (batch.inputs == 1).all()


@pytest.mark.parametrize(
    "weights",
    [np.ones(2), np.ones((3, 1)), np.array([1, 1, 1]), np.array([1, -0.5, 1]), np.array([1, np.nan, 1]), np.zeros(3)],
    ids=str,
)
def test_weights_are_one_finite_number_an_example(weights: NDArray[Any]) -> None:
    with pytest.raises(DataError, match="weights are"):
        Dataset(np.zeros((3, 2)), np.array([0, 1, 0]), "weighed", 2, weights)


def test_weights_stay_with_their_examples() -> None:
    dataset = Dataset(np.zeros((3, 2)), np.array([0, 1, 0]), "weighed", 2, np.array([1.0, 2.0, 3.0]))
    chosen = dataset[np.array([2, 0])].weights
    assert chosen is not None
    assert chosen.tolist() == [3, 1]


def test_xor_and_points_are_the_workloads() -> None:
    train, test = load("xor")
    assert train is test
    assert train.inputs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert train.labels.tolist() == [[0], [1], [1], [0]]
    assert (str(train.inputs.dtype), str(train.labels.dtype), train.classes) == ("float32", "float32", None)
    train, test = load("points")
    assert train is test
    assert train.inputs[[0, 9]].tolist() == [[2, 1], [7, 4]]
    assert train.labels.tolist() == [0, 0, 1, 1, 0, 0, 1, 0, 1, 1]
    assert (str(train.inputs.dtype), str(train.labels.dtype), train.classes) == ("float32", "int64", 2)


@pytest.mark.parametrize(
    ("prefix", "suffix", "dot", "test"),
    [("", "", "-", "t10k"), ("", ".gz", "-", "t10k"), ("", "", ".", "t10k"), ("emnist-digits-", ".gz", "-", "test")],
)
def test_directories_in_every_naming(tmp_path: Path, prefix: str, suffix: str, dot: str, test: str) -> None:
    names = [name.replace("-idx", f"{dot}idx").replace("t10k", test) for name in MNIST_FILES]
    train, held_out = load(write_four(tmp_path / "clothes", [prefix + name + suffix for name in names]))
    np.testing.assert_array_equal(train.inputs, images(6, 5, 4))
    np.testing.assert_array_equal(held_out.inputs, images(3, 5, 4))
    assert train.labels.tolist() == [0, 1, 2, 3, 4, 0]
    assert held_out.labels.tolist() == [1, 6, 2]
    assert train.classes == held_out.classes == 7  # the largest label is in the test set
    assert train.labels.dtype == held_out.labels.dtype == np.int64
    assert train.name == held_out.name == (prefix.strip("-") or "clothes")


def test_colour_images_and_a_string_path(tmp_path: Path) -> None:
    write_four(tmp_path, list(MNIST_FILES), size=(5, 4, 3))
    assert load(str(tmp_path)).train.inputs.shape == (6, 5, 4, 3)


def test_a_raw_file_wins_over_its_gzipped_twin_and_clutter_is_ignored(tmp_path: Path) -> None:
    write_four(tmp_path, list(MNIST_FILES))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"broken")
    (tmp_path / "t10k-images.idx3-ubyte").mkdir()
    for name in MNIST_FILES:
        (tmp_path / f"._{name}").write_bytes(b"left by macOS")
    assert len(load(tmp_path).train) == 6


def test_missing_files_are_listed(tmp_path: Path) -> None:
    write_four(tmp_path, list(MNIST_FILES))
    (tmp_path / MNIST_FILES[1]).unlink()
    (tmp_path / MNIST_FILES[2]).unlink()
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert f"lacks {MNIST_FILES[1]}, {MNIST_FILES[2]};" in str(caught.value)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    with pytest.raises(DataError, match="found 0 of"):
        load(tmp_path)


def test_several_sets_in_one_directory_are_ambiguous(tmp_path: Path) -> None:
    for prefix in ("emnist-digits-", "emnist-letters-"):
        write_four(tmp_path, [prefix + name for name in MNIST_FILES])
    with pytest.raises(DataError, match="'emnist-digits-', 'emnist-letters-'"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "parts"),
    [
        (0, images(5, 5, 4), [MNIST_FILES[0], "5 images", MNIST_FILES[1], "6 labels"]),
        (2, images(3, 4, 5), ["(5, 4)", "(4, 5)"]),
        (1, np.zeros(6, np.float32), [MNIST_FILES[1], "float32"]),
        (3, np.zeros((3, 1), np.uint8), [MNIST_FILES[3], "(3, 1)"]),
        (3, np.array([0, -1, 2], np.int8), ["label -1", "index 1"]),
        (0, np.zeros((6, 5, 4), np.float32), ["float32"]),
    ],
)
def test_files_that_do_not_belong_together(tmp_path: Path, file: int, content: NDArray[Any], parts: list[str]) -> None:
    write_four(tmp_path, list(MNIST_FILES))
    write_idx(tmp_path / MNIST_FILES[file], content)
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert [part for part in parts if part not in str(caught.value)] == []


def test_empty_files_are_refused(tmp_path: Path) -> None:
    write_four(tmp_path, list(MNIST_FILES))
    write_idx(tmp_path / MNIST_FILES[2], images(0, 5, 4))
    write_idx(tmp_path / MNIST_FILES[3], np.zeros(0, np.uint8))
    with pytest.raises(DataError, match="at least one"):
        load(tmp_path)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(ArgumentError, match=r"'mnsit'.*mnist, points, xor.*try 'mnist'"):
        load("mnsit")
    with pytest.raises(ArgumentError, match="check the spelling"):
        load(Path("/no/such/directory"))


@settings(deadline=None, max_examples=40)
@given(count=st.integers(2, 40), seed=st.integers(0, 9), data=st.data())
def test_a_split_loses_and_repeats_nothing(count: int, seed: int, data: st.DataObject) -> None:
    validation_count = data.draw(st.integers(1, count - 1))
    train, validation = split(numbered(count), validation_count, np.random.default_rng(seed))
    assert len(validation) == validation_count
    assert sorted([*train.labels, *validation.labels]) == list(range(count))
    np.testing.assert_array_equal(train.inputs[:, 0], train.labels)


def test_a_split_is_shuffled_and_follows_its_generator() -> None:
    first, again, other = (split(numbered(50), 10, np.random.default_rng(seed))[1].labels for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()
    assert sorted(first) != list(range(10))


@pytest.mark.parametrize("validation_count", [0, -1, 10, 11])
def test_a_split_must_leave_both_sides_something(validation_count: int) -> None:
    with pytest.raises(ArgumentError, match=r"validation_count.*1 to 9"):
        split(numbered(10), validation_count, np.random.default_rng(0))


def test_an_absurd_label_is_refused_before_anything_grows_with_it(tmp_path: Path) -> None:
    for name in ("train", "t10k"):
        write_idx(tmp_path / f"{name}-images-idx3-ubyte", np.zeros((3, 2, 2), np.uint8))
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", np.array([0, 1, 2_000_000_000], np.int32))
    with pytest.raises(DataError, match="largest label is 2000000000"):
        load(tmp_path)

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handgrad.data import Augmentation, Dataset, Loader, Preprocessing, load, one_hot
from handgrad.errors import ArgumentError

PLAIN = Preprocessing(scale=1.0)
ELASTIC = Augmentation(elastic_alpha=1.0, elastic_sigma=2.0)


def numbered(count: int) -> Dataset:
    """Rows that hold their own number, with the same number as label."""
    return Dataset(np.arange(count, dtype=np.float32)[:, None], np.arange(count), "numbered", max(1, count))


def pictures(count: int) -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (count, 6, 6), np.uint8)
    return Dataset(images, np.arange(count), "pictures", count)


def labels_of(loader: Loader) -> list[int]:
    return [int(label) for batch in loader for label in batch.targets]


@settings(deadline=None, max_examples=60)
@given(count=st.integers(0, 30), batch_size=st.none() | st.integers(1, 40), seed=st.none() | st.integers(0, 9))
def test_an_epoch_shows_every_sample_once(count: int, batch_size: int | None, seed: int | None) -> None:
    rng = None if seed is None else np.random.default_rng(seed)
    loader = Loader(numbered(count), batch_size, preprocessing=PLAIN, rng=rng)
    batches = list(loader)
    step = batch_size or max(1, count)
    assert len(loader) == len(batches) == -(-count // step)
    assert all(len(batch.inputs) == step for batch in batches[:-1])
    assert sorted(label for batch in batches for label in batch.targets) == list(range(count))
    for index, batch in enumerate(batches):
        np.testing.assert_array_equal(batch.inputs[:, 0], batch.targets)  # inputs stay beside their labels
        np.testing.assert_array_equal(loader[index].targets, batch.targets)


def test_without_a_generator_the_order_is_the_data_sets() -> None:
    loader = Loader(numbered(10), 4, preprocessing=PLAIN)
    assert labels_of(loader) == labels_of(loader) == list(range(10))
    assert loader[-1].targets.tolist() == [8, 9]
    with pytest.raises(IndexError):
        loader[3]


def test_each_iteration_is_shuffled_anew_and_follows_its_generator() -> None:
    loader, twin = (Loader(numbered(30), 7, preprocessing=PLAIN, rng=np.random.default_rng(3)) for _ in range(2))
    first, second = labels_of(loader), labels_of(loader)
    assert first != list(range(30))
    assert first != second
    assert [labels_of(twin), labels_of(twin)] == [first, second]


def test_an_iterator_keeps_its_order_when_another_starts() -> None:
    loader = Loader(numbered(30), 7, preprocessing=PLAIN, rng=np.random.default_rng(0))
    running = iter(loader)
    seen = next(running).targets.tolist()
    iter(loader)  # draws a new order
    seen += [label for batch in running for label in batch.targets]
    assert sorted(seen) == list(range(30))


def test_batches_are_fresh_arrays() -> None:
    dataset = Dataset(np.ones((3, 2), np.float32), np.ones((3, 1), np.float32), "given", None)
    for rng in (None, np.random.default_rng(0)):
        loader = Loader(dataset, None, preprocessing=PLAIN, rng=rng)
        inputs, targets = loader[0]
        inputs += 1
        targets += 1
    assert dataset.inputs.max() == dataset.labels.max() == 1


@pytest.mark.parametrize("classes", [None, 7])
@pytest.mark.parametrize("rows", [np.array([2, 0, 2]), slice(0, 3)], ids=["rows", "slice"])
def test_targets_are_new_arrays_in_the_order_asked_for(classes: int | None, rows: Any) -> None:
    labels = np.arange(7) if classes else np.arange(14, dtype=np.float32).reshape(7, 2)
    dataset = Dataset(np.zeros((7, 1), np.float32), labels, "seven", classes)
    targets = Loader(dataset, 3, preprocessing=PLAIN).targets(rows)
    np.testing.assert_array_equal(targets, labels[rows])
    assert targets.dtype == (np.int64 if classes else np.float32)
    assert not np.shares_memory(targets, labels)


def test_targets_and_dtypes() -> None:
    labels = Dataset(np.zeros((3, 2, 2), np.uint8), np.array([2, 0, 1], np.uint8), "given", 4)
    batch = Loader(labels, 2, preprocessing=Preprocessing(layout="image"))[0]
    assert (batch.inputs.shape, str(batch.inputs.dtype)) == ((2, 1, 2, 2), "float32")
    assert (batch.targets.tolist(), str(batch.targets.dtype)) == ([2, 0], "int64")
    batch = Loader(labels, 2, preprocessing=Preprocessing(), one_hot=True, dtype=np.float64)[0]
    assert batch.inputs.dtype == batch.targets.dtype == np.float64
    assert batch.targets.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    batch = Loader(load("xor").train, None, preprocessing=PLAIN, dtype=np.float64)[0]
    assert (batch.targets.tolist(), str(batch.targets.dtype)) == ([[0], [1], [1], [0]], "float64")


def augmented(count: int = 20, batch_size: int | None = 6) -> Loader:
    rng = np.random.default_rng(3)
    return Loader(pictures(count), batch_size, preprocessing=PLAIN, rng=rng, augment=ELASTIC)


def test_distortions_change_the_images_and_neither_the_order_nor_the_data() -> None:
    before = pictures(20).inputs
    loader, plain = augmented(), Loader(pictures(20), 6, preprocessing=PLAIN, rng=np.random.default_rng(3))
    for _ in range(2):
        for (inputs, targets), (plain_inputs, plain_targets) in zip(loader, plain, strict=True):
            np.testing.assert_array_equal(targets, plain_targets)
            assert (inputs != plain_inputs).any(axis=1).all()
            assert inputs.dtype == np.float32
    np.testing.assert_array_equal(loader.dataset.inputs, before)


def test_each_pass_is_distorted_anew_and_follows_its_generator() -> None:
    loader, twin = augmented(), augmented()
    passes = [{label: row for batch in loader for label, row in zip(batch.targets, batch.inputs, strict=True)}]
    passes += [{label: row for batch in loader for label, row in zip(batch.targets, batch.inputs, strict=True)}]
    assert all((passes[0][label] != passes[1][label]).any() for label in passes[0])
    again = [np.concatenate([batch.inputs for batch in twin]) for _ in range(2)]
    for rows, expected in zip(passes, again, strict=True):
        np.testing.assert_array_equal(list(rows.values()), expected)


def test_a_batch_asked_for_twice_is_the_same_twice() -> None:
    loader = augmented()
    np.testing.assert_array_equal(loader[1].inputs, loader[1].inputs)
    batches = list(loader)
    for index in (3, 0, -2):
        np.testing.assert_array_equal(loader[index].inputs, batches[index].inputs)
    running = iter(loader)
    first = next(running)
    np.testing.assert_array_equal(loader[0].inputs, first.inputs)
    expected = loader[1].inputs
    iter(loader)  # draws anew, but not for the iterator that is under way
    np.testing.assert_array_equal(next(running).inputs, expected)


def test_distortions_need_a_generator() -> None:
    with pytest.raises(ArgumentError, match="augment"):
        Loader(pictures(4), 2, preprocessing=PLAIN, augment=ELASTIC)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("batch_size", {"batch_size": 0}),
        ("batch_size", {"batch_size": -3}),
        ("batch_size", {"batch_size": 2.5}),
        ("dtype", {"dtype": np.int64}),
        ("one_hot", {"one_hot": True}),
        ("augment", {"augment": ELASTIC, "rng": np.random.default_rng(0)}),
    ],
)
def test_impossible_arguments_are_named(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=name):
        Loader(load("xor").train, **{"batch_size": 2, "preprocessing": PLAIN, **arguments})


def test_one_hot() -> None:
    rows = one_hot(np.array([1, 0, 1]), 3, np.float64)
    assert rows.tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]
    assert rows.dtype == np.float64
    assert one_hot(np.zeros(0, np.int64), 3).shape == (0, 3)


@pytest.mark.parametrize("labels", [np.array([3]), np.array([-1]), np.array([1.0]), np.array([[1]])])
def test_one_hot_refuses_what_is_no_label(labels: Any) -> None:
    with pytest.raises(ArgumentError, match="labels"):
        one_hot(labels, 3)

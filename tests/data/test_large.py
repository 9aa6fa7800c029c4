"""Arrays that do not fit in memory, tried with a memory of some hundred bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from handgrad import Experiment, Recipe, Step
from handgrad.data import Dataset, Splits, split
from handgrad.data import large as module
from handgrad.data.datasets import hold_out
from handgrad.data.large import fill, finished, most_bytes_in_memory, new_array, take_rows
from handgrad.errors import DataError
from handgrad.files import cache_folder


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "most_bytes_in_memory", lambda: 500)
    monkeypatch.setattr(module, "_COPIED_AT_ONCE", 100)
    monkeypatch.setattr(module, "cache_folder", lambda name: tmp_path)


def in_file(values: NDArray[Any]) -> NDArray[Any]:
    array = new_array(values.shape, values.dtype)
    array[...] = values
    return finished(array)


@pytest.mark.usefixtures("little_memory")
def test_a_large_array_lies_in_a_file_that_has_no_name(tmp_path: Path) -> None:
    array = new_array((300, 2), np.uint8)
    assert isinstance(array, np.memmap)
    assert not list(tmp_path.iterdir())
    fill(array, lambda first, last: np.full((last - first, 2), first % 251, np.uint8))
    assert array[::50, 0].tolist() == [first % 251 for first in range(0, 300, 50)]
    with pytest.raises(ValueError, match="read-only"):
        finished(array)[0] = 1
    assert not isinstance(new_array((250, 2), np.uint8), np.memmap)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("rows", [np.array([5, 299, 0] * 200), np.arange(300) % 2 == 0, slice(10, 290)])
def test_rows_of_a_file_are_those_of_memory(rows: Any) -> None:
    values = np.random.default_rng(0).integers(0, 256, (300, 2)).astype(np.uint8)
    taken = take_rows(in_file(values), rows)
    np.testing.assert_array_equal(taken, values[rows])
    assert isinstance(taken, np.memmap) == (values[rows].nbytes > 500 or isinstance(rows, slice))


@pytest.mark.usefixtures("little_memory")
def test_training_is_the_same_from_a_file_as_from_memory() -> None:
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (200, 4, 4)).astype(np.uint8), rng.integers(0, 3, 200)
    losses = []
    for inputs in (pixels, in_file(pixels)):
        dataset = Dataset(inputs, labels, "given", 3)
        splits = hold_out(dataset, 0.2, np.random.default_rng(0))
        recipe = Recipe.load("mlp").override({"train.epochs": 2, "data.validation": 40, "data.normalize": "standard"})
        experiment = Experiment.prepare(recipe, splits=splits)
        assert isinstance(experiment.trainer.train.dataset.inputs, np.memmap) == (inputs is not pixels)
        losses.append([event.loss for event in experiment.trainer.run(2) if isinstance(event, Step)])
    assert losses[0] == losses[1]


@pytest.mark.usefixtures("little_memory")
def test_numbers_in_a_file_are_not_copied_to_be_trained_on() -> None:
    rows = in_file(np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32))
    dataset = Dataset(rows, np.arange(400) % 2, "given", 2)
    recipe = Recipe.load("mlp").override({"train.epochs": 1, "data.normalize": "featurewise"})
    experiment = Experiment.prepare(recipe, splits=Splits(dataset, dataset[:10]))
    assert experiment.trainer.train.dataset.inputs is rows
    assert len(list(experiment.trainer.run(1))) > 1


@pytest.mark.usefixtures("little_memory")
def test_parts_of_a_split_lie_in_files_too() -> None:
    pixels = np.arange(600).astype(np.uint8).reshape(600, 1, 1)
    train, validation = split(Dataset(in_file(pixels), np.arange(600) % 2, "given", 2), 40, np.random.default_rng(0))
    assert isinstance(train.inputs, np.memmap)
    assert not isinstance(validation.inputs, np.memmap)
    assert sorted([*train.inputs[:, 0, 0], *validation.inputs[:, 0, 0]]) == sorted(pixels[:, 0, 0])


@pytest.mark.usefixtures("little_memory")
def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(DataError, match=r"0\.0 GB.*No space left.*XDG_CACHE_HOME"):
        new_array((1000,), np.uint8)


def test_the_memory_is_that_of_the_machine_or_its_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("max\n")
    monkeypatch.setattr(module, "_LIMITS", (str(limit), str(tmp_path / "none")))
    whole = most_bytes_in_memory()
    limit.write_text("4096\n")
    assert most_bytes_in_memory() == 2048 < whole


def test_the_cache_folder_is_ours() -> None:
    assert cache_folder("arrays").parent.name == "handgrad"

"""NumPy's archives."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.data import archives, load
from handgrad.errors import ArgumentError, DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 4, 3)).astype(np.uint8)
LABELS = np.arange(20) % 3


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "names",
    [("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels")],
)
def test_both_parts(tmp_path: Path, save: Any, names: tuple[str, ...]) -> None:
    arrays = (PIXELS[:15], LABELS[:15, None], PIXELS[15:], LABELS[15:, None])
    named: dict[str, Any] = dict(zip(names, arrays, strict=True))
    save(tmp_path / "x.npz", other=np.zeros(3), **named)
    train, test = load(tmp_path / "x.npz")
    np.testing.assert_array_equal(train.inputs, PIXELS[:15])
    np.testing.assert_array_equal(test.inputs, PIXELS[15:])
    np.testing.assert_array_equal(train.labels, LABELS[:15])
    assert test.classes == 3


@pytest.mark.parametrize("names", [("x", "y"), ("X", "y"), ("images", "labels"), ("data", "target")])
def test_one_part_is_split(tmp_path: Path, names: tuple[str, str]) -> None:
    named: dict[str, Any] = {names[0]: PIXELS, names[1]: np.array(["a", "b"] * 10)}
    np.savez(tmp_path / "x.npz", **named)
    train, test = load(tmp_path / "x.npz", held_out=0.3)
    assert (len(train), len(test), train.class_names) == (14, 6, ("a", "b"))
    with pytest.raises(ArgumentError, match="held_out"):
        load(tmp_path / "x.npz", held_out=0.0)


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_rows_of_whole_numbers_become_float32(tmp_path: Path, dtype: str) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((10, 2), dtype), y=np.arange(10) / 3)
    train, _ = load(tmp_path / "x.npz")
    assert train.inputs.dtype == np.float32
    assert (train.classes, train.labels.shape) == (None, (8, 1))


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_larger_than_memory_stays_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Any
) -> None:
    monkeypatch.setattr(archives, "most_bytes_in_memory", lambda: 200)
    np.savez(
        tmp_path / "a name that is long.npz", y_train=LABELS, x_train=PIXELS.copy(order), x_test=PIXELS, y_test=LABELS
    )
    train, _ = load(tmp_path / "a name that is long.npz")
    assert isinstance(train.inputs, np.memmap)
    np.testing.assert_array_equal(train.inputs, PIXELS)


def test_what_is_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"PK no")
    with pytest.raises(DataError, match=r"numpy\.savez"):
        load(path)
    np.savez(path, a=PIXELS)
    with pytest.raises(DataError, match="holds a, expected x_train, y_train, x_test, y_test or x, y"):
        load(path)
    np.savez(path, x=np.array([{}]), y=np.array([1]))
    with pytest.raises(DataError, match="Object arrays"):
        load(path)
    np.savez(path, x=PIXELS, y=LABELS[:4])
    with pytest.raises(DataError, match="20 inputs but 4 labels"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x.npy", "y.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00 what is this")
    with pytest.raises(DataError, match="cannot be read as arrays"):
        load(path)
    np.savez(path, x=np.zeros((20, 40, 30), np.uint8), y=LABELS)
    path.write_bytes(path.read_bytes().replace(b"'shape': (20, 40, 30), }", b"'shape': (20, 40, 30 , }"))
    monkeypatch.setattr(archives, "most_bytes_in_memory", lambda: 0)  # for such the checksum is not looked at
    with pytest.raises(DataError, match="cannot be read as arrays"):
        load(path)
    monkeypatch.undo()
    np.savez(path, x=PIXELS, y=LABELS)
    path.write_bytes(
        path.read_bytes().replace(b"PK\x01\x02\x2d\x03\x2d\x00\x00\x00", b"PK\x01\x02\x2d\x03\x2d\x00\x01\x00")
    )
    with pytest.raises(DataError, match="encrypted"):
        load(path)

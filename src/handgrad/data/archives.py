"""NumPy's .npz archives: inputs and labels by name."""

import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from handgrad.data.datasets import Dataset, Splits, with_test_part
from handgrad.data.labels import Targets, encode_targets
from handgrad.data.large import most_bytes_in_memory
from handgrad.errors import DataError

#: Names of inputs and targets in archives that have a test part, and in such that have none.
_SPLIT_NAMES = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("X_train", "y_train", "X_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("train_inputs", "train_labels", "test_inputs", "test_labels"),
)
_WHOLE_NAMES = (("x", "y"), ("X", "y"), ("inputs", "labels"), ("images", "labels"), ("data", "target"))


def load_archive(path: Path, *, targets: Targets = "auto", held_out: float = 0.2) -> Splits:
    """Read arrays that `numpy.savez` has written, under names such as `x_train, y_train, x_test, y_test` or `x, y`.

    Inputs are images, uint8 (N, H, W) or (N, H, W, C), or rows of numbers (N, D), which become float32. Arrays larger
    than memory stay in the file, if it is not compressed, and are fetched from there piece by piece.

    Args:
        path: the file.
        targets: "classes" or "numbers"; "auto" looks at them, see `encode_targets`.
        held_out: the part kept for testing, where the archive has none.

    Raises:
        ArgumentError: `held_out` is impossible.
        DataError: it is no such archive, holds Python objects, or lacks the names.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "small.npz"
        >>> np.savez(file, x=np.zeros((10, 4, 4), np.uint8), y=np.arange(10) % 2)
        >>> train, test = load_archive(file)
        >>> train.inputs.shape, len(test), train.classes
        ((8, 4, 4), 2, 2)
    """
    try:
        arrays = _read_arrays(path)
    except DataError:
        raise
    except Exception as error:  # of damaged files zipfile, NumPy and Python's tokenizer raise almost anything
        raise DataError(f"{path} cannot be read as arrays: {error}; write it with numpy.savez.") from error
    name = path.stem
    inputs = [_as_inputs(array) for array in arrays[::2]]
    raw = [array.reshape(len(array), -1) if array.ndim else array for array in arrays[1::2]]  # (N,) → (N, 1)
    labels, classes, class_names = encode_targets(np.concatenate(raw), name, targets)
    count = len(raw[0])
    datasets = [
        Dataset(x, y, name, classes, class_names=class_names)
        for x, y in zip(inputs, (labels[:count], labels[count:]), strict=False)
    ]
    return Splits(*datasets) if len(datasets) == 2 else with_test_part(datasets[0], held_out)


def _read_arrays(path: Path) -> list[NDArray[Any]]:
    """Inputs and targets, of both parts or of the whole."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry.removesuffix(".npy"): entry for entry in archive.namelist()}
        for wanted in (*_SPLIT_NAMES, *_WHOLE_NAMES):
            if set(wanted) <= set(entries):
                return [_read(path, archive, entries[name]) for name in wanted]
    expected = " or ".join(", ".join(wanted) for wanted in (_SPLIT_NAMES[0], _WHOLE_NAMES[0]))
    raise DataError(f"{path} holds {', '.join(sorted(entries)) or 'nothing'}, expected {expected}.")


def _as_inputs(array: NDArray[Any]) -> NDArray[Any]:
    """Pixels and floating-point numbers as they are, other numbers as float32."""
    is_number = array.dtype.kind in "iub"
    if is_number and (array.ndim == 2 or (array.dtype != np.uint8 and array.ndim > 2)):
        return array.astype(np.float32)
    return array


def _read(path: Path, archive: zipfile.ZipFile, entry: str) -> NDArray[Any]:
    """An array of the archive; mapped from the file, if it would not fit in memory and is not compressed."""
    info = archive.getinfo(entry)
    if info.file_size > most_bytes_in_memory() and info.compress_type == zipfile.ZIP_STORED:
        return _map(path, archive, info)
    with archive.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _map(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = reader(stream)
        header = stream.tell()
    if dtype.hasobject:
        raise DataError(f"{path}: {info.filename} holds Python objects, expected numbers.")
    with path.open("rb") as file:
        offset = _first_byte(file, info) + header
    return np.memmap(path, dtype, "r", offset, shape, "F" if is_fortran else "C")


def _first_byte(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where the content begins: behind its own header, which ends with two lengths, a name and a field of extras."""
    file.seek(info.header_offset + 26)
    lengths: tuple[int, int] = struct.unpack("<HH", file.read(4))
    return info.header_offset + 30 + sum(lengths)

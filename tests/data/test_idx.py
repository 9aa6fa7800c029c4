import contextlib
import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from handgrad.data.idx import ELEMENT_TYPES, read_idx, write_idx
from handgrad.errors import ArgumentError, DataError

LABELS = bytes.fromhex("00000801 00000003 050004")  # the three labels 5, 0, 4 as MNIST would store them
ZIPPED = gzip.compress(LABELS)


@st.composite
def arrays(draw: st.DrawFn) -> NDArray[Any]:
    dtype = draw(st.sampled_from(sorted(ELEMENT_TYPES.values(), key=str)))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4))
    return draw(hnp.arrays(dtype, shape))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx")


def stored(directory: Path, content: bytes) -> Path:
    path = directory / "file"
    path.write_bytes(content)
    return path


def message(directory: Path, content: bytes, **arguments: int) -> str:
    path = stored(directory, content)
    with pytest.raises(DataError) as caught:
        read_idx(path, **arguments)
    assert str(path) in str(caught.value)
    return str(caught.value)


@settings(deadline=None, max_examples=80)
@given(array=arrays(), name=st.sampled_from(["raw", "zipped.gz"]))
def test_what_is_written_reads_back(directory: Path, array: NDArray[Any], name: str) -> None:
    path = directory / name
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()  # bytes, so that NaN equals itself and -0 differs from 0
    assert back.flags.writeable
    assert back.flags.c_contiguous
    assert [entry.name for entry in directory.iterdir() if entry.name.startswith(".")] == []


@settings(deadline=None, max_examples=60)
@given(array=arrays(), zipped=st.booleans(), data=st.data())
def test_a_cut_file_is_a_data_error(directory: Path, array: NDArray[Any], zipped: bool, data: st.DataObject) -> None:
    content = whole(directory, array, zipped)
    with pytest.raises(DataError):
        read_idx(stored(directory, content[: data.draw(st.integers(0, len(content) - 1))]))


@settings(deadline=None, max_examples=150)
@given(array=arrays(), zipped=st.booleans(), data=st.data())
def test_a_flipped_byte_is_a_data_error_or_an_array(
    directory: Path, array: NDArray[Any], zipped: bool, data: st.DataObject
) -> None:
    content = bytearray(whole(directory, array, zipped))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DataError):
        assert isinstance(read_idx(stored(directory, bytes(content))), np.ndarray)


def whole(directory: Path, array: NDArray[Any], zipped: bool) -> bytes:
    path = directory / ("whole.gz" if zipped else "whole")
    write_idx(path, array)
    return path.read_bytes()


def test_bytes_are_those_of_the_format(directory: Path) -> None:
    write_idx(directory / "labels", np.array([5, 0, 4], np.uint8))
    assert (directory / "labels").read_bytes() == LABELS
    assert read_idx(stored(directory, LABELS)).tolist() == [5, 0, 4]
    assert read_idx(stored(directory, bytes.fromhex("00000c01 00000001 fffffffe"))).tolist() == [-2]


def test_compression_is_seen_from_the_content_not_the_name(directory: Path) -> None:
    assert read_idx(stored(directory, ZIPPED)).tolist() == [5, 0, 4]


def test_equal_arrays_give_equal_files(directory: Path) -> None:
    write_idx(directory / "one.gz", [np.uint8(7)])
    write_idx(directory / "two.gz", [np.uint8(7)])
    assert (directory / "one.gz").read_bytes() == (directory / "two.gz").read_bytes()


def test_order_and_byte_order_in_memory_do_not_matter(directory: Path) -> None:
    array = np.arange(12, dtype=">i4").reshape(3, 4).T
    write_idx(directory / "strided", array)
    np.testing.assert_array_equal(read_idx(directory / "strided"), array)


BROKEN = {
    "empty": (b"", ["offset 0", "magic number", "expected 4 bytes", "found 0"]),
    "cut magic": (b"\0\0\x08", ["offset 0", "expected 4 bytes", "found 3"]),
    "a zip file": (b"PK\x08\x01" + LABELS[4:], ["offset 0", "two zero bytes", "0x504b"]),
    "unknown type": (b"\0\0\x0a\x01" + LABELS[4:], ["offset 2", "element type", "0x0b int16", "found 0x0a"]),
    "no dimensions": (b"\0\0\x08\0", ["offset 3", "number of dimensions", "1 to 64", "found 0"]),
    "65 dimensions": (b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"x", ["offset 3", "1 to 64", "found 65"]),
    "cut dimensions": (LABELS[:7], ["offset 4", "dimensions", "expected 4 bytes", "found 3"]),
    "cut body": (LABELS[:-1], ["offset 8", "(3,) uint8", "expected 3 bytes", "found 2"]),
    "trailing": (LABELS + b"\0", ["offset 11", "end of file", "trailing byte"]),
    "trailing inside gzip": (gzip.compress(LABELS + b"\0"), ["offset 11", "trailing byte"]),
    "trailing after gzip": (ZIPPED + b"tail", ["gzip stream"]),
    "cut gzip": (ZIPPED[:-9], ["gzip stream"]),
    "wrong checksum": (ZIPPED[:-8] + bytes(8), ["offset 11", "gzip stream", "CRC"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_errors_name_place_expected_and_found(directory: Path, case: str) -> None:
    content, parts = BROKEN[case]
    text = message(directory, content)
    assert [part for part in parts if part not in text] == []


def test_a_file_that_claims_too_much_is_refused_unread(directory: Path) -> None:
    huge = struct.pack(">BBBB4I", 0, 0, 0x0E, 4, *[2**32 - 1] * 4)
    assert "max_bytes = 4294967296" in message(directory, huge)
    assert "max_bytes = 2" in message(directory, LABELS, max_bytes=2)
    assert read_idx(stored(directory, LABELS), max_bytes=3).tolist() == [5, 0, 4]
    assert "max_bytes" in message(directory, struct.pack(">BBBB4I", 0, 0, 0x0E, 4, 0, *[2**32 - 1] * 3))


def test_a_short_gzip_that_claims_gigabytes_allocates_only_what_is_there(directory: Path) -> None:
    bomb = gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 2**32 - 1) + bytes(2**22))
    assert len(bomb) < 2**13
    tracemalloc.start()
    assert f"found {2**22}" in message(directory, bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


def test_a_missing_file_and_a_directory_are_data_errors(directory: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_idx(directory / "nothing")
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(directory)


@pytest.mark.parametrize("array", [np.zeros(2, np.float16), np.zeros(2, bool), np.zeros(2, np.int64)])
def test_dtypes_without_a_code_are_refused(directory: Path, array: NDArray[Any]) -> None:
    with pytest.raises(ArgumentError, match=r"array\.dtype"):
        write_idx(directory / "refused", array)
    assert not (directory / "refused").exists()


def test_an_array_without_dimensions_is_refused(directory: Path) -> None:
    with pytest.raises(ArgumentError, match=r"array\.shape"):
        write_idx(directory / "refused", np.uint8(1))


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path / "kept.gz", np.array([1], np.uint8))

    def full_disk(*arguments: object, **named: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(DataError, match="disk full"):
        write_idx(tmp_path / "kept.gz", np.array([2], np.uint8))
    assert read_idx(tmp_path / "kept.gz").tolist() == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["kept.gz"]
    with pytest.raises(DataError, match="cannot be written"):
        write_idx(tmp_path / "missing" / "file", np.array([1], np.uint8))

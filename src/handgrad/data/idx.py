"""The IDX file format: one array per file, as MNIST and its successors are published.

An IDX file is a big-endian header followed by the elements in C order:

    offset 0      two zero bytes
    offset 2      element type code, one byte
    offset 3      number of dimensions n, one byte
    offset 4      n dimensions, four bytes each
    offset 4 + 4n the elements

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", on file formats.
"""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handgrad.errors import ArgumentError, DataError
from handgrad.files import write_atomically

ELEMENT_TYPES: dict[int, "np.dtype[Any]"] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(np.int16),
    0x0C: np.dtype(np.int32),
    0x0D: np.dtype(np.float32),
    0x0E: np.dtype(np.float64),
}
MAX_BYTES = 4 * 2**30
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 2**20
_MAX_DIMENSIONS = 64  # NumPy's own limit


class _FieldReader:
    """Reads one field after the other and, where one is missing, says which and at what offset."""

    def __init__(self, path: Path, stream: gzip.GzipFile | io.BufferedReader) -> None:
        self.path = path
        self.offset = 0
        self._stream = stream

    def read(self, byte_count: int, field: str) -> bytearray:
        # Grows chunk by chunk: a header that claims more than the file holds never gets the claim allocated.
        start, content = self.offset, bytearray()
        while len(content) < byte_count:
            chunk = self._read_chunk(min(_CHUNK_BYTES, byte_count - len(content)))
            if not chunk:
                raise self.error(start, field, f"{byte_count} bytes", f"{len(content)} (the file is truncated)")
            content += chunk
            self.offset += len(chunk)
        return content

    def expect_end(self) -> None:
        # Reading past the body also makes gzip compare its checksum.
        if self._read_chunk(1):
            raise self.error(self.offset, "end of file", "no more bytes", "at least one trailing byte")

    def error(self, offset: int, field: str, expected: str, found: str) -> DataError:
        return DataError(
            f"{self.path}, offset {offset} ({field}): expected {expected}, found {found}; "
            f"check that this is the IDX file you mean and fetch it again."
        )

    def _read_chunk(self, byte_count: int) -> bytes:
        try:
            return self._stream.read(byte_count)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise self.error(self.offset, "gzip stream", "intact compressed data", f"an error: {error}") from error


def read_idx(path: str | Path, *, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """Read one IDX file, gzipped or raw, into an array.

    Whether the file is gzipped is seen from its first two bytes, not from its name. The body is read in chunks
    of 1 MiB, so a short file that claims to be huge costs no more memory than it really holds.

    Args:
        path: the file.
        max_bytes: the largest body, in bytes, that is accepted; 4 GiB unless told otherwise.

    Returns:
        A writable C-contiguous array in the machine's byte order, of the dtype the file names: uint8, int8,
        int16, int32, float32 or float64.

    Raises:
        DataError: the file is missing or unreadable, its header is wrong, its body is shorter or longer than
            the header says, its gzip stream is corrupt, or its body would exceed `max_bytes`.

    Source: the format is described at the top of this module.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     write_idx(f"{directory}/labels.gz", np.array([5, 0, 4], np.uint8))
        ...     read_idx(f"{directory}/labels.gz")
        array([5, 0, 4], dtype=uint8)
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            is_gzip = file.peek(2)[:2] == _GZIP_MAGIC
            reader = _FieldReader(path, gzip.GzipFile(fileobj=file) if is_gzip else file)
            return _read_array(reader, max_bytes)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file, expected an IDX file; check the path.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}; expected a readable IDX file.") from error


def _read_array(reader: _FieldReader, max_bytes: int) -> NDArray[Any]:
    dtype, shape = _read_header(reader)
    # Python integers do not overflow. A dimension of 0 counts as 1: NumPy bounds the product of the others too.
    claimed = dtype.itemsize * math.prod(max(size, 1) for size in shape)
    if claimed > max_bytes:
        raise DataError(
            f"{reader.path}, offset 4 (dimensions): expected at most max_bytes = {max_bytes} bytes, found "
            f"dimensions {shape} of {dtype}, which make {claimed}; pass a larger max_bytes if that is meant."
        )
    body = reader.read(dtype.itemsize * math.prod(shape), f"body of {shape} {dtype} elements")
    reader.expect_end()
    # (bytes,) → shape; astype copies only where the machine's byte order is not the file's
    return np.frombuffer(body, dtype.newbyteorder(">")).reshape(shape).astype(dtype, copy=False)


def _read_header(reader: _FieldReader) -> tuple["np.dtype[Any]", tuple[int, ...]]:
    magic = reader.read(4, "magic number")
    if magic[:2] != b"\0\0":
        raise reader.error(0, "magic number", "two zero bytes", f"0x{magic[:2].hex()}")
    if magic[2] not in ELEMENT_TYPES:
        known = ", ".join(f"0x{code:02x} {dtype}" for code, dtype in ELEMENT_TYPES.items())
        raise reader.error(2, "element type", f"one of {known}", f"0x{magic[2]:02x}")
    dimensions = magic[3]
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise reader.error(3, "number of dimensions", f"1 to {_MAX_DIMENSIONS}", str(dimensions))
    shape = struct.unpack(f">{dimensions}I", reader.read(4 * dimensions, "dimensions"))
    return ELEMENT_TYPES[magic[2]], shape


def write_idx(path: str | Path, array: ArrayLike) -> None:
    """Write an array as an IDX file, gzipped when the name ends in `.gz`.

    The file is written under another name and then renamed, so a reader never meets half of it. Equal arrays
    give equal files: the gzip header carries neither name nor time.

    Args:
        path: the file to write; an existing one is replaced.
        array: at least one dimension, of dtype uint8, int8, int16, int32, float32 or float64.

    Raises:
        ArgumentError: the array has no dimension, more than IDX can count, or a dtype that IDX has no code for.
        DataError: the file cannot be written.

    Source: the format is described at the top of this module.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     write_idx(f"{directory}/pair", np.array([[1, 2]], np.int16))
        ...     Path(f"{directory}/pair").read_bytes().hex(" ", 4)
        '00000b02 00000001 00000002 00010002'
    """
    path = Path(path)
    content = _encode(np.asarray(array))
    if path.suffix == ".gz":
        content = gzip.compress(content, 6, mtime=0)  # no time inside: the same array gives the same file
    try:
        write_atomically(path, content)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}; check the directory and its space.") from error


def _encode(array: NDArray[Any]) -> bytes:
    native = array.dtype.newbyteorder("=")
    codes = [code for code, dtype in ELEMENT_TYPES.items() if dtype == native]
    if not codes:
        known = ", ".join(str(dtype) for dtype in ELEMENT_TYPES.values())
        raise ArgumentError("array.dtype", str(array.dtype), f"one of {known}", "convert it with array.astype")
    if array.ndim == 0 or max(array.shape) >= 2**32:
        raise ArgumentError("array.shape", array.shape, "one or more dimensions, each below 2**32", "reshape it")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[0], array.ndim, *array.shape)
    return header + array.astype(native.newbyteorder(">"), copy=False).tobytes()

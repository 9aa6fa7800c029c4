"""Arrays that are larger than memory: they lie in a file, of which the system fetches what is looked at."""

import os
import tempfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from handgrad.errors import DataError
from handgrad.files import cache_folder

_SHARE = 0.5  # of the memory, for one array; the rest is for the other half of a split, and for everybody else
_UNKNOWN = 4 * 2**30  # bytes, taken where the system does not say how much memory it has
_COPIED_AT_ONCE = 2**26  # bytes
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container


def most_bytes_in_memory() -> int:
    """How large an array may be before it is kept in a file: half of the memory that this process may use.

    >>> most_bytes_in_memory() > 2**20
    True
    """
    return int(_SHARE * min(_physical_memory(), *map(_granted_memory, _LIMITS)))


def new_array(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array to be filled: in memory, or where it is too large for that in a file without a name.

    The file lies in the cache folder (XDG_CACHE_HOME, else ~/.cache) and goes with the array.

    Args:
        shape: of the array.
        dtype: of the array.

    Returns:
        uninitialised numbers; a `numpy.memmap` if they lie in a file.

    Raises:
        DataError: the disk has no room for it.

    Example:
        >>> array = new_array((2, 3), "uint8")
        >>> array.shape, isinstance(array, np.memmap)
        ((2, 3), False)
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    if size <= most_bytes_in_memory():
        return np.empty(shape, dtype)
    folder = cache_folder("arrays")
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # else a full disk would end the process in the middle
            return np.memmap(file, dtype, "w+", shape=shape)
    except OSError as error:
        raise DataError(
            f"The data take {size / 1e9:,.1f} GB, more than fits in memory, and {folder} has no room for them: "
            f"{error.strerror or error}; set XDG_CACHE_HOME to a folder on a larger disk."
        ) from error


def finished(array: NDArray[Any]) -> NDArray[Any]:
    """The array, from now on only to be read, if it lies in a file.

    Nobody then makes a copy of it in memory so as to be able to change it.
    """
    if isinstance(array, np.memmap):
        array.flags.writeable = False
    return array


def take_rows(array: NDArray[Any], rows: Any) -> NDArray[Any]:
    """Like `array[rows]`, but what lies in a file and is too large for memory is copied to another file.

    Args:
        array: (N, …).
        rows: a slice, which gives a view, or an array of integers or of N booleans, which gives a copy.

    Example:
        >>> take_rows(np.array([[1], [2], [3]]), np.array([2, 0]))
        array([[3],
               [1]])
    """
    if not isinstance(array, np.memmap) or isinstance(rows, slice):
        return np.asanyarray(array[rows])
    numbers = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
    taken = new_array((len(numbers), *array.shape[1:]), array.dtype)
    fill(taken, lambda first, last: array[numbers[first:last]])
    return finished(taken)


def fill(array: NDArray[Any], piece: Callable[[int, int], NDArray[Any]]) -> None:
    """Write an array (N, …) in pieces of some megabytes.

    Args:
        array: what is written.
        piece: gives the rows from the first to before the last, (last − first, …).
    """
    step = max(1, _COPIED_AT_ONCE // max(1, array[:1].nbytes))
    for first in range(0, len(array), step):
        last = min(first + step, len(array))
        array[first:last] = piece(first, last)


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return _UNKNOWN


def _granted_memory(file: str) -> int:
    """What a container may use at most, which is often less than what the machine has."""
    try:
        return int(Path(file).read_text())
    except (OSError, ValueError):  # no such file, or "max"
        return 2**63

"""Writing files so that what was there before is never lost half-way."""

import errno
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part.

    The content goes to a temporary file beside it, which is flushed to disk and renamed; then the directory is flushed,
    without which a loss of power could undo the renaming.

    Args:
        path: the file; its directory must exist.
        content: all of it.

    Raises:
        OSError: the disk is full, or the directory not writable; the old file is still there then.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note"
    >>> write_atomically(path, b"kept")
    >>> path.read_bytes()
    b'kept'
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _flush_directory(path.parent)
    finally:
        with suppress(OSError):  # an error above is the one to tell of
            temporary.unlink(missing_ok=True)


@cache
def cache_folder(name: str) -> Path:
    """A folder for what can be made or fetched again: below XDG_CACHE_HOME, or the home's .cache.

    Args:
        name: of the folder, below "handgrad".

    Returns:
        it exists; where no home can be written to, it is one of this process alone.

    >>> cache_folder("examples").is_dir()
    True
    """
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "handgrad" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="handgrad-")) / "handgrad" / name
        folder.mkdir(parents=True)
    return folder


def remove_unfinished(directory: Path) -> None:
    """Remove the temporary files that a process left behind when it was killed while it wrote.

    Args:
        directory: that no other process writes to.
    """
    for path in directory.glob(".*.tmp"):
        path.unlink(missing_ok=True)


#: What systems say that cannot flush a directory: network drives, and directories that may be written and not read.
_CANNOT_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM)


def _flush_directory(path: Path) -> None:
    """Make the names in a directory last, where that can be asked for; Windows needs no asking."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise

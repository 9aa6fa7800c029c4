"""Writing files so that what was there before is never lost half-way."""

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old content or the new, never a part.

    The content goes to a temporary file beside it, which is flushed to disk and renamed.

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
    finally:
        temporary.unlink(missing_ok=True)

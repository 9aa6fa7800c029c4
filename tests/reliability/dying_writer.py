"""`python dying_writer.py PLACE NUMBER train …`: handgrad, killed inside the writing of its NUMBERth checkpoint.

The places, in the order they are come by: half (of the file is written), written (all of it, not flushed), flushed (not
renamed), renamed (its directory not flushed), removing (an old checkpoint is next).
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Stream:
    """A file that ends the process in the middle of a write, or when it is to be flushed."""

    def __init__(self, stream: Any, place: str) -> None:
        self._stream = stream
        self._place = place

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def write(self, content: bytes) -> None:
        half = len(content) // 2 if self._place == "half" else len(content)
        self._stream.write(content[:half])
        if self._place in ("half", "written"):
            self._stream.flush()
            die()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def arm(place: str, number: int) -> None:
    """Make the NUMBERth checkpoint's writing end the process at that place."""
    original_open, original_replace, original_unlink = Path.open, Path.replace, Path.unlink
    seen = 0

    def is_checkpoint(path: Path) -> bool:
        return path.parent.name == "checkpoints"

    def open_(path: Path, *arguments: Any, **options: Any) -> Any:
        nonlocal seen
        stream = original_open(path, *arguments, **options)
        if not is_checkpoint(path):
            return stream
        seen += 1
        return _Stream(stream, place if seen == number else "")

    def replace(path: Path, target: Any) -> Path:
        if is_checkpoint(path) and seen == number and place == "flushed":
            die()
        renamed = original_replace(path, target)
        if is_checkpoint(path) and seen == number and place == "renamed":
            die()
        return renamed

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if is_checkpoint(path) and seen >= number and place == "removing" and path.suffix == ".safetensors":
            die()
        original_unlink(path, missing_ok=missing_ok)

    Path.open, Path.replace, Path.unlink = open_, replace, unlink  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    from handgrad.cli import main

    main()

import errno
import os
from pathlib import Path

import pytest

from handgrad.files import write_atomically


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    write_atomically(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot open a directory")
@pytest.mark.parametrize(("code", "is_told"), [(errno.EINVAL, False), (errno.EACCES, False), (errno.EIO, True)])
def test_a_directory_that_cannot_be_flushed_is_left_alone_and_a_broken_disk_is_not(
    code: int, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = []

    def fail(path: Path, flags: int) -> int:
        flushed.append(path)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("handgrad.files.os.open", fail)
    if is_told:
        with pytest.raises(OSError, match=os.strerror(code)):
            write_atomically(tmp_path / "kept", b"new")
    else:
        write_atomically(tmp_path / "kept", b"new")
    assert (tmp_path / "kept").read_bytes() == b"new"
    assert flushed == [tmp_path]

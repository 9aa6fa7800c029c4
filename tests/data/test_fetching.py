"""Data fetched from a server, here one of this machine."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.data import fetching, load, write_idx
from handgrad.data.fetching import PUBLISHED, Published, fetch
from handgrad.data.idx_folder import MNIST_FILES
from handgrad.errors import DataError

pytest.importorskip("pooch")


class Handler(SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a server offers: Fashion-MNIST's files with a few images, and their checksums instead of the real ones."""
    monkeypatch.setattr(fetching, "cache_folder", lambda name: tmp_path / "cache" / name)
    Handler.asked.clear()
    served = tmp_path / "served"
    served.mkdir()
    contents = (np.ones((8, 2, 2)), np.arange(8), np.zeros((3, 2, 2)), np.array([0, 9, 1]))
    for file, content in zip(MNIST_FILES, contents, strict=True):
        write_idx(served / f"{file}.gz", content.astype(np.uint8))
    return served


def publish(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path, *addresses: str) -> Published:
    files = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in PUBLISHED[name].files}
    published = replace(PUBLISHED[name], addresses=addresses, files=files)
    monkeypatch.setattr(fetching, "PUBLISHED", {**PUBLISHED, name: published})
    return published


def test_files_are_fetched_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    with serving(folder) as address:
        publish(monkeypatch, "fashion-mnist", folder, address)
        train, test = load("fashion-mnist", progress=lambda done, total: told.append((done, total)))
        fetch("fashion-mnist")
    assert len(Handler.asked) == 4
    assert train.class_names is not None
    assert (train.class_names[9], train.name, test.labels.tolist()) == ("ankle boot", "fashion-mnist", [0, 9, 1])
    sizes = {path.stat().st_size for path in folder.iterdir()}
    assert sizes <= {total for done, total in told if done == total}
    fetch("fashion-mnist")  # with no server at all


def test_another_address_is_asked_where_one_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong").mkdir()
    for file in MNIST_FILES:
        (tmp_path / "wrong" / f"{file}.gz").write_bytes(b"something else")
    with serving(tmp_path / "wrong") as wrong, serving(folder) as right:
        publish(monkeypatch, "fashion-mnist", folder, "http://127.0.0.1:1", wrong, right)
        assert len(fetch("fashion-mnist").train) == 8


def test_no_address_answers(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wrong").mkdir()
    with serving(folder / "wrong") as empty, serving(folder) as changed:
        publish(monkeypatch, "kmnist", folder, "http://127.0.0.1:1", empty, changed)
        for file in MNIST_FILES:
            (folder / f"{file}.gz").write_bytes(b"something else")
        with pytest.raises(DataError) as caught:
            fetch("kmnist")
    message = str(caught.value)
    for part in ("127.0.0.1:1 did not answer", "sent another file", "or put the file into", str(tmp_path / "cache")):
        assert part in message
    assert not list((tmp_path / "cache").rglob("*.gz"))  # nothing that is wrong stays


def test_the_binary_version_of_cifar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(first: int, count: int) -> bytes:
        records = np.zeros((count, 3073), np.uint8)
        records[:, 0] = np.arange(first, first + count) % 10
        records[:, 1:1025] = 200  # red
        return records.tobytes()

    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        parts = {f"data_batch_{n}.bin": batch(n, 2) for n in (2, 1)} | {
            "test_batch.bin": batch(7, 3),
            "readme.html": b"",
        }
        for name, content in parts.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with serving(folder) as address:
        publish(monkeypatch, "cifar-10", folder, address)
        train, test = fetch("cifar-10")
    assert train.labels.tolist() == [1, 2, 2, 3]
    assert test.inputs.shape == (3, 32, 32, 3)
    assert test.inputs[0, 0, 0].tolist() == [200, 0, 0]
    assert test.class_names is not None
    assert test.class_names[int(test.labels[0])] == "horse"


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_known_of_published_data(name: str) -> None:
    published = PUBLISHED[name]
    assert len(published.class_names) == len(set(published.class_names)) == 10
    assert all(len(checksum) == 64 and int(checksum, 16) for checksum in published.files.values())
    assert len(set(published.files.values())) == len(published.files)
    assert all(address.startswith("http") and not address.endswith("/") for address in published.addresses)

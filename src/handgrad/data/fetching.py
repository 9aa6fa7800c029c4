"""Published data sets, fetched from the net once and kept."""

import logging
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.data.datasets import Dataset, Progress, Splits
from handgrad.data.idx_folder import MNIST_FILES, load_idx_folder
from handgrad.errors import ArgumentError, DataError
from handgrad.extras import load
from handgrad.files import cache_folder

_PATIENCE = 20  # seconds for a server to begin to answer
_CIFAR_ARCHIVE, _CIFAR_RECORD = "cifar-10-binary.tar.gz", 1 + 3 * 32 * 32


@dataclass(frozen=True)
class Published:
    """A data set that others have published.

    Args:
        addresses: folders that hold the same files; each is asked until one answers with the right content.
        files: SHA-256 by name.
        class_names: in the order of their numbers.
        about: whom it is from, and under which licence.
        read: makes a data set of the folder in which the files lie.
    """

    addresses: tuple[str, ...]
    files: Mapping[str, str]
    class_names: tuple[str, ...]
    about: str
    read: Callable[[Path], Splits]


def fetch(name: str, *, progress: Progress | None = None) -> Splits:
    """Load a published data set; the first time its files are fetched, checked and kept in the cache folder.

    The folder is `handgrad/data` below XDG_CACHE_HOME, else below ~/.cache. Files that lie there are not fetched again.

    Args:
        name: one of `PUBLISHED`.
        progress: told how many bytes of the present file have come, and of how many.

    Raises:
        ArgumentError: there is no such name.
        MissingExtraError: pooch, which fetches, is not installed.
        DataError: no address answers, or none with the right content.

    Example:
        >>> fetch("no-such-data")
        Traceback (most recent call last):
        ...
        handgrad.errors.ArgumentError: name is 'no-such-data', expected one of cifar-10, fashion-mnist, kmnist.
    """
    if name not in PUBLISHED:
        raise ArgumentError("name", name, f"one of {', '.join(PUBLISHED)}")
    published = PUBLISHED[name]
    folder = cache_folder("data") / name
    for file, checksum in published.files.items():
        _fetch_file(published.addresses, folder, file, checksum, progress)
    return Splits(*(_named(part, name, published.class_names) for part in published.read(folder)))


def _named(dataset: Dataset, name: str, class_names: tuple[str, ...]) -> Dataset:
    return replace(dataset, name=name, class_names=class_names)


def _fetch_file(addresses: tuple[str, ...], folder: Path, file: str, checksum: str, progress: Progress | None) -> None:
    """See to it that a file is in the folder, and is what it should be."""
    pooch: Any = load("pooch", "data")
    pooch.get_logger().setLevel(logging.WARNING)
    failures = []
    for address in addresses:
        download = pooch.HTTPDownloader(progressbar=_Bar(progress) if progress else False, timeout=_PATIENCE)
        try:
            pooch.retrieve(f"{address}/{file}", f"sha256:{checksum}", file, folder, downloader=download)
            return
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong checksum is a ValueError
            host = address.split("/")[2]
            wrong = "sent another file than the one that was published"
            failures.append(f"{host} {wrong if isinstance(error, ValueError) else f'did not answer ({_short(error)})'}")
    raise DataError(
        f"{file} could not be fetched: {'; '.join(failures)}. Connect to the net and try again, or put the file into "
        f"{folder}."
    )


def _short(error: Exception) -> str:
    return type(error).__name__ if len(str(error)) > 60 or not str(error) else str(error)


class _Bar:
    """What pooch takes for a progress bar, as a function of two numbers."""

    def __init__(self, progress: Progress) -> None:
        self.total = 0
        self._done = 0
        self._progress = progress

    def update(self, amount: int) -> None:
        """So many more bytes have come."""
        self._done += amount
        self._progress(self._done, max(self.total, self._done))

    def reset(self) -> None:
        """The whole file is there."""
        self._done = 0

    def close(self) -> None:
        """Nothing more comes."""


def _read_cifar(folder: Path) -> Splits:
    """CIFAR-10's binary version: for each image a byte for its class, then its red, green and blue pixels."""
    parts: dict[str, list[np.ndarray[Any, Any]]] = {"data": [], "test": []}
    with tarfile.open(folder / _CIFAR_ARCHIVE) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            stream = archive.extractfile(member) if member.name.endswith(".bin") else None
            if stream is not None:
                kind = member.name.rpartition("/")[2].partition("_")[0]  # of data_batch_1.bin, test_batch.bin
                parts[kind].append(np.frombuffer(stream.read(), np.uint8).reshape(-1, _CIFAR_RECORD))
    train, test = (np.concatenate(parts[kind]) for kind in ("data", "test"))  # (N, 3073)
    return Splits(_cifar_images(train), _cifar_images(test))


def _cifar_images(records: "np.ndarray[Any, Any]") -> Dataset:
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (N, 3072) → (N, C, H, W) → (N, H, W, C)
    return Dataset(np.ascontiguousarray(images), records[:, 0].astype(np.int64), "cifar-10", 10)


def _like_mnist(*checksums: str) -> dict[str, str]:
    return {f"{file}.gz": checksum for file, checksum in zip(MNIST_FILES, checksums, strict=True)}


#: What `fetch` knows, by name.
PUBLISHED: Mapping[str, Published] = {
    "cifar-10": Published(
        ("https://www.cs.toronto.edu/~kriz",),
        {_CIFAR_ARCHIVE: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        _read_cifar,
    ),
    "fashion-mnist": Published(
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
        _like_mnist(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
        "Xiao, Rasul, Vollgraf 2017, Fashion-MNIST; MIT licence",
        load_idx_folder,
    ),
    "kmnist": Published(
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist", "http://codh.rois.ac.jp/kmnist/dataset/kmnist"),
        _like_mnist(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        ("お o", "き ki", "す su", "つ tsu", "な na", "は ha", "ま ma", "や ya", "れ re", "を wo"),
        "Clanuwat et al. 2018, Deep Learning for Classical Japanese Literature; CC BY-SA 4.0",
        load_idx_folder,
    ),
}

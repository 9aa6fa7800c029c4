"""Data in MNIST's file format: a directory with four IDX files."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.data.datasets import Dataset, Splits
from handgrad.data.idx import read_idx
from handgrad.errors import DataError

MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def has_idx_files(directory: Path) -> bool:
    """Whether at least one of the four files is there."""
    return bool(_candidates(directory))


def load_idx_folder(directory: Path) -> Splits:
    """Read the four files.

    They may be gzipped or raw; `.idx3-ubyte`, `test` for `t10k` and one common prefix (`emnist-digits-`) are
    understood. Images of any size are taken as they are (EMNIST publishes its images transposed); classes are counted
    as the largest label + 1.

    Args:
        directory: where they lie.

    Raises:
        DataError: files are missing, ambiguous or broken, or do not belong together.
    """
    prefix, files = _find_files(directory)
    train_images, train_labels = _read_pair(files[MNIST_FILES[0]], files[MNIST_FILES[1]])
    test_images, test_labels = _read_pair(files[MNIST_FILES[2]], files[MNIST_FILES[3]])
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{directory}: training images have shape {train_images.shape[1:]} but test images "
            f"{test_images.shape[1:]}, expected the same; check that all files belong to one data set."
        )
    classes = 1 + int(max(train_labels.max(), test_labels.max()))
    if classes > len(train_labels) + len(test_labels):  # a table with a row for each class must fit in memory
        raise DataError(
            f"{directory}: the largest label is {classes - 1}, but there are only "
            f"{len(train_labels) + len(test_labels)} examples; expected labels counted from 0."
        )
    name = prefix.strip("-_. ") or directory.resolve().name
    return Splits(
        train=Dataset(train_images, train_labels, name, classes),
        test=Dataset(test_images, test_labels, name, classes),
    )


def _find_files(directory: Path) -> tuple[str, dict[str, Path]]:
    """Find the four files; returns their common prefix and, by MNIST's own name, their paths."""
    found = _candidates(directory)
    complete = [prefix for prefix, files in found.items() if len(files) == len(MNIST_FILES)]
    if len(complete) > 1:
        raise DataError(
            f"{directory} holds several data sets, with prefixes {', '.join(map(repr, sorted(complete)))}, "
            f"expected one; move the four files you want into a directory of their own."
        )
    if not complete:
        raise _missing_files(directory, found)
    return complete[0], found[complete[0]]


def _candidates(directory: Path) -> dict[str, dict[str, Path]]:
    """Files that may be meant, by their prefix and by MNIST's own name."""
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue  # macOS leaves a hidden twin `._train-images…` beside a copied file
        name = path.name.removesuffix(".gz").replace(".idx", "-idx")
        name = name.replace("test-images", "t10k-images").replace("test-labels", "t10k-labels")
        for ending in MNIST_FILES:
            if name.endswith(ending):
                # Sorted, so the raw file comes before its gzipped twin and wins: it reads faster.
                found[name.removesuffix(ending)].setdefault(ending, path)
    return found


def _missing_files(directory: Path, found: dict[str, dict[str, Path]]) -> DataError:
    nearest = max(found, key=lambda prefix: len(found[prefix]), default="")
    missing = [nearest + name for name in MNIST_FILES if name not in found.get(nearest, {})]
    return DataError(
        f"{directory} lacks {', '.join(missing)}; found {len(MNIST_FILES) - len(missing)} of MNIST's four files, "
        f"looked for with or without '.gz' and a common prefix, '.idx' or '-idx', 't10k' or 'test'; add the rest."
    )


def _read_pair(images_path: Path, labels_path: Path) -> tuple[NDArray[Any], NDArray[np.int64]]:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8:  # the recipes and the page take the pixels of such a directory to be bytes
        raise DataError(f"{images_path} holds {images.dtype}, expected uint8 pixels; convert them to 0 to 255.")
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1:
        raise DataError(
            f"{labels_path} holds {labels.dtype} of shape {labels.shape}, expected integer labels (N,); "
            f"check that it is the file of labels."
        )
    if len(images) != len(labels) or not len(images):
        raise DataError(
            f"{images_path} holds {len(images)} images but {labels_path} holds {len(labels)} labels, expected "
            f"equal counts of at least one; check that both files belong to the same data set."
        )
    return images, labels.astype(np.int64)

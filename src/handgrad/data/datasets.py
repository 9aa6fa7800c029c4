"""Data sets in memory: inputs beside their labels, from the package or from a directory of IDX files."""

import difflib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from handgrad.data.idx import read_idx
from handgrad.errors import ArgumentError, DataError

BUILT_IN = ("mnist", "points", "xor")
MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and labels of equal length, checked once and then trusted.

    Args:
        inputs: images (N, H, W) or (N, H, W, C), uint8 in [0, 255] or floating-point, or floating-point rows (N, D).
        labels: integers (N,) in [0, classes), or floating-point targets (N, D).
        name: what messages and plots call it.
        classes: the number of classes, or None for floating-point targets.
        weights: how much each example counts in training, (N,), numbers >= 0 with a sum > 0; None for all alike.
            Weights of mean 1 leave the loss on its scale.

    Raises:
        DataError: inputs or labels have another dtype or shape, their counts differ, `classes` does not go
            with the labels, a label lies outside [0, classes), or weights are not such numbers.

    Example:
        >>> dataset = Dataset(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), name="three", classes=2)
        >>> len(dataset), dataset[1:].labels, dataset.class_counts()
        (3, array([1, 1]), array([1, 2]))
        >>> dataset[-1]
        (array([0., 0., 1.], dtype=float32), np.int64(1))
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    name: str
    classes: int | None
    weights: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        inputs, labels = self.inputs, self.labels
        floating = np.issubdtype(inputs.dtype, np.floating)
        images = (inputs.dtype == np.uint8 or floating) and inputs.ndim in (3, 4)
        if not (images or (floating and inputs.ndim == 2)):
            raise DataError(
                f"{self.name}: inputs are {inputs.dtype} of shape {inputs.shape}, expected images (N, H, W) or "
                f"(N, H, W, C), uint8 or floating-point, or floating-point rows (N, D); convert or reshape them."
            )
        if len(inputs) != len(labels):
            raise DataError(
                f"{self.name}: {len(inputs)} inputs but {len(labels)} labels, expected as many of one as of "
                f"the other; check that both belong to the same set."
            )
        self._check_labels()
        self._check_weights()

    def _check_weights(self) -> None:
        weights = self.weights
        if weights is None:
            return
        numbers = np.issubdtype(weights.dtype, np.floating) and weights.shape == (len(self),)
        if not numbers or not (np.isfinite(weights) & (weights >= 0)).all() or (len(weights) and not weights.any()):
            raise DataError(
                f"{self.name}: weights are {weights.dtype} of shape {weights.shape}, expected {len(self)} finite "
                f"floating-point numbers >= 0, not all of them 0; weight every example, or leave weights out."
            )

    def _check_labels(self) -> None:
        kind, dimensions = (np.floating, 2) if self.classes is None else (np.integer, 1)
        if not np.issubdtype(self.labels.dtype, kind) or self.labels.ndim != dimensions:
            raise DataError(
                f"{self.name}: labels are {self.labels.dtype} of shape {self.labels.shape} with classes = "
                f"{self.classes}, expected integers (N,) with a number of classes, or floating-point targets "
                f"(N, D) with classes = None; convert the labels or change classes."
            )
        if self.classes is None:
            return
        outside = np.flatnonzero((self.labels < 0) | (self.labels >= self.classes))
        if len(outside):
            raise DataError(
                f"{self.name}: label {self.labels[outside[0]]} at index {outside[0]}, expected 0 to "
                f"{self.classes - 1} for {self.classes} classes; correct the label or raise classes."
            )

    def __len__(self) -> int:
        return len(self.inputs)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> tuple[NDArray[Any], Any]: ...

    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> "Dataset": ...

    def __getitem__(self, index: int | np.integer[Any] | slice | NDArray[Any]) -> "tuple[NDArray[Any], Any] | Dataset":
        if isinstance(index, int | np.integer):
            return self.inputs[index], self.labels[index]
        weights = None if self.weights is None else self.weights[index]
        return Dataset(self.inputs[index], self.labels[index], self.name, self.classes, weights)

    def class_counts(self) -> NDArray[np.int64]:
        """Count the samples of each class.

        Returns:
            int64 (classes,); entry c is the number of labels equal to c.

        Raises:
            ArgumentError: the data set has floating-point targets instead of classes.

        Example:
            >>> load("points").train.class_counts()
            array([5, 5])
        """
        if self.classes is None:
            raise ArgumentError("classes", None, "a data set with classes", "use integer labels")
        return np.bincount(self.labels, minlength=self.classes).astype(np.int64)


class Splits(NamedTuple):
    """What a model is trained on, and what it is scored on once.

    Attributes:
        train: the training data.
        test: the test data, which no choice may depend on.

    Example:
        >>> train, test = load("xor")
        >>> len(train), len(test)
        (4, 4)
    """

    train: Dataset
    test: Dataset


def load(name_or_directory: str | Path) -> Splits:
    """Load a built-in data set by its name, or one in MNIST's file format from a directory.

    Built in are `mnist` (60,000 + 10,000 images 28×28, 10 classes), `points` (ten points of the plane, 2 classes)
    and `xor` (four rows, float32 targets (4, 1)); the last two are too small to hold any back, so test equals
    train.

    A directory holds MNIST's four files, gzipped or raw: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
    and the same with `t10k` or `test`. `.idx3-ubyte` and one common prefix (`emnist-digits-`) are understood.
    Images of any size are taken as they are (EMNIST publishes its images transposed); classes are counted as the
    largest label + 1. A string that is a built-in name means that; write `./mnist` or a `Path` for a directory of
    that name.

    Args:
        name_or_directory: a built-in name or a directory.

    Returns:
        The two data sets; integer labels are int64.

    Raises:
        ArgumentError: it is neither a known name nor a directory.
        DataError: files are missing, ambiguous or broken, or do not belong together.

    Source: for MNIST, data/mnist/LICENSE.md.

    Example:
        >>> load("mnist").test.inputs.shape
        (10000, 28, 28)
    """
    if name_or_directory == "mnist":
        return _load_embedded_mnist()
    if name_or_directory == "points":
        return _without_test_data(_points())
    if name_or_directory == "xor":
        return _without_test_data(_xor())
    if Path(name_or_directory).is_dir():
        return _load_directory(Path(name_or_directory))
    close = difflib.get_close_matches(str(name_or_directory).lower(), BUILT_IN, n=1)
    raise ArgumentError(
        "name_or_directory",
        str(name_or_directory),
        f"one of {', '.join(BUILT_IN)}, or an existing directory with MNIST's four files",
        f"try {close[0]!r}" if close else "check the spelling or the path",
    )


def split(dataset: Dataset, validation_count: int, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """Set samples aside for validation, drawn at random without replacement.

    Args:
        dataset: the training data, N samples.
        validation_count: how many to set aside, 1 to N − 1.
        rng: draws the permutation; the same generator state gives the same split.

    Returns:
        `(train, validation)` with N − validation_count and validation_count samples, both in shuffled order.

    Raises:
        ArgumentError: `validation_count` leaves one side empty.

    Example:
        >>> train, validation = split(load("points").train, 3, np.random.default_rng(0))
        >>> len(train), len(validation)
        (7, 3)
    """
    if not 1 <= validation_count < len(dataset):
        expected = f"an integer from 1 to {len(dataset) - 1}, leaving samples on both sides"
        raise ArgumentError("validation_count", validation_count, expected)
    order = rng.permutation(len(dataset))
    return dataset[order[validation_count:]], dataset[order[:validation_count]]


def _points() -> Dataset:
    points = [[2, 1], [2, 2], [5, 4], [4, 5], [2, 3], [3, 2], [6, 5], [4, 1], [6, 3], [7, 4]]
    labels = np.array([0, 0, 1, 1, 0, 0, 1, 0, 1, 1], np.int64)
    return Dataset(np.array(points, np.float32), labels, "points", classes=2)


def _xor() -> Dataset:
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    targets = np.array([[0], [1], [1], [0]], np.float32)
    return Dataset(inputs, targets, "xor", classes=None)


def _without_test_data(dataset: Dataset) -> Splits:
    return Splits(train=dataset, test=dataset)


def _load_embedded_mnist() -> Splits:
    from importlib import (
        resources,
    )  # here because importing it costs as much as importing the rest of this room

    with resources.as_file(resources.files("handgrad.data") / "mnist") as directory:
        return _load_directory(directory)


def _load_directory(directory: Path) -> Splits:
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
    complete = [prefix for prefix, files in found.items() if len(files) == len(MNIST_FILES)]
    if len(complete) > 1:
        raise DataError(
            f"{directory} holds several data sets, with prefixes {', '.join(map(repr, sorted(complete)))}, "
            f"expected one; move the four files you want into a directory of their own."
        )
    if not complete:
        raise _missing_files(directory, found)
    return complete[0], found[complete[0]]


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

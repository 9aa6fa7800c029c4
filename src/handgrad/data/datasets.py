"""Data sets: inputs beside their labels, from the package, the net, or files of many kinds."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from handgrad.data.labels import Targets, renumbered
from handgrad.data.large import take_rows
from handgrad.errors import ArgumentError, DataError

#: In the package itself.
BUILT_IN = ("mnist", "points", "xor")

#: Called with the number of pictures that are read, and of all.
Progress = Callable[[int, int], None]


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
        class_names: of the classes, in their order; None where numbers are their names.
        feature_names: of the columns of rows (N, D), in their order; None where they have none.

    Raises:
        DataError: inputs or labels have another dtype or shape, their counts differ, `classes` does not go
            with the labels, a label lies outside [0, classes), weights are not such numbers, or there are more or fewer
            names than what they name.

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
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None

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
        self._check_names("class_names", self.class_names, self.classes or 0)
        self._check_names("feature_names", self.feature_names, inputs.shape[1] if inputs.ndim == 2 else 0)

    def _check_names(self, what: str, names: tuple[str, ...] | None, count: int) -> None:
        if names is not None and (len(names) != count or len(set(names)) != count):
            raise DataError(f"{self.name}: {what} are {names}, expected {count} different names.")

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

    @cached_property
    def is_right_or_wrong(self) -> bool:
        """Whether the targets are classes, or a column that says no or yes by 0 or 1; else they are amounts."""
        return self.classes is not None or (self.labels.shape[1] == 1 and bool(np.isin(self.labels, (0, 1)).all()))

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
        return replace(self, inputs=take_rows(self.inputs, index), labels=self.labels[index], weights=weights)

    def with_classes(self, names: Sequence[str]) -> "Dataset":
        """The same examples with the class numbers that another data set has, by the names of the classes.

        Args:
            names: of all classes, in their order.

        Raises:
            DataError: a class has none of these names.

        Example:
            >>> pets = Dataset(np.eye(2), np.array([0, 1]), "pets", 2, class_names=("cat", "owl"))
            >>> pets.with_classes(("cat", "dog", "owl")).labels
            array([0, 2])
        """
        own = self.class_names or tuple(map(str, range(self.classes or 0)))
        if own == tuple(names):
            return self
        labels = renumbered(self.labels, own, names, self.name)
        return replace(self, labels=labels, classes=len(names), class_names=tuple(names))

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

    def _repr_html_(self) -> str:
        from handgrad.data.display import dataset_html

        return dataset_html(self)


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

    def _repr_html_(self) -> str:
        from handgrad.data.display import splits_html

        return splits_html(self.train, self.test)


def load(
    source: str | Path,
    *,
    target: str = "",
    targets: Targets = "auto",
    image_size: Sequence[int] = (),
    held_out: float = 0.2,
    progress: Progress | None = None,
) -> Splits:
    """Load a data set by its name, or from files.

    - Built in are `mnist` (60,000 + 10,000 images 28×28, 10 classes), `points` (ten points of the plane, 2 classes)
      and `xor` (four rows, float32 targets (4, 1)); the last two are too small to hold any back, so test equals train.
    - The names in `handgrad.data.fetching.PUBLISHED`, such as `fashion-mnist`, are fetched once: see `fetch`.
    - A directory holds MNIST's four files, or a folder of pictures for each class, or train.csv and test.csv.
    - A file is a table (.csv, .tsv) or an archive of arrays (.npz).

    `load_idx_folder`, `load_image_folder`, `load_table` and `load_archive` say what such data look like. What has no
    test part gets one by `hold_out`, the same each time. A string that is a name means that; write `./mnist` or a
    `Path` for a directory of that name.

    Args:
        source: a name, a directory or a file.
        target: the column of a table that is to be predicted; "" for the last.
        targets: whether a table's or an archive's targets are "classes" or "numbers"; "auto" looks at them.
        image_size: (height, width) to which pictures of a folder are brought; () for that which all of them have.
        held_out: the part of the examples kept for testing, in (0, 1], where the data have no test part.
        progress: told how many pictures have been read.

    Returns:
        The two data sets; integer labels are int64.

    Raises:
        ArgumentError: it is neither a known name nor a directory or file of these kinds, or a setting is impossible.
        DataError: files are missing, ambiguous or broken, or do not belong together.

    Source: for MNIST, data/mnist/LICENSE.md.

    Example:
        >>> load("mnist").test.inputs.shape
        (10000, 28, 28)
    """
    if isinstance(source, str) and source in _LOADERS:
        return _LOADERS[source]()
    from handgrad.data.fetching import PUBLISHED, fetch

    if isinstance(source, str) and source in PUBLISHED:
        return fetch(source, progress=progress)
    path = Path(source)
    if path.is_dir():
        return _load_directory(path, target, targets, image_size, held_out, progress)
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if path.is_file() and kind in ("csv", "tsv"):
        from handgrad.data.tables import load_table

        return load_table(path, target=target, targets=targets, held_out=held_out)
    if path.is_file() and kind == "npz":
        from handgrad.data.archives import load_archive

        return load_archive(path, targets=targets, held_out=held_out)
    names = (*BUILT_IN, *PUBLISHED)
    close = difflib.get_close_matches(str(source).lower(), names, n=1)
    raise ArgumentError(
        "source",
        str(source),
        f"one of {', '.join(names)}, an existing directory, or a .csv, .tsv or .npz file",
        f"try {close[0]!r}" if close else "check the spelling or the path",
    )


def _load_directory(
    path: Path,
    target: str,
    targets: Targets,
    image_size: Sequence[int],
    held_out: float,
    progress: Progress | None,
) -> Splits:
    """MNIST's files, tables, or pictures, whichever lie there."""
    from handgrad.data.idx_folder import has_idx_files, load_idx_folder

    if not has_idx_files(path):
        if (path / "train.csv").is_file():
            from handgrad.data.tables import load_table

            return load_table(path, target=target, targets=targets)
        if any(child.is_dir() and not child.name.startswith(".") for child in path.iterdir()):
            from handgrad.data.image_folder import load_image_folder

            return load_image_folder(path, image_size=image_size, held_out=held_out, progress=progress)
    return load_idx_folder(path)


def hold_out(dataset: Dataset, share: float, rng: np.random.Generator) -> Splits:
    """Keep a part of the examples for testing; of every class the same part, as nearly as whole numbers allow.

    Args:
        dataset: N examples.
        share: the part, above 0; with 1 nothing is left to train on.
        rng: chooses the examples; the same state chooses the same.

    Returns:
        Both in the order of the data set.

    Raises:
        ArgumentError: `share` is not in (0, 1], or leaves one side empty.

    Example:
        >>> train, test = hold_out(load("points").train, 0.2, np.random.default_rng(0))
        >>> train.class_counts(), test.class_counts()
        (array([4, 4]), array([1, 1]))
    """
    if not 0 < share <= 1:
        raise ArgumentError("held_out", share, "a number above 0, up to 1", "0.2 keeps one example in five for testing")
    if share == 1:
        return Splits(train=dataset[:0], test=dataset)
    groups = dataset.labels if dataset.classes is not None else np.zeros(len(dataset), np.int64)
    is_test = np.zeros(len(dataset), bool)
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        is_test[members[: round(share * len(members))]] = True
    if is_test.all() or not is_test.any():
        expected = f"a share of {len(dataset)} examples that leaves some on both sides"
        raise ArgumentError("held_out", share, expected, "collect more, or name a larger share")
    return Splits(train=dataset[~is_test], test=dataset[is_test])


def with_test_part(dataset: Dataset, share: float) -> Splits:
    """What `hold_out` gives, with the same choice of examples each time: test data must not change from run to run."""
    return hold_out(dataset, share, np.random.default_rng(0))


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


def _mnist() -> Splits:
    from importlib import resources  # here because importing it costs as much as importing the rest of this room

    from handgrad.data.idx_folder import load_idx_folder

    with resources.as_file(resources.files("handgrad.data") / "mnist") as directory:
        return load_idx_folder(directory)


_LOADERS: dict[str, Callable[[], Splits]] = {
    "mnist": _mnist,
    "points": lambda: _without_test_data(_points()),
    "xor": lambda: _without_test_data(_xor()),
}

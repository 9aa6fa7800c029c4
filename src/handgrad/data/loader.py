"""Batches: shuffled samples, made into network inputs and targets only when their turn comes."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from handgrad.data.augment import Augmentation
from handgrad.data.datasets import Dataset
from handgrad.data.preprocessing import Preprocessing
from handgrad.errors import ArgumentError

#: States of generators by their purpose, as `Generator.bit_generator.state` has them.
RandomState: TypeAlias = dict[str, Any]


class Batch(NamedTuple):
    """What one training step sees.

    Attributes:
        inputs: floating point, (n, D) or (n, C, H, W).
        targets: int64 (n,), or floating point (n, classes) or (n, D).

    Example:
        >>> inputs, targets = Batch(np.zeros((1, 2)), np.array([1]))
        >>> targets
        array([1])
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]


def one_hot(labels: NDArray[Any], classes: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Write each label as a row of zeros with a single one.

    Y[n, c] = 1 where c = labels[n], else 0.

    Args:
        labels: integers (N,) in [0, classes).
        classes: the number of columns.
        dtype: of the result.

    Returns:
        (N, classes) of `dtype`.

    Raises:
        ArgumentError: `labels` is not a vector of integers in [0, classes).

    Example:
        >>> one_hot(np.array([2, 0]), 3)
        array([[0., 0., 1.],
               [1., 0., 0.]], dtype=float32)
    """
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        found = f"{labels.dtype} of shape {labels.shape}"
        raise ArgumentError("labels", found, "integers of shape (N,)", "pass class numbers, not one-hot rows")
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        found = f"{labels.min()} to {labels.max()}"
        raise ArgumentError("labels", found, f"integers from 0 to {classes - 1}", "raise classes")
    rows = np.zeros((len(labels), classes), dtype)
    rows[np.arange(len(labels)), labels] = 1
    return rows


class Loader:
    """The batches of one data set, as a sequence that is reshuffled each time it is iterated over.

    Raw inputs stay as they are (uint8 images take a quarter of float32) until a batch is asked for. Every batch
    is made of new arrays; the last one is shorter where the batch size does not divide N.

    Args:
        dataset: N samples.
        batch_size: samples in a batch, or None for all of them in one.
        preprocessing: makes network inputs of raw ones.
        rng: draws a new permutation for every `iter(loader)`; None keeps the order of the data set.
        one_hot: give integer labels as rows (n, classes) instead of int64 (n,).
        dtype: of inputs and floating-point targets; float32, or float64 for checks.
        augment: distorts the images of every batch, before preprocessing. Its random numbers are a stream of their own,
            spawned from `rng`, so the order is the same with and without; a batch asked for twice is the same twice.

    Raises:
        ArgumentError: `batch_size` is not a positive integer, `dtype` is neither float32 nor float64, `one_hot` is
            asked of a data set without classes, or `augment` of one without images or without `rng`.

    Example:
        >>> from handgrad.data.datasets import load
        >>> loader = Loader(load("points").train, 4, preprocessing=Preprocessing(scale=1.0))
        >>> len(loader), [len(batch.inputs) for batch in loader]
        (3, [4, 4, 2])
        >>> loader[2].targets
        array([1, 1])
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int | None,
        *,
        preprocessing: Preprocessing,
        rng: np.random.Generator | None = None,
        one_hot: bool = False,
        dtype: DTypeLike = np.float32,
        augment: Augmentation | None = None,
    ) -> None:
        if batch_size is not None and (not isinstance(batch_size, int | np.integer) or batch_size < 1):
            raise ArgumentError("batch_size", batch_size, "an integer of at least 1, or None for all samples")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ArgumentError("dtype", str(np.dtype(dtype)), "float32 or float64")
        if one_hot and dataset.classes is None:
            raise ArgumentError("one_hot", one_hot, "False for a data set without classes", "use its targets")
        if augment is not None and (rng is None or dataset.inputs.dtype != np.uint8):
            raise ArgumentError("augment", augment, "None without images or without rng", "leave it out")
        self.dataset = dataset
        self.batch_size = max(1, len(dataset)) if batch_size is None else int(batch_size)
        self.preprocessing = preprocessing
        self.rng = rng
        self.one_hot = one_hot
        self.dtype = np.dtype(dtype)
        self.augment = augment
        self._starts = range(0, len(dataset), self.batch_size)  # first places of the batches
        self._order: NDArray[np.int64] | None = None  # None is the data set's own order
        self._noise = rng.spawn(1)[0] if rng is not None and augment is not None else None
        self._seed = self._new_seed()

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> Batch:
        """Make batch `index` of the order that the latest `iter` drew; before the first, the data set's own.

        Raises:
            IndexError: `index` is not in [−len, len).
        """
        return self._batch(index, self._order, self._seed)

    def __iter__(self) -> Iterator[Batch]:
        return self.batches()

    def batches(self, *, skip: int = 0) -> Iterator[Batch]:
        """What `iter` gives, without the first `skip` of them, which are not even made."""
        # Not a generator: the order is drawn when iteration is asked for, and each iterator keeps its own.
        order, seed = self._begin()
        return (self._batch(index, order, seed) for index in range(skip, len(self)))

    def rows(self, *, shuffled: bool = True, skip: int = 0) -> Iterator[tuple[NDArray[Any], ...]]:
        """What `iter` makes batches of: the samples of each by number and, if distorted, the numbers that say how.

        Args:
            shuffled: False draws nothing, and gives the data set's own order.
            skip: leave out so many batches at the beginning.
        """
        order, seed = self._begin() if shuffled else (None, 0)
        order = self._plain_order if order is None else order
        size, starts = self.batch_size, self._starts[skip:]
        if self.augment is None:
            return ((order[start : start + size],) for start in starts)
        return (self._described(order, start, seed) for start in starts)

    @property
    def random_state(self) -> RandomState:
        """Where its generators stand: set to what it was before an epoch, the same epoch comes again."""
        state = {}
        if self.rng is not None:
            state["order"] = self.rng.bit_generator.state
        if self._noise is not None:
            state["distortions"] = self._noise.bit_generator.state
        return state

    @random_state.setter
    def random_state(self, state: RandomState) -> None:
        if state.keys() != self.random_state.keys():
            raise ArgumentError("random_state", sorted(state), f"states of {sorted(self.random_state)}")
        if self.rng is not None:
            self.rng.bit_generator.state = state["order"]
        if self._noise is not None:
            self._noise.bit_generator.state = state["distortions"]

    @cached_property
    def _plain_order(self) -> NDArray[np.int64]:
        return np.arange(len(self.dataset))

    def _described(self, order: NDArray[np.int64], start: int, seed: int) -> tuple[NDArray[Any], ...]:
        assert self.augment is not None
        rows = order[start : start + self.batch_size]
        shape = len(rows), *self.dataset.inputs.shape[1:]
        return rows, self.augment.draw(shape, self._generator(start, seed))

    def _begin(self) -> tuple[NDArray[np.int64] | None, int]:
        """A new order and new distortions, for one pass over the data."""
        if self.rng is not None:
            self._order = self.rng.permutation(len(self.dataset))
        self._seed = self._new_seed()
        return self._order, self._seed

    def targets(self, rows: NDArray[np.int64] | slice) -> NDArray[Any]:
        """The targets of some samples, as in a batch: a new array."""
        labels, is_view = self.dataset.labels, isinstance(rows, slice)  # else it is a copy already
        if self.dataset.classes is None:  # (N, D) → (n, D); of XOR's rows `take` costs half of what an index does
            taken = labels[rows] if isinstance(rows, slice) else labels.take(rows, axis=0)
            return taken.astype(self.dtype, copy=is_view)
        if self.one_hot:
            return one_hot(labels[rows], self.dataset.classes, self.dtype)
        return labels[rows].astype(np.int64, copy=is_view)

    def _new_seed(self) -> int:
        """Of the distortions in one pass over the data."""
        return 0 if self._noise is None else int(self._noise.integers(2**63))

    def _batch(self, index: int, order: NDArray[np.int64] | None, seed: int) -> Batch:
        start = self._starts[index]
        place = slice(start, start + self.batch_size)
        rows = place if order is None else order[place]
        inputs = self.dataset.inputs[rows]  # a view for a slice; preprocessing makes a new array of it
        if self.augment is not None:
            inputs = self.augment(inputs, self._generator(start, seed))
        return Batch(self.preprocessing(inputs, self.dtype), self.targets(rows))

    @staticmethod
    def _generator(start: int, seed: int) -> np.random.Generator:
        """Of numbers that depend on the pass and the batch, not on what was asked for before."""
        return np.random.default_rng([seed, start])

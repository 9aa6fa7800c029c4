"""Where a training or scoring step gets its examples from."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from handgrad.data.loader import Loader
from handgrad.errors import ArgumentError
from handgrad.ops import Array, Ops

#: What `Examples.inputs` makes a batch of.
Given = tuple["np.ndarray[Any, Any]", ...]

#: For every batch the arguments of `Examples.inputs`, and the targets.
Batches = Iterator[tuple[Given, "np.ndarray[Any, Any]"]]


class Examples:
    """A loader's batches, in the form that costs a step least.

    Raw inputs that lie in one array are handed over as row numbers, and the step's first operations fetch, distort and
    scale them, so images cross the memory as bytes. Everything else comes as finished batches.

    Args:
        loader: the examples.
        dtype: of the model, "float32" or "float64".
        weighted: whether the data set's weights, if it has any, come with every batch.

    Raises:
        ArgumentError: weights are wanted of distorted images that are not handed over by row numbers.
    """

    def __init__(self, loader: Loader, dtype: str, *, weighted: bool = False) -> None:
        self.loader = loader
        self.dtype = dtype
        self._weights = loader.dataset.weights if weighted else None
        inputs = loader.dataset.inputs
        is_plain = inputs.dtype in (np.uint8, np.float32) and inputs.flags.c_contiguous
        self._by_rows = is_plain and dtype == "float32" and loader.preprocessing.is_uniform
        if self._weights is not None and loader.augment is not None and not self._by_rows:
            expected = "contiguous uint8 images and a float32 model, where examples have weights and are distorted"
            raise ArgumentError("train", f"{inputs.dtype} for a {dtype} model", expected)
        self._only_batch = self._find_only_batch()

    def _find_only_batch(self) -> "tuple[Given, np.ndarray[Any, Any]] | None":
        """The batch that every epoch has, if it is always the whole data set in its own order.

        To make it again was a fifth of XOR's steps. Its targets are the data set's own labels, so that who changes
        those is heard, as is a loader of another kind, which may make its batches otherwise.
        """
        loader, labels = self.loader, self.loader.dataset.labels
        is_the_same = type(loader) is Loader and loader.rng is None and len(loader) == 1
        targets_dtype = self.dtype if loader.dataset.classes is None else np.int64
        is_as_it_lies = self._by_rows and self._weights is None and not loader.one_hot and labels.dtype == targets_dtype
        return (next(loader.rows()), labels) if is_the_same and is_as_it_lies else None

    @property
    def state(self) -> "tuple[np.ndarray[Any, Any], ...]":
        """The arrays that `inputs` reads besides its arguments."""
        return (self.loader.dataset.inputs,) if self._by_rows else ()

    def __iter__(self) -> Batches:
        """For every batch the arguments of `inputs`, and the targets."""
        return self.batches()

    def batches(self, *, skip: int = 0) -> Batches:
        """What `iter` gives, without the first `skip` batches of the epoch."""
        if self._only_batch is not None and skip == 0:
            return iter((self._only_batch,))
        if self._by_rows:
            return ((self._with_weights(given), self.loader.targets(given[0])) for given in self.loader.rows(skip=skip))
        if self._weights is not None:
            return ((self._weighed(rows), self.loader.targets(rows)) for (rows,) in self.loader.rows(skip=skip))
        batches = iter(self.loader) if skip == 0 else self.loader.batches(skip=skip)
        return (((batch.inputs,), batch.targets) for batch in batches)

    def first(self) -> "tuple[Given, np.ndarray[Any, Any]]":
        """Something of the shapes of the first batch, without drawing a new order."""
        rows = np.arange(min(self.loader.batch_size, len(self.loader.dataset)))
        if self._weights is not None and not self._by_rows:
            return self._weighed(rows), self.loader.targets(rows)
        given = next(self.loader.rows(shuffled=False)) if self._by_rows else (self.loader[0].inputs,)
        return self._with_weights(given), self.loader.targets(rows)

    def _with_weights(self, given: Given) -> Given:
        """Row numbers and distortions, and behind them the weights of those rows, if there are any."""
        return given if self._weights is None else (*given, self._weights[given[0]].astype(np.float32, copy=False))

    def _weighed(self, rows: "np.ndarray[Any, Any]") -> Given:
        """A finished batch, and the weights of its examples."""
        assert self._weights is not None
        inputs = self.loader.preprocessing(self.loader.dataset.inputs[rows], self.dtype)
        return inputs, self._weights[rows].astype(self.dtype, copy=False)

    def split(self, given: Sequence[Array]) -> tuple[Sequence[Array], Array | None]:
        """The arguments of `inputs`, and the weights that came with them, (n,), if there are any."""
        return (given, None) if self._weights is None else (given[:-1], given[-1])

    def inputs(self, batch: Array, numbers: Array | None = None, *, ops: Ops) -> Array:
        """The network's inputs, of what was given: row numbers and how each is distorted, or a finished batch."""
        if not self._by_rows:
            return ops.asarray(batch, self.dtype)
        source, preprocessing, augment = self.loader.dataset.inputs, self.loader.preprocessing, self.loader.augment
        shape, rows = source.shape[1:], batch
        if augment is not None:
            source, rows = augment.distort(source, rows, numbers, shape, ops=ops), None
        shift, factor = float(preprocessing.shift), float(preprocessing.factor)
        return ops.take(source, rows, shift, factor, preprocessing.output_shape(shape))

"""Where a training or scoring step gets its examples from."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.data.loader import Loader
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
    """

    def __init__(self, loader: Loader, dtype: str) -> None:
        self.loader = loader
        self.dtype = dtype
        inputs = loader.dataset.inputs
        self._by_rows = inputs.dtype in (np.uint8, np.float32) and inputs.flags.c_contiguous and dtype == "float32"

    @property
    def state(self) -> "tuple[np.ndarray[Any, Any], ...]":
        """The arrays that `inputs` reads besides its arguments."""
        return (self.loader.dataset.inputs,) if self._by_rows else ()

    def __iter__(self) -> Batches:
        """For every batch the arguments of `inputs`, and the targets."""
        return self.batches()

    def batches(self, *, skip: int = 0) -> Batches:
        """What `iter` gives, without the first `skip` batches of the epoch."""
        if self._by_rows:
            return ((given, self.loader.targets(given[0])) for given in self.loader.rows(skip=skip))
        batches = iter(self.loader) if skip == 0 else self.loader.batches(skip=skip)
        return (((batch.inputs,), batch.targets) for batch in batches)

    def first(self) -> "tuple[Given, np.ndarray[Any, Any]]":
        """Something of the shapes of the first batch, without drawing a new order."""
        rows = np.arange(min(self.loader.batch_size, len(self.loader.dataset)))
        given = next(self.loader.rows(shuffled=False)) if self._by_rows else (self.loader[0].inputs,)
        return given, self.loader.targets(rows)

    def inputs(self, batch: Array, numbers: Array | None = None, *, ops: Ops) -> Array:
        """The network's inputs, of what was given: row numbers and how each is distorted, or a finished batch."""
        if not self._by_rows:
            return ops.asarray(batch, self.dtype)
        source, preprocessing, augment = self.loader.dataset.inputs, self.loader.preprocessing, self.loader.augment
        shape, rows = source.shape[1:], batch
        if augment is not None:
            source, rows = augment.distort(source, rows, numbers, shape, ops=ops), None
        return ops.take(source, rows, preprocessing.shift, preprocessing.factor, preprocessing.output_shape(shape))

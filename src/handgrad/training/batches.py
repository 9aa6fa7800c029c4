"""Where a training or scoring step gets its examples from."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.data.loader import Loader
from handgrad.ops import Array, Ops


class Examples:
    """A loader's batches, in the form that costs a step least.

    Raw inputs that lie in one array are handed over as row numbers, and the step's first operation fetches and scales
    them; distorted ones as they are. So images cross the memory as bytes. Everything else comes as finished batches.

    Args:
        loader: the examples.
        dtype: of the model, "float32" or "float64".
    """

    def __init__(self, loader: Loader, dtype: str) -> None:
        self.loader = loader
        self.dtype = dtype
        inputs = loader.dataset.inputs
        scaled_late = inputs.dtype in (np.uint8, np.float32) and inputs.flags.c_contiguous and dtype == "float32"
        self._raw = scaled_late and loader.augment is not None
        self._by_rows = scaled_late and loader.augment is None

    @property
    def state(self) -> "tuple[np.ndarray[Any, Any], ...]":
        """The arrays that `inputs` reads besides its argument."""
        return (self.loader.dataset.inputs,) if self._by_rows else ()

    def __iter__(self) -> "Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]":
        """For every batch what `inputs` makes network inputs of, and the targets."""
        if self._by_rows:
            return ((rows, self.loader.targets(rows)) for rows in self.loader.rows())
        if self._raw:
            return ((_as_rows(batch.inputs), batch.targets) for batch in self.loader.raw())
        return iter(self.loader)

    def first(self) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
        """Something of the shapes of the first batch, without drawing a new order."""
        rows = np.arange(min(self.loader.batch_size, len(self.loader.dataset)))
        if self._by_rows:
            return rows, self.loader.targets(rows)
        if self._raw and self.loader.augment is not None:  # distorted, so that its loops are compiled by now too
            given = _as_rows(self.loader.augment(self.loader.dataset.inputs[rows], np.random.default_rng(0)))
        else:
            given = self.loader[0].inputs
        return given, self.loader.targets(rows)

    def inputs(self, given: Array, ops: Ops) -> Array:
        """The network's inputs."""
        map_ = self.loader.preprocessing
        shape = map_.output_shape(self.loader.dataset.inputs.shape[1:])
        if self._by_rows:
            return ops.take(self.loader.dataset.inputs, given, map_.shift, map_.factor, shape)
        if self._raw:
            return ops.take(given, None, map_.shift, map_.factor, shape)
        return ops.asarray(given, self.dtype)


def _as_rows(images: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    return images.reshape(len(images), -1)  # (N, H, W[, C]) → (N, H·W·C), a view

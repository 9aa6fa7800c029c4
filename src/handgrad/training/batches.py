"""Where a training or scoring step gets its examples from."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.data.loader import Loader
from handgrad.ops import Array, Ops


class Examples:
    """A loader's batches, in the form that costs a step least.

    Raw inputs that lie in one array are handed over as row numbers, and the step's first operation fetches and scales
    them: uint8 images then cross the memory once, as bytes. Everything else comes as finished batches.

    Args:
        loader: the examples.
        dtype: of the model, "float32" or "float64".
    """

    def __init__(self, loader: Loader, dtype: str) -> None:
        self.loader = loader
        self.dtype = dtype
        inputs = loader.dataset.inputs
        plain = inputs.dtype in (np.uint8, np.float32) and inputs.flags.c_contiguous
        self.by_rows = plain and dtype == "float32" and getattr(loader, "augment", None) is None

    @property
    def state(self) -> "tuple[np.ndarray[Any, Any], ...]":
        """The arrays that `inputs` reads besides its argument."""
        return (self.loader.dataset.inputs,) if self.by_rows else ()

    def __iter__(self) -> "Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]":
        """For every batch what `inputs` makes network inputs of, and the targets."""
        if self.by_rows:
            return ((rows, self.loader.targets(rows)) for rows in self.loader.rows())
        return ((batch.inputs, batch.targets) for batch in self.loader)

    def inputs(self, given: Array, ops: Ops) -> Array:
        """The network's inputs."""
        if not self.by_rows:
            return ops.asarray(given, self.dtype)
        source, map_ = self.loader.dataset.inputs, self.loader.preprocessing
        return ops.take(source, given, map_.shift, map_.factor, map_.output_shape(source.shape[1:]))

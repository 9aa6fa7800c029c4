"""Making, moving and combining arrays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.errors import ArgumentError
from handgrad.ops.distortion import distort
from handgrad.ops.interface import Array, Shape


@dataclass(frozen=True)
class ArrayOps:
    """What every operation needs: an array namespace, and arrays on its device.

    Args:
        xp: a namespace of the array API standard, such as `numpy`.
        device: the name `handgrad.ops.for_device` knows these ops by.
        placement: what `xp` calls the device; None is its default.
    """

    xp: Any
    device: str = "cpu"
    placement: str | None = None

    def asarray(self, values: Any, dtype: str | None = None) -> Array:
        kind = getattr(self.xp, dtype) if dtype else None
        if self.placement and isinstance(values, np.ndarray):
            values = np.require(values, requirements="W")  # PyTorch warns of memory that may only be read
        return self.xp.asarray(values, dtype=kind, device=self.placement)

    def to_numpy(self, x: Array) -> np.ndarray[Any, Any]:
        return np.asarray(x.cpu() if self.device.startswith("torch") else x)

    def zeros(self, shape: Shape, dtype: str) -> Array:
        return self.xp.zeros(shape, dtype=getattr(self.xp, dtype), device=self.placement)

    def full(self, shape: Shape, value: float, like: Array) -> Array:
        return self.xp.full(shape, value, dtype=like.dtype, device=self.placement)

    def cast(self, x: Array, like: Array) -> Array:
        return self.xp.astype(x, like.dtype, copy=False)

    def reshape(self, x: Array, shape: Shape) -> Array:
        return self.xp.reshape(x, shape)

    def permute(self, x: Array, axes: Shape) -> Array:
        return self.xp.permute_dims(x, axes)

    def affine(self, x: Array, scale: float, shift: float) -> Array:
        return scale * x + shift

    def add(self, x: Array, y: Array) -> Array:
        return x + y

    def multiply(self, x: Array, y: Array) -> Array:
        return x * y

    def take(self, source: Array, index: Array | None, shift: float, factor: float, shape: Shape) -> Array:
        chosen = source if index is None else source[index]  # both are the loader's, in NumPy
        xp, rows, values = self.xp, (chosen.shape[0],), self.asarray(chosen, "float32")
        values = (values - shift if shift else values) * factor
        values = xp.reshape(values, (*rows, -1))  # (N, …) → (N, row)
        if values.shape[1] < math.prod(shape):
            values = xp.concat([values, xp.ones_like(values[:, :1])], axis=1)
        if len(shape) < 3:
            return xp.reshape(values, (*rows, *shape))
        c, h, w = shape
        return xp.permute_dims(xp.reshape(values, (*rows, h, w, c)), (0, 3, 1, 2))  # (N, H·W·C) → (N, C, H, W)

    def distort(
        self,
        source: Array,
        index: Array | None,
        numbers: Array,
        shape: Shape,
        limits: Sequence[float],
        spacing: float,
    ) -> Array:
        chosen = self.asarray(source if index is None else source[index])
        images = self.xp.reshape(chosen, (-1, *shape))  # (N, …) → (N, H, W, C)
        distorted = distort(self.xp, images, self.asarray(numbers), limits, spacing)
        return self.xp.reshape(distorted, (distorted.shape[0], -1))  # → (N, H·W·C)

    def one_hot(self, labels: Array, classes: int, like: Array) -> Array:
        if not self.xp.isdtype(labels.dtype, "integral"):
            raise ArgumentError("targets", str(labels.dtype), "integer labels, or one-hot rows (N, C)")
        smallest, largest = int(self.xp.min(labels)), int(self.xp.max(labels))
        if smallest < 0 or largest >= classes:
            raise ArgumentError("targets", (smallest, largest), f"labels from 0 to {classes - 1}")
        every = self.xp.arange(classes, dtype=self.xp.int64, device=self.placement)
        wide = self.xp.astype(labels, self.xp.int64)  # labels are often uint8, in which classes might not be countable
        return self.xp.astype(wide[:, None] == every[None, :], like.dtype)  # (N, 1) == (1, C)

    def _where(self, condition: Array, x: Array, other: float) -> Array:
        """x where condition holds, else the number."""
        return self.xp.where(condition, x, self._number(other, x))

    def _number(self, value: float, like: Array) -> Array:
        """A number as an array without axes, of the dtype of `like`."""
        return self.xp.asarray(value, dtype=like.dtype, device=self.placement)

"""Normalization and dropout."""

from collections.abc import Sequence

import numpy as np

from handgrad.ops.interface import Array
from handgrad.ops.reference.arrays import ArrayOps


class NormalizationOps(ArrayOps):
    """Mean and variance, normalization with its gradients, and the mask of dropout."""

    def moments(self, x: Array, axes: Sequence[int]) -> tuple[Array, Array]:
        mean = self.xp.mean(x, axis=tuple(axes), keepdims=True)
        centred = x - mean
        return mean, self.xp.mean(centred * centred, axis=tuple(axes), keepdims=True)

    def normalize(
        self, x: Array, mean: Array, variance: Array, epsilon: float, weight: Array, bias: Array
    ) -> tuple[Array, Array]:
        x_hat = (x - mean) / self.xp.sqrt(variance + epsilon)
        return weight * x_hat + bias, x_hat

    def normalize_dx(
        self,
        dy: Array,
        x_hat: Array,
        variance: Array,
        epsilon: float,
        weight: Array,
        axes: Sequence[int] | None,
    ) -> Array:
        dx_hat = weight * dy
        if axes is not None:  # mean and variance depend on x too: both paths are projected out
            mean = self.xp.mean(dx_hat, axis=tuple(axes), keepdims=True)
            along = self.xp.mean(dx_hat * x_hat, axis=tuple(axes), keepdims=True)
            dx_hat = dx_hat - mean - x_hat * along
        return dx_hat / self.xp.sqrt(variance + epsilon)

    def normalize_grads(self, dy: Array, x_hat: Array, out: tuple[Array, Array], axes: Sequence[int]) -> None:
        weight, bias = out
        weight[...] = self.xp.sum(dy * x_hat, axis=tuple(axes))
        bias[...] = self.xp.sum(dy, axis=tuple(axes))

    def randomness(self, rng: np.random.Generator) -> np.random.Generator:
        return rng

    def dropout_mask(self, rng: np.random.Generator, like: Array, p: float) -> Array:
        keep = rng.random(tuple(like.shape), dtype=np.float32) >= p  # drawn by NumPy: the same on every device
        return self.xp.astype(self.asarray(keep), like.dtype) / (1 - p)

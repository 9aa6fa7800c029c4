"""Activations, element by element."""

import math

from handgrad.ops.interface import Array
from handgrad.ops.reference.arrays import ArrayOps

_GELU_SCALE = math.sqrt(2.0 / math.pi)
_GELU_CUBIC = 0.044715  # Hendrycks and Gimpel (2016), section 2


class ActivationOps(ArrayOps):
    """Activations, and their gradients."""

    def relu(self, x: Array, slope: float = 0.0) -> Array:
        return self._where(x > 0, x, 0.0) if slope == 0.0 else self.xp.where(x > 0, x, slope * x)

    def relu_dx(self, dy: Array, x: Array, slope: float = 0.0) -> Array:
        return self._where(x > 0, dy, 0.0) if slope == 0.0 else self.xp.where(x > 0, dy, slope * dy)

    def sigmoid(self, x: Array) -> Array:
        z = self.xp.exp(-self.xp.abs(x))  # in (0, 1], so nothing overflows
        return self.xp.where(x >= 0, 1 / (1 + z), z / (1 + z))

    def sigmoid_dx(self, dy: Array, y: Array) -> Array:
        return dy * y * (1 - y)

    def tanh(self, x: Array) -> Array:
        return self.xp.tanh(x)

    def tanh_dx(self, dy: Array, y: Array) -> Array:
        return dy * (1 - y * y)

    def gelu(self, x: Array) -> Array:
        return 0.5 * x * (1 + self.xp.tanh(_GELU_SCALE * (x + _GELU_CUBIC * x * x * x)))

    def gelu_dx(self, dy: Array, x: Array) -> Array:
        t = self.xp.tanh(_GELU_SCALE * (x + _GELU_CUBIC * x * x * x))
        inner = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * x * x)  # derivative of tanh's argument
        return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner)

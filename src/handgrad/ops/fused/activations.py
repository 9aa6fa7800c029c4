"""Activations, element by element."""

import math

import numpy as np

from handgrad.ops.fused.functions import hyperbolic_tangent, logistic
from handgrad.ops.fused.native import Native, floats, kernel, real
from handgrad.ops.fused.recorder import Recorder, Value, Written, require_shape, row_size
from handgrad.ops.interface import Array

_f = np.float32
_GELU_SCALE = _f(math.sqrt(2.0 / math.pi))
_GELU_CUBIC = _f(0.044715)  # Hendrycks and Gimpel (2016), section 2


@kernel
def relu(words, begin, end, scratch):
    """x where x > 0, slope·x elsewhere."""
    x, y, size, slope = floats(words[0]), floats(words[1]), words[2], _f(real(words[3]))
    for i in range(begin * size, end * size):
        y[i] = x[i] if x[i] > 0 else (slope * x[i] if slope != 0 else _f(0))  # 0·∞ would be NaN


@kernel
def relu_dx(words, begin, end, scratch):
    """ȳ where x > 0, slope·ȳ elsewhere."""
    dy, x, dx, size, slope = floats(words[0]), floats(words[1]), floats(words[2]), words[3], _f(real(words[4]))
    for i in range(begin * size, end * size):
        dx[i] = dy[i] if x[i] > 0 else (slope * dy[i] if slope != 0 else _f(0))


@kernel
def sigmoid(words, begin, end, scratch):
    """σ(x)."""
    x, y, size = floats(words[0]), floats(words[1]), words[2]
    for i in range(begin * size, end * size):
        y[i] = logistic(x[i])


@kernel
def sigmoid_dx(words, begin, end, scratch):
    """ȳ y (1 − y)."""
    dy, y, dx, size = floats(words[0]), floats(words[1]), floats(words[2]), words[3]
    for i in range(begin * size, end * size):
        dx[i] = dy[i] * y[i] * (_f(1) - y[i])


@kernel
def tanh(words, begin, end, scratch):
    """tanh x."""
    x, y, size = floats(words[0]), floats(words[1]), words[2]
    for i in range(begin * size, end * size):
        y[i] = hyperbolic_tangent(x[i])


@kernel
def tanh_dx(words, begin, end, scratch):
    """ȳ (1 − y²)."""
    dy, y, dx, size = floats(words[0]), floats(words[1]), floats(words[2]), words[3]
    for i in range(begin * size, end * size):
        dx[i] = dy[i] * (_f(1) - y[i] * y[i])


@kernel
def gelu(words, begin, end, scratch):
    """½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))."""
    x, y, size = floats(words[0]), floats(words[1]), words[2]
    for i in range(begin * size, end * size):
        t = hyperbolic_tangent(_GELU_SCALE * (x[i] + _GELU_CUBIC * x[i] * x[i] * x[i]))
        y[i] = _f(0.5) * x[i] * (_f(1) + t)


@kernel
def gelu_dx(words, begin, end, scratch):
    """ȳ times the derivative of gelu at x."""
    dy, x, dx, size = floats(words[0]), floats(words[1]), floats(words[2]), words[3]
    for i in range(begin * size, end * size):
        t = hyperbolic_tangent(_GELU_SCALE * (x[i] + _GELU_CUBIC * x[i] * x[i] * x[i]))
        inner = _GELU_SCALE * (_f(1) + _f(3) * _GELU_CUBIC * x[i] * x[i])  # derivative of tanh's argument
        dx[i] = dy[i] * (_f(0.5) * (_f(1) + t) + _f(0.5) * x[i] * (_f(1) - t * t) * inner)


class ActivationOps(Recorder):
    """The activations, recorded."""

    def relu(self, x: Array, slope: float = 0.0) -> Value:
        return self._map(relu, x, float(slope))

    def relu_dx(self, dy: Array, x: Array, slope: float = 0.0) -> Value:
        return self._map_gradient(relu_dx, dy, x, float(slope))

    def sigmoid(self, x: Array) -> Value:
        return self._map(sigmoid, x, flops_each=20)

    def sigmoid_dx(self, dy: Array, y: Array) -> Value:
        return self._map_gradient(sigmoid_dx, dy, y)

    def tanh(self, x: Array) -> Value:
        return self._map(tanh, x, flops_each=20)

    def tanh_dx(self, dy: Array, y: Array) -> Value:
        return self._map_gradient(tanh_dx, dy, y)

    def gelu(self, x: Array) -> Value:
        return self._map(gelu, x, flops_each=30)

    def gelu_dx(self, dy: Array, x: Array) -> Value:
        return self._map_gradient(gelu_dx, dy, x, flops_each=30)

    def _map(self, kernel: Native, x: Array, *settings: float, flops_each: int = 1) -> Value:
        """Record y = f(x)."""
        x = self.value(x)
        y = self.new(x.shape)
        self.rowwise(kernel, x, Written(y), row_size(x), *settings, like=x, flops_each=flops_each)
        return y

    def _map_gradient(self, kernel: Native, dy: Array, x: Array, *settings: float, flops_each: int = 1) -> Value:
        """Record dx from dy and what the derivative is taken at."""
        dy, x = self.value(dy), self.value(x)
        require_shape(x.shape, dy)
        dx = self.new(x.shape)
        self.rowwise(kernel, dy, x, Written(dx), row_size(x), *settings, like=x, flops_each=flops_each)
        return dx

"""The operations, written to be read: short functions in the Python array API standard.

They run unchanged on every array library that follows the standard (NumPy, PyTorch, CuPy, array-api-strict) and are
the oracle for every faster implementation. What each one computes is said in `interface.py`.
"""

import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from handgrad.errors import ArgumentError, NonFiniteError
from handgrad.ops.distortion import distort
from handgrad.ops.interface import Array, Pair, Shape

# A network that is sure leaves gradients of 10⁻³⁸ and less, denormal numbers, with which processors multiply far more
# slowly. Without them W1's N(0, 1) weights train four times as fast (512 hidden: 2.4 s an epoch, not 10.3), and no step
# changes a weight by more than rounding.
_NEGLIGIBLE = 1e-30

_GELU_SCALE = math.sqrt(2.0 / math.pi)
_GELU_CUBIC = 0.044715  # Hendrycks and Gimpel (2016), section 2


def _with_namespace(kind: "type[ReferenceOps]", namespace: str, *settings: Any) -> "ReferenceOps":
    return kind(importlib.import_module(namespace), *settings)


@dataclass(frozen=True)
class ReferenceOps:
    """Every operation over one array namespace.

    Args:
        xp: a namespace of the array API standard, such as `numpy`.
        device: the name `handgrad.ops.for_device` knows these ops by.
        placement: what `xp` calls the device; None is its default.

    >>> import numpy as np
    >>> ops = ReferenceOps(np)
    >>> ops.relu(ops.asarray([-1.0, 2.0]))
    array([0., 2.])
    """

    xp: Any
    device: str = "cpu"
    placement: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """How a copy is made, also one in another process: a module cannot be sent there, its name can."""
        return _with_namespace, (type(self), self.xp.__name__, self.device, self.placement)

    def compile(self, function: Callable[..., Any], state: Sequence[Array] = ()) -> Callable[..., Any]:
        return partial(_quietly, function, self)

    # -- moving arrays -----------------------------------------------------------------------------

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

    def affine(self, x: Array, scale: float, shift: float) -> Array:
        return scale * x + shift

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

    def permute(self, x: Array, axes: Shape) -> Array:
        return self.xp.permute_dims(x, axes)

    # -- linear ------------------------------------------------------------------------------------

    def linear(self, x: Array, weight: Array, bias: Array | None) -> Array:
        y = x @ weight.T  # (..., in) @ (in, out) → (..., out)
        if bias is not None:
            y += bias
        return y

    def linear_dx(self, dy: Array, weight: Array) -> Array:
        return dy @ weight  # (..., out) @ (out, in) → (..., in)

    def linear_grads(self, dy: Array, x: Array, out: tuple[Array, Array | None]) -> None:
        rows = self.xp.reshape(dy, (-1, dy.shape[-1]))  # (..., out) → (M, out)
        weight, bias = out
        weight[...] = rows.T @ self.xp.reshape(x, (-1, x.shape[-1]))  # (out, M) @ (M, in) → (out, in)
        if bias is not None:
            bias[...] = self.xp.sum(rows, axis=0)  # (M, out) → (out,)

    # -- convolution and pooling -------------------------------------------------------------------

    def conv2d(self, x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair) -> Array:
        columns = self._im2col(x, weight.shape[2:], stride, padding)  # (N, H', W', K)
        y = self.linear(columns, self._kernel_matrix(weight), bias)  # (N, H', W', O)
        return self.xp.permute_dims(y, (0, 3, 1, 2))  # → (N, O, H', W'), channels last in memory

    def conv2d_dx(self, dy: Array, weight: Array, shape: Shape, stride: Pair, padding: Pair) -> Array:
        xp, channels = self.xp, weight.shape[1]
        rows = xp.permute_dims(dy, (0, 2, 3, 1))  # (N, O, H', W') → (N, H', W', O)
        columns = rows @ self._kernel_matrix(weight)  # → (N, H', W', K)
        padded, taps = self._scatter_target(dy, shape, weight.shape[2:], stride, padding)
        for t, window in enumerate(taps):  # overlapping windows add up
            block = columns[..., t * channels : (t + 1) * channels]  # (N, H', W', C)
            window += xp.permute_dims(block, (0, 3, 1, 2))
        return _without_padding(padded, padding)

    def conv2d_grads(self, dy: Array, x: Array, out: tuple[Array, Array | None], stride: Pair, padding: Pair) -> None:
        xp, weight = self.xp, out[0]
        columns = self._im2col(x, weight.shape[2:], stride, padding)  # (N, H', W', K)
        rows = xp.permute_dims(dy, (0, 2, 3, 1))  # (N, O, H', W') → (N, H', W', O)
        matrix = xp.empty_like(self._kernel_matrix(weight))  # (O, K)
        self.linear_grads(rows, columns, out=(matrix, out[1]))
        o, c, kh, kw = weight.shape
        weight[...] = xp.permute_dims(xp.reshape(matrix, (o, kh, kw, c)), (0, 3, 1, 2))  # → (O, C, kh, kw)

    def max_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> tuple[Array, Array]:
        xp = self.xp
        windows = _windows(self._pad(x, padding, -math.inf), kernel, stride)
        best = next(windows)
        index = xp.zeros_like(best, dtype=xp.uint8 if kernel[0] * kernel[1] <= 256 else xp.int64)
        for t, window in enumerate(windows, start=1):
            index = xp.where(window > best, xp.asarray(t, dtype=index.dtype, device=self.placement), index)
            best = xp.maximum(best, window)
        return best + 0.0, index  # + 0: a fresh array even for a 1×1 kernel

    def max_pool2d_dx(self, dy: Array, index: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        padded, taps = self._scatter_target(dy, shape, kernel, stride, padding)
        for t, window in enumerate(taps):
            window += self._where(index == t, dy, 0.0)
        return _without_padding(padded, padding)

    def avg_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        windows = _windows(self._pad(x, padding, 0.0), kernel, stride)
        total = next(windows) + 0.0
        for window in windows:
            total += window
        return total / (kernel[0] * kernel[1])

    def avg_pool2d_dx(self, dy: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        padded, taps = self._scatter_target(dy, shape, kernel, stride, padding)
        share = dy / (kernel[0] * kernel[1])
        for window in taps:
            window += share
        return _without_padding(padded, padding)

    def _im2col(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        """Every window of x (N, C, H, W) as a row: (N, H', W', K), the channels of one tap side by side."""
        windows = _windows(self._pad(x, padding, 0.0), kernel, stride)
        return self.xp.concat([self.xp.permute_dims(window, (0, 2, 3, 1)) for window in windows], axis=3)

    def _kernel_matrix(self, weight: Array) -> Array:
        """Weight (O, C, kh, kw) as a matrix (O, K), its columns in the order of `_im2col`."""
        return self.xp.reshape(self.xp.permute_dims(weight, (0, 2, 3, 1)), (weight.shape[0], -1))

    def _pad(self, x: Array, padding: Pair, value: float) -> Array:
        """x (N, C, H, W) with a border of `value`."""
        if padding == (0, 0):
            return x
        n, c, h, w = x.shape
        padded = self._channels_last((n, c, h + 2 * padding[0], w + 2 * padding[1]), x)
        padded += value
        _without_padding(padded, padding)[...] = x
        return padded

    def _channels_last(self, shape: Shape, like: Array) -> Array:
        """Zeros of shape (N, C, H, W) whose channels lie next to each other in memory, as im2col reads them."""
        n, c, h, w = shape
        zeros = self.xp.zeros((n, h, w, c), dtype=like.dtype, device=self.placement)
        return self.xp.permute_dims(zeros, (0, 3, 1, 2))

    def _scatter_target(
        self, dy: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair
    ) -> tuple[Array, Iterator[Array]]:
        """A zero array for padded x, and its kh·kw windows to add into."""
        n, c, h, w = shape
        padded = self._channels_last((n, c, h + 2 * padding[0], w + 2 * padding[1]), dy)
        return padded, _windows(padded, kernel, stride)

    def _where(self, condition: Array, x: Array, other: float) -> Array:
        """x where condition holds, else the number."""
        return self.xp.where(condition, x, self.xp.asarray(other, dtype=x.dtype, device=self.placement))

    # -- activations -------------------------------------------------------------------------------

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

    # -- softmax -----------------------------------------------------------------------------------

    def softmax(self, x: Array) -> Array:
        e = self.xp.exp(x - self.xp.max(x, axis=-1, keepdims=True))  # largest exponent is 0
        return e / self.xp.sum(e, axis=-1, keepdims=True)

    def softmax_dx(self, dy: Array, y: Array) -> Array:
        return y * (dy - self.xp.sum(dy * y, axis=-1, keepdims=True))

    def log_softmax(self, x: Array) -> Array:
        shifted = x - self.xp.max(x, axis=-1, keepdims=True)
        return shifted - self.xp.log(self.xp.sum(self.xp.exp(shifted), axis=-1, keepdims=True))

    def log_softmax_dx(self, dy: Array, y: Array) -> Array:
        return dy - self.xp.exp(y) * self.xp.sum(dy, axis=-1, keepdims=True)

    # -- elementwise combination and normalisation -------------------------------------------------

    def add(self, x: Array, y: Array) -> Array:
        return x + y

    def multiply(self, x: Array, y: Array) -> Array:
        return x * y

    def randomness(self, rng: np.random.Generator) -> np.random.Generator:
        return rng

    def dropout_mask(self, rng: np.random.Generator, like: Array, p: float) -> Array:
        keep = rng.random(tuple(like.shape), dtype=np.float32) >= p  # drawn by NumPy: the same on every device
        return self.xp.astype(self.asarray(keep), like.dtype) / (1 - p)

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

    def move_average(self, average: Array, value: Array, momentum: float) -> None:
        average += momentum * (self.xp.reshape(value, average.shape) - average)

    # -- losses ------------------------------------------------------------------------------------

    def one_hot(self, labels: Array, classes: int, like: Array) -> Array:
        if not self.xp.isdtype(labels.dtype, "integral"):
            raise ArgumentError("targets", str(labels.dtype), "integer labels, or one-hot rows (N, C)")
        smallest, largest = int(self.xp.min(labels)), int(self.xp.max(labels))
        if smallest < 0 or largest >= classes:
            raise ArgumentError("targets", (smallest, largest), f"labels from 0 to {classes - 1}")
        every = self.xp.arange(classes, dtype=self.xp.int64, device=self.placement)
        wide = self.xp.astype(labels, self.xp.int64)  # labels are often uint8, in which classes might not be countable
        return self.xp.astype(wide[:, None] == every[None, :], like.dtype)  # (N, 1) == (1, C)

    def softmax_cross_entropy(self, logits: Array, targets: Array, w: Array) -> tuple[Array, Array]:
        log_probabilities = self.log_softmax(logits)
        loss = -self.xp.sum(w * self.xp.sum(targets * log_probabilities, axis=1))  # (N, C) → (N,) → ()
        return loss, self.xp.exp(log_probabilities)

    def softmax_cross_entropy_dx(self, probabilities: Array, targets: Array, w: Array) -> Array:
        total = self.xp.sum(targets, axis=1, keepdims=True)  # (N, 1); 1 where targets are probabilities
        dx = w[:, None] * (probabilities * total - targets)
        return self._where(~(self.xp.abs(dx) < _NEGLIGIBLE), dx, 0.0)  # NaN stays NaN

    def cross_entropy(self, probabilities: Array, targets: Array, w: Array, floor: float) -> Array:
        logarithm = self.xp.log(self.xp.maximum(probabilities, self._number(floor, probabilities)))
        return -self.xp.sum(w * self.xp.sum(targets * logarithm, axis=1))  # (N, C) → (N,) → ()

    def cross_entropy_dx(self, probabilities: Array, targets: Array, w: Array, floor: float) -> Array:
        return -w[:, None] * targets / self.xp.maximum(probabilities, self._number(floor, probabilities))

    def binary_cross_entropy(self, logits: Array, targets: Array, w: Array) -> Array:
        softplus = self.xp.log1p(self.xp.exp(-self.xp.abs(logits)))  # log(1 + e^−|x|) never overflows
        each = self.relu(logits) - logits * targets + softplus
        return self.xp.sum(w * self.xp.sum(each, axis=1))  # (N, C) → (N,) → ()

    def binary_cross_entropy_dx(self, logits: Array, targets: Array, w: Array) -> Array:
        return w[:, None] * (self.sigmoid(logits) - targets)

    def squared_error(self, y: Array, targets: Array, w: Array) -> Array:
        error = y - targets
        return self.xp.sum(w * self.xp.sum(error * error, axis=1))  # (N, C) → (N,) → ()

    def squared_error_dx(self, y: Array, targets: Array, w: Array) -> Array:
        return 2 * w[:, None] * (y - targets)

    def _number(self, value: float, like: Array) -> Array:
        return self.xp.asarray(value, dtype=like.dtype, device=self.placement)

    # -- optimizers --------------------------------------------------------------------------------

    def norm(self, x: Array) -> Array:
        return self.xp.sqrt(self.xp.sum(x * x))

    def clip(self, x: Array, limit: float) -> Array:
        norm = self.norm(x)
        if float(norm) + 1e-6 > limit:
            x *= limit / (float(norm) + 1e-6)
        return norm

    def require_finite(self, what: str, value: Array) -> None:
        if not math.isfinite(float(value)):
            raise NonFiniteError(what, float(value))

    def sgd(
        self,
        w: Array,
        g: Array,
        velocity: Array | None,
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        decay: float,
    ) -> None:
        if decay:
            g = g + decay * w
        if velocity is not None:
            velocity *= momentum
            velocity += g
            g = g + momentum * velocity if nesterov else velocity
        w -= lr * g

    def rmsprop(self, w: Array, g: Array, v: Array, *, lr: float, alpha: float, epsilon: float, decay: float) -> None:
        if decay:
            g = g + decay * w
        v *= alpha
        v += (1 - alpha) * g * g
        w -= lr * g / (self.xp.sqrt(v) + epsilon)

    def adam(
        self,
        w: Array,
        g: Array,
        m: Array,
        v: Array,
        *,
        step: int,
        lr: float,
        betas: tuple[float, float],
        epsilon: float,
        decay: float,
        decoupled: bool,
    ) -> None:
        if decay and decoupled:
            w *= 1 - lr * decay
        elif decay:
            g = g + decay * w
        m *= betas[0]
        m += (1 - betas[0]) * g
        v *= betas[1]
        v += (1 - betas[1]) * g * g
        m_hat = m / (1 - betas[0] ** step)  # both averages start at 0 and are too small at first
        v_hat = v / (1 - betas[1] ** step)
        w -= lr * m_hat / (self.xp.sqrt(v_hat) + epsilon)


def _quietly(function: Callable[..., Any], ops: ReferenceOps, *arguments: Any) -> Any:
    """Call a function without NumPy's warnings: what is not finite is said by `require_finite`, or in the results."""
    with np.errstate(over="ignore", invalid="ignore"):
        return function(*arguments, ops=ops)


def _windows(padded: Array, kernel: Pair, stride: Pair) -> Iterator[Array]:
    """The kh·kw shifted views of padded (N, C, H, W): view t holds element t of every window, (N, C, H', W')."""
    rows, columns = ((padded.shape[2 + a] - kernel[a]) // stride[a] + 1 for a in range(2))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            row = slice(i, i + stride[0] * (rows - 1) + 1, stride[0])
            column = slice(j, j + stride[1] * (columns - 1) + 1, stride[1])
            yield padded[:, :, row, column]


def _without_padding(padded: Array, padding: Pair) -> Array:
    """The view of padded (N, C, H, W) that leaves the border out."""
    h, w = padded.shape[2] - padding[0], padded.shape[3] - padding[1]
    return padded[:, :, padding[0] : h, padding[1] : w]

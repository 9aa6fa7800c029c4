"""NumPy alone: the formulas as one writes them down, and for the MLP a second way that allocates nothing."""

from typing import Any

import numpy as np

from benchmarks.contestants import Predict, Train
from benchmarks.workloads import Job, batches, orders

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


def prepare(job: Job, variant: str) -> Train:
    """A plain loop over layers, batches and epochs."""
    return _PreallocatedPerceptron(job).train if variant == "out" else _PlainNetwork(job).train


def predictor(job: Job, variant: str) -> Predict:
    """The plain forward pass."""
    network = _PlainNetwork(job)
    return lambda inputs: network.forward(inputs)[0]


class _PlainNetwork:
    """Every layer of the workload, with new arrays for every result."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.inputs = job.floats()
        self.orders = orders(job.workload)
        self.weights = dict(job.weights)
        self.averages = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in job.weights.items()}
        self.steps = 0

    def train(self, epochs: int) -> float:
        workload = self.job.workload
        for _ in range(epochs):
            total = 0.0
            for rows in batches(workload, next(self.orders)):
                outputs, caches = self.forward(self.inputs[rows])
                loss, gradient = _loss(workload.kind, outputs, self.job.targets[rows])
                self.update(self.backward(gradient, caches))
                total += loss
        return total / workload.examples

    def forward(self, x: Any) -> tuple[Any, list[Any]]:
        caches = []
        for index, (kind, *_) in enumerate(self.job.workload.layers):
            weight, bias = self.weights.get(f"{index}.weight"), self.weights.get(f"{index}.bias", np.float32(0))
            x, cache = _FORWARD[kind](x, weight, bias)
            caches.append(cache)
        return x, caches

    def backward(self, gradient: Any, caches: list[Any]) -> dict[str, Any]:
        gradients = {}
        for index in reversed(range(len(caches))):
            kind = self.job.workload.layers[index][0]
            name = f"{index}.weight"
            if name in self.weights:
                flat = gradient.reshape(-1, gradient.shape[-1])  # images are (N, H, W, C) in here
                gradients[f"{index}.bias"] = flat.sum(axis=0)
                gradients[name] = _WEIGHT_GRADIENT[kind](flat, caches[index], self.weights[name])
            if index:
                gradient = _BACKWARD[kind](gradient, caches[index], self.weights.get(name))
        return gradients

    def update(self, gradients: dict[str, Any]) -> None:
        self.steps += 1
        rate = np.float32(self.job.workload.learning_rate)
        for name, w in self.weights.items():
            if self.job.workload.kind != "cnn":
                self.weights[name] = w - rate * gradients[name]
                continue
            m = _BETA1 * self.averages[name][0] + (1 - _BETA1) * gradients[name]
            v = _BETA2 * self.averages[name][1] + (1 - _BETA2) * gradients[name] ** 2
            first, second = 1 - _BETA1**self.steps, 1 - _BETA2**self.steps
            self.weights[name] = w - rate * (m / first) / (np.sqrt(v / second) + _EPSILON)
            self.averages[name] = m, v


def _loss(kind: str, outputs: Any, targets: Any) -> tuple[float, Any]:
    """The loss summed over the batch, and its gradient, which for softmax cross-entropy is that of the mean."""
    if kind == "xor":
        return 0.5 * float(((outputs - targets) ** 2).sum()), outputs - targets
    rows = np.arange(len(targets))
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    loss = -float(np.log(probabilities[rows, targets]).sum())
    probabilities[rows, targets] -= 1
    return loss, probabilities / np.float32(len(targets))


def _columns(x: Any) -> Any:
    """The 3×3 neighbourhood of every pixel: (N, H, W, C) → (N·H·W, C·9), with zeros around."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2)).reshape(-1, x.shape[3] * 9)


def _linear(x: Any, weight: Any, bias: Any) -> Any:
    return x @ weight.T + bias, x


def _conv(x: Any, weight: Any, bias: Any) -> Any:
    x = x.reshape(-1, 28, 28, 1) if x.shape[1] == 1 else x  # (N, 1, H, W) → (N, H, W, 1)
    columns = _columns(x)
    return (columns @ weight.reshape(len(weight), -1).T + bias).reshape(*x.shape[:3], -1), (columns, x.shape)


def _conv_backward(gradient: Any, cache: Any, weight: Any) -> Any:
    flipped = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (O, C, 3, 3) → (C, O, 3, 3)
    return (_columns(gradient) @ flipped.reshape(len(flipped), -1).T).reshape(cache[1])


def _pool(x: Any, weight: Any, bias: Any) -> Any:
    n, height, width, channels = x.shape
    windows = x.reshape(n, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 5, 2, 4)
    windows = windows.reshape(n, height // 2, width // 2, channels, 4)
    first = windows.argmax(axis=-1)[..., None]  # at a tie the first, as everyone
    return np.take_along_axis(windows, first, axis=-1)[..., 0], first


def _pool_backward(gradient: Any, first: Any, weight: Any) -> Any:
    n, height, width, channels = gradient.shape
    windows = np.zeros((n, height, width, channels, 4), np.float32)
    np.put_along_axis(windows, first, gradient[..., None], axis=-1)
    windows = windows.reshape(n, height, width, channels, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    return windows.reshape(n, 2 * height, 2 * width, channels)


def _sigmoid(x: Any, weight: Any, bias: Any) -> Any:
    y = 1 / (1 + np.exp(-x))
    return y, y


_FORWARD: dict[str, Any] = {
    "linear": _linear,
    "conv": _conv,
    "relu": lambda x, weight, bias: (np.maximum(x, 0), x),
    "sigmoid": _sigmoid,
    "pool": _pool,
    "flatten": lambda x, weight, bias: (x.transpose(0, 3, 1, 2).reshape(len(x), -1), x.shape),
}
_BACKWARD: dict[str, Any] = {
    "linear": lambda gradient, x, weight: gradient @ weight,
    "conv": _conv_backward,
    "relu": lambda gradient, x, weight: gradient * (x > 0),
    "sigmoid": lambda gradient, y, weight: gradient * y * (1 - y),
    "pool": _pool_backward,
    "flatten": lambda gradient, shape, weight: gradient.reshape(shape[0], shape[3], shape[1], shape[2]).transpose(
        0, 2, 3, 1
    ),
}
_WEIGHT_GRADIENT: dict[str, Any] = {
    "linear": lambda gradient, x, weight: gradient.T @ x,
    "conv": lambda gradient, cache, weight: (gradient.T @ cache[0]).reshape(weight.shape),
}


class _PreallocatedPerceptron:
    """One hidden layer with `out=` everywhere and weights as (in, out), which OpenBLAS multiplies faster."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.inputs = job.floats()
        self.orders = orders(job.workload)
        w1, self.b1, w2, self.b2 = (values.copy() for values in job.weights.values())
        self.w1, self.w2 = np.ascontiguousarray(w1.T), np.ascontiguousarray(w2.T)
        self.dw1, self.dw2, self.db1, self.db2 = map(np.empty_like, (self.w1, self.w2, self.b1, self.b2))
        sizes = len(self.b1), len(self.b2)
        size = job.workload.batch_size or len(self.inputs)
        self.x = np.empty((size, self.inputs.shape[1]), np.float32)
        self.h, self.dh = (np.empty((size, sizes[0]), np.float32) for _ in range(2))
        self.z = np.empty((size, sizes[1]), np.float32)
        self.t = np.empty(size, np.int64)

    def train(self, epochs: int) -> float:
        for _ in range(epochs):
            order = next(self.orders)
            total = sum(self.step(rows) for rows in batches(self.job.workload, order))
        return total / len(order)

    def step(self, rows: Any) -> float:
        """Forward, backward, update; returns the summed loss."""
        n, rate = len(rows), np.float32(self.job.workload.learning_rate)
        x, h, z, dh, t = (array[:n] for array in (self.x, self.h, self.z, self.dh, self.t))
        np.take(self.inputs, rows, axis=0, out=x, mode="clip")  # mode "raise" would buffer
        np.take(self.job.targets, rows, out=t, mode="clip")
        np.matmul(x, self.w1, out=h)
        h += self.b1
        np.maximum(h, 0, out=h)
        np.matmul(h, self.w2, out=z)
        z += self.b2
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        index = np.arange(n)
        loss = -float(np.log(z[index, t]).sum())
        z[index, t] -= 1
        z *= np.float32(1 / n)
        np.matmul(h.T, z, out=self.dw2)
        np.sum(z, axis=0, out=self.db2)
        np.matmul(z, self.w2.T, out=dh)
        np.multiply(dh, h > 0, out=dh)
        np.matmul(x.T, dh, out=self.dw1)
        np.sum(dh, axis=0, out=self.db1)
        for w, dw in ((self.w1, self.dw1), (self.w2, self.dw2), (self.b1, self.db1), (self.b2, self.db2)):
            dw *= rate
            w -= dw
        return loss

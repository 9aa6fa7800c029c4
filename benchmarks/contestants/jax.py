"""JAX: one jitted function an epoch, in which lax.scan goes through the batches."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.contestants import Predict, Train
from benchmarks.workloads import Job, Workload, orders

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


def prepare(job: Job, variant: str) -> Train:
    """Parameters and Adam's averages go in and come out of one call an epoch; XOR's steps are one scan as well."""
    workload = job.workload
    inputs, targets = jnp.asarray(_arrange(job.floats())), jnp.asarray(job.targets)
    state = _start(job)
    order = orders(workload)

    def train(epochs: int) -> float:
        nonlocal state
        if workload.kind == "xor":
            state, losses = _full_batch_steps(workload, epochs, state, inputs, targets)
            return float(losses[-1]) / workload.examples
        for _ in range(epochs):
            state, total = _epoch(workload, state, inputs, targets, jnp.asarray(next(order)))
        return float(total) / workload.examples

    return train


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def _epoch(workload: Any, state: Any, inputs: Any, targets: Any, order: Any) -> Any:
    """The full batches in a scan, then the short one, if there is one; returns the state and the summed loss."""
    size = workload.batch_size
    full = len(order) // size * size

    def step(state: Any, rows: Any) -> Any:
        state, loss = _step(workload, state, inputs[rows], targets[rows])
        return state, loss * len(rows)

    state, losses = lax.scan(step, state, order[:full].reshape(-1, size))
    total = losses.sum()
    if full < len(order):
        state, loss = step(state, order[full:])
        total += loss
    return state, total


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _full_batch_steps(workload: Any, steps: int, state: Any, inputs: Any, targets: Any) -> Any:
    return lax.scan(lambda state, _: _step(workload, state, inputs, targets), state, length=steps)


def _step(workload: Workload, state: Any, x: Any, y: Any) -> Any:
    parameters, averages, count = state
    loss, gradients = jax.value_and_grad(_loss, argnums=1)(workload, parameters, x, y)
    rate, count = workload.learning_rate, count + 1
    if workload.kind != "cnn":
        return (jax.tree.map(lambda w, g: w - rate * g, parameters, gradients), averages, count), loss
    m = jax.tree.map(lambda m, g: _BETA1 * m + (1 - _BETA1) * g, averages[0], gradients)
    v = jax.tree.map(lambda v, g: _BETA2 * v + (1 - _BETA2) * g * g, averages[1], gradients)
    first, second = 1 - _BETA1**count, 1 - _BETA2**count

    def move(w: Any, m: Any, v: Any) -> Any:
        return w - rate * (m / first) / (jnp.sqrt(v / second) + _EPSILON)

    return (jax.tree.map(move, parameters, m, v), (m, v), count), loss


def _loss(workload: Workload, parameters: Any, x: Any, y: Any) -> Any:
    outputs = _forward(workload, parameters, x)
    if workload.kind == "xor":
        return 0.5 * ((outputs - y) ** 2).sum()
    log_probabilities = jax.nn.log_softmax(outputs)
    return -jnp.take_along_axis(log_probabilities, y[:, None], axis=1).mean()


def _forward(workload: Workload, parameters: Any, x: Any) -> Any:
    for index, (kind, *_) in enumerate(workload.layers):
        weight, bias = parameters.get(f"{index}.weight"), parameters.get(f"{index}.bias", 0.0)
        if kind == "linear":
            x = x @ weight + bias
        elif kind == "conv":
            x = _patches(x) @ weight.reshape(-1, weight.shape[3]) + bias
        elif kind == "pool":
            n, height, width, channels = x.shape  # faster than lax.reduce_window; equal pixels share the gradient
            x = x.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
        elif kind == "flatten":
            x = x.transpose(0, 3, 1, 2).reshape(len(x), -1)  # in the order of (C, H, W), as the weights expect
        else:
            x = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[kind](x)
    return x


def _patches(x: Any) -> Any:
    """The 3×3 neighbourhood of every pixel: (N, H, W, C) → (N, H, W, 9·C), with zeros around.

    JAX's own `lax.conv_general_dilated` took 60 times as long inside a scan, and in a jitted step up to 1.5 times.
    """
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifted, axis=-1)


def predictor(job: Job, variant: str) -> Predict:
    """The forward pass, jitted."""
    parameters = _start(job)[0]
    forward = jax.jit(functools.partial(_forward, job.workload))
    return lambda inputs: np.asarray(forward(parameters, _arrange(inputs)))


def _start(job: Job) -> Any:
    """Linear weights as (in, out), kernels as (kh, kw, in, out); Adam's averages at zero."""
    axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
    parameters = {name: jnp.asarray(values.transpose(axes[values.ndim])) for name, values in job.weights.items()}
    averages = tuple(jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)) if job.workload.kind == "cnn" else ()
    return parameters, averages, jnp.zeros((), jnp.int32)


def _arrange(images: Any) -> Any:
    """Channels last: (N, C, H, W) → (N, H, W, C)."""
    return images.transpose(0, 2, 3, 1) if images.ndim == 4 else images

"""Optimizers: weights, and what is remembered of their gradients, updated in place."""

import math

from handgrad.errors import NonFiniteError
from handgrad.ops.interface import Array
from handgrad.ops.reference.arrays import ArrayOps


class OptimizerOps(ArrayOps):
    """A step of every optimizer, what it is guarded by, and moving averages."""

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

    def move_average(self, average: Array, value: Array, momentum: float) -> None:
        average += momentum * (self.xp.reshape(value, average.shape) - average)

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

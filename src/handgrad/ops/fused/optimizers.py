"""Optimizers: one pass over the vector of all parameters, cut into pieces that threads share.

A step is taken only if the numbers checked before it (`require_finite`) are finite.
"""

import math

import numpy as np

from handgrad.ops.fused.native import Native, doubles, floats, helper, integers, kernel, real
from handgrad.ops.fused.recorder import Argument, NotTraceable, Recorder, Scalar, Value, Written, require_shape
from handgrad.ops.interface import Array

_f = np.float32
PIECE = 4096  # numbers


@helper
def _piece(size, begin, end):
    return begin * PIECE, min(end * PIECE, size)


@helper
def _may_step(guard):
    """Whether the check at this address, if any, came out well."""
    return guard == 0 or integers(guard)[0] != 0


@helper(reorder=True)
def _sum_of_squares(x, first, last):
    """In as many partial sums as a vector has lanes, the same at every call."""
    result = _f(0)
    for i in range(first, last):
        result += x[i] * x[i]
    return result


@kernel
def squares(words, begin, end, scratch):
    """Σ x² of each piece."""
    x, sums, size = floats(words[0]), doubles(words[1]), words[2]
    for piece in range(begin, end):
        first, last = _piece(size, piece, piece + 1)
        sums[piece] = _sum_of_squares(x, first, last)


@kernel
def root_of_sum(words, begin, end, scratch):
    """√ of the sum of the pieces, in order."""
    sums, y = doubles(words[0]), floats(words[1])
    total = 0.0
    for piece in range(words[2]):
        total += sums[piece]
    y[0] = _f(math.sqrt(total))


@kernel
def clip(words, begin, end, scratch):
    """g · min(1, limit / (norm + 10⁻⁶))."""
    g, norm, size, limit = floats(words[0]), floats(words[1])[0], words[2], real(words[3])
    if norm + 1e-6 > limit:
        factor = _f(limit / (norm + 1e-6))
        first, last = _piece(size, begin, end)
        for i in range(first, last):
            g[i] *= factor


@kernel
def is_finite(words, begin, end, scratch):
    """1 if the number is finite, and all before it were."""
    ok = 1 if math.isfinite(floats(words[0])[0]) else 0
    if words[1] != 0 and integers(words[1])[0] == 0:
        ok = 0
    integers(words[2])[0] = ok


@kernel
def move_average(words, begin, end, scratch):
    """average ← (1 − momentum) · average + momentum · value."""
    average, value, momentum = floats(words[0]), floats(words[1]), _f(real(words[2]))
    for i in range(begin, end):
        average[i] += momentum * (value[i] - average[i])


@kernel
def sgd(words, begin, end, scratch):
    """w ← w − η (g + λ w)."""
    w, g, lr, decay = floats(words[0]), floats(words[1]), _f(real(words[3])), _f(real(words[4]))
    if _may_step(words[2]):
        first, last = _piece(words[5], begin, end)
        for i in range(first, last):
            w[i] -= lr * (g[i] + decay * w[i])


@kernel
def sgd_with_momentum(words, begin, end, scratch):
    """v ← μ v + g'; w ← w − η v, or w − η (g' + μ v), where g' = g + λ w."""
    w, g, v = floats(words[0]), floats(words[1]), floats(words[2])
    lr, decay, momentum = _f(real(words[4])), _f(real(words[5])), _f(real(words[7]))
    look_ahead = _f(words[8])
    if _may_step(words[3]):
        first, last = _piece(words[6], begin, end)
        for i in range(first, last):
            gradient = g[i] + decay * w[i]
            velocity = momentum * v[i] + gradient
            v[i] = velocity
            w[i] -= lr * (velocity + look_ahead * (gradient + (momentum - _f(1)) * velocity))


@kernel
def rmsprop(words, begin, end, scratch):
    """v ← α v + (1 − α) g²; w ← w − η g / (√v + ε)."""
    w, g, v = floats(words[0]), floats(words[1]), floats(words[2])
    lr, decay, alpha, epsilon = _f(real(words[4])), _f(real(words[5])), _f(real(words[7])), _f(real(words[8]))
    if _may_step(words[3]):
        first, last = _piece(words[6], begin, end)
        for i in range(first, last):
            gradient = g[i] + decay * w[i]
            v[i] = alpha * v[i] + (_f(1) - alpha) * gradient * gradient
            w[i] -= lr * gradient / (np.sqrt(v[i]) + epsilon)


@kernel
def adam(words, begin, end, scratch):
    """m, v, both bias-corrected by 1 − βᵗ; w ← w − η m̂ / (√v̂ + ε)."""
    w, g, m, v = floats(words[0]), floats(words[1]), floats(words[2]), floats(words[3])
    lr, decay, step = real(words[5]), real(words[6]), words[8]
    beta1, beta2, epsilon, decoupled = real(words[9]), real(words[10]), _f(real(words[11])), words[12]
    if _may_step(words[4]):
        rate, correction = _f(lr / (1 - beta1**step)), _f(1 / (1 - beta2**step))
        kept, shrunk = _f(decay), _f(1)
        if decoupled:
            kept, shrunk = _f(0), _f(1 - lr * decay)
        one_less1, one_less2 = _f(1 - beta1), _f(1 - beta2)
        first, last = _piece(words[7], begin, end)
        for i in range(first, last):
            gradient = g[i] + kept * w[i]
            m[i] = _f(beta1) * m[i] + one_less1 * gradient
            v[i] = _f(beta2) * v[i] + one_less2 * gradient * gradient
            w[i] = shrunk * w[i] - rate * m[i] / (np.sqrt(v[i] * correction) + epsilon)


class OptimizerOps(Recorder):
    """What happens to the vectors of parameters and gradients, recorded."""

    _guard: Value | None = None

    def norm(self, x: Array) -> Value:
        x = self.value(x)
        pieces = -(-x.size // PIECE)
        sums, result = self.new((pieces,), np.float64), self.new(())
        self.emit(squares, x, Written(sums), x.size, items=pieces, flops=x.size)
        self.emit(root_of_sum, sums, Written(result), pieces, items=1, by_rows=True)
        return result

    def clip(self, x: Array, limit: float) -> Value:
        x, norm = self.value(x), self.norm(x)
        self._by_pieces(clip, Written(x, also_read=True), norm, x.size, float(limit), size=x.size)
        return norm

    def require_finite(self, what: str, value: Array) -> None:
        value, ok = self.value(value), self.new((), np.int64)
        self.emit(is_finite, value, self._guard, Written(ok), items=1, by_rows=True)
        self.checks.append((what, value))
        self._guard = ok

    def move_average(self, average: Array, value: Array, momentum: float) -> None:
        average, value = self.value(average), self.value(value)
        if average.size != value.size:
            raise NotTraceable(f"an average of {average.size} numbers moves to {value.size}")
        arguments = (Written(average, also_read=True), value, float(momentum))
        self.emit(move_average, *arguments, items=average.size)

    def sgd(
        self,
        w: Array,
        g: Array,
        velocity: Array | None,
        *,
        lr: float | Scalar,
        momentum: float,
        nesterov: bool,
        decay: float,
    ) -> None:
        if velocity is None:
            self._step(sgd, w, g, (), lr, decay)
        else:
            self._step(sgd_with_momentum, w, g, (velocity,), lr, decay, float(momentum), int(nesterov))

    def rmsprop(
        self, w: Array, g: Array, v: Array, *, lr: float | Scalar, alpha: float, epsilon: float, decay: float
    ) -> None:
        self._step(rmsprop, w, g, (v,), lr, decay, float(alpha), float(epsilon))

    def adam(
        self,
        w: Array,
        g: Array,
        m: Array,
        v: Array,
        *,
        step: int | Scalar,
        lr: float | Scalar,
        betas: tuple[float, float],
        epsilon: float,
        decay: float,
        decoupled: bool,
    ) -> None:
        self._step(adam, w, g, (m, v), lr, decay, step, *map(float, betas), float(epsilon), int(decoupled))

    def _step(
        self,
        kernel: Native,
        w: Array,
        g: Array,
        memory: tuple[Array, ...],
        lr: float | Scalar,
        decay: float,
        *settings: Argument,
    ) -> None:
        """Record an optimizer's pass over the weights and what it remembers of them."""
        weight = self.value(w)
        gradient, *vectors = (self.value(x) for x in (g, *memory))
        require_shape(weight.shape, gradient, *vectors)
        remembered = [Written(vector, also_read=True) for vector in vectors]
        rate = lr if isinstance(lr, Scalar) else float(lr)
        first = (Written(weight, also_read=True), gradient, *remembered, self._guard, rate, float(decay))
        self._by_pieces(kernel, *first, weight.size, *settings, size=weight.size)

    def _by_pieces(self, kernel: Native, *arguments: Argument, size: int) -> None:
        self.emit(kernel, *arguments, items=-(-size // PIECE), flops=4 * size)

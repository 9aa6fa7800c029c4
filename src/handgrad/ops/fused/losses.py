"""Softmax over the last axis, and the losses. Each example's loss is computed by rows and then added up in order."""

import math

import numpy as np

from handgrad.ops.fused.functions import exponential, logistic
from handgrad.ops.fused.native import Native, floats, helper, kernel, real
from handgrad.ops.fused.recorder import NotTraceable, Recorder, Value, Written, require_shape
from handgrad.ops.interface import Array

_f = np.float32
_NEGLIGIBLE = _f(1e-30)  # as in the reference: denormal gradients slow every product below


@helper
def _shifted(x, y, columns):
    """y = x − max x; returns Σ eʸ."""
    largest = x[0]
    for c in range(1, columns):
        largest = x[c] if x[c] > largest or x[c] != x[c] else largest  # a NaN goes on
    total = _f(0)
    for c in range(columns):
        y[c] = x[c] - largest
        total += exponential(y[c])
    return total


@kernel
def softmax(words, begin, end, scratch):
    """exp(x − max x) / Σ exp(x − max x)."""
    columns = words[2]
    for row in range(begin, end):
        x, y = floats(words[0] + 4 * row * columns), floats(words[1] + 4 * row * columns)
        total = _shifted(x, y, columns)
        for c in range(columns):
            y[c] = exponential(y[c]) / total


@kernel
def softmax_dx(words, begin, end, scratch):
    """y (ȳ − ȳ·y)."""
    columns = words[3]
    for row in range(begin, end):
        start = 4 * row * columns
        dy, y, dx = floats(words[0] + start), floats(words[1] + start), floats(words[2] + start)
        along = _f(0)
        for c in range(columns):
            along += dy[c] * y[c]
        for c in range(columns):
            dx[c] = y[c] * (dy[c] - along)


@kernel
def log_softmax(words, begin, end, scratch):
    """(x − max x) − log Σ exp(x − max x)."""
    columns = words[2]
    for row in range(begin, end):
        x, y = floats(words[0] + 4 * row * columns), floats(words[1] + 4 * row * columns)
        logarithm = _f(math.log(_shifted(x, y, columns)))
        for c in range(columns):
            y[c] -= logarithm


@kernel
def log_softmax_dx(words, begin, end, scratch):
    """ȳ − eʸ Σ ȳ."""
    columns = words[3]
    for row in range(begin, end):
        start = 4 * row * columns
        dy, y, dx = floats(words[0] + start), floats(words[1] + start), floats(words[2] + start)
        total = _f(0)
        for c in range(columns):
            total += dy[c]
        for c in range(columns):
            dx[c] = dy[c] - exponential(y[c]) * total


@kernel
def softmax_cross_entropy(words, begin, end, scratch):
    """Each row's −w Σ_c t log softmax(x) = w (log Σ eˢ Σ t − Σ t s) with s = x − max x, and its probabilities.

    All rows are taken through each loop before the next, so that the exponentials are many numbers side by side.
    """
    logits, targets, weights = floats(words[0]), floats(words[1]), floats(words[2])
    y, losses, columns = floats(words[3]), floats(words[4]), words[5]
    for row in range(begin, end):
        first, last = row * columns, (row + 1) * columns
        largest, along = logits[first], _f(0)
        for i in range(first + 1, last):
            largest = logits[i] if logits[i] > largest or logits[i] != logits[i] else largest  # a NaN goes on
        for i in range(first, last):
            y[i] = logits[i] - largest
            along += targets[i] * y[i]
        losses[row] = along
    for i in range(begin * columns, end * columns):
        y[i] = exponential(y[i])
    for row in range(begin, end):
        first, last = row * columns, (row + 1) * columns
        sum_y, sum_targets = _f(0), _f(0)
        for i in range(first, last):
            sum_y += y[i]
            sum_targets += targets[i]
        losses[row] = weights[row] * (_f(math.log(sum_y)) * sum_targets - losses[row])
        for i in range(first, last):
            y[i] /= sum_y


@kernel
def softmax_cross_entropy_dx(words, begin, end, scratch):
    """w (ŷ Σ t − t)."""
    weights, columns = floats(words[2]), words[4]
    for row in range(begin, end):
        start = 4 * row * columns
        y, targets, dx = floats(words[0] + start), floats(words[1] + start), floats(words[3] + start)
        total = _f(0)
        for c in range(columns):
            total += targets[c]
        for c in range(columns):
            gradient = weights[row] * (y[c] * total - targets[c])
            dx[c] = _f(0) if abs(gradient) < _NEGLIGIBLE else gradient


@kernel
def cross_entropy(words, begin, end, scratch):
    """Each row's −w Σ_c t log max(ŷ, floor)."""
    weights, losses, columns, floor = floats(words[2]), floats(words[3]), words[4], _f(real(words[5]))
    for row in range(begin, end):
        y, targets = floats(words[0] + 4 * row * columns), floats(words[1] + 4 * row * columns)
        loss = _f(0)
        for c in range(columns):
            loss -= targets[c] * _f(math.log(floor if y[c] < floor else y[c]))
        losses[row] = weights[row] * loss


@kernel
def cross_entropy_dx(words, begin, end, scratch):
    """−w t / max(ŷ, floor)."""
    weights, columns, floor = floats(words[2]), words[4], _f(real(words[5]))
    for row in range(begin, end):
        start = 4 * row * columns
        y, targets, dx = floats(words[0] + start), floats(words[1] + start), floats(words[3] + start)
        for c in range(columns):
            dx[c] = -weights[row] * targets[c] / (floor if y[c] < floor else y[c])


@kernel
def binary_cross_entropy(words, begin, end, scratch):
    """Each row's w Σ_c [max(x, 0) − x t + log(1 + e^−|x|)]."""
    weights, losses, columns = floats(words[2]), floats(words[3]), words[4]
    for row in range(begin, end):
        x, targets = floats(words[0] + 4 * row * columns), floats(words[1] + 4 * row * columns)
        loss = _f(0)
        for c in range(columns):
            positive = _f(0) if x[c] < 0 else x[c]
            loss += positive - x[c] * targets[c] + _f(math.log1p(exponential(-abs(x[c]))))
        losses[row] = weights[row] * loss


@kernel
def binary_cross_entropy_dx(words, begin, end, scratch):
    """w (σ(x) − t)."""
    weights, columns = floats(words[2]), words[4]
    for row in range(begin, end):
        start = 4 * row * columns
        x, targets, dx = floats(words[0] + start), floats(words[1] + start), floats(words[3] + start)
        for c in range(columns):
            dx[c] = weights[row] * (logistic(x[c]) - targets[c])


@kernel
def squared_error(words, begin, end, scratch):
    """Each row's w Σ_c (y − t)²."""
    weights, losses, columns = floats(words[2]), floats(words[3]), words[4]
    for row in range(begin, end):
        y, targets = floats(words[0] + 4 * row * columns), floats(words[1] + 4 * row * columns)
        loss = _f(0)
        for c in range(columns):
            loss += (y[c] - targets[c]) * (y[c] - targets[c])
        losses[row] = weights[row] * loss


@kernel
def squared_error_dx(words, begin, end, scratch):
    """2 w (y − t)."""
    weights, columns = floats(words[2]), words[4]
    for row in range(begin, end):
        start = 4 * row * columns
        y, targets, dx = floats(words[0] + start), floats(words[1] + start), floats(words[3] + start)
        for c in range(columns):
            dx[c] = _f(2) * weights[row] * (y[c] - targets[c])


@kernel
def total(words, begin, end, scratch):
    """Σ of a vector, in order."""
    x, y = floats(words[0]), floats(words[1])
    result = 0.0
    for i in range(words[2]):
        result += x[i]
    y[0] = _f(result)


class LossOps(Recorder):
    """Softmax and the losses, recorded."""

    def softmax(self, x: Array) -> Value:
        return self._rows_to_rows(softmax, x, flops_each=20)

    def softmax_dx(self, dy: Array, y: Array) -> Value:
        return self._rows_to_rows(softmax_dx, dy, y)

    def log_softmax(self, x: Array) -> Value:
        return self._rows_to_rows(log_softmax, x, flops_each=20)

    def log_softmax_dx(self, dy: Array, y: Array) -> Value:
        return self._rows_to_rows(log_softmax_dx, dy, y, flops_each=20)

    def softmax_cross_entropy(self, logits: Array, targets: Array, w: Array) -> tuple[Value, Value]:
        logits = self.value(logits)
        probabilities = self.new(logits.shape)
        return self._summed(softmax_cross_entropy, logits, targets, w, Written(probabilities)), probabilities

    def softmax_cross_entropy_dx(self, probabilities: Array, targets: Array, w: Array) -> Value:
        return self._gradient(softmax_cross_entropy_dx, probabilities, targets, w)

    def cross_entropy(self, probabilities: Array, targets: Array, w: Array, floor: float) -> Value:
        return self._summed(cross_entropy, probabilities, targets, w, settings=(float(floor),))

    def cross_entropy_dx(self, probabilities: Array, targets: Array, w: Array, floor: float) -> Value:
        return self._gradient(cross_entropy_dx, probabilities, targets, w, float(floor))

    def binary_cross_entropy(self, logits: Array, targets: Array, w: Array) -> Value:
        return self._summed(binary_cross_entropy, logits, targets, w)

    def binary_cross_entropy_dx(self, logits: Array, targets: Array, w: Array) -> Value:
        return self._gradient(binary_cross_entropy_dx, logits, targets, w)

    def squared_error(self, y: Array, targets: Array, w: Array) -> Value:
        return self._summed(squared_error, y, targets, w)

    def squared_error_dx(self, y: Array, targets: Array, w: Array) -> Value:
        return self._gradient(squared_error_dx, y, targets, w)

    def _rows_to_rows(self, kernel: Native, *inputs: Array, flops_each: int = 1) -> Value:
        """Record a function of each row; the last axis is the row, whatever the number of axes before it."""
        values = [self.value(x) for x in inputs]
        shape = values[0].shape
        require_shape(shape, *values)
        if len(shape) == 4:
            raise NotTraceable("softmax over the width of images")
        y = self.new(shape)
        size = values[0].size
        self.emit(
            kernel, *values, Written(y), shape[-1],
            items=size // max(1, shape[-1]), by_rows=True, flops=size * flops_each,
        )  # fmt: skip
        return y

    def _summed(
        self, kernel: Native, y: Array, targets: Array, w: Array, *more: Written, settings: tuple[float, ...] = ()
    ) -> Value:
        """Record every row's loss, and their sum."""
        given = y, _, _ = self._examples(y, targets, w)
        rows, columns = y.shape
        losses, result = self.new((rows,)), self.new(())
        self.rowwise(kernel, *given, *more, Written(losses), columns, *settings, like=y, flops_each=20)
        self.emit(total, losses, Written(result), rows, items=1, by_rows=True)
        return result

    def _gradient(self, kernel: Native, y: Array, targets: Array, w: Array, *settings: float) -> Value:
        given = y, _, _ = self._examples(y, targets, w)
        dx = self.new(y.shape)
        self.rowwise(kernel, *given, Written(dx), y.shape[1], *settings, like=y)
        return dx

    def _examples(self, y: Array, targets: Array, w: Array) -> tuple[Value, Value, Value]:
        """Outputs and targets (N, C), and the weights of the examples (N,)."""
        y, targets, w = self.value(y), self.value(targets), self.value(w)
        require_shape(y.shape[:2], y, targets)
        require_shape(y.shape[:1], w)
        return y, targets, w

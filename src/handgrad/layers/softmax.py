"""Scores to probabilities. For training on logits use `SoftmaxCrossEntropy`, which contains the softmax already."""

from handgrad.layers.activations import Activation
from handgrad.layers.layer import Formulas, Rng
from handgrad.layers.parameters import ParameterTree
from handgrad.ops import Array, Ops


class Softmax(Activation):
    """Probabilities proportional to e to the power of each score, over the last axis. Bridle (1990).

    Shapes: x (..., C) → y (..., C). The largest score is subtracted first, so no score overflows.

    >>> Softmax().initialize(np.random.default_rng(0))([[1e4, 1e4]])
    array([[0.5, 0.5]], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y_i = \frac{e^{x_i - m}}{\sum_j e^{x_j - m}}, \quad m = \max_j x_j",
        backward={"x": r"\bar x = (\mathrm{diag}(y) - y y^{\top})\,\bar y = y \odot (\bar y - \bar y \cdot y)"},
        shapes={"x": "(N, C)", "y": "(N, C)"},
        notes="Each output depends on every input of its row, so the derivative is a full matrix, "
        "applied without building it. The cache is y.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """y = softmax(x); the cache is y."""
        y = ops.softmax(x)
        return y, y

    def backward(self, dy: Array, y: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """x̄ = y (ȳ − ȳ·y)."""
        return ops.softmax_dx(dy, y)


class LogSoftmax(Activation):
    """Logarithms of the softmax probabilities, over the last axis, exact even where a probability rounds to 0.

    Shapes: x (..., C) → y (..., C).

    >>> LogSoftmax().initialize(np.random.default_rng(0))([[0.0, -1000.0]])
    array([[    0., -1000.]], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y_i = (x_i - m) - \log \sum_j e^{x_j - m}, \quad m = \max_j x_j",
        backward={"x": r"\bar x = \bar y - e^{y} \sum_j \bar y_j"},
        shapes={"x": "(N, C)", "y": "(N, C)"},
        notes="The cache is y.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """y = log softmax(x); the cache is y."""
        y = ops.log_softmax(x)
        return y, y

    def backward(self, dy: Array, y: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """x̄ = ȳ − e^y Σ ȳ."""
        return ops.log_softmax_dx(dy, y)

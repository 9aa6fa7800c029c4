"""Losses: how wrong the outputs are, as one number, and the gradient with which backpropagation starts."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from handgrad.errors import ArgumentError, ShapeError
from handgrad.layers.layer import Formulas
from handgrad.ops import Array, Ops


class Loss(ABC):
    """A function of outputs and targets that gives one number, together with its gradient.

    `forward` returns the loss and a cache; `backward` turns the cache into the gradient with respect to the outputs.
    Sample weights multiply each example's share, and leave the divisor alone: a mean is Σ w L / N in every batch, so
    that the batches' gradients average to that of all the data. With weights of mean 1 the loss keeps its scale.

    Args:
        reduction: "mean" averages over the batch, "sum" adds up; with a mean, one learning rate serves every batch
            size.

    Raises:
        ArgumentError: reduction is not one the loss offers.
    """

    formulas: ClassVar[Formulas]
    reductions: ClassVar[tuple[str, ...]] = ("mean", "sum")
    #: With a single output column, the value above which the prediction is 1.
    threshold: ClassVar[float] = 0.5

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in self.reductions:
            raise ArgumentError("reduction", reduction, f"one of {', '.join(self.reductions)}")
        self.reduction = reduction

    @abstractmethod
    def forward(
        self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None
    ) -> tuple[Array, Any]:
        """The loss, an array without axes, and a cache."""

    @abstractmethod
    def backward(self, cache: Any, *, ops: Ops) -> Array:
        """Gradient of the loss with respect to the outputs, in their shape."""

    def __call__(self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None) -> float:
        """The loss as a Python float."""
        return float(self.forward(outputs, targets, ops=ops, sample_weight=sample_weight)[0])

    def probabilities(self, outputs: Array, *, ops: Ops) -> Array:
        """The outputs as a user wants them: through the softmax or sigmoid that the loss contains, if it does."""
        return outputs

    def per_example(self, value: float, count: int) -> float:
        """A batch's loss as the mean over its examples, whatever the reduction, so that losses can be compared."""
        return value if self.reduction == "mean" else value / count

    def _row_weights(self, outputs: Array, sample_weight: Array | None, ops: Ops, width: int = 1) -> Array:
        """How much each example counts, (N,): 1/(N·width) in a mean, 1 in a sum, times its sample weight."""
        rows = outputs.shape[0]
        each = 1.0 / (rows * width) if self.reduction == "mean" else 1.0
        if sample_weight is None:
            return ops.full((rows,), each, like=outputs)
        weight = ops.cast(ops.asarray(sample_weight), like=outputs)
        if tuple(weight.shape) != (rows,):
            raise ShapeError("sample_weight", tuple(weight.shape), f"({rows},), one number an example")
        return ops.affine(weight, each, 0.0)


class ClassificationLoss(Loss):
    """What the losses over classes share: targets as integers or as rows of probabilities."""

    def _targets(self, outputs: Array, targets: Array, ops: Ops) -> Array:
        """Targets as rows (N, C) in the dtype of the outputs.

        Raises:
            ShapeError: the outputs are not (N, C), or the targets neither (N,) nor (N, C).
            ArgumentError: an integer label is not in [0, C).
        """
        if len(outputs.shape) != 2:
            raise ShapeError("outputs", tuple(outputs.shape), "(N, C)")
        rows, classes = outputs.shape
        targets = ops.asarray(targets)
        if tuple(targets.shape) == (rows, classes):
            return ops.cast(targets, like=outputs)
        if tuple(targets.shape) != (rows,):
            raise ShapeError(
                "targets", tuple(targets.shape), f"({rows},) integers or ({rows}, {classes}) probabilities"
            )
        return ops.one_hot(targets, classes, like=outputs)


class SoftmaxCrossEntropy(ClassificationLoss):
    """Softmax and cross-entropy in one, on raw scores (logits): the loss for classification.

    Shapes: logits (N, C); targets (N,) integers or (N, C) probabilities, one-hot among them; sample_weight (N,).
    Source of the smoothing: Szegedy et al. (2016).

    Args:
        reduction: "mean" or "sum".
        label_smoothing: ε in [0, 1): each target becomes (1 − ε) t + ε / C.

    Raises:
        ArgumentError: an argument is out of range, or in forward a label is not in [0, C).
        ShapeError: in forward, shapes do not fit.

    >>> ops = handgrad.ops.for_device("cpu")
    >>> round(SoftmaxCrossEntropy()(np.zeros((2, 10)), np.array([3, 7]), ops=ops), 6)  # ln 10
    2.302585
    """

    formulas = Formulas(
        forward=r"L = -\sum_n w_n \sum_c t_{n c} \log \hat y_{n c}, \quad \hat y = \mathrm{softmax}(x)",
        backward={"x": r"\bar x_n = w_n\,(\hat y_n - t_n)"},
        shapes={"x": "(N, C)", "t": "(N, C)", r"\hat y": "(N, C)", "w": "(N)"},
        notes="w is 1/N in a mean, and each row of t sums to 1. The softmax's Jacobian and the logarithm's derivative "
        "cancel to this difference, "
        "and the logarithm is taken of the sum, never of a probability, so no log(0) can occur.",
    )

    def __init__(self, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(reduction)
        if not 0 <= label_smoothing < 1:
            raise ArgumentError("label_smoothing", label_smoothing, "a number with 0 <= label_smoothing < 1")
        self.label_smoothing = label_smoothing

    def forward(
        self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None
    ) -> tuple[Array, Any]:
        """−Σ w Σ t log softmax(outputs); the cache is the probabilities, the targets and w."""
        t = self._targets(outputs, targets, ops)
        if self.label_smoothing:
            t = ops.affine(t, 1 - self.label_smoothing, self.label_smoothing / t.shape[1])
        w = self._row_weights(outputs, sample_weight, ops)
        loss, probabilities = ops.softmax_cross_entropy(outputs, t, w)
        return loss, (probabilities, t, w)

    def probabilities(self, outputs: Array, *, ops: Ops) -> Array:
        """softmax(outputs)."""
        return ops.softmax(outputs)

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        """w (ŷ − t)."""
        return ops.softmax_cross_entropy_dx(*cache)


class CrossEntropy(ClassificationLoss):
    """Cross-entropy on probabilities, for a network whose last layer is `Softmax`.

    Prefer `SoftmaxCrossEntropy` on logits: it is exact where a probability rounds to 0. Here it is held at `floor`.

    Shapes: probabilities (N, C); targets and weights as in `SoftmaxCrossEntropy`.

    Args:
        reduction: "mean" or "sum".
        floor: smallest probability the logarithm is taken of, > 0.

    Raises:
        ArgumentError: an argument is out of range, or in forward a label is not in [0, C).
        ShapeError: in forward, shapes do not fit.

    >>> ops = handgrad.ops.for_device("cpu")
    >>> round(CrossEntropy()(np.full((1, 4), 0.25), np.array([0]), ops=ops), 6)  # ln 4
    1.386294
    """

    formulas = Formulas(
        forward=r"L = -\sum_n w_n \sum_c t_{n c} \log \max(\hat y_{n c}, \varepsilon)",
        backward={r"\hat y": r"\bar{\hat y}_n = -w_n\, \frac{t_n}{\max(\hat y_n, \varepsilon)}"},
        shapes={r"\hat y": "(N, C)", "t": "(N, C)", "w": "(N)"},
        notes="w is 1/N in a mean; ε is the floor that guards log(0). Below it the true derivative is 0; the slope at "
        "the floor is used instead, so that a network that is sure and wrong still learns.",
    )

    def __init__(self, reduction: str = "mean", floor: float = 1e-12) -> None:
        super().__init__(reduction)
        if not 0 < floor < 1:
            raise ArgumentError("floor", floor, "a number with 0 < floor < 1")
        self.floor = floor

    def forward(
        self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None
    ) -> tuple[Array, Any]:
        """−Σ w Σ t log ŷ; the cache is the probabilities, the targets and w."""
        t = self._targets(outputs, targets, ops)
        w = self._row_weights(outputs, sample_weight, ops)
        return ops.cross_entropy(outputs, t, w, self.floor), (outputs, t, w)

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        """−w t / ŷ; the softmax layer below applies its Jacobian."""
        probabilities, t, w = cache
        return ops.cross_entropy_dx(probabilities, t, w, self.floor)


class RegressionLoss(Loss):
    """What the losses over numbers share: targets in the shape of the outputs."""

    def _targets(self, outputs: Array, targets: Array, ops: Ops) -> Array:
        """Targets in the dtype of the outputs.

        Raises:
            ShapeError: the outputs are not (N, C), or the targets have another shape.
        """
        targets = ops.asarray(targets)
        if len(outputs.shape) != 2 or tuple(targets.shape) != tuple(outputs.shape):
            raise ShapeError("targets", tuple(targets.shape), f"the outputs' shape {tuple(outputs.shape)}, as (N, C)")
        return ops.cast(targets, like=outputs)


class MeanSquaredError(RegressionLoss):
    """Squared difference, averaged over every number, or as half the sum, whose gradient is just y − t.

    Shapes: outputs and targets (N, C); sample_weight (N,).

    Args:
        reduction: "mean" divides by N·C, "sum" adds up, "half_sum" is ½ Σ (y − t)².

    Raises:
        ArgumentError: reduction is none of these.
        ShapeError: in forward, shapes do not fit.

    >>> ops = handgrad.ops.for_device("cpu")
    >>> MeanSquaredError("half_sum")(np.array([[3.0]]), np.array([[1.0]]), ops=ops)
    2.0
    """

    formulas = Formulas(
        forward=r"L = \sum_n w_n \sum_c (y_{n c} - t_{n c})^2",
        backward={"y": r"\bar y_n = 2 w_n\,(y_n - t_n)"},
        shapes={"y": "(N, C)", "t": "(N, C)", "w": "(N)"},
        notes="w is 1/(N·C) in a mean, 1 in a sum, 1/2 in half_sum.",
    )
    reductions = ("mean", "sum", "half_sum")

    def forward(
        self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None
    ) -> tuple[Array, Any]:
        """Σ w Σ (y − t)²; the cache is outputs, targets and w."""
        t = self._targets(outputs, targets, ops)
        w = self._row_weights(outputs, sample_weight, ops, width=outputs.shape[1])
        if self.reduction == "half_sum":
            w = ops.affine(w, 0.5, 0.0)
        return ops.squared_error(outputs, t, w), (outputs, t, w)

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        """2 w (y − t)."""
        return ops.squared_error_dx(*cache)


class BinaryCrossEntropy(RegressionLoss):
    """Cross-entropy of independent yes/no questions, on raw scores (logits).

    Shapes: logits and targets (N, C), targets in [0, 1]; sample_weight (N,).

    Args:
        reduction: "mean" divides by N·C, "sum" adds up.

    Raises:
        ArgumentError: reduction is neither.
        ShapeError: in forward, shapes do not fit.

    >>> ops = handgrad.ops.for_device("cpu")
    >>> round(BinaryCrossEntropy()(np.zeros((1, 1)), np.ones((1, 1)), ops=ops), 6)  # ln 2
    0.693147
    """

    formulas = Formulas(
        forward=r"L = \sum_n w_n \sum_c \left[\max(x_{n c}, 0) - x_{n c}\, t_{n c} + \log(1 + e^{-|x_{n c}|})\right]",
        backward={"x": r"\bar x_n = w_n\,(\sigma(x_n) - t_n)"},
        shapes={"x": "(N, C)", "t": "(N, C)", "w": "(N)"},
        notes="w is 1/(N·C) in a mean. It is −t log σ(x) − (1 − t) log(1 − σ(x)), so arranged that nothing overflows.",
    )
    threshold = 0.0

    def forward(
        self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None
    ) -> tuple[Array, Any]:
        """Σ w Σ of the stable form; the cache is logits, targets and w."""
        t = self._targets(outputs, targets, ops)
        w = self._row_weights(outputs, sample_weight, ops, width=outputs.shape[1])
        return ops.binary_cross_entropy(outputs, t, w), (outputs, t, w)

    def probabilities(self, outputs: Array, *, ops: Ops) -> Array:
        """σ(outputs)."""
        return ops.sigmoid(outputs)

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        """w (σ(x) − t)."""
        return ops.binary_cross_entropy_dx(*cache)


#: What a recipe's `loss` may say.
NAMED: dict[str, type[Loss]] = {
    "softmax_cross_entropy": SoftmaxCrossEntropy,
    "cross_entropy": CrossEntropy,
    "mean_squared_error": MeanSquaredError,
    "binary_cross_entropy": BinaryCrossEntropy,
}

"""Wrong on purpose: for every pitfall of docs/pitfalls.md, the smallest substitute for handgrad's code that is in it.

The page shows these sources as they stand here, `pitfall_registry.py` says which check catches each of them, and
`measure.py` trains with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from handgrad.data import Preprocessing, Splits
from handgrad.initializers import Normal
from handgrad.layers import Layer, Linear, ParameterTree, Sequential, Sigmoid, Softmax
from handgrad.layers.layer import Rng
from handgrad.losses import CrossEntropy, Loss, SoftmaxCrossEntropy
from handgrad.ops import Array, Ops
from handgrad.optimizers import SGD
from handgrad.training import Experiment, Recipe


class SoftmaxWithoutMaximum(Softmax):
    """The exponential of a large score is infinite, and infinity divided by infinity is NaN."""

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        e = np.exp(x)
        y = e / np.sum(e, axis=-1, keepdims=True)
        return y, y


class CrossEntropyOverTheWrongAxis(SoftmaxCrossEntropy):
    """Adds up over the examples and averages over the classes, so that loss and gradient grow with the batch."""

    def forward(
        self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None
    ) -> tuple[Array, Any]:
        t = self._targets(outputs, targets, ops)
        loss = -np.mean(np.sum(t * ops.log_softmax(outputs), axis=0))  # (N, C) → (C,) → ()
        return loss, (ops.softmax(outputs), t)

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        y, t = cache
        return (y - t) / t.shape[1]  # C, where N belongs


class CrossEntropyWithoutFloor(CrossEntropy):
    """A probability that was rounded to 0 has the logarithm −∞; times a target of 0 it is NaN."""

    def forward(
        self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None
    ) -> tuple[Array, Any]:
        t = self._targets(outputs, targets, ops)
        loss = -np.mean(np.sum(t * np.log(outputs), axis=1))  # (N, C) → (N,) → ()
        return loss, (outputs, t)

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        y, t = cache
        return -t / (len(t) * y)


class CrossEntropyNotDivided(SoftmaxCrossEntropy):
    """Reports the mean over the batch, and hands down the gradient of the sum: N times too long."""

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        y, t, _ = cache
        return y - t


class LinearThatDivides(Linear):
    """Divides by N what the loss has divided by N already."""

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        grads.weight[...] = dy.T @ x / len(x)
        grads.bias[...] = np.sum(dy, axis=0) / len(x)
        return dy @ self.weight


class LinearReturningDW(Linear):
    """Returns the gradient of its weights, where the layer below waits for that of its output."""

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        dW = dy.T @ x
        grads.weight[...] = dW
        grads.bias[...] = np.sum(dy, axis=0)
        return dW  # (out, in), where dy @ W would be (N, in)


class SoftmaxWithoutJacobian(Softmax):
    """Passes the gradient through as if the probabilities were the scores."""

    def backward(self, dy: Array, y: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        return dy


class CrossEntropyWithTheJacobian(CrossEntropy):
    """Returns the gradient for the scores, although a softmax layer will apply its Jacobian to it once more."""

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        y, t, w = cache
        return w[:, None] * (y - t)


def softmax_twice() -> tuple[Layer, Loss]:
    """What follows the last linear layer: a softmax, and a loss that contains one."""
    return Sequential(Softmax()), SoftmaxCrossEntropy()


class CrossEntropyThatBroadcasts(SoftmaxCrossEntropy):
    """Expects one-hot rows; integer labels become a column, which NumPy repeats for every class."""

    def forward(
        self, outputs: Array, targets: Array, *, ops: Ops, sample_weight: Array | None = None
    ) -> tuple[Array, Any]:
        t = ops.cast(targets.reshape(len(targets), -1), like=outputs)  # (N,) → (N, 1), "so that the shapes fit"
        loss = -np.mean(np.sum(t * ops.log_softmax(outputs), axis=1))
        return loss, (ops.softmax(outputs), t)

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        y, t = cache
        return (y - t) / len(t)


def linear_from_standard_normal(inputs: int, outputs: int) -> Linear:
    """A sum of 784 products needs smaller weights than a sum of two."""
    return Linear(inputs, outputs, weight_init=Normal(1.0), bias_init=Normal(1.0))


class SigmoidDerivativeAtX(Sigmoid):
    """Keeps the input x, and puts it into y (1 − y), which is the derivative in terms of the output."""

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        return ops.sigmoid(x), x

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        return dy * x * (1 - x)


class CrossEntropyFlipped(SoftmaxCrossEntropy):
    """Target minus output: the direction in which to go, called a gradient."""

    def backward(self, cache: Any, *, ops: Ops) -> Array:
        y, t, w = cache
        return w[:, None] * (t - y)


@dataclass(frozen=True)
class SGDThatAdds(SGD):
    """Goes up the gradient, which mends a flipped error, and nothing else."""

    def update(
        self, w: Array, g: Array, slots: Mapping[str, Array], step: int, *, ops: Ops, learning_rate: float
    ) -> None:
        w += learning_rate * (g + self.weight_decay * w)


class LinearIntoSharedBuffer(Linear):
    """Saves memory by writing its output over that of any other layer of the same width."""

    buffers: ClassVar[dict[Any, Array]] = {}

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        shape = (len(x), self.out_features)
        y = self.buffers.setdefault((shape, x.dtype), np.empty(shape, x.dtype))
        np.matmul(x, self.weight.T, out=y)
        y += self.bias
        return y, x


def width_by_test_score(recipe: Recipe, splits: Splits) -> int:
    """Trains every candidate, scores it on the test data, and keeps the best: the test data have chosen."""
    scores = {}
    for width in recipe.select.widths:
        candidate = recipe.override({"model.hidden": (width,), "train.report_test": True})
        trainer = Experiment.prepare(candidate, splits=splits).trainer
        for _ in trainer.run(epochs=recipe.select.epochs):
            pass
        scores[width] = trainer.history.epochs[-1].scores["test"].accuracy
    return max(scores, key=lambda width: scores[width])


def raw_pixels() -> Preprocessing:
    """Grey levels from 0 to 255, as they stand in the file."""
    return Preprocessing(scale=1.0)

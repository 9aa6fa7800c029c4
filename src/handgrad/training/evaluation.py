"""How well a model does on data it does not learn from."""

import math
from typing import Any

import numpy as np

from handgrad.data.loader import Loader
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.ops import Array, Ops
from handgrad.training.batches import Examples
from handgrad.training.history import Scores


def evaluate(model: Layer, loss: Loss, loader: Loader) -> Scores:
    """Mean loss and accuracy over a loader, in prediction mode.

    Args:
        model: an initialised model.
        loss: its loss; a sum is divided by the number of examples, so that every loss reads per example.
        loader: the examples; it must not be empty.

    >>> splits = handgrad.datasets.load("points")
    >>> model = handgrad.Linear(2, 2).initialize(np.random.default_rng(0))
    >>> preprocessing = handgrad.Preprocessing.for_dataset(splits.train, normalize="none")
    >>> loader = handgrad.Loader(splits.train, 5, preprocessing=preprocessing)
    >>> evaluate(model, handgrad.SoftmaxCrossEntropy(), loader).count
    10
    """
    parameters = model.parameters
    examples = Examples(loader, parameters.dtype)

    def score(targets: Array, *given: Array, ops: Ops) -> tuple[Array, Array]:
        outputs, _ = model.forward(examples.inputs(*given, ops=ops), ops=ops)
        return loss.forward(outputs, ops.asarray(targets), ops=ops)[0], outputs

    compiled = parameters.ops.compile(score, (parameters.vector, parameters.buffers, *examples.state))
    total, correct, count = 0.0, 0, 0
    for given, targets in examples:
        value, outputs = compiled(targets, *given)
        size = len(targets)
        total += loss.per_example(float(value), size) * size
        correct += count_correct(parameters.ops.to_numpy(outputs), targets, loss.threshold)
        count += size
    return Scores(total / count, correct / count if loader.dataset.is_right_or_wrong else math.nan, count)


def count_correct(outputs: "np.ndarray[Any, Any]", targets: "np.ndarray[Any, Any]", threshold: float = 0.5) -> int:
    """Number of rows whose prediction is right.

    With several output columns the prediction is the largest; with one it is 1 above the threshold, else 0.

    Args:
        outputs: (N, C).
        targets: (N,) integers, or (N, C) rows.
        threshold: for a single column.

    >>> count_correct(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    1
    """
    if outputs.shape[1] == 1:
        hits = (outputs > threshold) == (targets.reshape(-1, 1) > 0.5)  # (N,) or (N, 1) → (N, 1)
    else:
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)  # (N, C) → (N,)
        hits = outputs.argmax(axis=1) == labels
    return int(np.count_nonzero(hits))


def predict(model: Layer, loader: Loader) -> "np.ndarray[Any, Any]":
    """The model's outputs for every example of a loader, in its order, (N, …).

    >>> splits = handgrad.datasets.load("xor")
    >>> model = handgrad.Linear(2, 1).initialize(np.random.default_rng(0))
    >>> preprocessing = handgrad.Preprocessing.for_dataset(splits.train, normalize="none")
    >>> predict(model, handgrad.Loader(splits.train, 3, preprocessing=preprocessing)).shape
    (4, 1)
    """
    parameters = model.parameters
    examples = Examples(loader, parameters.dtype)

    def output(*given: Array, ops: Ops) -> Array:
        return model.forward(examples.inputs(*given, ops=ops), ops=ops)[0]

    compiled = parameters.ops.compile(output, (parameters.vector, parameters.buffers, *examples.state))
    return np.concatenate([parameters.ops.to_numpy(compiled(*given)) for given, _ in examples])  # (B, …) → (N, …)


def outputs_as_probabilities(model: Layer, loss: Loss, inputs: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The model's outputs for preprocessed inputs (N, …), as probabilities where the loss is about probabilities.

    Args:
        model: an initialised model.
        loss: what it was trained on.
        inputs: preprocessed, (N, …).
    """
    ops = model.parameters.ops
    return ops.to_numpy(loss.probabilities(model(inputs), ops=ops))


def worst_mistakes(labels: "np.ndarray[Any, Any]", probabilities: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The rows of wrong answers, int64 (M,), those first in which the true class got the lowest probability.

    Args:
        labels: integers (N,).
        probabilities: (N, C).

    >>> worst_mistakes(np.array([0, 0, 1]), np.array([[0.4, 0.6], [0.1, 0.9], [0.2, 0.8]]))
    array([1, 0])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)  # (N, C) → (N,)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")]


def confusion_counts(
    labels: "np.ndarray[Any, Any]", predicted: "np.ndarray[Any, Any]", classes: int
) -> "np.ndarray[Any, Any]":
    """How often each true class (row) was predicted as each class (column), (C, C).

    >>> confusion_counts(np.array([0, 1, 1]), np.array([0, 1, 0]), 2)
    array([[1, 0],
           [1, 1]])
    """
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)  # (C²,) → (C, C)

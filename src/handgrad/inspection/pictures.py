"""Which pictures belong to a run."""

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from handgrad.inspection import plots
from handgrad.layers import Conv2d, Layer, Linear
from handgrad.ops import Shape
from handgrad.training.evaluation import confusion_counts, outputs_as_probabilities, predict
from handgrad.training.experiment import Experiment


def draw(experiment: Experiment) -> Iterator[tuple[str, Figure]]:
    """Every picture that fits a trained experiment, with its name, ready first.

    Always the curves; for images a gallery, the distortions if there are any, and the first layer's weights; for
    classes the confusion matrix and, with images, the worst mistakes; for inputs of two numbers the output all over
    the plane.
    """
    yield "curves", plots.curves(experiment.trainer.history)
    train, test = experiment.trainer.train.dataset, experiment.test.dataset
    shape = train.inputs.shape[1:]
    images = is_image(shape)
    if images:
        yield "gallery", plots.gallery(train, test)
        augment = experiment.trainer.train.augment
        if augment is not None:
            originals, rng = train.inputs[:10], np.random.default_rng(experiment.recipe.train.seed)
            yield "distortions", plots.distortions(originals, np.stack([augment(originals, rng) for _ in range(4)]))
    if (weights := draw_first_weights(experiment)) is not None:
        yield "weights", weights
    if experiment.classes:
        yield from _draw_answers(experiment, images)
    if shape == (2,):
        yield "plane", plots.plane(train, lambda points: _answers(experiment, points))


def draw_first_weights(experiment: Experiment) -> Figure | None:
    """What the first layer looks for, as it is now; None where it does not see images.

    Args:
        experiment: trained or not.
    """
    shape = experiment.trainer.train.dataset.inputs.shape[1:]
    weight = first_weights(experiment.model, shape)
    return None if weight is None else plots.first_layer_weights(weight, shape)


def first_weights(model: Layer, shape: Shape) -> plots.Images | None:
    """The weights of a network's first layer, as `plots.first_layer_weights` takes them; None if it sees no images.

    Args:
        model: initialised.
        shape: of one raw input.
    """
    weight = _first_weight(model)
    if weight is None or not is_image(shape):
        return None
    return weight if weight.ndim == 4 or weight.shape[1] - math.prod(shape) in (0, 1) else None


def is_image(shape: Shape) -> bool:
    """Whether raw inputs of a shape are images: (H, W), or (H, W, C) in grey or colours.

    >>> is_image((28, 28)), is_image((32, 32, 3)), is_image((2,))
    (True, True, False)
    """
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def _draw_answers(experiment: Experiment, images: bool) -> Iterator[tuple[str, Figure]]:
    test, classes = experiment.test.dataset, experiment.classes or 0
    ops = experiment.model.parameters.ops
    outputs = ops.asarray(predict(experiment.model, experiment.test))
    probabilities = ops.to_numpy(experiment.loss.probabilities(outputs, ops=ops))
    counts = confusion_counts(test.labels, probabilities.argmax(axis=1), classes)  # (N, C) → (N,)
    yield "confusion", plots.confusion(counts, [str(c) for c in range(classes)])
    if images:
        yield "mistakes", plots.mistakes(test.inputs, test.labels, probabilities)


def _answers(experiment: Experiment, points: plots.Images) -> plots.Images:
    return outputs_as_probabilities(experiment.model, experiment.loss, experiment.preprocessing(points))


def _first_weight(model: Layer) -> plots.Images | None:
    """Weights of the first layer that has any to look at."""
    for _, layer in model.walk():
        if isinstance(layer, Linear | Conv2d):
            return model.parameters.ops.to_numpy(layer.weight)
    return None

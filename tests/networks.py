"""The networks of the recipes, hand-written and made small: what a gradient meets on its way through all of them."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cases import Values

from handgrad.initializers import FanInUniform, Normal, Uniform
from handgrad.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, Sigmoid, Softmax
from handgrad.losses import CrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy

RNG = np.random.default_rng(7)
POINTS = np.array([[2, 1], [2, 2], [5, 4], [4, 5], [2, 3], [3, 2], [6, 5], [4, 1], [6, 3], [7, 4]], dtype=np.float64)
POINT_LABELS = np.array([0, 0, 1, 1, 0, 0, 1, 0, 1, 1])
CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float64)
XOR = np.array([[0.0], [1.0], [1.0], [0.0]])
PIXELS = RNG.uniform(size=(6, 12))
DIGITS = np.array([0, 3, 9, 3, 1, 7])
ONE_HOT = np.eye(10)[DIGITS]
IMAGES = RNG.uniform(size=(2, 1, 8, 8))


@dataclass(frozen=True)
class Network:
    """A model, its loss, and a batch."""

    name: str
    model: Sequential
    loss: Loss
    x: Values
    targets: npt.NDArray[np.float64] | npt.NDArray[np.int64]

    def __str__(self) -> str:
        return self.name


def started(network: Network) -> Sequential:
    """Its model, initialised and moved a little: with biases of 0 a unit over dead ones would sit on its kink."""
    rng = np.random.default_rng(20240301)
    model = deepcopy(network.model).initialize(rng, dtype="float64")
    model.parameters.vector += 0.1 * rng.normal(size=model.parameters.count)
    return model


def _linear(inputs: int, outputs: int, law: Normal | Uniform) -> Linear:
    """A linear layer whose weights and biases follow one law."""
    return Linear(inputs, outputs, weight_init=law, bias_init=law)


def _xor_layer(inputs: int, outputs: int) -> Linear:
    return Linear(inputs, outputs, bias=False, weight_init=Uniform())


NETWORKS = [
    Network(
        "mlp",
        Sequential(_linear(12, 7, Normal()), ReLU(), _linear(7, 10, Normal())),
        SoftmaxCrossEntropy(),
        PIXELS,
        DIGITS,
    ),
    Network("points", Sequential(_linear(2, 2, Uniform())), SoftmaxCrossEntropy(), POINTS, POINT_LABELS),
    Network(
        "points with softmax apart",
        Sequential(_linear(2, 2, Uniform()), Softmax()),
        CrossEntropy(),
        POINTS,
        POINT_LABELS,
    ),
    Network(
        "mlp-adam",
        Sequential(Linear(12, 5), ReLU(), Linear(5, 5), ReLU(), Linear(5, 10)),
        SoftmaxCrossEntropy(),
        PIXELS,
        ONE_HOT,
    ),
    Network(
        "mlp-select",
        Sequential(Linear(13, 6, bias=False), ReLU(), Linear(6, 10, bias=False)),
        SoftmaxCrossEntropy("sum"),
        np.hstack([PIXELS, np.ones((6, 1))]),
        ONE_HOT,
    ),
    Network(
        "xor",
        Sequential(_xor_layer(2, 3), Sigmoid(), _xor_layer(3, 1), Sigmoid()),
        MeanSquaredError("half_sum"),
        CORNERS,
        XOR,
    ),
    Network(
        "cnn",
        Sequential(
            Conv2d(1, 3, 3, padding=1),
            ReLU(),
            MaxPool2d(2),
            Conv2d(3, 4, 3, padding=1),
            ReLU(),
            MaxPool2d(2),
            Flatten(),
            Linear(16, 6, bias_init=FanInUniform()),
            ReLU(),
            Linear(6, 10),
        ),
        SoftmaxCrossEntropy(),
        IMAGES,
        DIGITS[:2],
    ),
]

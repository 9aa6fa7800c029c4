"""Cases for every layer, loss, optimizer, schedule and initializer: what the whole suite runs over.

`test_discovery.py` fails when a class of handgrad has none. A case holds its object not yet initialised; `prepare.py`
makes a running copy of it.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad import layers, losses, optimizers, schedules
from handgrad.initializers import (
    Constant,
    FanInUniform,
    HeNormal,
    HeUniform,
    Initializer,
    Normal,
    Uniform,
    XavierNormal,
    XavierUniform,
    Zeros,
)
from handgrad.layers import Conv2d, Dropout, Layer, Linear, MaxPool2d, ReLU, Residual, Sequential
from handgrad.ops import Shape

Values = npt.NDArray[np.float64]

# -- layers --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerCase:
    """A layer and the shape of its input, batch included; `note` says what is special about it."""

    layer: Layer
    shape: Shape
    note: str = ""
    training: bool = True

    def __str__(self) -> str:
        return "-".join((type(self.layer).__name__, self.note or "plain", "x".join(map(str, self.shape))))


def in_both_modes(layer: Layer, shape: Shape, note: str = "") -> list[LayerCase]:
    """A layer that computes something else in prediction than in training."""
    return [LayerCase(layer, shape, f"{note} {mode}".strip(), mode == "training") for mode in ("training", "eval")]


ELEMENTWISE = [
    layers.ReLU(),
    layers.LeakyReLU(0.1),
    layers.Sigmoid(),
    layers.Tanh(),
    layers.GELU(),
    layers.Softmax(),
    layers.LogSoftmax(),
]
ANY_SHAPE = [(4, 3), (1, 1), (1, 7), (2, 3, 4), (2, 2, 3, 3)]

#: Windows that a convolution and both poolings share: what is special, the input, and the arguments.
WINDOWS: list[tuple[str, Shape, dict[str, Any]]] = [
    ("tiles", (2, 2, 4, 6), {"kernel_size": 2, "stride": 2}),
    ("overlapping", (1, 2, 5, 4), {"kernel_size": 3, "stride": 1}),
    ("padded", (2, 1, 5, 5), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("gaps", (1, 2, 7, 5), {"kernel_size": 2, "stride": 3}),
    ("edge left over", (1, 1, 6, 7), {"kernel_size": 3, "stride": 2}),
    ("oblong", (2, 2, 5, 7), {"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 0)}),
    ("window of one pixel", (2, 3, 3, 2), {"kernel_size": 1}),
    ("window of all pixels", (3, 1, 3, 4), {"kernel_size": (3, 4)}),
    ("image of one pixel", (1, 1, 1, 1), {"kernel_size": 1}),
]

LAYER_CASES = [
    LayerCase(Linear(3, 2), (4, 3)),
    LayerCase(Linear(1, 1), (1, 1), "narrowest"),
    LayerCase(Linear(7, 129), (2, 7), "to wide"),
    LayerCase(Linear(129, 1), (1, 129), "from wide"),
    LayerCase(Linear(7, 3, bias=False), (5, 7), "no bias"),
    LayerCase(Linear(4, 5), (2, 3, 4), "3-D"),
    *(LayerCase(layer, shape) for layer, shape in itertools.product(ELEMENTWISE, ANY_SHAPE)),
    LayerCase(layers.Softmax(), (1, 129), "wide"),
    *(LayerCase(Conv2d(shape[1], 3, **window), shape, note) for note, shape, window in WINDOWS),
    LayerCase(Conv2d(2, 3, 2, bias=False), (2, 2, 3, 3), "no bias"),
    LayerCase(Conv2d(1, 2, 2, padding=3), (1, 1, 2, 3), "more padding than kernel"),
    LayerCase(Conv2d(2, 1, 1, stride=(2, 1)), (2, 2, 3, 3), "steps over a 1×1 kernel"),
    LayerCase(Conv2d(7, 1, 3, padding=1), (1, 7, 3, 3), "many channels to one"),
    *(
        LayerCase(pool(**window), shape, note)
        for pool, (note, shape, window) in itertools.product((MaxPool2d, layers.AvgPool2d), WINDOWS)
    ),
    *in_both_modes(layers.BatchNorm1d(3), (4, 3)),
    *in_both_modes(layers.BatchNorm1d(1, momentum=0.5), (5, 1), "narrowest"),
    LayerCase(layers.BatchNorm1d(7, momentum=0.0, epsilon=0.1), (2, 7), "smallest batch"),
    LayerCase(layers.BatchNorm1d(3), (1, 3), "one row eval", training=False),
    *in_both_modes(layers.BatchNorm2d(3), (2, 3, 3, 2)),
    *in_both_modes(layers.BatchNorm2d(2, momentum=1.0), (1, 2, 3, 3), "one image"),
    LayerCase(layers.LayerNorm(3), (4, 3)),
    LayerCase(layers.LayerNorm(1), (3, 1), "narrowest"),
    LayerCase(layers.LayerNorm(129, epsilon=1e-3), (1, 129), "wide"),
    LayerCase(layers.LayerNorm(5), (2, 3, 5), "3-D"),
    LayerCase(Dropout(0.0), (4, 3), "keeps all"),
    *in_both_modes(Dropout(0.5), (4, 3)),
    *in_both_modes(Dropout(0.2), (2, 2, 3, 3), "images"),
    LayerCase(layers.Flatten(), (2, 3, 2, 2)),
    LayerCase(layers.Flatten(), (3, 4), "already flat"),
    LayerCase(Sequential(), (2, 3), "empty"),
    LayerCase(Sequential(Linear(3, 4), Sequential(layers.Tanh(), Linear(4, 2, bias=False))), (4, 3), "nested"),
    *in_both_modes(Sequential(Linear(3, 7), Dropout(0.5), layers.BatchNorm1d(7), ReLU(), Dropout(0.5)), (5, 3)),
    LayerCase(Sequential(Conv2d(1, 2, 3, padding=1), ReLU(), MaxPool2d(2), layers.Flatten()), (2, 1, 5, 4), "images"),
    LayerCase(Residual(Linear(3, 3)), (4, 3)),
    LayerCase(Residual(Residual(Sequential(Linear(2, 2), layers.GELU()))), (1, 2), "nested"),
    *in_both_modes(Residual(Sequential(Conv2d(2, 2, 3, padding=1), layers.BatchNorm2d(2), ReLU())), (2, 2, 3, 4)),
]

# -- losses --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LossCase:
    """A loss with outputs, targets and, where weighed, one weight an example."""

    loss: losses.Loss
    outputs: Values
    targets: npt.NDArray[Any]
    sample_weight: Values | None
    note: str

    def __str__(self) -> str:
        weighed = "weighed" if self.sample_weight is not None else "unweighed"
        rows, columns = self.outputs.shape
        smoothing = " smoothed" if getattr(self.loss, "label_smoothing", 0) else ""
        return f"{type(self.loss).__name__}-{self.loss.reduction}{smoothing}-{self.note}-{weighed}-{rows}x{columns}"


def probabilities(rng: np.random.Generator, rows: int, columns: int) -> Values:
    """Rows that add up to 1, none of their numbers below 1 / (4 · columns)."""
    drawn: Values = rng.uniform(0.25, 1.0, (rows, columns))
    drawn /= drawn.sum(axis=1, keepdims=True)  # (N, C) → (N, 1)
    return drawn


def _class_targets(rng: np.random.Generator, rows: int, columns: int) -> dict[str, npt.NDArray[Any]]:
    labels = rng.integers(0, columns, rows)
    return {
        "labels": labels,
        "one-hot": np.eye(columns)[labels],
        "soft": probabilities(rng, rows, columns),
        "not adding up to 1": rng.uniform(size=(rows, columns)),
    }


def _loss_cases(loss: losses.Loss, rows: int, columns: int) -> list[LossCase]:
    """The loss on outputs of that shape, with every kind of target, weighed and not."""
    rng = np.random.default_rng(rows * 1000 + columns)
    outputs = 2.0 * rng.normal(size=(rows, columns))
    weights = (None, rng.uniform(0.5, 2.0, rows))
    targets: dict[str, npt.NDArray[Any]] = {"numbers": rng.normal(size=(rows, columns))}
    if isinstance(loss, losses.BinaryCrossEntropy):
        targets = {"answers": rng.integers(0, 2, (rows, columns)), "soft": rng.uniform(size=(rows, columns))}
    elif isinstance(loss, losses.ClassificationLoss):
        targets = _class_targets(rng, rows, columns)
    if isinstance(loss, losses.CrossEntropy):
        outputs = probabilities(rng, rows, columns)
    return [LossCase(loss, outputs, t, w, note) for (note, t), w in itertools.product(targets.items(), weights)]


LOSSES = [
    losses.SoftmaxCrossEntropy(),
    losses.SoftmaxCrossEntropy("sum"),
    losses.SoftmaxCrossEntropy(label_smoothing=0.1),
    losses.CrossEntropy(),
    losses.CrossEntropy("sum"),
    losses.MeanSquaredError(),
    losses.MeanSquaredError("sum"),
    losses.MeanSquaredError("half_sum"),
    losses.BinaryCrossEntropy(),
    losses.BinaryCrossEntropy("sum"),
]
LOSS_SHAPES = [(5, 3), (1, 7), (3, 1), (2, 129)]
LOSS_CASES = [case for loss, (n, c) in itertools.product(LOSSES, LOSS_SHAPES) for case in _loss_cases(loss, n, c)]

# -- optimizers ----------------------------------------------------------------------------------------

OPTIMIZERS = [
    optimizers.SGD(0.1),
    optimizers.SGD(0.05, weight_decay=0.1),
    optimizers.SGD(0.02, momentum=0.9),
    optimizers.SGD(0.02, momentum=0.9, weight_decay=0.1),
    optimizers.SGD(0.02, momentum=0.8, nesterov=True),
    optimizers.SGD(0.02, momentum=0.8, nesterov=True, weight_decay=0.1),
    optimizers.RMSProp(0.02),
    optimizers.RMSProp(0.02, alpha=0.9, epsilon=1e-3, weight_decay=0.1),
    optimizers.Adam(0.05),
    optimizers.Adam(0.05, beta1=0.5, beta2=0.9, epsilon=1e-3),
    optimizers.Adam(0.05, weight_decay=0.1),
    optimizers.AdamW(0.05),
    optimizers.AdamW(0.05, beta1=0.7, beta2=0.99, weight_decay=0.2),
    optimizers.AdamW(0.05, weight_decay=0.0),
]

# -- schedules -----------------------------------------------------------------------------------------

#: Each is looked at over its first 40 steps.
SCHEDULES = [
    schedules.ConstantSchedule(),
    schedules.StepSchedule(every=5, factor=0.5),
    schedules.StepSchedule(every=1),
    schedules.ExponentialSchedule(),
    schedules.ExponentialSchedule(every=7, factor=0.5),
    schedules.CosineSchedule(steps=40),
    schedules.CosineSchedule(steps=39, floor=0.1),
    schedules.OneCycleSchedule(steps=40),
    schedules.OneCycleSchedule(steps=41, warmup=0.45, div=10.0, final_div=100.0),
    schedules.WarmUp(schedules.ConstantSchedule(), steps=5),
    schedules.WarmUp(schedules.StepSchedule(every=3, factor=0.5), steps=4, start=0.2),
    schedules.WarmUp(schedules.CosineSchedule(steps=30, floor=0.05), steps=10, start=0.01),
]

# -- initializers --------------------------------------------------------------------------------------

FAN_IN, FAN_OUT = 50, 150


@dataclass(frozen=True)
class InitializerCase:
    """A law, and what follows from it for FAN_IN and FAN_OUT."""

    law: Initializer
    mean: float
    variance: float
    bound: float = math.inf

    def __str__(self) -> str:
        return repr(self.law)


INITIALIZERS = [
    InitializerCase(Constant(0.5), 0.5, 0.0),
    InitializerCase(Zeros(), 0.0, 0.0),
    InitializerCase(Uniform(), 0.5, 1 / 12, bound=1.0),
    InitializerCase(Uniform(-3.0, 1.0), -1.0, 16 / 12, bound=3.0),
    InitializerCase(Normal(), 0.0, 1.0),
    InitializerCase(Normal(0.1), 0.0, 0.01),
    InitializerCase(FanInUniform(), 0.0, 1 / (3 * FAN_IN), bound=1 / math.sqrt(FAN_IN)),
    InitializerCase(XavierUniform(), 0.0, 2 / (FAN_IN + FAN_OUT), bound=math.sqrt(6 / (FAN_IN + FAN_OUT))),
    InitializerCase(XavierNormal(), 0.0, 2 / (FAN_IN + FAN_OUT)),
    InitializerCase(HeUniform(), 0.0, 2 / FAN_IN, bound=math.sqrt(6 / FAN_IN)),
    InitializerCase(HeNormal(), 0.0, 2 / FAN_IN),
]

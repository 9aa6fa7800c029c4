"""What the numbers inside a network look like: weights, activations and gradients, layer by layer."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from handgrad.data.loader import Batch
from handgrad.inspection.signals import Signal, signals
from handgrad.layers import Layer, ReLU
from handgrad.losses import Loss

BINS = 30
#: A histogram of more numbers is made of an even selection.
_MOST = 200_000


@dataclass(frozen=True, eq=False)
class Spread:
    """How an array's numbers are spread.

    Args:
        mean: of all of them, in float64, as everything here.
        std: their standard deviation, divided by N.
        low: the smallest.
        high: the largest.
        zeros: share of exact zeros.
        length: √Σ x².
        histogram: of those that are not 0, from low to high, (30,).
        is_finite: whether no number is NaN or infinite; where one is, the figures above are of the others.
    """

    mean: float
    std: float
    low: float
    high: float
    zeros: float
    length: float
    histogram: NDArray[np.int64]
    is_finite: bool

    @classmethod
    def of(cls, array: NDArray[Any]) -> Self:
        """Measure an array of any shape, of at least one number.

        >>> spread = Spread.of(np.array([0.0, 3.0, 4.0, 5.0]))
        >>> spread.mean, spread.low, spread.high, spread.zeros, round(spread.length, 3), int(spread.histogram.sum())
        (3.0, 0.0, 5.0, 0.25, 7.071, 3)
        """
        every = np.asarray(array, np.float64).reshape(-1)  # (…) → (n,)
        finite = np.isfinite(every)
        numbers = every if finite.all() else every[finite]
        if not len(numbers):
            nan = float("nan")
            return cls(nan, nan, nan, nan, nan, nan, np.zeros(BINS, np.int64), False)
        low, high = float(numbers.min()), float(numbers.max())
        some = numbers[:: len(numbers) // _MOST + 1]
        histogram = np.histogram(some[some != 0], BINS, (low, high) if low < high else None)[0]
        mean = float(numbers.mean())
        off = numbers - mean
        return cls(
            mean,
            float(np.sqrt(off @ off / len(off))),
            low,
            high,
            int(np.count_nonzero(numbers == 0)) / len(numbers),
            float(np.sqrt(numbers @ numbers)),
            histogram,
            len(numbers) == len(every),
        )


@dataclass(frozen=True, eq=False)
class ParameterStatistics:
    """One array of parameters.

    Args:
        name: its full name, as PyTorch has it.
        shape: its own.
        values: what was learned.
        gradient: of the loss on the batch.
    """

    name: str
    shape: tuple[int, ...]
    values: Spread
    gradient: Spread


@dataclass(frozen=True, eq=False)
class LayerStatistics:
    """One layer's part in a training step.

    Args:
        name: its dotted name.
        kind: its class.
        shape: of its output for one example.
        output: what it made of the batch.
        gradient: of the loss with respect to that.
        dead: share of a ReLU's units or channels that are 0 for every example; None for another layer.
        saturated: share of a sigmoid's or tanh's outputs within 1 % of their ends; None for another layer.
        parameters: its own.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    output: Spread
    gradient: Spread
    dead: float | None
    saturated: float | None
    parameters: tuple[ParameterStatistics, ...]


def layer_statistics(model: Layer, loss: Loss, batch: Batch) -> list[LayerStatistics]:
    """Take one batch forward and backward as a training step does, without taking the step, and measure every layer.

    Args:
        model: initialised; it stays as it is.
        loss: what it is trained on.
        batch: prepared examples.

    >>> model = handgrad.Sequential(handgrad.Linear(2, 3), handgrad.ReLU(), handgrad.Linear(3, 2))
    >>> model = model.initialize(np.random.default_rng(0))
    >>> batch = Batch(np.ones((4, 2), np.float32), np.zeros(4, np.int64))
    >>> [(layer.name, layer.kind, len(layer.parameters)) for layer in
    ...  layer_statistics(model, handgrad.SoftmaxCrossEntropy(), batch)]
    [('0', 'Linear', 2), ('1', 'ReLU', 0), ('2', 'Linear', 2)]
    """
    return [_of_layer(model, signal) for signal in signals(model, loss, *batch)]


def _of_layer(model: Layer, signal: Signal) -> LayerStatistics:
    parameters = model.parameters
    own = tuple(
        ParameterStatistics(
            name, array.shape, Spread.of(parameters.ops.to_numpy(parameters.views[name])), Spread.of(array)
        )
        for name, array in signal.parameter_gradients.items()
    )
    return LayerStatistics(
        signal.name,
        type(signal.layer).__name__,
        signal.output.shape[1:],
        Spread.of(signal.output),
        Spread.of(signal.gradient),
        float(signal.dead.mean()) if isinstance(signal.layer, ReLU) else None,
        signal.saturated,
        own,
    )

"""What is wrong with a network before its first step."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from handgrad.inspection.doctor.finding import Finding
from handgrad.inspection.doctor.patient import Patient
from handgrad.inspection.signals import Signal
from handgrad.layers import ReLU, Softmax
from handgrad.losses import CrossEntropy, SoftmaxCrossEntropy

#: How far above ln C the first loss may be.
_HIGH_LOSS = 3.0
#: By what factor signals may shrink or grow from one end of a network to the other.
_FADED = 1e-3
_MANY_SATURATED = 0.5
#: Adam's first steps, which are as long as any, kill 60 % of the 128 hidden units of W6's network, and it learns well.
_MANY_DEAD = 0.75
#: With fewer examples, a unit may well be 0 for all of them.
_ENOUGH_EXAMPLES = 50


def softmax_twice(patient: Patient) -> Iterator[Finding]:
    """A softmax before a loss that has one."""
    last = patient.signals[-1]
    if not isinstance(patient.loss, SoftmaxCrossEntropy) or not isinstance(last.layer, Softmax):
        return
    low = -math.log(math.e / (math.e + patient.outputs.shape[1] - 1))
    yield Finding(
        "Softmax twice",
        "The last layer is a Softmax, and the loss contains another.",
        f"The outputs lie between 0 and 1, so the loss cannot fall below {low:.2f}, and gradients are a fraction of "
        "what they should be.",
        "Leave the last layer out; SoftmaxCrossEntropy wants the scores as they are.",
    )


def softmax_missing(patient: Patient) -> Iterator[Finding]:
    """A loss that wants probabilities, and gets something else."""
    sums, smallest = patient.outputs.sum(axis=1), float(patient.outputs.min())  # (N, C) → (N,)
    if not isinstance(patient.loss, CrossEntropy) or (np.allclose(sums, 1, atol=1e-3) and smallest >= 0):
        return
    yield Finding(
        "Softmax missing",
        f"The loss is CrossEntropy, and rows of outputs sum to {sums.min():.3g} to {sums.max():.3g}, the smallest "
        f"number being {smallest:.3g}.",
        "Its formula takes probabilities; of other numbers it is not a likelihood, and its gradient leads nowhere.",
        "End the network with Softmax, or better, use SoftmaxCrossEntropy on the scores.",
    )


def high_first_loss(patient: Patient) -> Iterator[Finding]:
    """A network that is sure of itself before it has learned anything."""
    classes = patient.outputs.shape[1]
    expected = math.log(classes) if classes > 1 else math.inf
    is_high = patient.first_loss > expected + _HIGH_LOSS  # NaN is not
    if not isinstance(patient.loss, SoftmaxCrossEntropy | CrossEntropy) or not is_high:
        return
    yield Finding(
        "First loss too high",
        f"Before training it is {patient.first_loss:.3g}; a network that knows nothing should have "
        f"ln {classes} = {expected:.3g}.",
        "Its scores are far apart for no reason, so the first steps are spent on unlearning them.",
        'Use smaller first weights (model.init = "he"), scale the inputs, or normalise between the layers.',
    )


def faded_signals(patient: Patient) -> Iterator[Finding]:
    """Activations or gradients that vanish or explode on their way through the layers."""
    hidden = [signal for signal in patient.signals if _is_weighted(signal) and _has_weights(signal)]
    if len(hidden) < 2:
        return
    for what, arrays in (
        ("Activations", [s.output for s in hidden]),
        ("Gradients", [s.gradient for s in hidden[::-1]]),
    ):
        first, last = _length(arrays[0]), _length(arrays[-1])
        change = last / first if first else math.nan
        if math.isnan(change) or _FADED <= change <= 1 / _FADED:
            continue
        kind = "vanish" if change < 1 else "explode"
        begin, end = (hidden[0], hidden[-1]) if what == "Activations" else (hidden[-1], hidden[0])
        yield Finding(
            f"{what} {kind}",
            f"From {begin} to {end} their length changes by a factor of {change:.2g}.",
            "What is lost on the way cannot be learned from; what explodes makes every step a leap.",
            'Choose first weights by the width of the layers (model.init = "he"), use ReLU instead of sigmoids, put '
            "batch norm between the layers, or a shortcut round them (Residual).",
        )


def saturated_units(patient: Patient) -> Iterator[Finding]:
    """Sigmoids and hyperbolic tangents that lie at their ends, where they are flat."""
    for signal in patient.signals[:-1]:
        share = signal.saturated
        if share is None or share <= _MANY_SATURATED:
            continue
        yield Finding(
            "Saturated units",
            f"{share:.0%} of the outputs of {signal} lie within 1 % of their ends.",
            "The slope there is nearly 0, so almost no gradient reaches the layers below.",
            "Use smaller first weights or scale the inputs; or ReLU, which does not saturate.",
        )


def no_weights(patient: Patient) -> Iterator[Finding]:
    """Several layers whose weights are all 0."""
    weighted = [signal for signal in patient.signals if _is_weighted(signal)]
    if len(weighted) < 2 or any(map(_has_weights, weighted)):
        return
    yield Finding(
        "Weights all 0",
        f"Every weight and bias of {len(weighted)} layers is 0.",
        "Nothing gets through, so no gradient does either; and units that begin alike stay alike.",
        'Draw first weights at random: model.init = "he".',
    )


def dead_from_the_start(patient: Patient) -> Iterator[Finding]:
    """ReLUs that are 0 for every example before anything has been learned."""
    yield from dead_units(patient.signals, "before training", "Begin with biases of 0, or normalise before the ReLU.")


def dead_units(signals: Sequence[Signal], when: str, change: str) -> Iterator[Finding]:
    """ReLUs that are 0 for every example.

    Args:
        signals: what flows through the network.
        when: that was.
        change: what to do about it.
    """
    for signal in signals:
        if not isinstance(signal.layer, ReLU) or len(signal.output) < _ENOUGH_EXAMPLES:
            continue
        dead = signal.dead
        if dead.mean() <= _MANY_DEAD:
            continue
        yield Finding(
            "Dead units",
            f"{dead.sum():,} of {len(dead):,} units of {signal} are 0 for all of {len(signal.output):,} examples, "
            f"{when}.",
            "Where a ReLU is 0 its gradient is 0 too, so these units do not learn and will not come back.",
            f"{change} LeakyReLU cannot die.",
        )


def _is_weighted(signal: Signal) -> bool:
    """Whether a layer has weights that are matrices: the places between which signals are compared."""
    return any(len(spec.shape) > 1 for spec in signal.layer.parameter_specs().values())


def _has_weights(signal: Signal) -> bool:
    """Whether any of them is not 0; a last layer of zeros is a good beginning, and fades nothing."""
    return any(np.any(getattr(signal.layer, name)) for name in signal.layer.parameter_specs())


def _length(array: NDArray[np.floating]) -> float:
    """Mean length of an example's part."""
    return float(np.mean(np.linalg.norm(array.reshape(len(array), -1), axis=1)))  # (N, …) → (N, D) → (N,) → ()


#: Causes before what they lead to: a unit that is dead passes no gradient on, and what explodes ends in a high loss.
CHECKS = (
    softmax_twice,
    softmax_missing,
    no_weights,
    saturated_units,
    dead_from_the_start,
    faded_signals,
    high_first_loss,
)

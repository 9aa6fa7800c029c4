"""What goes wrong in training: seen in a few short ones."""

import math
import statistics
import time
from collections.abc import Iterator
from copy import deepcopy

import numpy as np

from handgrad.inspection.doctor.finding import Finding
from handgrad.inspection.doctor.patient import Patient
from handgrad.inspection.doctor.start import dead_from_the_start, dead_units
from handgrad.optimizers import Adam
from handgrad.training.history import Epoch
from handgrad.training.trainer import Trainer, TrainingError

_FEW = 20  # examples that any network should be able to learn by heart
_RATES = (0.01, 0.002)  # of Adam, tried for that
_PATIENCE = 2.0  # seconds a rate gets for it
_LEAST_UPDATE, _MOST_UPDATE = 1e-4, 1e-1  # of a weight's length, by one step
_MUCH_LOWER = 0.7  # of a loss
_HARDLY = 0.02  # of what another rate achieves


def training_breaks_down(patient: Patient) -> Iterator[Finding]:
    """A loss that becomes NaN whatever the learning rate."""
    rate, reached = patient.trainer.optimizer.learning_rate, patient.losses_by_rate
    if any(map(math.isfinite, reached.values())):
        return
    yield Finding(
        "Training breaks down",
        f"The loss becomes NaN or infinite within {len(patient.short_training.losses)} steps, with every learning rate "
        f"from {min(reached) * rate:g} to {max(reached) * rate:g}.",
        "So it is not the length of the steps that drives it away.",
        "Train: it stops with the name of the layer in which it began. Check the loss and layers of your own.",
    )


def cannot_learn_by_heart(patient: Patient) -> Iterator[Finding]:
    """A network that cannot even fit twenty examples; of amounts none is just right."""
    few = patient.examples[:_FEW]
    if not few.is_right_or_wrong:
        return
    right = 0.0
    for rate in _RATES:
        right = max(right, _learned_by_heart(patient, rate))
        if right == 1:
            return
    yield Finding(
        f"Cannot learn {len(few)} examples by heart",
        f"After {_PATIENCE:.0f} s of Adam on {len(few)} training examples alone, {right:.0%} are right.",
        "Any network of reasonable size can do that, so something between input and loss is broken or far too small.",
        "Check the gradients (handgrad gradcheck), the labels, and that every layer passes on what it gets.",
    )


def _learned_by_heart(patient: Patient, rate: float) -> float:
    """The best accuracy on the first few examples, when they are all there is to learn."""
    few = patient.examples[:_FEW]
    loader = patient.loader(few, len(few))
    model = deepcopy(patient.trainer.model)
    trainer = Trainer(
        model, patient.loss, Adam(rate), train=loader, monitors={"fit": loader}, rng=np.random.default_rng(3)
    )
    best, started = 0.0, time.perf_counter()
    try:
        for event in trainer.run(epochs=100_000):
            if isinstance(event, Epoch):
                best = max(best, event.scores["fit"].accuracy)
            if best == 1 or time.perf_counter() - started > _PATIENCE:
                break
    except TrainingError:
        pass
    return best


def size_of_updates(patient: Patient) -> Iterator[Finding]:
    """Steps that move a weight by too much or too little of its length."""
    typical = {name: statistics.median(r) for name, r in patient.short_training.ratios.items() if r}
    beyond = {name: r for name, r in typical.items() if r and not _LEAST_UPDATE <= r <= _MOST_UPDATE}
    if 2 * len(beyond) <= len(typical):  # one layer alone may have its reasons
        return
    name = max(beyond, key=lambda name: abs(math.log(beyond[name] / 1e-3)))
    too = "large" if beyond[name] > _MOST_UPDATE else "small"
    yield Finding(
        f"Updates too {too}",
        f"A step moves {name} by {beyond[name]:.1e} of its length, the median of {len(patient.short_training.losses)} "
        f"steps; {len(beyond)} of {len(typical)} weights lie outside {_LEAST_UPDATE:g} to {_MOST_UPDATE:g}.",
        "About 1e-3 is healthy: far more, and a step forgets what the one before learned; far less, and training "
        "takes for ever.",
        f"{'Lower' if too == 'large' else 'Raise'} the learning rate, or change the size of the first weights.",
    )


def learning_rate(patient: Patient) -> Iterator[Finding]:
    """A learning rate beside which another does far better."""
    reached = patient.losses_by_rate
    own = reached[1.0]
    best = min(reached, key=lambda factor: reached[factor])
    rate = patient.trainer.optimizer.learning_rate
    figures = (
        f"A short training ends with a loss of {_loss(own)} with {rate:g}, and of {_loss(reached[best])} with "
        f"{best * rate:g}."
    )
    if best < 1 and reached[best] < _MUCH_LOWER * own and not own < 0.9 * patient.first_loss:
        yield Finding(
            "Learning rate too high",
            figures,
            "Each step overshoots the valley that the gradient points into.",
            f"Try {best * rate:g}; handgrad doctor --plot FILE draws the loss over the rate.",
        )
    untrained = reached[min(reached)]  # on the same batches, which the first loss is not
    gained, possible = untrained - own, untrained - reached[best]
    if best > 1 and possible > 0.1 * patient.first_loss and gained < _HARDLY * possible:
        yield Finding(
            "Learning rate too low",
            figures,
            "Training would get there too, after a hundred times as many steps or never.",
            f"Try {best * rate:g}; handgrad doctor --plot FILE draws the loss over the rate.",
        )


def units_that_died(patient: Patient) -> Iterator[Finding]:
    """ReLUs that have become 0 for every example."""
    if any(dead_from_the_start(patient)):
        return
    when = "after training" if patient.trained else "after a few steps"
    yield from dead_units(patient.trained_signals, when, "Lower the learning rate, or normalise before the ReLU.")


def _loss(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "not finite"


FATAL = (training_breaks_down,)
CHECKS = (*FATAL, cannot_learn_by_heart, learning_rate, size_of_updates, units_that_died)

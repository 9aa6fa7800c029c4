"""How a training feels, layer by layer: gradients, the size of updates, and units that have died."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.data.loader import Batch, Loader
from handgrad.inspection.signals import signals
from handgrad.layers import ReLU
from handgrad.training.experiment import Experiment

#: Examples that the signs are taken on.
_EXAMPLES = 128


@dataclass(frozen=True)
class Vitals:
    """The signs of one layer that has parameters, or that is a ReLU.

    Args:
        name: the layer's dotted name.
        kind: its class.
        gradient_norm: length of its parameters' gradient; None where it has none.
        update_ratio: how far the last step moved its parameters, relative to their length; None where that is unknown.
        dead: share of a ReLU's units that are 0 for every example; None for any other layer.
    """

    name: str
    kind: str
    gradient_norm: float | None
    update_ratio: float | None
    dead: float | None


class VitalSigns:
    """Takes the signs of a training between two of its steps, always on the same few training examples.

    Args:
        experiment: that is trained; nothing of it is changed.

    >>> from handgrad.training import Experiment, Recipe
    >>> experiment = Experiment.prepare(Recipe.load("points"))
    >>> signs = VitalSigns(experiment)
    >>> signs.expect_step()
    >>> _ = next(experiment.trainer.run(1))
    >>> [(sign.name, sign.kind, sign.update_ratio > 0) for sign in signs.take()]
    [('0', 'Linear', True)]
    """

    def __init__(self, experiment: Experiment) -> None:
        self._model, self._loss = experiment.model, experiment.loss
        self._batch = few_examples(experiment.trainer.train)
        self._before: NDArray[Any] | None = None

    def expect_step(self) -> None:
        """Note the parameters as they are, so that `take` after the next step can say how far it moved them."""
        parameters = self._model.parameters
        self._before = np.array(parameters.ops.to_numpy(parameters.vector))

    @property
    def expects_step(self) -> bool:
        """Whether the parameters were noted since the last `take`."""
        return self._before is not None

    def take(self) -> list[Vitals]:
        """The signs of every layer that has some, first to last."""
        before, self._before = self._before, None
        ratios = {} if before is None else dict(self._ratios(before))
        found = []
        for signal in signals(self._model, self._loss, *self._batch):
            dead = float(signal.dead.mean()) if isinstance(signal.layer, ReLU) else None
            norm = signal.gradient_norm
            if norm is not None or dead is not None:
                found.append(Vitals(signal.name, type(signal.layer).__name__, norm, ratios.get(signal.name), dead))
        return found

    def _ratios(self, before: NDArray[Any]) -> Iterator[tuple[str, float]]:
        """‖Δθ‖ / ‖θ‖ by the name of the layer, θ being its parameters before the step."""
        parameters = self._model.parameters
        moved: dict[str, float] = {}
        length: dict[str, float] = {}
        for name, old in parameters.named(parameters.ops.asarray(before)).items():
            layer = name.rpartition(".")[0]
            was = np.asarray(parameters.ops.to_numpy(old), np.float64)
            now = np.asarray(parameters.ops.to_numpy(parameters.views[name]), np.float64)
            moved[layer] = moved.get(layer, 0.0) + float(np.sum((now - was) ** 2))
            length[layer] = length.get(layer, 0.0) + float(np.sum(was**2))
        for layer, square in moved.items():
            yield layer, float(np.sqrt(square / length[layer])) if length[layer] else 0.0


def few_examples(train: Loader) -> Batch:
    """A batch of some training examples at random, since data often lies sorted by class; not distorted."""
    rows = np.random.default_rng(1).permutation(len(train.dataset))[:_EXAMPLES]
    loader = Loader(train.dataset[rows], None, preprocessing=train.preprocessing, one_hot=train.one_hot)
    return loader[0]

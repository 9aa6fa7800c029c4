"""When a fit has got no better for long enough."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.layers import ParameterVector


class Progress:
    """Watches the training loss, or a score on examples held back, and keeps the weights of the best score.

    Args:
        patience: epochs without improvement after which to end.
        tolerance: by which a loss has to fall, or a score to rise, to count.
        score: of the network as it is, higher being better; None watches the training loss.

    >>> progress = Progress(2, 0.01)
    >>> model = handgrad.Linear(1, 1).initialize(np.random.default_rng(0))
    >>> [progress.ends(loss, model.parameters) for loss in (0.5, 0.4, 0.395, 0.394, 0.393)]
    [False, False, False, False, True]
    """

    def __init__(self, patience: int, tolerance: float, score: Callable[[], float] | None = None) -> None:
        self.patience = patience
        self.tolerance = tolerance
        self.scores: list[float] = []
        self._score = score
        self._best = -math.inf
        self._waited = 0
        self._kept: tuple[NDArray[Any], NDArray[Any]] | None = None

    def ends(self, loss: float, parameters: ParameterVector) -> bool:
        """Whether an epoch was the last, given its mean training loss."""
        value = -loss
        if self._score is not None:
            value = self._score()
            self.scores.append(value)
        self._waited = 0 if value >= self._best + self.tolerance else self._waited + 1
        if value > self._best:
            self._best = value
            if self._score is not None:
                self._kept = np.array(parameters.vector), np.array(parameters.buffers)
        return self._waited > self.patience

    def restore(self, parameters: ParameterVector) -> None:
        """Give the network the weights of its best score, if it was scored."""
        if self._kept is not None:
            parameters.vector[...], parameters.buffers[...] = self._kept

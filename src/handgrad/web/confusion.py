"""Which class is taken for which while a network trains."""

from typing import Any

import numpy as np

from handgrad.layers.compile import compile
from handgrad.training.assembly import scoring_loader
from handgrad.training.evaluation import confusion_counts
from handgrad.training.experiment import Experiment

#: Examples that are looked at, so that it stays quick.
_MOST = 2000


class Confusion:
    """Counts the answers of a network on validation data or, where there is none, on a part of the training data.

    Test data is only looked at where the recipe has it reported after every epoch anyway.

    Args:
        experiment: that is trained.

    >>> from handgrad.training import Recipe
    >>> experiment = Experiment.prepare(Recipe.load("points"))
    >>> counted = Confusion(experiment).count()
    >>> counted["data"], counted["count"]
    ('train', 10)
    """

    def __init__(self, experiment: Experiment) -> None:
        trainer, self._classes = experiment.trainer, experiment.classes
        self._model = compile(experiment.model)
        self._name = next((name for name in ("validation", "test") if name in trainer.monitors), "train")
        loader = trainer.monitors.get(self._name, trainer.train)
        rows = np.sort(np.random.default_rng(2).permutation(len(loader.dataset))[:_MOST])
        self._labels = loader.dataset.labels[rows]
        self._loader = scoring_loader(loader.dataset[rows], loader.preprocessing)

    @property
    def is_possible(self) -> bool:
        """Whether there are classes to confuse."""
        return self._classes is not None

    def count(self) -> dict[str, Any]:
        """How often each true class (row) was predicted as each class (column), on which data and how many examples."""
        predicted = [np.asarray(self._model(batch.inputs)).argmax(axis=1) for batch in self._loader]  # (B, C) → (B,)
        counts = confusion_counts(self._labels, np.concatenate(predicted), self._classes or 0)
        return {"data": self._name, "count": len(self._labels), "counts": counts.tolist()}

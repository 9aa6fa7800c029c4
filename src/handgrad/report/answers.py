"""What a network says of a part of the data."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from handgrad.data.datasets import Dataset
from handgrad.report.opened import OpenRun
from handgrad.training.evaluation import count_correct, predict


@dataclass(frozen=True)
class NumberErrors:
    """How far numbers are from those that were wanted, over all examples and outputs.

    Args:
        root_mean_square: √(mean of the squared differences).
        mean_absolute: mean of the differences without their signs.
    """

    root_mean_square: float
    mean_absolute: float


@dataclass(frozen=True, eq=False)
class Answers:
    """A network's outputs for every example of a part of the data.

    Args:
        split: which part: "test", "validation" or "train".
        dataset: the examples.
        outputs: (N, C), float64; probabilities where the loss is about probabilities.
        loss: mean over the examples.
        accuracy: share of right answers; None where there is no right and wrong, only near and far.
    """

    split: str
    dataset: Dataset
    outputs: NDArray[np.float64]
    loss: float
    accuracy: float | None

    @classmethod
    def of(cls, run: OpenRun, split: str) -> Self:
        """Let a run's network answer every example.

        Args:
            run: opened.
            split: the part of its data.

        Raises:
            ArgumentError: there is no such part.
        """
        loader, saved = run.loader(split), run.saved
        dataset, ops, loss = loader.dataset, saved.model.parameters.ops, saved.loss
        targets = loader.targets(slice(0, len(dataset)))
        with np.errstate(over="ignore", invalid="ignore"):  # a network that diverged shows it in its scores
            raw = predict(saved.model, loader)  # (N, C)
            mean = loss.per_example(loss(ops.asarray(raw), targets, ops=ops), len(dataset))
            outputs = np.asarray(ops.to_numpy(loss.probabilities(ops.asarray(raw), ops=ops)), np.float64)
        right = count_correct(raw, dataset.labels, loss.threshold) / len(dataset)
        return cls(split, dataset, outputs, mean, right if dataset.is_right_or_wrong else None)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The class with the largest output of each example, (N,)."""
        return np.asarray(self.outputs.argmax(axis=1), np.int64)  # (N, C) → (N,)

    @property
    def are_probabilities(self) -> bool:
        """Whether every row of outputs is a distribution: none below 0, with a sum of 1."""
        sums = self.outputs.sum(axis=1)  # (N, C) → (N,)
        return bool(self.outputs.min() >= 0 and np.allclose(sums, 1, atol=1e-3))

    @property
    def errors(self) -> "NumberErrors":
        """How far the outputs are from targets that are numbers."""
        off = self.outputs - self.dataset.labels  # (N, D)
        return NumberErrors(float(np.sqrt(np.mean(off**2))), float(np.mean(np.abs(off))))

    def same_examples(self, other: "Answers") -> bool:
        """Whether both are about the very same examples in the same order."""
        mine, theirs = self.dataset, other.dataset
        return np.array_equal(mine.labels, theirs.labels) and np.array_equal(mine.inputs, theirs.inputs)

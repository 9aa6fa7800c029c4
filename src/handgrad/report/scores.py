"""How well each class is told from the others."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Precision, recall and F1 of every class; 0 where a share of nothing is asked for.

    Args:
        precision: of what was taken for the class, the share that is of it, (C,).
        recall: of what is of the class, the share that was taken for it, (C,).
        f1: their harmonic mean, 2 p r / (p + r), (C,).
        support: examples of the class, (C,).
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]

    @classmethod
    def of(cls, counts: NDArray[Any]) -> Self:
        """From a confusion matrix.

        Args:
            counts: (C, C), row the true class, column the predicted one, as `confusion_counts` gives it.

        >>> scores = ClassScores.of(np.array([[3, 1], [0, 4]]))
        >>> scores.precision, scores.recall, scores.support
        (array([1. , 0.8]), array([0.75, 1.  ]), array([4, 4]))
        """
        right = np.diag(counts).astype(np.float64)
        support, taken = counts.sum(axis=1), counts.sum(axis=0)  # (C, C) → (C,): of the class, and taken for it
        return cls(_share(right, taken), _share(right, support), _share(2 * right, support + taken), support)

    @property
    def mean_f1(self) -> float:
        """F1, every class counting alike (macro average)."""
        return float(self.f1.mean())


def most_confused(counts: NDArray[Any], most: int) -> list[tuple[int, int, int]]:
    """The pairs (true class, class it was taken for, how often), most frequent first.

    Args:
        counts: (C, C), row the true class, column the predicted one.
        most: pairs at most.

    >>> most_confused(np.array([[9, 0, 2], [1, 8, 0], [0, 3, 9]]), 2)
    [(2, 1, 3), (0, 2, 2)]
    """
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    places = np.argsort(-wrong, axis=None, kind="stable")[:most]  # (C, C) → (C²,)
    pairs = [divmod(int(place), len(counts)) for place in places]
    return [(true, taken, int(wrong[true, taken])) for true, taken in pairs if wrong[true, taken]]


def _share(part: NDArray[np.float64], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Part of whole, and 0 of nothing."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0), np.float64)

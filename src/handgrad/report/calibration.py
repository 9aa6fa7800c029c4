"""Whether a network is as often right as it is sure."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True, eq=False)
class Calibration:
    """Answers sorted by their confidence, which is the probability of the predicted class, into bins of equal width.

    Bin m of M holds confidences in ((m − 1)/M, m/M]. Empty bins have confidence and accuracy NaN.

    Source: Guo, Pleiss, Sun and Weinberger (2017).

    Args:
        counts: answers in each bin, (M,).
        confidence: their mean confidence, (M,).
        accuracy: the share of them that is right, (M,).
    """

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @classmethod
    def of(cls, labels: NDArray[Any], probabilities: NDArray[Any], bins: int = BINS) -> Self:
        """Measure it.

        Args:
            labels: integers (N,).
            probabilities: (N, C), rows with a sum of 1.
            bins: M.

        >>> sure = Calibration.of(np.array([0, 1, 1, 1]), np.array([[0.9, 0.1]] * 2 + [[0.2, 0.8]] * 2))
        >>> round(sure.error, 3)  # 0.9 sure and half of it right; 0.8 sure and all of it right
        0.3
        """
        confidence = probabilities.max(axis=1).astype(np.float64)  # (N, C) → (N,)
        right = (probabilities.argmax(axis=1) == labels).astype(np.float64)  # (N, C) → (N,)
        inner = np.arange(1, bins) / bins  # edges between bins
        places = np.searchsorted(inner, confidence, side="left")  # an edge belongs to the bin below it
        counts = np.bincount(places, minlength=bins)
        with np.errstate(invalid="ignore"):  # 0 / 0 in an empty bin
            sums = [np.bincount(places, weights=values, minlength=bins) / counts for values in (confidence, right)]
        return cls(counts, *sums)

    @property
    def error(self) -> float:
        """Expected calibration error, Σ_m n_m/N |accuracy_m − confidence_m|. Naeini, Cooper and Hauskrecht (2015)."""
        gaps = np.abs(self.accuracy - self.confidence)  # (M,)
        return float(np.nansum(self.counts * gaps) / self.counts.sum())

    @property
    def mean_confidence(self) -> float:
        """Over all answers."""
        return float(np.nansum(self.counts * self.confidence) / self.counts.sum())

"""The regressor."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from handgrad.interop.sklearn.network import Network
from handgrad.losses import Loss, MeanSquaredError


class NetworkRegressor(RegressorMixin, Network):  # type: ignore[misc]  # both are untyped
    """A network that gives a number for each row, or several, and learns by the mean squared error.

    Settings and attributes are those of `NetworkClassifier`, but for `class_weight` and `classes_`. Targets are
    learned as they are: scale them (`TransformedTargetRegressor`) where they are far from 0 to 1.

    Raises:
        ArgumentError: from `fit`, a setting cannot work; it is a ValueError.
        TrainingError: from `fit`, when the loss is no longer finite.

    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> regressor = NetworkRegressor((50,), learning_rate=0.01, batch_size=20, random_state=0).fit(X, X[:, 0] ** 2)
    >>> bool(regressor.score(X, X[:, 0] ** 2) > 0.95)
    True
    """

    _stratifies = False

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X (N, D), dense or sparse or a DataFrame, and numbers y (N,) or (N, targets)."""
        X, y = self._checked(X, y=y, reset=True, multi_output=True, y_numeric=True)
        return self._fit(X, y, self._targets(y), self._weights(sample_weight, X))

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one pass over some rows, on from where the last call ended."""
        first = not hasattr(self, "model_")
        X, y = self._checked(X, y=y, reset=first, multi_output=True, y_numeric=True)
        targets = self._targets(y)
        if first:
            self._begin(X.shape[1], self._outputs(targets))
        return self._train(self._dataset(X, targets, self._weights(sample_weight, X)), 1)

    def predict(self, X: Any) -> NDArray[Any]:
        """A number for each row, (N,), or (N, targets) if y had several columns."""
        answers = self._scores(X)
        return answers[:, 0] if self._is_flat else answers

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        self._is_flat = y.ndim == 1
        return np.ascontiguousarray(y.reshape(len(y), -1), self.dtype)  # (N,) → (N, 1)

    def _classes(self, targets: NDArray[Any]) -> int | None:
        return None

    def _loss(self) -> Loss:
        return MeanSquaredError()

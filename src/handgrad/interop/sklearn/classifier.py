"""The classifier."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from handgrad.errors import ArgumentError
from handgrad.interop.sklearn.network import Callback, Network, dense
from handgrad.losses import BinaryCrossEntropy, Loss, SoftmaxCrossEntropy


class NetworkClassifier(ClassifierMixin, Network):  # type: ignore[misc]  # both are untyped
    """A network that says of each row which class it belongs to, or which labels it has.

    It learns by the softmax cross-entropy or, where y is a table of 0 and 1 (one column a label), by the binary one.

    Args:
        layers: what stands before the output layer, which is added: widths of hidden layers, and tables as in a recipe
            (`{"name": "Conv2d", "out_channels": 8, "kernel_size": 3}`) or layers of handgrad, in any order.
        activation: the layer behind each width.
        dropout: probability with which each unit of such a layer is dropped in training.
        init: the law of the first weights: "he", "xavier", "he_uniform", "xavier_uniform", "normal", "uniform", ….
        input_shape: (H, W) or (H, W, C), where a row is an image; layers then get (C, H, W).
        optimizer: "sgd", "rmsprop", "adam" or "adamw", or a table such as `{"name": "sgd", "momentum": 0.9}`.
        learning_rate: length of a step, > 0.
        weight_decay: pull of every parameter towards 0, >= 0.
        schedule: "constant", "cosine", "one_cycle", …, or a table, its lengths in epochs.
        clip_norm: longest gradient allowed; None does not clip.
        batch_size: examples a step; None, or more than there are, takes all of them.
        epochs: most passes over the data in one `fit`.
        tolerance: by which the loss has to fall, or the score to rise, to count as better.
        patience: epochs in which nothing got better, after which `fit` ends.
        early_stopping: hold a part of the data back, and end with the weights that scored best on it.
        validation_fraction: that part.
        scoring: a scorer or its name, for early stopping; None is the estimator's own `score`.
        callbacks: each is called after every epoch with the estimator and the `handgrad.Epoch`; one that returns
            True ends the fit.
        warm_start: `fit` goes on with the network of the last one.
        class_weight: "balanced" or a weight by class, which multiplies the sample weights.
        dtype: "float32", or "float64", which is slower, and exact to more digits.
        random_state: an integer for the same result every time.
        verbose: print a line an epoch.

    Attributes:
        model_: the network, a `handgrad.Sequential`.
        classes_: the labels, in the order of the columns of `predict_proba`.
        loss_curve_: mean training loss of each epoch; `loss_` is the last.
        validation_scores_: with early stopping, the score after each epoch.
        n_iter_: epochs trained; n_features_in_, feature_names_in_: as scikit-learn has them.

    Raises:
        ArgumentError: from `fit`, a setting cannot work; it is a ValueError.
        TrainingError: from `fit`, when the loss is no longer finite.

    Kingma and Ba (2015) for Adam; Prechelt (1998) for early stopping.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = NetworkClassifier((20,), learning_rate=0.01, random_state=0).fit(X, y)
    >>> bool(classifier.score(X, y) > 0.95)
    True
    """

    _stratifies = True

    def __init__(
        self,
        layers: Sequence[Any] = (100,),
        *,
        activation: str = "ReLU",
        dropout: float = 0.0,
        init: str = "fan_in",
        input_shape: tuple[int, ...] | None = None,
        optimizer: str | Mapping[str, Any] = "adam",
        learning_rate: float = 0.001,
        weight_decay: float = 0.0,
        schedule: str | Mapping[str, Any] = "constant",
        clip_norm: float | None = None,
        batch_size: int | None = 200,
        epochs: int = 200,
        tolerance: float = 1e-4,
        patience: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        scoring: Any = None,
        callbacks: Sequence[Callback] = (),
        warm_start: bool = False,
        dtype: str = "float32",
        random_state: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            layers,
            activation=activation,
            dropout=dropout,
            init=init,
            input_shape=input_shape,
            optimizer=optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            schedule=schedule,
            clip_norm=clip_norm,
            batch_size=batch_size,
            epochs=epochs,
            tolerance=tolerance,
            patience=patience,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            scoring=scoring,
            callbacks=callbacks,
            warm_start=warm_start,
            dtype=dtype,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X (N, D), dense or sparse or a DataFrame, and labels y (N,), or (N, labels) of 0 and 1."""
        X, y = self._checked(X, y=y, reset=True, multi_output=True)
        y = self._labels(y)
        if not (self.warm_start and hasattr(self, "model_")):
            self.classes_ = _classes_of(y)
        targets = self._targets(y)
        return self._fit(X, y, targets, self._all_weights(sample_weight, X, y))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one pass over some rows, on from where the last call ended.

        The first call has to name all `classes`, unless y has them all.
        """
        first = not hasattr(self, "model_")
        X, y = self._checked(X, y=y, reset=first, multi_output=True)
        y = self._labels(y)
        if first:
            self.classes_ = _classes_of(y) if classes is None else unique_labels(classes)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ArgumentError("classes", classes, f"those of the first call, {self.classes_.tolist()}")
        targets = self._targets(y)
        if first:
            self._begin(X.shape[1], self._outputs(targets))
        return self._train(self._dataset(X, targets, self._all_weights(sample_weight, X, y)), 1)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Probabilities (N, classes); each row adds up to 1, but for several labels a row."""
        scores = self._scores(X)
        return np.asarray(self._loss().probabilities(scores, ops=self.model_.parameters.ops))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row, (N,), or the labels more probable than not, (N, labels)."""
        scores = self._scores(X)
        if self._is_multilabel:
            return (scores > 0).astype(int)
        return np.asarray(self.classes_[scores.argmax(axis=1)])  # (N, C) → (N,)

    def _labels(self, y: Any) -> NDArray[Any]:
        """Labels (N,), or (N, labels) of 0 and 1."""
        check_classification_targets(y)
        self._is_multilabel = type_of_target(y).startswith("multilabel")
        return dense(y).astype(int) if self._is_multilabel else column_or_1d(y, warn=True)

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """The place of each label in `classes_`, or the 0 and 1 as numbers."""
        if self._is_multilabel:
            return y.astype(self.dtype)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ArgumentError(
                "y", unknown[:5].tolist(), f"labels of {self.classes_.tolist()}", "begin with all classes"
            )
        return np.searchsorted(self.classes_, y)

    def _classes(self, targets: NDArray[Any]) -> int | None:
        return None if self._is_multilabel else len(self.classes_)

    def _all_weights(self, sample_weight: Any, X: NDArray[Any], y: NDArray[Any]) -> NDArray[Any] | None:
        weights = self._weights(sample_weight, X)
        if self.class_weight is None:
            return weights
        by_class = compute_sample_weight(self.class_weight, y)
        return np.asarray(by_class if weights is None else by_class * weights)

    def _loss(self) -> Loss:
        return BinaryCrossEntropy() if self._is_multilabel else SoftmaxCrossEntropy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _classes_of(y: NDArray[Any]) -> NDArray[Any]:
    return np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)

"""What the two estimators share: their settings, and training by handgrad's own trainer."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from handgrad import initializers, optimizers
from handgrad.data import Dataset, Loader, Preprocessing
from handgrad.errors import ArgumentError
from handgrad.interop.sklearn.layers import build_network
from handgrad.interop.sklearn.stopping import Progress
from handgrad.losses import Loss
from handgrad.training import Epoch, Trainer
from handgrad.training.assembly import build_schedule
from handgrad.training.construct import construct
from handgrad.training.evaluation import predict

#: Called after each epoch with the estimator and the epoch; training ends if it returns True.
Callback = Callable[["Network", Epoch], Any]

#: Rows that are answered by the plain operations: recording them for the kernels costs more than it gains.
_AT_ONCE = 256


class Network(BaseEstimator):  # type: ignore[misc]  # it has no types
    """An estimator around a network; see `NetworkClassifier` and `NetworkRegressor` for its settings."""

    #: Targets of single examples, of which each part of a split gets its share.
    _stratifies: ClassVar[bool]

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
        verbose: bool = False,
    ) -> None:
        self.layers = layers
        self.activation = activation
        self.dropout = dropout
        self.init = init
        self.input_shape = input_shape
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.batch_size = batch_size
        self.epochs = epochs
        self.tolerance = tolerance
        self.patience = patience
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    # -- data ----------------------------------------------------------------------------------------

    def _checked(self, X: Any, *, reset: bool = False, **settings: Any) -> Any:
        """X as floating-point rows (N, D), or what scikit-learn says of it; with `y` given, both."""
        checked = validate_data(
            self, X, reset=reset, accept_sparse=("csr", "csc", "coo"), dtype=self.dtype, order="C", **settings
        )
        return (dense(checked[0]), checked[1]) if isinstance(checked, tuple) else dense(checked)

    def _preprocessing(self, features: int) -> Preprocessing:
        """Rows as they are, or as images."""
        shape = self.input_shape
        if shape is not None and int(np.prod(shape)) != features:
            raise ArgumentError("input_shape", shape, f"a shape of {features} numbers, as X has columns")
        return Preprocessing(scale=1.0, layout="flat" if shape is None else "image")

    def _dataset(self, X: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None = None) -> Dataset:
        """Examples that count, in the form that the trainer reads; weights of mean 1."""
        if weights is not None:
            counting = np.flatnonzero(weights)
            X, targets, weights = X[counting], targets[counting], weights[counting]
            if not len(weights) or weights.min() < 0:
                raise ArgumentError("sample_weight", weights, "numbers >= 0, not all of them 0")
            weights = None if (weights == weights[0]).all() else weights / weights.mean()
        if self.input_shape is not None:
            X = X.reshape(len(X), *self.input_shape)  # (N, H·W·C) → (N, H, W[, C])
        return Dataset(X, targets, type(self).__name__, self._classes(targets), weights)

    def _classes(self, targets: NDArray[Any]) -> int | None:
        """How many, of targets as the network has them; None for numbers."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        raise NotImplementedError

    # -- training ------------------------------------------------------------------------------------

    def _begin(self, features: int, outputs: int) -> None:
        """A network with its first weights, and the generators that everything random is drawn from."""
        if self.init not in initializers.NAMED:
            raise ArgumentError("init", self.init, f"one of {', '.join(initializers.NAMED)}")
        if self.dtype not in ("float32", "float64"):
            raise ArgumentError("dtype", self.dtype, "'float32' or 'float64'")
        seed = check_random_state(self.random_state).randint(2**31)
        first, self._order, self._dropping = np.random.default_rng(seed).spawn(3)
        shape = self._preprocessing(features).output_shape(self.input_shape or (features,))
        self.model_ = build_network(
            self.layers, shape, outputs, activation=self.activation, dropout=self.dropout, init=self.init
        ).initialize(first, dtype=self.dtype)
        self.n_outputs_ = outputs
        self.n_iter_ = 0
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self._memory: tuple[int, dict[str, NDArray[Any]]] | None = None

    def _trainer(self, data: Dataset) -> Trainer:
        """The trainer of these examples, whose optimizer remembers what the last one learned of the slopes."""
        size = None if self.batch_size is None or self.batch_size >= len(data) else self.batch_size
        rng = None if size is None else self._order  # a sum over all examples does not depend on their order
        loader = Loader(data, size, preprocessing=self._preprocessing(self.n_features_in_), rng=rng, dtype=self.dtype)
        table = dict(self.optimizer) if isinstance(self.optimizer, Mapping) else {"name": self.optimizer}
        settings = {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay}
        schedule = dict(self.schedule) if isinstance(self.schedule, Mapping) else {"name": self.schedule}
        trainer = Trainer(
            self.model_,
            self._loss(),
            construct(optimizers.NAMED, table, "optimizer", **settings),
            train=loader,
            schedule=build_schedule(schedule, len(loader), self.epochs),
            clip_norm=self.clip_norm,
            rng=self._dropping,
        )
        if self._memory is not None:
            trainer.state.step = self._memory[0]
            for name, slot in trainer.state.slots.items():
                slot[...] = self._memory[1][name]
        return trainer

    def _train(self, data: Dataset, epochs: int, progress: Progress | None = None) -> Self:
        """Train until it gets no better, or for so many epochs."""
        trainer = self._trainer(data)
        for event in trainer.run(epochs):
            if isinstance(event, Epoch) and self._ends(event, progress):
                break
        if progress is not None:
            progress.restore(self.model_.parameters)
        self._memory = trainer.state.step, {name: np.array(slot) for name, slot in trainer.state.slots.items()}
        return self

    def _ends(self, epoch: Epoch, progress: Progress | None) -> bool:
        """Keep what an epoch gave, tell whoever wants to know, and say whether it was the last."""
        self.n_iter_ += 1
        self.loss_ = epoch.train_loss
        self.loss_curve_.append(epoch.train_loss)
        ends = progress is not None and progress.ends(epoch.train_loss, self.model_.parameters)
        if progress is not None and self.validation_scores_ is not None:
            self.validation_scores_ = progress.scores
        if self.verbose:
            score = f", validation score {progress.scores[-1]:.4f}" if progress is not None and progress.scores else ""
            print(f"epoch {self.n_iter_}: loss {epoch.train_loss:.6f}{score}")
        asked = [callback(self, epoch) is True for callback in self.callbacks]  # all of them are told
        return any(asked) or ends

    def _fit(self, X: NDArray[Any], y: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any] | None) -> Self:
        """Train on all examples, or on a part of them while the others are scored by."""
        _require_positive(self, "epochs", "patience")
        if not (self.warm_start and hasattr(self, "model_")):
            self._begin(X.shape[1], self._outputs(targets))
        if not self.early_stopping:
            return self._train(self._dataset(X, targets, weights), self.epochs, Progress(self.patience, self.tolerance))
        fraction = self.validation_fraction
        if not 0 < fraction < 1:
            raise ArgumentError("validation_fraction", fraction, "a number with 0 < validation_fraction < 1")
        if math.ceil(fraction * len(X)) < 2:
            raise ArgumentError("validation_fraction", fraction, f"one that leaves 2 of {len(X)} examples", "raise it")
        train, held = train_test_split(
            np.arange(len(X)),
            test_size=fraction,
            random_state=int(self._order.integers(2**31)),
            stratify=targets if self._stratifies and targets.ndim == 1 else None,
        )
        scored = None if weights is None else weights[held]
        score = self._scorer(X[held], y[held], scored)
        data = self._dataset(X[train], targets[train], None if weights is None else weights[train])
        return self._train(data, self.epochs, Progress(self.patience, self.tolerance, score))

    def _scorer(self, X: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None) -> Callable[[], float]:
        """What says how good the network is on examples it does not learn from."""
        scorer = check_scoring(self, self.scoring)
        settings = {} if weights is None else {"sample_weight": weights}

        def score() -> float:
            nameless = copy(self)  # X has lost the names of its columns, and a score must not warn of that
            if hasattr(self, "feature_names_in_"):
                del nameless.feature_names_in_
            return float(scorer(nameless, X, y, **settings))

        return score

    def _outputs(self, targets: NDArray[Any]) -> int:
        classes = self._classes(targets)
        return int(targets.shape[1]) if classes is None else classes

    def _weights(self, sample_weight: Any, X: NDArray[Any]) -> NDArray[Any] | None:
        return None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)

    # -- answering -----------------------------------------------------------------------------------

    def _scores(self, X: Any) -> NDArray[Any]:
        """What the network gives for each row, (N, outputs)."""
        check_is_fitted(self)
        X = self._checked(X)
        nothing = np.zeros((len(X), 1), self.dtype)
        data = Dataset(X if self.input_shape is None else X.reshape(len(X), *self.input_shape), nothing, "rows", None)
        preprocessing = self._preprocessing(X.shape[1])
        if len(X) <= _AT_ONCE:
            return np.asarray(self.model_(preprocessing(data.inputs, self.dtype)))
        return np.asarray(predict(self.model_, Loader(data, _AT_ONCE, preprocessing=preprocessing, dtype=self.dtype)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def dense(X: Any) -> NDArray[Any]:
    """The numbers of a table (N, D) row by row, also of one that names only those that are not 0."""
    return np.ascontiguousarray(X.toarray() if issparse(X) else X)


def _require_positive(estimator: Network, *names: str) -> None:
    for name in names:
        value = getattr(estimator, name)
        if not isinstance(value, int | np.integer) or value < 1:
            raise ArgumentError(name, value, "an integer >= 1")

"""The estimators: scikit-learn's own checks, and what its users do with a classifier."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import handgrad as hg
from handgrad.errors import ArgumentError
from handgrad.sklearn import NetworkClassifier, NetworkRegressor

#: Both checks want predictions equal to 1e-7, when a weight of 2 is compared with an example that comes twice. The sums
#: are then rounded in another order, which in float32 shows at 1e-6; in float64 the same estimators pass.
ROUNDED = {
    "check_sample_weight_equivalence_on_dense_data": "float32 sums, compared at 1e-7",
    "check_sample_weight_equivalence_on_sparse_data": "float32 sums, compared at 1e-7",
}
ESTIMATORS = [
    NetworkClassifier(epochs=100),
    NetworkRegressor(epochs=100),
    NetworkClassifier(epochs=100, dtype="float64"),
    NetworkRegressor(epochs=100, dtype="float64"),
]


def expected_failures(estimator: Any) -> dict[str, str]:
    return ROUNDED if estimator.dtype == "float32" else {}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)  # type: ignore[untyped-decorator]
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_it_is_an_estimator(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def iris() -> tuple[Any, Any]:
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def quick(**settings: Any) -> NetworkClassifier:
    return NetworkClassifier((20,), **{"learning_rate": 0.01, "epochs": 60, "random_state": 0} | settings)


def test_labels_may_be_words(iris: tuple[Any, Any]) -> None:
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)
    classifier = quick().fit(X, names[y])
    assert classifier.classes_.tolist() == list(names)
    assert (classifier.predict(X) == names[quick().fit(X, y).predict(X)]).all()
    assert classifier.score(X, names[y]) > 0.95
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


def test_rows_may_be_sparse_or_a_table(iris: tuple[Any, Any]) -> None:
    X, y = iris
    expected = quick().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(quick().fit(csr_array(X), y).predict_proba(csr_array(X)), expected)
    table = pandas.DataFrame(X, columns=list("abcd"))
    classifier = quick(early_stopping=True).fit(table, y)
    assert classifier.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(quick().fit(table, y).predict_proba(table), expected)


def test_several_labels_a_row() -> None:
    X, y = make_multilabel_classification(200, n_classes=4, random_state=0)
    classifier = NetworkClassifier((30,), learning_rate=0.01, random_state=0).fit(X, y)
    assert classifier.predict(X).shape == y.shape
    assert (classifier.predict(X) == y).mean() > 0.9
    assert ((classifier.predict_proba(X) > 0.5) == classifier.predict(X)).all()


def test_several_numbers_a_row() -> None:
    X, y = make_regression(200, 5, n_targets=3, random_state=0)
    y = y / y.std(axis=0)  # (N, 3) → (3,)
    regressor = NetworkRegressor((50,), learning_rate=0.01, random_state=0).fit(X, y)
    assert regressor.predict(X).shape == y.shape
    assert regressor.score(X, y) > 0.95


def test_an_example_of_weight_0_is_as_good_as_none(iris: tuple[Any, Any]) -> None:
    X, y = iris
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    spoiled = np.where(weight > 0, y, (y + 1) % 3)
    expected = quick().fit(X[weight > 0], y[weight > 0]).predict_proba(X)
    np.testing.assert_array_equal(quick().fit(X, spoiled, weight).predict_proba(X), expected)


def test_a_class_that_weighs_more_is_found_more_often(iris: tuple[Any, Any]) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 2)), np.arange(400) % 10 == 0
    X[y] += 1
    plain, balanced = quick().fit(X, y), quick(class_weight="balanced").fit(X, y)
    heavy = quick().fit(X, y, np.where(y, 9.0, 1.0))
    found = [np.mean(classifier.predict(X)[y]) for classifier in (plain, balanced, heavy)]
    assert found[0] < 0.5 < min(found[1:])
    np.testing.assert_allclose(balanced.predict_proba(X), heavy.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize(
    "scoring",
    [None, "neg_log_loss", lambda estimator, X, y: -estimator.n_iter_],
    ids=["its own", "a name", "a function"],
)
def test_early_stopping_goes_by_its_own_score(iris: tuple[Any, Any], scoring: Any) -> None:
    X, y = iris
    classifier = quick(early_stopping=True, scoring=scoring, patience=5, validation_fraction=0.3).fit(X, y)
    scores = classifier.validation_scores_
    assert scores is not None
    assert len(scores) == classifier.n_iter_ == len(classifier.loss_curve_)
    if callable(scoring):  # the first was the best, and 5 more were waited for
        assert scores == [-1, -2, -3, -4, -5, -6, -7]
        once = quick(early_stopping=True, validation_fraction=0.3, epochs=1).fit(X, y)
        np.testing.assert_array_equal(classifier.predict_proba(X), once.predict_proba(X))
    elif scoring is None:
        assert max(scores) <= 1


def test_a_callback_sees_every_epoch_and_may_end_the_fit(iris: tuple[Any, Any]) -> None:
    X, y = iris
    seen: list[tuple[int, float]] = []

    def watch(estimator: Any, epoch: hg.Epoch) -> bool:
        seen.append((epoch.number, estimator.loss_))
        return epoch.number == 4

    classifier = quick(callbacks=[watch]).fit(X, y)
    assert [number for number, _ in seen] == [1, 2, 3, 4]
    assert [loss for _, loss in seen] == classifier.loss_curve_
    assert classifier.n_iter_ == 4


def test_it_stops_when_it_gets_no_better(iris: tuple[Any, Any]) -> None:
    X, y = iris
    assert quick(tolerance=1e9, patience=3).fit(X, y).n_iter_ == 5


def test_going_on_in_parts_is_going_on(iris: tuple[Any, Any]) -> None:
    X, y = iris
    at_once = quick(epochs=3, tolerance=0.0).fit(X, y)
    warm = quick(epochs=1, warm_start=True)
    parts = quick()
    for _ in range(3):
        warm.fit(X, y)
        parts.partial_fit(X, y)
    for classifier in (warm, parts):
        np.testing.assert_array_equal(classifier.predict_proba(X), at_once.predict_proba(X))
        assert classifier.loss_curve_ == at_once.loss_curve_


def test_the_first_part_names_all_classes(iris: tuple[Any, Any]) -> None:
    X, y = iris
    parts = quick().partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    assert parts.predict_proba(X).shape == (150, 3)
    with pytest.raises(ArgumentError, match="classes is"):
        parts.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ArgumentError, match="begin with all classes"):
        quick().partial_fit(X[:60], y[:60]).partial_fit(X, y)


def test_images_go_through_convolutions() -> None:
    X, y = load_digits(return_X_y=True)
    table = {"name": "Conv2d", "out_channels": 8, "kernel_size": 3, "padding": 1}
    layers = [table, hg.ReLU(), hg.MaxPool2d(2), 32]
    classifier = NetworkClassifier(layers, input_shape=(8, 8), learning_rate=0.005, epochs=20, random_state=0)
    classifier.fit(X[:1400] / 16, y[:1400])
    kinds = ["Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear", "ReLU", "Linear"]
    assert [type(classifier.model_[index]).__name__ for index in range(len(classifier.model_))] == kinds
    assert classifier.score(X[1400:] / 16, y[1400:]) > 0.9
    assert not hasattr(layers[1], "parameters")  # it was copied


def test_it_is_copied_kept_and_searched_like_any_other(iris: tuple[Any, Any]) -> None:
    X, y = iris
    classifier = quick().fit(X, y)
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    again.partial_fit(X, y)
    assert again.n_iter_ == classifier.n_iter_ + 1
    with pytest.raises(NotFittedError):
        clone(classifier).predict(X)
    grid = GridSearchCV(make_pipeline(StandardScaler(), quick(epochs=20)), {"networkclassifier__layers": [(5,), (20,)]})
    assert grid.fit(X, y).best_score_ > 0.8


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_folds_side_by_side_are_the_folds_one_by_one(iris: tuple[Any, Any], backend: str) -> None:
    joblib = pytest.importorskip("joblib")
    X, y = iris
    alone = cross_val_score(quick(epochs=5), X, y)
    with joblib.parallel_config(backend, n_jobs=2):
        np.testing.assert_array_equal(cross_val_score(quick(epochs=5), X, y), alone)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"layers": (0,)}, r"layers\[0\] is 0"),
        ({"layers": ("wide",)}, r"layers\[0\] is 'wide'"),
        ({"activation": "Relu"}, "did you mean ReLU"),
        ({"init": "hi"}, "init is 'hi'"),
        ({"optimizer": "adams"}, "did you mean adam"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"schedule": "cosin"}, "did you mean cosine"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"patience": 1.5}, "patience is 1.5"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"input_shape": (3, 3)}, r"input_shape is \(3, 3\)"),
        ({"early_stopping": True, "validation_fraction": 1.0}, "validation_fraction is 1.0"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "validation_fraction"),
    ],
    ids=str,
)
def test_what_cannot_work_is_said(iris: tuple[Any, Any], settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        NetworkClassifier(**settings).fit(*iris)


def test_weights_that_cannot_work_are_refused(iris: tuple[Any, Any]) -> None:
    X, y = iris
    for weight in (np.zeros(150), np.where(y == 0, -1.0, 1.0)):
        with pytest.raises(ValueError, match=r"(?i)sample.weight"):
            quick().fit(X, y, weight)


def test_weights_of_examples_and_of_classes_multiply(iris: tuple[Any, Any]) -> None:
    X, y = iris
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    by_class = {0: 1.0, 1: 5.0, 2: 0.2}
    both = quick(class_weight=by_class).fit(X, y, weight)
    alone = quick().fit(X, y, weight * np.array([by_class[label] for label in y]))
    np.testing.assert_array_equal(both.predict_proba(X), alone.predict_proba(X))


def test_a_rare_class_is_held_back_in_proportion() -> None:
    y = np.repeat([0, 1], [96, 4])
    held: list[int] = []

    def score(estimator: Any, X: Any, labels: Any) -> float:
        held.append(int((labels == 1).sum()))
        return 0.0

    for seed in range(5):
        early = {"early_stopping": True, "validation_fraction": 0.25, "scoring": score}
        quick(epochs=1, random_state=seed, **early).fit(y[:, None] + 0.0, y)
    assert held == [1] * 5


def test_without_scikit_learn_one_sentence_says_what_to_install() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import handgrad.sklearn"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'python -m pip install "handgrad[sklearn]"' in result.stderr.splitlines()[-1]

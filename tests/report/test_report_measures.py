"""What a report measures, against scikit-learn and SciPy where they have the same figure, and against plain sums."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from handgrad.data.loader import Batch
from handgrad.layers import Linear, ReLU, Sequential, Sigmoid
from handgrad.losses import MeanSquaredError, SoftmaxCrossEntropy
from handgrad.report.calibration import Calibration
from handgrad.report.comparison import Agreement, differences, disagreements
from handgrad.report.scores import ClassScores, most_confused
from handgrad.report.statistics import Spread, layer_statistics
from handgrad.training.evaluation import confusion_counts, worst_mistakes

N, C = 500, 7


def answers(seed: int = 0, sureness: float = 1.5) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Labels, and probabilities that are right more often than not; the last class is neither true nor predicted."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, C - 1, N)
    scores = sureness * rng.normal(size=(N, C)) + 2 * np.eye(C)[labels]
    scores[:, -1] = -20
    shares = np.exp(scores)
    return labels, shares / shares.sum(axis=1, keepdims=True)


def test_class_scores_are_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    labels, probabilities = answers()
    predicted = probabilities.argmax(axis=1)
    counts = confusion_counts(labels, predicted, C)
    assert np.array_equal(counts, metrics.confusion_matrix(labels, predicted, labels=range(C)))
    theirs = metrics.precision_recall_fscore_support(labels, predicted, labels=range(C), zero_division=0)
    ours = ClassScores.of(counts)
    for mine, expected in zip((ours.precision, ours.recall, ours.f1), theirs[:3], strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-15)
        assert mine[-1] == 0  # of a class that neither occurs nor is predicted
    assert np.array_equal(ours.support, theirs[3])
    macro = metrics.f1_score(labels, predicted, labels=range(C), average="macro", zero_division=0)
    assert ours.mean_f1 == pytest.approx(macro, rel=1e-15)


@pytest.mark.parametrize("bins", [1, 5, 15])
def test_the_bins_of_a_calibration_are_scikit_learns(bins: int) -> None:
    module = pytest.importorskip("sklearn.calibration")
    labels, probabilities = answers()
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    accuracy, mean_confidence = module.calibration_curve(right, confidence, n_bins=bins, strategy="uniform")
    found = Calibration.of(labels, probabilities, bins)
    kept = found.counts > 0
    np.testing.assert_allclose(found.accuracy[kept], accuracy, rtol=1e-14)
    np.testing.assert_allclose(found.confidence[kept], mean_confidence, rtol=1e-14)
    assert found.counts.sum() == N


def test_the_calibration_error_is_the_definition() -> None:
    labels, probabilities = answers(3)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    error = 0.0
    for m in range(1, 16):
        inside = (confidence > (m - 1) / 15) & (confidence <= m / 15)
        if inside.any():
            error += inside.sum() / N * abs(right[inside].mean() - confidence[inside].mean())
    found = Calibration.of(labels, probabilities)
    assert found.error == pytest.approx(error, rel=1e-12)
    assert found.mean_confidence == pytest.approx(confidence.mean(), rel=1e-12)
    assert error > 0.01


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    found = Calibration.of(np.array([0, 1]), np.array([[0.5, 0.5], [0.0, 1.0]]), bins=4)
    assert found.counts.tolist() == [0, 1, 0, 1]


def test_mistakes_begin_with_the_one_whose_class_got_least() -> None:
    labels, probabilities = answers()
    rows = worst_mistakes(labels, probabilities)
    assert np.array_equal(np.sort(rows), np.flatnonzero(probabilities.argmax(axis=1) != labels))
    assert np.all(np.diff(probabilities[rows, labels[rows]]) >= 0)


def test_the_most_frequent_confusions_leave_out_what_never_happens() -> None:
    assert most_confused(np.array([[5, 1], [0, 5]]), 10) == [(0, 1, 1)]


@pytest.mark.parametrize("seed", range(5))
def test_agreement_counts_and_its_p_value_is_scipys(seed: int) -> None:
    labels, probabilities = answers(seed)
    first, second = probabilities.argmax(axis=1), answers(seed, sureness=1.7)[1].argmax(axis=1)
    second = np.where(np.random.default_rng(seed).random(N) < 0.05, labels, second)
    found = Agreement.of(labels, first, second)
    assert found.both + found.only_first == np.sum(first == labels)
    assert found.both + found.only_second == np.sum(second == labels)
    assert found.both + found.only_first + found.only_second + found.neither == N
    assert found.same == np.sum(first == second)
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(found.only_first, found.only_first + found.only_second, 0.5).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-12)


def test_thousands_of_examples_of_which_one_is_right_are_no_chance() -> None:
    assert Agreement(0, 4000, 6000, 0, 0).p_value < 1e-80
    assert Agreement(10, 0, 0, 0, 10).p_value == 1
    assert Agreement(0, 3, 3, 0, 0).p_value == 1


def test_disagreements_are_those_of_any_two() -> None:
    same = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    other = np.array([[0.7, 0.3], [0.9, 0.1], [0.4, 0.6]])
    assert disagreements([same, same]).tolist() == []
    assert disagreements([same, same, other]).tolist() == [1, 2]


def test_recipes_that_are_the_same_have_no_differences() -> None:
    table = {"model": {"features": [{"name": "ReLU"}], "hidden": (3,)}}
    assert differences([table, table]) == []
    longer = {"model": {"features": [{"name": "ReLU"}, {"name": "Tanh"}], "hidden": (3,)}}
    assert differences([table, longer]) == [("model.features[1]", ["", '{ name = "Tanh" }'])]


def test_a_spread_is_numpys() -> None:
    numbers = np.random.default_rng(0).normal(3, 2, (20, 30))
    numbers[0, :7] = 0
    found = Spread.of(numbers)
    assert (found.low, found.high, found.zeros) == (numbers.min(), numbers.max(), 7 / 600)
    np.testing.assert_allclose(
        [found.mean, found.std, found.length], [numbers.mean(), numbers.std(), np.linalg.norm(numbers)], rtol=1e-13
    )
    expected = np.histogram(numbers[numbers != 0], 30, (numbers.min(), numbers.max()))[0]
    assert np.array_equal(found.histogram, expected)
    assert found.is_finite


def test_a_spread_leaves_out_what_is_not_finite_and_says_so() -> None:
    found = Spread.of(np.array([1.0, np.nan, 3.0, np.inf]))
    assert (found.mean, found.low, found.high, found.is_finite) == (2, 1, 3, False)
    nothing = Spread.of(np.array([np.nan]))
    assert np.isnan(nothing.mean)
    assert not nothing.is_finite


def test_one_number_many_times_is_a_spread_too() -> None:
    found = Spread.of(np.full(5, 0.25))
    assert (found.std, found.low, found.high, found.histogram.sum()) == (0, 0.25, 0.25, 5)


def test_statistics_are_those_of_one_step_forward_and_back() -> None:
    rng = np.random.default_rng(0)
    model = Sequential(Linear(3, 4), ReLU(), Linear(4, 2)).initialize(rng, dtype="float64")
    model.parameters.views["0.bias"][...] = [0, 0, 0, -100]  # the last unit is dead
    x, labels = rng.normal(size=(6, 3)), np.array([0, 1, 0, 1, 1, 0])
    first, relu, last = layer_statistics(model, SoftmaxCrossEntropy(), Batch(x, labels))
    hidden = x @ model.parameters.views["0.weight"].T + model.parameters.views["0.bias"]
    assert first.output.mean == pytest.approx(hidden.mean(), rel=1e-12)
    assert relu.output.zeros == pytest.approx(np.mean(hidden <= 0))
    assert (first.dead, relu.dead, last.dead) == (None, 0.25, None)
    scores = np.exp(model(x))
    slope = (scores / scores.sum(axis=1, keepdims=True) - np.eye(2)[labels]) / 6
    assert last.gradient.length == pytest.approx(np.linalg.norm(slope), rel=1e-12)
    weight, bias = sorted(last.parameters, key=lambda p: p.name, reverse=True)
    assert (weight.name, weight.shape, bias.name) == ("2.weight", (2, 4), "2.bias")
    assert weight.gradient.length == pytest.approx(np.linalg.norm(slope.T @ np.maximum(hidden, 0)), rel=1e-12)
    assert weight.values.std == pytest.approx(model.parameters.views["2.weight"].std(), rel=1e-12)


def test_saturated_sigmoids_are_counted() -> None:
    model = Sequential(Linear(1, 1), Sigmoid()).initialize(np.random.default_rng(0), dtype="float64")
    model.parameters.assign("0.weight", np.ones((1, 1)))
    batch = Batch(np.array([[0.0], [1.0], [9.0], [-9.0]]), np.zeros((4, 1)))
    assert [layer.saturated for layer in layer_statistics(model, MeanSquaredError(), batch)] == [None, 0.5]

"""Losses: the slope, closed forms, what weights and reductions mean, huge scores, and what is refused."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from cases import LOSS_CASES, LossCase, Values
from expect import rejected
from prepare import CPU

from handgrad.errors import ShapeError
from handgrad.inspection.slopes import numerical_gradient, relative_error
from handgrad.losses import NAMED, BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy

SCORES = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -2.0]])
LABELS = np.array([2, 0])


def loss_and_gradient(loss: Loss, outputs: Values, targets: Any, weight: Any = None) -> tuple[float, Values]:
    value, cache = loss.forward(outputs, targets, ops=CPU, sample_weight=weight)
    return float(value), loss.backward(cache, ops=CPU)


@pytest.mark.parametrize("case", LOSS_CASES, ids=str)
def test_the_gradient_is_the_slope(case: LossCase) -> None:
    outputs = case.outputs.copy()
    _, gradient = loss_and_gradient(case.loss, outputs, case.targets, case.sample_weight)

    def value() -> float:
        return case.loss(outputs, case.targets, ops=CPU, sample_weight=case.sample_weight)

    curved = isinstance(case.loss, CrossEntropy)  # 1/p bends too much for a long step
    assert relative_error(gradient, numerical_gradient(value, outputs, step=1e-6 if curved else 1e-5)) <= 1e-7


@pytest.mark.parametrize("case", LOSS_CASES, ids=str)
def test_neither_pass_changes_what_it_reads(case: LossCase) -> None:
    before = deepcopy(case)
    _, cache = case.loss.forward(case.outputs, case.targets, ops=CPU, sample_weight=case.sample_weight)
    remembered = deepcopy(cache)
    case.loss.backward(cache, ops=CPU)
    np.testing.assert_array_equal(case.outputs, before.outputs)
    np.testing.assert_array_equal(case.targets, before.targets)
    np.testing.assert_array_equal(case.sample_weight, before.sample_weight)
    for now, then in zip(cache, remembered, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("case", LOSS_CASES, ids=str)
def test_the_precision_is_that_of_the_outputs(case: LossCase) -> None:
    outputs = case.outputs.astype(np.float32)
    value, cache = case.loss.forward(outputs, case.targets, ops=CPU, sample_weight=case.sample_weight)
    assert {np.asarray(array).dtype for array in (value, *cache)} == {np.dtype(np.float32)}
    assert case.loss.backward(cache, ops=CPU).dtype == np.float32
    assert value.shape == ()


# -- closed forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "value", "gradient"),
    [
        (SoftmaxCrossEntropy(), np.zeros((4, 10)), [3, 0, 9, 9], math.log(10), None),
        (SoftmaxCrossEntropy("sum"), np.zeros((4, 10)), [3, 0, 9, 9], 4 * math.log(10), None),
        (SoftmaxCrossEntropy(), [[math.log(3.0), 0.0]], [0], math.log(4 / 3), [[-0.25, 0.25]]),
        (SoftmaxCrossEntropy(), [[math.log(3.0), 0.0]], [[0.5, 0.5]], math.log(4) - math.log(3) / 2, [[0.25, -0.25]]),
        (
            SoftmaxCrossEntropy(label_smoothing=0.2),
            [[math.log(3.0), 0.0]],
            [0],
            -0.9 * math.log(0.75) - 0.1 * math.log(0.25),
            [[-0.15, 0.15]],
        ),
        (CrossEntropy(), [[0.25, 0.75], [0.5, 0.5]], [0, 1], math.log(8) / 2, [[-2.0, 0.0], [0.0, -1.0]]),
        (CrossEntropy("sum"), [[0.25, 0.75], [0.5, 0.5]], [0, 1], math.log(8), [[-4.0, 0.0], [0.0, -2.0]]),
        (MeanSquaredError(), [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [3.0, 5.0]], 6 / 4, [[0.5, 1.0], [0.0, -0.5]]),
        (MeanSquaredError("sum"), [[1.0, 2.0]], [[0.0, 4.0]], 5.0, [[2.0, -4.0]]),
        (MeanSquaredError("half_sum"), [[1.0, 2.0]], [[0.0, 4.0]], 2.5, [[1.0, -2.0]]),
        (BinaryCrossEntropy(), [[0.0, math.log(3.0)]], [[1.0, 0.0]], math.log(8) / 2, [[-0.25, 0.375]]),
        (BinaryCrossEntropy("sum"), [[0.0, math.log(3.0)]], [[1.0, 0.0]], math.log(8), [[-0.5, 0.75]]),
    ],
)
def test_values_are_those_computed_by_hand(loss: Loss, outputs: Any, targets: Any, value: float, gradient: Any) -> None:
    found, slope = loss_and_gradient(loss, np.array(outputs), np.array(targets))
    assert found == pytest.approx(value, rel=1e-14)
    assert gradient is None or slope == pytest.approx(np.array(gradient), abs=1e-15)


def test_calling_a_loss_gives_a_python_number() -> None:
    assert type(MeanSquaredError()(SCORES, SCORES, ops=CPU)) is float


@pytest.mark.parametrize(
    "loss", [SoftmaxCrossEntropy(), SoftmaxCrossEntropy("sum", label_smoothing=0.3)], ids=["mean", "sum, smoothed"]
)
def test_labels_and_one_hot_rows_mean_the_same(loss: Loss) -> None:
    by_label, by_row = (loss_and_gradient(loss, SCORES, targets) for targets in (LABELS, np.eye(3)[LABELS]))
    assert by_label[0] == by_row[0]
    np.testing.assert_array_equal(by_label[1], by_row[1])


def test_targets_of_any_integer_type_are_taken() -> None:
    expected = SoftmaxCrossEntropy()(SCORES, LABELS, ops=CPU)
    assert SoftmaxCrossEntropy()(SCORES, LABELS.astype(np.uint8), ops=CPU) == expected
    assert SoftmaxCrossEntropy()(SCORES, LABELS.tolist(), ops=CPU) == expected


def test_the_gradient_of_each_row_of_scores_adds_up_to_0_and_does_not_depend_on_a_shift() -> None:
    _, gradient = loss_and_gradient(SoftmaxCrossEntropy(), SCORES, LABELS)
    np.testing.assert_allclose(gradient.sum(axis=1), [0.0, 0.0], atol=1e-16)
    np.testing.assert_allclose(loss_and_gradient(SoftmaxCrossEntropy(), SCORES + 50.0, LABELS)[1], gradient, atol=1e-14)


# -- reductions and weights ----------------------------------------------------------------------------

PER_ROW = [case for case in LOSS_CASES if case.loss.reduction == "sum" and case.sample_weight is None]


@pytest.mark.parametrize("case", PER_ROW, ids=str)
def test_a_sum_adds_up_the_examples_and_a_mean_divides_by_their_number(case: LossCase) -> None:
    rows, columns = case.outputs.shape
    each = [case.loss(case.outputs[[n]], case.targets[[n]], ops=CPU) for n in range(rows)]
    count = rows if isinstance(case.loss, SoftmaxCrossEntropy | CrossEntropy) else rows * columns
    total, gradient = loss_and_gradient(case.loss, case.outputs, case.targets)
    mean, mean_gradient = loss_and_gradient(type(case.loss)(), case.outputs, case.targets)
    assert total == pytest.approx(math.fsum(each), rel=1e-12)
    assert mean == pytest.approx(total / count, rel=1e-12)
    np.testing.assert_allclose(mean_gradient, gradient / count, rtol=1e-12)


@pytest.mark.parametrize("kind", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_an_example_of_weight_2_counts_as_if_it_came_twice(kind: type[Loss], reduction: str) -> None:
    outputs = np.array([[0.2, 0.8], [0.6, 0.4]])
    targets = np.eye(2)
    twice = kind(reduction)(outputs[[0, 1, 1]], targets[[0, 1, 1]], ops=CPU)
    weight = np.array([1.0, 2.0])
    if reduction == "mean":
        weight /= weight.mean()
    assert kind(reduction)(outputs, targets, ops=CPU, sample_weight=weight) == pytest.approx(twice, rel=1e-14)


@pytest.mark.parametrize("kind", NAMED.values(), ids=NAMED)
def test_weights_leave_the_divisor_of_a_mean_alone(kind: type[Loss]) -> None:
    """So that the gradients of weighted batches average to that of all the data, whatever came into which batch."""
    rng = np.random.default_rng(0)
    outputs, targets = rng.uniform(0.2, 0.8, (4, 2)), np.eye(2)[[0, 1, 1, 0]]
    weight = np.array([0.0, 0.5, 3.0, 0.5])
    whole = kind()(outputs, targets, ops=CPU, sample_weight=weight)
    halves = [kind()(outputs[s], targets[s], ops=CPU, sample_weight=weight[s]) for s in (slice(2), slice(2, 4))]
    assert np.mean(halves) == pytest.approx(whole, rel=1e-14)


@pytest.mark.parametrize("case", PER_ROW, ids=str)
def test_a_loss_per_example_is_its_sum_over_the_batch_by_the_number_of_examples(case: LossCase) -> None:
    total = case.loss(case.outputs, case.targets, ops=CPU)
    rows = len(case.outputs)
    assert case.loss.per_example(total, rows) == pytest.approx(total / rows, rel=1e-14)
    mean = type(case.loss)()
    assert mean.per_example(2.5, rows) == 2.5


# -- numbers that overflow in a careless formula -------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy("sum"), SoftmaxCrossEntropy("sum", label_smoothing=0.1)])
def test_scores_of_ten_thousand_give_a_finite_loss_and_gradient(loss: Loss, dtype: str) -> None:
    scores = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, -1e4]], dtype=dtype)
    value, gradient = loss_and_gradient(loss, scores, np.array([1, 1]))
    assert math.isfinite(value)
    assert np.isfinite(gradient).all()


def test_a_loss_far_from_0_is_exact_where_a_probability_rounds_to_0() -> None:
    assert SoftmaxCrossEntropy()(np.array([[1e4, -1e4]]), np.array([1]), ops=CPU) == 2e4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary_cross_entropy_of_huge_scores_is_exact(dtype: str) -> None:
    scores = np.array([[1e4, -1e4, 1e4, -1e4]], dtype=dtype)
    value, gradient = loss_and_gradient(BinaryCrossEntropy("sum"), scores, np.array([[1.0, 0.0, 0.0, 1.0]]))
    assert value == 2e4
    assert gradient.tolist() == [[0.0, 0.0, 1.0, -1.0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_probability_of_0_is_held_at_the_floor(dtype: str) -> None:
    certain = np.array([[1.0, 0.0]], dtype=dtype)
    value, gradient = loss_and_gradient(CrossEntropy(floor=1e-6), certain, np.array([1]))
    assert value == pytest.approx(-math.log(1e-6), rel=1e-6)
    np.testing.assert_allclose(gradient, [[0.0, -1e6]], rtol=1e-6)


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda: SoftmaxCrossEntropy("average"), "reduction", "average"),
        (lambda: BinaryCrossEntropy("half_sum"), "reduction", "half_sum"),
        (lambda: SoftmaxCrossEntropy(label_smoothing=1.0), "label_smoothing", 1.0),
        (lambda: SoftmaxCrossEntropy(label_smoothing=-0.1), "label_smoothing", -0.1),
        (lambda: CrossEntropy(floor=0.0), "floor", 0.0),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(make: Callable[[], Loss], name: str, value: object) -> None:
    with rejected(name, value):
        make()


@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), CrossEntropy()], ids=["on scores", "on probabilities"])
@pytest.mark.parametrize(
    ("targets", "value"),
    [([0, 3], (0, 3)), ([-1, 2], (-1, 2)), ([0.0, 1.0], "float64")],
    ids=["too large", "negative", "not integers"],
)
def test_labels_that_are_no_classes_are_refused(loss: Loss, targets: list[float], value: object) -> None:
    with rejected("targets", value):
        loss(SCORES, np.array(targets), ops=CPU)


@pytest.mark.parametrize("targets", [[0], [0, 1, 2], [[0, 1], [1, 0]], [[0], [1]]])
@pytest.mark.parametrize("loss", [kind() for kind in NAMED.values()], ids=NAMED)
def test_targets_of_another_shape_are_refused(loss: Loss, targets: list[Any]) -> None:
    with rejected("targets", np.shape(targets), ShapeError):
        loss(SCORES, np.array(targets), ops=CPU)


@pytest.mark.parametrize(
    ("loss", "name"), [(SoftmaxCrossEntropy(), "outputs"), (MeanSquaredError(), "targets")], ids=["classes", "numbers"]
)
def test_outputs_must_be_rows(loss: Loss, name: str) -> None:
    with rejected(name, (3,), ShapeError):
        loss(SCORES[0], SCORES[0], ops=CPU)


@pytest.mark.parametrize("weight", [[1.0], [[1.0], [1.0]]], ids=str)
def test_weights_must_be_one_number_an_example(weight: list[Any]) -> None:
    with rejected("sample_weight", np.shape(weight), ShapeError):
        SoftmaxCrossEntropy()(SCORES, LABELS, ops=CPU, sample_weight=weight)


def test_a_sure_network_leaves_no_denormal_gradients() -> None:
    """They would change nothing, but slow every product that they enter."""
    logits = np.linspace(0, -100, 50, dtype=np.float32).reshape(1, 50)
    _, cache = SoftmaxCrossEntropy().forward(logits, np.array([0]), ops=CPU)
    gradient = SoftmaxCrossEntropy().backward(cache, ops=CPU)
    smallest = np.abs(gradient[gradient != 0]).min()
    assert smallest > np.finfo(np.float32).tiny
    assert np.abs(gradient).sum() > 0.1


def test_probabilities_are_what_the_loss_contains() -> None:
    scores = np.array([[0.0, 0.0], [1.0, -1.0]])
    np.testing.assert_allclose(SoftmaxCrossEntropy().probabilities(scores, ops=CPU)[0], [0.5, 0.5])
    np.testing.assert_allclose(BinaryCrossEntropy().probabilities(scores, ops=CPU)[0], [0.5, 0.5])
    assert MeanSquaredError().probabilities(scores, ops=CPU) is scores


def test_dropping_denormal_gradients_hides_no_nan() -> None:
    gradient = CPU.softmax_cross_entropy_dx(np.array([[np.nan, 1.0]]), np.array([[0.0, 1.0]]), np.ones(1))
    assert np.isnan(gradient[0, 0])

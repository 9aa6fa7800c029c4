"""The checks that catch each pitfall: they pass with the right code and raise AssertionError with the wrong one.

The first line of each docstring says what is checked, as docs/pitfalls.md quotes it.
"""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.data import Dataset, Preprocessing, Splits, datasets, one_hot, write_idx
from handgrad.inspection.slopes import numerical_gradient, relative_error
from handgrad.layers import Layer, Linear, ParameterTree, ReLU, Sequential
from handgrad.losses import CrossEntropy, Loss, SoftmaxCrossEntropy
from handgrad.ops import for_device
from handgrad.optimizers import Optimizer
from handgrad.training import Recipe, count_correct, phases

Values = npt.NDArray[np.float64]

OPS = for_device("cpu")
TOLERANCE = 1e-7  # of a gradient against central differences, in float64
ROWS = 5
WIDTH = 5  # as many columns as rows: a transposed or mistaken matrix has the right shape, so its values must tell


def check_probabilities_of_huge_scores(softmax: Layer) -> None:
    """Scores of ±10,000 give finite probabilities, and each row adds up to 1."""
    scores = np.array([[1e4, -1e4, 0.0], [89.0, 0.0, -89.0], [-1e4, -1e4, -1e4]], np.float32)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        y, _ = softmax.forward(scores, ops=OPS)
    assert np.isfinite(y).all(), f"probabilities that are not finite: {y}"
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-6)


def check_mean_over_the_batch(loss: Loss) -> None:
    """Equal scores cost ln 10 whatever the batch, and the same batch twice over has the same loss and gradient."""
    scores, labels = _scores_and_labels(rows=7, classes=10)
    value = loss(np.zeros_like(scores), labels, ops=OPS)
    assert math.isclose(value, math.log(10)), f"equal scores cost {value}, expected ln 10"
    once, gradient = _loss_and_gradient(loss, scores, labels)
    twice, doubled = _loss_and_gradient(loss, np.tile(scores, (2, 1)), np.tile(labels, 2))
    assert math.isclose(once, twice), f"the same batch twice over costs {twice}, once {once}"
    assert relative_error(doubled[:7] + doubled[7:], gradient) <= TOLERANCE, "the gradient grows with the batch"


def check_impossible_probabilities(loss: Loss) -> None:
    """Loss and gradient are finite where a probability is exactly 0, for the right class and for a wrong one."""
    probabilities, labels = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32), np.array([0, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        value, cache = loss.forward(probabilities, labels, ops=OPS)
        gradient = loss.backward(cache, ops=OPS)
    assert np.isfinite(value), f"a loss that is not finite: {value}"
    assert np.isfinite(gradient).all(), f"a gradient that is not finite: {gradient}"


def check_gradient_of_a_loss(loss: Loss) -> None:
    """The gradient is the slope of the loss that is reported, by central differences, in a batch of several."""
    scores, labels = _scores_and_labels(rows=7, classes=4)
    _, gradient = _loss_and_gradient(loss, scores, labels)
    slope = numerical_gradient(lambda: loss(scores, labels, ops=OPS), scores)
    error = relative_error(gradient, slope)
    assert error <= TOLERANCE, f"the gradient of the loss is off by {error:.2g}"


def check_gradients_above_a_layer(layer: Layer) -> None:
    """Every gradient is the slope, by central differences under a random upstream gradient, above another layer."""
    wrong = _wrong_gradients(Sequential(Linear(WIDTH, WIDTH), layer))
    assert not wrong, f"gradients are off: {wrong}"


def check_two_steps_equal_the_fused_one(pair: tuple[Layer, CrossEntropy]) -> None:
    """Cross-entropy on probabilities, then the softmax layer backwards, gives (ŷ − t)/N as the fused loss does."""
    softmax, loss = pair
    scores, labels = _scores_and_labels(rows=7, classes=4)
    probabilities, cache = softmax.forward(scores, ops=OPS)
    _, upstream = _loss_and_gradient(loss, probabilities, labels)
    two_steps = softmax.backward(upstream, cache, ops=OPS, grads=ParameterTree())
    _, fused = _loss_and_gradient(SoftmaxCrossEntropy(), scores, labels)
    error = relative_error(two_steps, fused)
    assert error <= 1e-12, f"the gradient in two steps differs from the fused one by {error:.2g}"


def check_a_certain_answer_costs_nothing(head: tuple[Layer, Loss]) -> None:
    """Where the right class has by far the largest score, the loss is 0."""
    tail, loss = head
    labels = np.arange(10)
    outputs, _ = tail.forward(100 * one_hot(labels, 10), ops=OPS)
    value = loss(outputs, labels, ops=OPS)
    assert value < 1e-6, f"a certain and right answer costs {value:.4f}, expected 0"


def check_both_kinds_of_labels(loss: Loss) -> None:
    """Integer labels and the same labels as one-hot rows give one loss, one gradient and one number of hits."""
    scores, labels = _scores_and_labels(rows=7, classes=4)
    rows = one_hot(labels, 4)
    from_integers, gradient = _loss_and_gradient(loss, scores, labels)
    from_rows, expected = _loss_and_gradient(loss, scores, rows)
    assert math.isclose(from_integers, from_rows), f"integer labels cost {from_integers}, one-hot rows {from_rows}"
    assert np.array_equal(gradient, expected), "integer labels and one-hot rows give different gradients"
    assert count_correct(scores, labels) == count_correct(scores, rows), "the kinds of labels give different hits"


def check_start(start: tuple[Callable[[int, int], Layer], Preprocessing]) -> None:
    """Before the first step, MNIST costs less than 2 ln 10, and under 1 % of the hidden sums lie beyond ±5."""
    linear, preprocessing = start
    sample = mnist_sample()
    model = Sequential(linear(784, 128), ReLU(), linear(128, 10)).initialize(np.random.default_rng(0))
    inputs = preprocessing(sample.inputs)
    sums, _ = model[0].forward(inputs, ops=OPS)
    far = float(np.mean(np.abs(sums) > 5))
    value = SoftmaxCrossEntropy()(model(inputs), sample.labels, ops=OPS)
    found = f"the first loss is {value:.3g}, expected about ln 10; {far:.0%} of the hidden sums lie beyond ±5"
    assert value < 2 * math.log(10), found
    assert far < 0.01, found


def check_downhill(pair: tuple[Loss, Optimizer]) -> None:
    """The loss's gradient points uphill, as its slope does, and the optimizer goes down any gradient it is given."""
    loss, optimizer = pair
    w = np.array([1.0])
    optimizer.step(w, np.array([2.0]), optimizer.start(w, ops=OPS), ops=OPS)
    assert w[0] < 1.0, f"where the slope is 2 the optimizer went up, from 1 to {w[0]}"
    check_gradient_of_a_loss(loss)


def check_caches_survive(linear: Callable[[int, int], Layer]) -> None:
    """What a layer keeps is unchanged when the layers above have run, and all gradients of the stack are right."""
    model = Sequential(*(linear(WIDTH, WIDTH) for _ in range(3)))
    x = np.random.default_rng(0).normal(size=(ROWS, WIDTH))
    model.initialize(np.random.default_rng(1), dtype="float64")
    kept: list[tuple[int, Any, Any]] = []
    for index, layer in enumerate(model.layers):
        x, cache = layer.forward(x, ops=OPS)
        kept.append((index, cache, np.array(cache)))
    for index, cache, copy in kept:
        assert np.array_equal(cache, copy), f"layer {index}'s cache was overwritten by a layer above"
    assert not _wrong_gradients(model)


def check_choice_ignores_test_data(choose: Callable[[Recipe, Splits], int]) -> None:
    """With every label of the test data falsified, the same width is chosen."""
    recipe, splits = small_selection()
    falsified = Dataset(splits.test.inputs, (splits.test.labels + 1) % 10, splits.test.name, splits.test.classes)
    chosen = choose(recipe, splits)
    otherwise = choose(recipe, Splits(splits.train, falsified))
    assert chosen == otherwise, f"width {chosen} was chosen, but {otherwise} with other test labels"
    assert chosen == max(recipe.select.widths), f"width {chosen} was chosen, which is not the best"


def width_by_phases(recipe: Recipe, splits: Splits) -> int:
    """The width that `handgrad.training.phases` ends with, the data read from files as a user would."""
    with TemporaryDirectory() as directory:
        for name, dataset in (("train", splits.train), ("t10k", splits.test)):
            write_idx(Path(directory, f"{name}-images-idx3-ubyte"), dataset.inputs)
            write_idx(Path(directory, f"{name}-labels-idx1-ubyte"), dataset.labels.astype(np.uint8))
        for phase in phases(recipe.override({"data.dataset": directory})):
            for _ in phase.experiment.trainer.run(phase.experiment.recipe.train.epochs):
                pass
    return phase.experiment.recipe.model.hidden[0]


def optimism(hits: npt.NDArray[np.bool_], size: int, draws: int, rng: np.random.Generator) -> dict[str, float]:
    """How much too high a score is, on average over draws, when it was the score that chose and when it was not.

    Args:
        hits: (candidates, examples), whether a candidate is right about an example.
        size: examples in the test data, and as many in the validation data; the rest are fresh.
        draws: how often new test and validation data are drawn.
        rng: draws them.

    Returns:
        The mean accuracy of the chosen candidate as quoted on the test data, and on fresh examples, for each way to
        choose.
    """
    sums = dict.fromkeys(("test quoted", "test fresh", "validation quoted", "validation fresh"), 0.0)
    total = hits.sum(axis=1)  # (M, P) → (M,)
    for _ in range(draws):
        drawn = hits[:, rng.choice(hits.shape[1], 2 * size, replace=False)]
        test, validation = drawn[:, :size].sum(axis=1), drawn[:, size:].sum(axis=1)
        fresh = (total - test - validation) / (hits.shape[1] - 2 * size)
        for name, scores in (("test", test), ("validation", validation)):
            best = int(np.argmax(scores))
            sums[f"{name} quoted"] += test[best] / size
            sums[f"{name} fresh"] += fresh[best]
    return {name: float(value / draws) for name, value in sums.items()}


@functools.cache
def mnist_sample() -> Dataset:
    """256 training images and their labels."""
    return datasets.load("mnist").train[:256]


@functools.cache
def small_selection() -> tuple[Recipe, Splits]:
    """The recipe mlp-select with two widths, one of them far too small, on a thousand training images."""
    splits = datasets.load("mnist")
    recipe = Recipe.load("mlp-select").override(
        {
            "select.widths": (1, 32),
            "select.epochs": 10,
            "select.validation": 200,
            "train.epochs": 1,
            "optimizer.learning_rate": 1e-3,
        }
    )
    return recipe, Splits(splits.train[:1000], splits.test[:500])


def _scores_and_labels(rows: int, classes: int) -> tuple[Values, npt.NDArray[np.int64]]:
    """Random scores, and labels among which every class occurs if there are rows enough."""
    scores = np.random.default_rng(0).normal(size=(rows, classes))
    return scores, np.arange(rows) % classes


def _loss_and_gradient(loss: Loss, outputs: Values, targets: npt.NDArray[Any]) -> tuple[float, Values]:
    value, cache = loss.forward(outputs, targets, ops=OPS)
    gradient: Values = loss.backward(cache, ops=OPS)
    return float(value), gradient


def _wrong_gradients(model: Layer) -> str:
    """The gradients, of the input x and of every parameter, that differ from central differences, and by how much."""
    rng = np.random.default_rng(2)
    model.initialize(rng, dtype="float64")
    x, upstream = rng.normal(size=(ROWS, WIDTH)), rng.normal(size=(ROWS, WIDTH))
    gradients = model.parameters.gradients()
    _, cache = model.forward(x, ops=OPS)
    dx = model.backward(upstream, cache, ops=OPS, grads=gradients.tree)
    assert dx.shape == x.shape, f"the input's gradient has shape {dx.shape}, expected {x.shape}"

    def weighted_output() -> float:
        return float(np.sum(upstream * model.forward(x, ops=OPS)[0]))

    arrays = {"x": (dx, x)} | {name: (g, model.parameters.views[name]) for name, g in gradients.views.items()}
    slopes = {name: numerical_gradient(weighted_output, array) for name, (_, array) in arrays.items()}
    errors = {name: relative_error(gradient, slopes[name]) for name, (gradient, _) in arrays.items()}
    return ", ".join(f"{name} by {error:.2g}" for name, error in errors.items() if not error <= TOLERANCE)

import gc
import math
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import handgrad as hg
from handgrad.data import Dataset
from handgrad.errors import ArgumentError
from handgrad.training import Epoch, Step, Trainer, TrainingError

PREPROCESSING = hg.Preprocessing(scale=1.0)


def points(count: int = 40, seed: int = 0) -> Dataset:
    """Two clouds that a line separates."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    return Dataset(rng.normal(size=(count, 2)) + 4 * labels[:, None], labels, "clouds", 2)


def float32_points() -> Dataset:
    """The same, as the numbers that a step fetches by itself."""
    data = points()
    return replace(data, inputs=data.inputs.astype(np.float32))


def loader(dataset: Dataset, batch_size: int | None = 8, seed: int | None = None) -> hg.Loader:
    rng = None if seed is None else np.random.default_rng(seed)
    return hg.Loader(dataset, batch_size, preprocessing=PREPROCESSING, rng=rng)


def trainer(model: hg.Layer | None = None, rate: float = 0.1, **settings: Any) -> Trainer:
    chosen = model or hg.Linear(2, 2)
    chosen.initialize(np.random.default_rng(1))
    settings.setdefault("train", loader(points(), seed=2))
    return Trainer(chosen, hg.SoftmaxCrossEntropy(), hg.SGD(rate), **settings)


def epochs_of(training: Trainer, epochs: int) -> list[Epoch]:
    return [event for event in training.run(epochs) if isinstance(event, Epoch)]


def test_steps_and_epochs_come_in_order_and_are_kept() -> None:
    training = trainer()
    events = list(training.run(2))
    kinds = [type(event) for event in events]
    assert kinds == ([Step] * 5 + [Epoch]) * 2
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.number for step in steps] == list(range(1, 11))
    assert [(step.epoch, step.batch) for step in steps[4:6]] == [(1, 5), (2, 1)]
    assert training.history.steps == steps
    assert [epoch.number for epoch in training.history.epochs] == [1, 2]


def test_a_run_goes_on_where_the_last_one_ended() -> None:
    whole, parts = trainer(), trainer()
    list(whole.run(3))
    list(parts.run(1))
    list(parts.run(2))
    assert [epoch.number for epoch in parts.history.epochs] == [1, 2, 3]
    assert np.array_equal(whole.model.parameters.vector, parts.model.parameters.vector)


def test_the_same_seed_gives_bit_identical_weights() -> None:
    first, second = (trainer(hg.Sequential(hg.Linear(2, 9), hg.Dropout(0.5), hg.Linear(9, 2))) for _ in range(2))
    for training in (first, second):
        training.rng = np.random.default_rng(5)
        list(training.run(3))
    assert np.array_equal(first.model.parameters.vector, second.model.parameters.vector)


def test_one_step_is_the_formula() -> None:
    data = points(6)
    training = trainer(train=loader(data, None), rate=0.5)
    before = training.model.parameters.state_dict()
    step = next(event for event in training.run(1) if isinstance(event, Step))
    x, weight, bias = PREPROCESSING(data.inputs), before["weight"], before["bias"]
    scores = x @ weight.T + bias
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)  # (6, 2) / (6, 1)
    one_hot = np.eye(2)[data.labels]
    difference = (probabilities - one_hot) / 6
    after = training.model.parameters.state_dict()
    np.testing.assert_allclose(after["weight"], weight - 0.5 * difference.T @ x, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after["bias"], bias - 0.5 * difference.sum(axis=0), rtol=1e-5, atol=1e-6)
    expected = -np.log((probabilities * one_hot).sum(axis=1)).mean()
    assert step.loss == pytest.approx(expected, rel=1e-5)


def test_the_train_loss_weighs_the_short_last_batch_by_its_size() -> None:
    training = trainer(train=loader(points(10), 8), rate=1e-9)
    (epoch,) = epochs_of(training, 1)
    losses = [step.loss for step in training.history.steps]
    assert epoch.train_loss == pytest.approx((8 * losses[0] + 2 * losses[1]) / 10)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_recorded_loss_is_per_example_whatever_the_reduction(reduction: str) -> None:
    model = hg.Linear(2, 2).initialize(np.random.default_rng(1))
    loss = hg.SoftmaxCrossEntropy(reduction)
    training = Trainer(model, loss, hg.SGD(1e-9), train=loader(points()), monitors={"test": loader(points())})
    (epoch,) = epochs_of(training, 1)
    expected = hg.SoftmaxCrossEntropy()(model(points().inputs), points().labels, ops=model.parameters.ops)
    assert epoch.train_loss == pytest.approx(expected, rel=1e-4)
    assert epoch.scores["test"].loss == pytest.approx(expected, rel=1e-4)


def test_the_schedule_multiplies_the_learning_rate() -> None:
    training = trainer(schedule=hg.schedules.StepSchedule(every=5, factor=0.5), rate=0.2)
    list(training.run(3))
    assert [step.learning_rate for step in training.history.steps[::5]] == [0.2, 0.1, 0.05]


def test_clipping_bounds_the_step_but_records_the_full_norm() -> None:
    training = trainer(clip_norm=1e-3, rate=1.0, train=loader(points(), None))
    before = training.model.parameters.vector.copy()
    list(training.run(1))
    moved = np.linalg.norm(training.model.parameters.vector - before)
    assert moved == pytest.approx(1e-3, rel=1e-2)
    assert training.history.steps[0].gradient_norm > 1e-2


def test_keep_best_ends_with_the_best_validation_parameters() -> None:
    validation = loader(points(20, seed=3))
    training = trainer(rate=30.0, keep_best=True, monitors={"validation": validation})
    best: tuple[tuple[float, float], np.ndarray[Any, Any]] | None = None
    for event in training.run(6):
        if isinstance(event, Epoch):
            scores = event.scores["validation"]
            rank = (scores.accuracy, -scores.loss)
            assert event.is_best == (best is None or rank > best[0])
            if event.is_best:
                best = rank, training.model.parameters.vector.copy()
    assert best is not None
    assert not training.history.epochs[-1].is_best
    assert np.array_equal(training.model.parameters.vector, best[1])


def test_patience_stops_after_epochs_without_a_better_score() -> None:
    training = trainer(rate=1e-12, patience=2, monitors={"validation": loader(points())})
    epochs = epochs_of(training, 50)
    assert training.stopped_by == "patience"
    last_best = max(epoch.number for epoch in epochs if epoch.is_best)
    assert len(epochs) == last_best + 2


def test_stop_ends_after_the_current_step_and_records_the_part() -> None:
    training = trainer(monitors={"test": loader(points())})
    for event in training.run(5):
        if isinstance(event, Step) and event.number == 7:
            training.stop()
    assert len(training.history.steps) == 7
    assert [epoch.complete for epoch in training.history.epochs] == [True, False]
    assert training.history.epochs[-1].scores["test"].count == 40
    assert training.stopped_by == "request"


def test_a_loss_that_is_not_finite_stops_with_the_parameters_from_before() -> None:
    data = points()
    data.inputs[9] = np.nan  # in the second batch
    training = trainer(train=loader(data))
    seen: list[Step | Epoch] = []
    with pytest.raises(TrainingError, match="nan at step 2"):
        seen.extend(training.run(1))
    assert math.isfinite(float(training.model.parameters.vector.sum()))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"patience": 3}, "patience"),
        ({"keep_best": True}, "keep_best"),
        ({"patience": -1, "monitors": {"validation": loader(points())}}, "patience"),
        ({"clip_norm": 0.0}, "clip_norm"),
        ({"train": loader(points()[:0])}, "train"),
    ],
)
def test_impossible_settings_are_named(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ArgumentError, match=named):
        trainer(**settings)


def test_epochs_below_one_are_refused() -> None:
    with pytest.raises(ArgumentError, match="epochs is 0"):
        next(trainer().run(0))


def test_seconds_leave_out_what_the_caller_does() -> None:
    import time

    training = trainer()
    for _ in training.run(1):
        time.sleep(0.02)
    assert training.history.epochs[0].seconds < 0.05


def test_a_stop_that_comes_while_scoring_counts() -> None:
    training = trainer(monitors={"test": loader(points())})
    monitor = training.monitors["test"]
    score = monitor.__class__.batches

    class Stopping(hg.Loader):
        def batches(self, *, skip: int = 0) -> Any:
            training.stop()
            return score(self, skip=skip)

    monitor.__class__ = Stopping
    assert len(epochs_of(training, 5)) == 1
    assert training.stopped_by == "request"


def test_steps_record_the_loss_per_example_for_a_sum_too() -> None:
    model = hg.Linear(2, 2).initialize(np.random.default_rng(1))
    training = Trainer(model, hg.SoftmaxCrossEntropy("sum"), hg.SGD(1e-9), train=loader(points(), None))
    step, epoch = training.run(1)
    assert isinstance(step, Step)
    assert isinstance(epoch, Epoch)
    assert step.loss == epoch.train_loss


def test_a_loader_with_batches_of_its_own_is_asked_every_epoch() -> None:
    class Counting(hg.Loader):
        passes = 0

        def __iter__(self) -> Any:
            self.passes += 1
            return super().__iter__()

    own = Counting(points(), None, preprocessing=PREPROCESSING)
    list(trainer(train=own).run(3))
    assert own.passes == 3


def test_a_loader_with_targets_of_its_own_is_asked_every_epoch() -> None:
    """Also where the batch could be the same each time: float32 rows, all of them, in their own order."""

    class Flipping(hg.Loader):
        def targets(self, rows: Any) -> Any:
            self.dataset.labels[...] = 1 - self.dataset.labels
            return super().targets(rows).copy()

    own = Flipping(float32_points(), None, preprocessing=PREPROCESSING)
    losses = [epoch.train_loss for epoch in epochs_of(trainer(train=own, rate=1e-6), 3)]
    assert losses[0] == pytest.approx(losses[2], rel=1e-3)
    assert losses[0] != pytest.approx(losses[1], rel=1e-1)


@pytest.mark.parametrize("data", [points(), float32_points()], ids=["float64", "float32"])
def test_labels_that_change_between_epochs_are_seen(data: Dataset) -> None:
    training = trainer(train=loader(data, None))
    list(training.run(1))
    data.labels[...] = 1 - data.labels
    list(training.run(1))
    expected = hg.SoftmaxCrossEntropy()(training.model(data.inputs), data.labels, ops=training.model.parameters.ops)
    list(training.run(1))
    assert training.history.epochs[2].train_loss == pytest.approx(expected, rel=1e-4)


def test_the_memory_of_a_run_is_given_back_at_once() -> None:
    """Not when Python happens to look for cycles: networks trained one after the other would add up."""
    pytest.importorskip("numba")
    model = hg.Sequential(hg.Linear(2, 8), hg.BatchNorm1d(8), hg.ReLU(), hg.Dropout(0.2), hg.Linear(8, 2))
    gc.collect()
    gc.disable()
    try:
        training = trainer(model, monitors={"test": loader(points())}, rng=np.random.default_rng(0))
        list(training.run(2))
        (program,) = set(vars(training._compiled_step)["_programs"].values())
        held = [weakref.ref(x) for x in (training, program, vars(program)["_memory"])]
        del training, program
        assert [x() for x in held] == [None, None, None]
    finally:
        gc.enable()


def weighed(dtype: type = np.float32, count: int = 21) -> Dataset:
    clouds, weights = points(count), np.random.default_rng(5).uniform(0, 2, count)
    return Dataset(clouds.inputs.astype(dtype), clouds.labels, "weighed", 2, weights)


@pytest.mark.parametrize("size", [None, 8])
def test_weights_of_examples_reach_the_loss(size: int | None) -> None:
    """Compiled steps against the formula, done by the reference operations; the last batch is a short one."""
    data = weighed()
    assert data.weights is not None
    training = trainer(train=loader(data, size))
    expected = hg.Linear(2, 2).initialize(np.random.default_rng(1))
    ops, optimizer = hg.ops.for_device("cpu"), hg.SGD(0.1)
    state = optimizer.start(expected.parameters.vector, ops=ops)
    for begin in range(0, 21, size or 21):
        rows = slice(begin, begin + (size or 21))
        outputs, cache = expected.forward(data.inputs[rows], ops=ops)
        loss = hg.SoftmaxCrossEntropy()
        _, loss_cache = loss.forward(outputs, data.labels[rows], ops=ops, sample_weight=data.weights[rows])
        gradients = expected.parameters.gradients()
        expected.backward(loss.backward(loss_cache, ops=ops), cache, ops=ops, grads=gradients.tree)
        optimizer.step(expected.parameters.vector, gradients.vector, state, ops=ops)
    list(training.run(1))
    np.testing.assert_allclose(training.model.parameters.vector, expected.parameters.vector, rtol=2e-6)


def test_weights_of_examples_reach_the_loss_also_in_double_precision() -> None:
    single = trainer(train=loader(weighed(), 8))
    model = hg.Linear(2, 2).initialize(np.random.default_rng(1), dtype="float64")
    double = Trainer(model, hg.SoftmaxCrossEntropy(), hg.SGD(0.1), train=loader(weighed(np.float64), 8))
    list(single.run(2))
    list(double.run(2))
    np.testing.assert_allclose(single.model.parameters.vector, double.model.parameters.vector, rtol=2e-6)


def test_weights_of_distorted_images_need_inputs_that_are_fetched_by_number() -> None:
    images = np.zeros((8, 5, 4), np.uint8)[::2]  # not contiguous
    data = Dataset(images, np.array([0, 1, 0, 1]), "images", 2, np.array([1.0, 2.0, 1.0, 1.0]))
    rng = np.random.default_rng(0)
    distorted = hg.Loader(data, 2, preprocessing=PREPROCESSING, rng=rng, augment=hg.Augmentation(translation=1.0))
    with pytest.raises(ArgumentError, match="contiguous uint8 images"):
        trainer(hg.Linear(20, 2), train=distorted)

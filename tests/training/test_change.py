"""Settings that change while a network trains."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from handgrad import datasets
from handgrad.data.datasets import Splits
from handgrad.errors import RecipeError
from handgrad.optimizers import SGD, Adam
from handgrad.training import Experiment, Recipe
from handgrad.training.change import changed, changes
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.history import Epoch, Step


@pytest.fixture(scope="module")
def splits(tiny: Any) -> Splits:
    return datasets.load(tiny)


def prepare(splits: Splits, **places: Any) -> Experiment:
    """240 examples, six batches of 40 an epoch, four epochs."""
    values = {"model.hidden": [8], "train.batch_size": 40, "train.epochs": 4, "optimizer.learning_rate": 0.5}
    recipe = Recipe.load("mlp").override(values | {name.replace("__", "."): v for name, v in places.items()})
    return Experiment.prepare(recipe.override({"train.report_test": False}), splits=splits)


def go_on(experiment: Experiment, events: int | None = None) -> list[Step | Epoch]:
    return list(islice(experiment.trainer.run_to(experiment.recipe.train.epochs), events))


def change(experiment: Experiment, **settings: float) -> Experiment:
    return changed(experiment, experiment.recipe.override(changes(experiment.recipe, settings)))


def test_settings_that_stay_the_same_change_no_bit(splits: Splits) -> None:
    whole, cut = (prepare(splits, model__dropout=0.2, optimizer={"name": "adam"}) for _ in range(2))
    go_on(whole)
    for events in (4, 3, 9):  # inside an epoch, at its end, inside again
        go_on(cut, events)
        cut = change(cut, learning_rate=cut.trainer.optimizer.learning_rate)
    go_on(cut)
    assert cut.trainer.model.parameters.vector.tobytes() == whole.trainer.model.parameters.vector.tobytes()
    assert cut.trainer.history.steps == whole.trainer.history.steps


def test_it_is_what_a_resumed_run_would_be(splits: Splits) -> None:
    steered = prepare(splits)
    go_on(steered, 8)
    moment = Checkpoint.of(steered.trainer)
    steered = change(steered, learning_rate=0.125)
    resumed = prepare(splits, optimizer__learning_rate=0.125)
    moment.restore(resumed.trainer)
    go_on(steered)
    go_on(resumed)
    assert steered.trainer.model.parameters.vector.tobytes() == resumed.trainer.model.parameters.vector.tobytes()
    assert {step.learning_rate for step in steered.trainer.history.steps} == {0.5, 0.125}


def test_momentum_begins_from_rest_and_is_forgotten(splits: Splits) -> None:
    experiment = prepare(splits)
    go_on(experiment, 3)
    weights = experiment.model.parameters.vector.copy()
    experiment = change(experiment, momentum=0.9)
    assert isinstance(experiment.trainer.optimizer, SGD)
    assert experiment.trainer.optimizer.momentum == 0.9
    assert not experiment.trainer.state.slots["velocity"].any()
    assert np.array_equal(experiment.model.parameters.vector, weights)
    go_on(experiment, 2)
    kept = experiment.trainer.state.slots["velocity"].copy()
    assert kept.any()
    assert np.array_equal(change(experiment, momentum=0.5).trainer.state.slots["velocity"], kept)
    assert change(experiment, momentum=0.0).trainer.state.slots == {}


def test_the_momentum_of_adam_is_its_first_beta(splits: Splits) -> None:
    experiment = change(prepare(splits, optimizer={"name": "adam"}), momentum=0.5)
    assert isinstance(experiment.trainer.optimizer, Adam)
    assert experiment.trainer.optimizer.beta1 == 0.5


def test_dropout_comes_and_goes_with_all_weights_in_place(splits: Splits) -> None:
    experiment = prepare(splits, data__validation=40, train__keep_best=True, optimizer={"name": "adam"})
    go_on(experiment, 9)
    before = Checkpoint.of(experiment.trainer).arrays
    dropping = change(experiment, dropout=0.5)
    assert [type(layer).__name__ for _, layer in dropping.model.walk()][1:] == ["Linear", "ReLU", "Dropout", "Linear"]
    shifted = Checkpoint.of(dropping.trainer).arrays
    for prefix in ("", "optimizer/m/", "optimizer/v/", "best/"):
        assert np.array_equal(shifted[f"{prefix}3.weight"], before[f"{prefix}2.weight"])
    back = change(dropping, dropout=0.0)
    after = Checkpoint.of(back.trainer).arrays
    assert all(np.array_equal(after[name], array) for name, array in before.items())
    go_on(dropping, 2)  # it does train


def test_dropout_among_the_features_changes_too(splits: Splits) -> None:
    experiment = change(prepare(splits, model__features=[{"name": "Dropout", "p": 0.1}]), dropout=0.25)
    assert experiment.recipe.model.features[0]["p"] == experiment.recipe.model.dropout == 0.25


def test_another_batch_size_waits_for_the_end_of_the_epoch(splits: Splits) -> None:
    experiment = prepare(splits)
    go_on(experiment, 3)
    with pytest.raises(RecipeError, match=r"train.batch_size cannot become 80 inside an epoch; wait for its end."):
        change(experiment, batch_size=80)
    assert isinstance(go_on(experiment, 4)[-1], Epoch)
    experiment = change(experiment, batch_size=80)
    events = go_on(experiment, 4)
    assert [event.batches for event in events if isinstance(event, Step)] == [3, 3, 3]
    assert [step.number for step in experiment.trainer.history.steps] == list(range(1, 10))


def test_a_schedule_ends_with_the_training_whatever_the_batches(splits: Splits) -> None:
    experiment = prepare(splits, schedule={"name": "cosine"})
    go_on(experiment, 14)  # two epochs
    halfway = experiment.trainer.history.epochs[-1].learning_rate
    for size, batches in ((20, 12), (80, 3)):
        experiment = change(experiment, batch_size=size)
        assert len(experiment.trainer.train) == batches
        rates = [event.learning_rate for event in go_on(experiment, batches + 1) if isinstance(event, Step)]
        assert rates == sorted(rates, reverse=True)
        assert rates[0] < halfway
    assert 0 < rates[-1] < 0.2 * 0.5
    copy = prepare(splits, schedule={"name": "cosine"}, train__batch_size=80)
    Checkpoint.of(experiment.trainer).restore(copy.trainer)
    assert copy.trainer.schedule_offset == experiment.trainer.schedule_offset != 0


def test_full_batches_become_small_ones() -> None:
    experiment = Experiment.prepare(Recipe.load("points").override({"train.epochs": 3}))
    go_on(experiment, 2)
    experiment = change(experiment, batch_size=5)
    assert [event.batches for event in go_on(experiment) if isinstance(event, Step)] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("recipe", "settings", "sentence"),
    [
        ("points", {"dropout": 0.2}, "no hidden layer"),
        ("mlp", {"epochs": 3}, "epochs cannot be changed while a network trains"),
    ],
)
def test_what_cannot_be_changed(recipe: str, settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        changes(Recipe.load(recipe), settings)


def test_an_optimizer_without_momentum_says_so() -> None:
    recipe = Recipe.load("mlp").override({"optimizer": {"name": "rmsprop"}})
    with pytest.raises(RecipeError, match=r"rmsprop has no momentum; train with one of sgd, adam, adamw."):
        changes(recipe, {"momentum": 0.5})

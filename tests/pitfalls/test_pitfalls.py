"""Each pitfall of docs/pitfalls.md is caught: its check passes with handgrad's code and fails with the wrong code."""

import inspect
import math
from typing import Any

import broken
import numpy as np
import pitfall_checks as checks
import pytest
from pitfall_registry import PITFALLS

from handgrad import Linear, Loader, SoftmaxCrossEntropy, datasets
from handgrad.data import Preprocessing, Splits
from handgrad.errors import ArgumentError
from handgrad.layers import Sequential, Softmax
from handgrad.optimizers import SGD
from handgrad.training import Experiment, Recipe, Trainer, recipe_names

MNIST_RECIPES = [name for name in recipe_names() if Recipe.load(name).data.dataset == "mnist"]


@pytest.mark.parametrize("anchor", PITFALLS)
def test_the_right_code_passes(anchor: str) -> None:
    PITFALLS[anchor].check(PITFALLS[anchor].right())


@pytest.mark.parametrize("anchor", PITFALLS)
def test_the_wrong_code_is_caught(anchor: str) -> None:
    with pytest.raises(AssertionError, match=PITFALLS[anchor].caught_as):
        PITFALLS[anchor].check(PITFALLS[anchor].wrong())


def test_all_wrong_code_belongs_to_a_pitfall() -> None:
    written = {thing for _, thing in inspect.getmembers(broken) if getattr(thing, "__module__", "") == broken.__name__}
    shown = [thing for pitfall in PITFALLS.values() for thing in pitfall.code]
    assert set(shown) == written
    assert len(shown) == len(written), "a piece of wrong code is shown twice"


def test_the_best_of_many_looks_better_than_it_is() -> None:
    hits = np.random.default_rng(0).random((50, 20_000)) < 0.9  # fifty candidates, none better than another
    found = checks.optimism(hits, size=100, draws=200, rng=np.random.default_rng(1))
    assert found["test quoted"] - found["test fresh"] > 0.04
    assert math.isclose(found["validation quoted"], found["validation fresh"], abs_tol=0.01)


@pytest.mark.parametrize("setting", [{"patience": 3}, {"keep_best": True}], ids=["patience", "keep_best"])
def test_the_trainer_does_not_choose_by_test_data(setting: dict[str, Any]) -> None:
    loader = Loader(datasets.load("points").train, 5, preprocessing=Preprocessing(scale=1.0))
    model = Linear(2, 2).initialize(np.random.default_rng(0))
    with pytest.raises(ArgumentError, match="test data must not choose"):
        Trainer(model, SoftmaxCrossEntropy(), SGD(0.1), train=loader, monitors={"test": loader}, **setting)
    Trainer(model, SoftmaxCrossEntropy(), SGD(0.1), train=loader, monitors={"validation": loader}, **setting)


@pytest.mark.parametrize("name", MNIST_RECIPES)
def test_every_recipe_starts_near_ln_10(name: str) -> None:
    experiment = _with_little_data(name)
    sample = checks.mnist_sample()
    inputs = experiment.preprocessing(sample.inputs)
    rng = np.random.default_rng(0)  # in training mode: what batch norm does without any running average means nothing
    outputs = experiment.model.forward(inputs, ops=checks.OPS, training=True, rng=rng)[0]
    value = experiment.loss(outputs, sample.labels, ops=checks.OPS)
    assert experiment.loss.per_example(value, len(sample)) < 2 * math.log(10)


@pytest.mark.parametrize("name", MNIST_RECIPES)
def test_every_recipe_has_one_softmax(name: str) -> None:
    experiment = _with_little_data(name)
    assert isinstance(experiment.model, Sequential)
    tail = Sequential(*(layer for layer in experiment.model.layers[-1:] if isinstance(layer, Softmax)))
    loss = experiment.loss
    if isinstance(loss, SoftmaxCrossEntropy):  # with smoothed labels a certain answer has its price
        loss = SoftmaxCrossEntropy(loss.reduction)
    checks.check_a_certain_answer_costs_nothing((tail, loss))


def _with_little_data(recipe: str) -> Experiment:
    splits = Splits(checks.mnist_sample(), checks.mnist_sample())
    return Experiment.prepare(Recipe.load(recipe), splits=splits)

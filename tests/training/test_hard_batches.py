"""Training on images that are constant, alone or too bright, by kernels and by the reference: numbers stay numbers."""

from typing import Any, cast

import numpy as np
import pytest

import handgrad as hg
from handgrad.data import Dataset
from handgrad.data.preprocessing import Layout, Normalize
from handgrad.errors import ShapeError
from handgrad.losses import NAMED as LOSSES
from handgrad.ops import Ops, ReferenceOps, for_device
from handgrad.optimizers import NAMED as OPTIMIZERS
from handgrad.training import Recipe, Trainer, build_model, recipe_names
from handgrad.training.construct import construct

DEVICES = {"kernels": for_device("cpu"), "reference": ReferenceOps(np)}
NETWORKS = [name for name in recipe_names() if Recipe.load(name).data.dataset == "mnist"]


def images(kind: str, count: int) -> Dataset:
    rng = np.random.default_rng(0)
    shape = (count, 28, 28)
    numbers = {
        "the same image": np.broadcast_to(rng.integers(0, 256, shape[1:]), shape),
        "images of one grey each": np.broadcast_to(rng.integers(0, 256, (count, 1, 1)), shape),
        "black": np.zeros(shape),
        "noise": rng.integers(0, 256, shape),
    }
    return Dataset(np.ascontiguousarray(numbers[kind], np.uint8), np.arange(count) % 10, kind, 10)


def prepared(recipe: Recipe, data: Dataset, ops: Ops, *, scale: float | None = None) -> Trainer:
    """The recipe's network, loss and optimizer on such images; `scale` in place of the recipe's normalisation."""
    layout, ones = cast(Layout, recipe.data.layout), recipe.data.append_ones
    preprocessing = hg.Preprocessing.for_dataset(
        data, cast(Normalize, recipe.data.normalize), layout=layout, append_ones=ones
    )
    if scale is not None:
        preprocessing = hg.Preprocessing(scale=scale, layout=layout, append_ones=ones)
    loader = hg.Loader(data, 8, preprocessing=preprocessing, one_hot=recipe.data.one_hot)
    shape = preprocessing.output_shape((28, 28))
    model = build_model(recipe.model, shape, 10).initialize(np.random.default_rng(1), ops=ops)
    loss, optimizer = construct(LOSSES, recipe.loss, "loss"), construct(OPTIMIZERS, recipe.optimizer, "optimizer")
    return Trainer(model, loss, optimizer, train=loader, rng=np.random.default_rng(2))


def assert_finite(trainer: Trainer) -> None:
    assert trainer.history.steps
    assert all(np.isfinite([step.loss, step.gradient_norm]).all() for step in trainer.history.steps)
    assert np.isfinite(trainer.model.parameters.vector).all()
    assert np.isfinite(trainer.model.parameters.buffers).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["the same image", "images of one grey each", "black"])
@pytest.mark.parametrize("name", NETWORKS)
def test_constant_features_train(name: str, kind: str, device: str) -> None:
    trainer = prepared(Recipe.load(name), images(kind, 20), DEVICES[device])
    list(trainer.run(2))
    assert_finite(trainer)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_batch_of_one_trains(name: str, device: str) -> None:
    trainer = prepared(Recipe.load(name), images("noise", 1), DEVICES[device])
    list(trainer.run(2))
    assert_finite(trainer)


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_too_small_for_batch_norm_is_a_sentence(device: str) -> None:
    one_value_a_feature = [{"name": "Flatten"}, {"name": "BatchNorm1d"}]  # and image, so one image has no variance
    recipe = Recipe.load("cnn-best").override({"model.features": one_value_a_feature})
    with pytest.raises(ShapeError, match="use a larger batch"):
        list(prepared(recipe, images("noise", 1), DEVICES[device]).run(1))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("brightness", [65504 / 255, 6e-8])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_on_float16s_largest_and_smallest_numbers_is_finite(name: str, brightness: float, device: str) -> None:
    trainer = prepared(Recipe.load(name), images("noise", 8), DEVICES[device], scale=brightness)
    next(trainer.run(1))
    assert_finite(trainer)


@pytest.mark.parametrize("device", DEVICES)
def test_scores_of_ten_thousand_train(device: str) -> None:
    trainer = prepared(Recipe.load("mlp"), images("noise", 16), DEVICES[device])
    trainer.model.parameters.vector[...] *= 150.0
    scores: np.ndarray[Any, Any] = np.asarray(trainer.model(trainer.train[0].inputs))
    assert np.abs(scores).max() > 1e4
    list(trainer.run(2))
    assert_finite(trainer)

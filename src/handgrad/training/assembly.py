"""The parts of an experiment that read batches and take steps, made from a recipe's tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np

from handgrad import optimizers, schedules
from handgrad.data.datasets import Dataset, Progress, Splits, load
from handgrad.data.labels import Targets
from handgrad.data.loader import Loader
from handgrad.data.preprocessing import Layout, Normalize, Preprocessing
from handgrad.errors import RecipeError
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.training.construct import construct
from handgrad.training.recipe import DataSection, Recipe
from handgrad.training.trainer import Trainer

#: Examples scored at once: few enough for a convolution's scratch space to stay below 200 MB.
_EVALUATION_BATCH = 250


def scoring_loader(dataset: Dataset, preprocessing: Preprocessing, *, one_hot: bool = False) -> Loader:
    """Batches in order, for a network that is scored and does not learn.

    Args:
        dataset: the examples.
        preprocessing: from raw inputs to what the model sees.
        one_hot: targets as one-hot rows, as the recipe's `data.one_hot` says.
    """
    return Loader(dataset, _EVALUATION_BATCH, preprocessing=preprocessing, one_hot=one_hot)


@dataclass(frozen=True)
class Loaders:
    """Makes the loaders of one experiment, all with the same preprocessing.

    Args:
        recipe: says the batch size, the distortions and whether targets are one-hot.
        preprocessing: from raw inputs to what the model sees.
        rng: for the order of the training examples, and their distortions.
    """

    recipe: Recipe
    preprocessing: Preprocessing
    rng: np.random.Generator

    def train(self, dataset: Dataset) -> Loader:
        """Shuffled and, if asked for, distorted; a full batch stays in order, since a sum does not depend on it."""
        size = self.recipe.train.batch_size or None
        augment = self.recipe.augment if self.recipe.augment.active else None
        rng = self.rng if size or augment else None
        one_hot = self.recipe.data.one_hot
        return Loader(dataset, size, preprocessing=self.preprocessing, rng=rng, one_hot=one_hot, augment=augment)

    def score(self, dataset: Dataset) -> Loader:
        """Batches in order."""
        return scoring_loader(dataset, self.preprocessing, one_hot=self.recipe.data.one_hot)


def load_data(section: DataSection, *, progress: Progress | None = None) -> Splits:
    """The data that a recipe's `data` names.

    Args:
        section: the description.
        progress: as `handgrad.data.load` takes it.

    Raises:
        RecipeError: `targets` is none of its values.
        ArgumentError, DataError: as `handgrad.data.load`.

    >>> len(load_data(DataSection(dataset="xor")).train)
    4
    """
    if section.targets not in get_args(Targets):
        raise RecipeError(f"data.targets is {section.targets!r}, expected one of {', '.join(get_args(Targets))}.")
    return load(
        section.dataset,
        target=section.target,
        targets=cast(Targets, section.targets),
        image_size=section.image_size,
        held_out=section.held_out,
        progress=progress,
    )


def build_preprocessing(section: DataSection, train: Dataset) -> Preprocessing:
    """The map from raw inputs to what the model sees that a recipe's `data` describes.

    Args:
        section: the description.
        train: the training data, on which it is measured.

    Raises:
        ArgumentError: the description names something that does not exist, or does not fit the data.
    """
    normalize, layout = cast(Normalize, section.normalize), cast(Layout, section.layout)
    return Preprocessing.for_dataset(train, normalize, layout=layout, append_ones=section.append_ones)


def build_trainer(
    recipe: Recipe,
    model: Layer,
    loss: Loss,
    *,
    train: Loader,
    monitors: Mapping[str, Loader],
    rng: np.random.Generator,
) -> Trainer:
    """The trainer that a recipe's `optimizer`, `schedule` and `train` describe.

    Args:
        recipe: the description.
        model: initialised.
        loss: what is minimised.
        train: the training batches.
        monitors: what is scored after each epoch.
        rng: for dropout.

    Raises:
        RecipeError: an unknown optimizer or schedule, or a setting that it refuses.
    """
    section = recipe.train
    return Trainer(
        model,
        loss,
        construct(optimizers.NAMED, recipe.optimizer, "optimizer"),
        train=train,
        monitors=monitors,
        schedule=build_schedule(recipe.schedule, len(train), section.epochs),
        clip_norm=section.clip_norm or None,
        patience=section.patience or None,
        keep_best=section.keep_best,
        rng=rng,
    )


def build_schedule(table: Mapping[str, Any], steps_per_epoch: int, epochs: int) -> schedules.Schedule:
    """A schedule from a recipe's table, in which lengths are in epochs: `every_epochs`, `warmup_epochs`.

    Raises:
        RecipeError: an unknown schedule, a setting that it refuses, or a length that is no number of epochs.

    >>> build_schedule({"name": "step", "every_epochs": 5, "factor": 0.5}, steps_per_epoch=10, epochs=20)
    StepSchedule(every=50, factor=0.5)
    """
    table = dict(table)
    for place in ("every_epochs", "warmup_epochs"):
        if not isinstance(table.get(place, 0), int | float):
            raise RecipeError(f"schedule.{place} is {table[place]!r}, expected a number of epochs.")
    for place in ("every", "steps"):
        if place in table:
            raise RecipeError(f"schedule.{place} counts steps; in a recipe lengths are in epochs, as every_epochs.")
    warmup = round(table.pop("warmup_epochs", 0) * steps_per_epoch)
    if "every_epochs" in table:
        table["every"] = max(1, round(table.pop("every_epochs") * steps_per_epoch))
    schedule = construct(schedules.NAMED, table, "schedule", steps=max(1, steps_per_epoch * epochs - warmup))
    return schedules.WarmUp(schedule, warmup) if warmup else schedule

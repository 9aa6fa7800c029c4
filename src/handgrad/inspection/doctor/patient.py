"""What the doctor looks at."""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.data.datasets import Dataset
from handgrad.data.loader import Batch, Loader
from handgrad.inspection.signals import Signal, signals
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.schedules import Schedule
from handgrad.training.history import History, Step
from handgrad.training.trainer import Trainer, TrainingError

#: Examples that are looked at, and examples that short trainings draw from.
_LOOKED_AT, _TRAINED_ON = 256, 4000
#: A full batch of 60,000 would make a few steps take minutes.
_LARGEST_BATCH = 256
#: Learning rates that are tried, as multiples of the one that is set.
FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Patient:
    """A training that is about to begin, and what is known besides.

    Args:
        trainer: with its model as it starts; nothing of it is changed.
        test: the test data, if there is any.
        trained: the model as it was in the end, if it has been trained.
        history: of that training.
        epochs: for how many the schedule of the learning rate is made; short trainings go through it in fast motion.
    """

    trainer: Trainer
    test: Dataset | None = None
    trained: Layer | None = None
    history: History | None = None
    epochs: int | None = None

    @property
    def train(self) -> Dataset:
        """The training data."""
        return self.trainer.train.dataset

    @property
    def loss(self) -> Loss:
        """What is minimised."""
        return self.trainer.loss

    @cached_property
    def examples(self) -> Dataset:
        """Some training examples, drawn at random: data often lies sorted by class."""
        return self.train[np.random.default_rng(1).permutation(len(self.train))[:_TRAINED_ON]]

    @cached_property
    def batch(self) -> Batch:
        """The first of them, as the model and the loss take them."""
        return self.loader(self.examples[:_LOOKED_AT], _LOOKED_AT)[0]

    @property
    def output_count(self) -> int:
        """How many outputs the model has."""
        return int(self.trainer.model.output_shape(self.batch.inputs.shape[1:])[-1])

    @cached_property
    def outputs(self) -> NDArray[Any]:
        """What the untrained model makes of the batch in training, (N, C)."""
        return self.signals[-1].output

    @cached_property
    def signals(self) -> list[Signal]:
        """What flows through the untrained model."""
        return signals(self.trainer.model, self.loss, *self.batch)

    @cached_property
    def trained_signals(self) -> list[Signal]:
        """What flows through the model as it was in the end, or else after a short training."""
        model = self.trained or self.short_training.model
        return signals(model, self.loss, *self.batch)

    @cached_property
    def first_loss(self) -> float:
        """Mean loss of the untrained model on the batch."""
        value = self.loss(self.outputs, self.batch.targets, ops=self.trainer.model.parameters.ops)
        return self.loss.per_example(value, len(self.batch.targets))

    @cached_property
    def short_training(self) -> "ShortTraining":
        """A few dozen steps with the settings as they are."""
        return self.train_briefly()

    @cached_property
    def losses_by_rate(self) -> dict[float, float]:
        """What a short training ends with, by the factor on the learning rate; infinite where it breaks down."""
        trainings = {factor: self.train_briefly(factor) for factor in FACTORS if factor != 1}
        return {factor: trainings.get(factor, self.short_training).final_loss for factor in FACTORS}

    def loader(self, dataset: Dataset, batch_size: int, **settings: Any) -> Loader:
        """Batches of a data set, prepared as the trainer's are."""
        train = self.trainer.train
        return Loader(dataset, batch_size, preprocessing=train.preprocessing, one_hot=train.one_hot, **settings)

    def train_briefly(self, factor: float = 1.0, steps: int = 60) -> "ShortTraining":
        """Train a copy on part of the data, from the same start and in the same order every time.

        Args:
            factor: multiplies the learning rate.
            steps: at most; fewer where the loss is no longer finite.
        """
        train, rng, examples = self.trainer.train, np.random.default_rng(0), self.examples
        batch_size = min(train.batch_size, _LARGEST_BATCH, len(examples))
        dataset = examples[: len(examples) // batch_size * batch_size]  # no shorter batch, for batch norm's sake
        loader = self.loader(dataset, batch_size, rng=rng, augment=train.augment)
        optimizer = replace(self.trainer.optimizer, learning_rate=factor * self.trainer.optimizer.learning_rate)
        schedule: Schedule = self.trainer.schedule
        if self.epochs:
            schedule = _FastMotion(schedule, self.epochs * len(train) / steps)
        trainer = Trainer(
            deepcopy(self.trainer.model),
            self.loss,
            optimizer,
            train=loader,
            schedule=schedule,
            clip_norm=self.trainer.clip_norm,
            rng=np.random.default_rng(2),
        )
        return _followed(trainer, steps, watch=factor == 1)


@dataclass(frozen=True)
class _FastMotion(Schedule):
    """Another schedule, so many of its steps in one."""

    schedule: Schedule
    speed: float

    def __call__(self, step: int) -> float:
        return self.schedule(int(step * self.speed))


@dataclass(frozen=True, eq=False)
class ShortTraining:
    """What came of a few steps.

    Args:
        model: after them.
        losses: of every step; the last is infinite where training broke down.
        ratios: for every weight that is a matrix or larger, how far each step moved it, relative to its length; empty
            where only the losses were asked for.
    """

    model: Layer
    losses: list[float]
    ratios: dict[str, list[float]]

    @property
    def final_loss(self) -> float:
        """Mean over the last quarter of the steps."""
        return float(np.mean(self.losses[-max(1, len(self.losses) // 4) :]))


def _followed(trainer: Trainer, steps: int, *, watch: bool) -> ShortTraining:
    """Train for so many steps and, if asked to, watch how far each moves the weights."""
    parameters = trainer.model.parameters
    to_numpy = parameters.ops.to_numpy
    names = [name for name in parameters.names if watch and len(parameters.views[name].shape) > 1]
    losses: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in names}
    before = {name: np.array(to_numpy(parameters.views[name]), np.float64) for name in names}
    try:
        for event in trainer.run(epochs=steps):
            if not isinstance(event, Step):
                continue
            losses.append(event.loss)
            for name in names:
                now = np.array(to_numpy(parameters.views[name]), np.float64)  # whose square does not overflow
                length = float(np.linalg.norm(before[name]))
                ratios[name].append(float(np.linalg.norm(now - before[name])) / length if length else 0.0)
                before[name] = now
            if len(losses) == steps:
                break
    except TrainingError:
        losses.append(float("inf"))
    return ShortTraining(trainer.model, losses, ratios)

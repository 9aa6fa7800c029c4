"""What a run keeps with each checkpoint about itself, so that another process can go on with it."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from handgrad.errors import RecipeError, RunError
from handgrad.ops import usable_cores
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.experiment import Experiment, Phase
from handgrad.training.recipe import Recipe

#: What may be changed in a run that is gone on with: how its steps are taken, not what is trained, or on which data.
_CHANGEABLE = ("optimizer", "schedule", "train.epochs", "train.clip_norm", "train.patience", "train.log_every")
_MOVABLE = "data.dataset"  # to where the same data lies now


@dataclass(frozen=True)
class Resumption:
    """A run in the middle of one of its phases.

    Args:
        recipe: what was asked for, the search for a width included.
        finished: the validation accuracy of every width that was tried before.
        environment: where it is trained, as `run.environment` says it.
        data: a checksum of the phase's training data.
    """

    recipe: Recipe
    finished: Mapping[int, float]
    environment: Mapping[str, Any]
    data: int

    @classmethod
    def of(cls, recipe: Recipe, phase: Phase, environment: Mapping[str, Any]) -> Self:
        """What to keep with the checkpoints of a phase."""
        return cls(recipe, phase.finished, environment, _checksum(phase.experiment))

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> Self:
        """What was kept with a checkpoint.

        Raises:
            RunError: nothing that a run can go on from.
        """
        try:
            about = checkpoint.about
            finished = {int(width): float(accuracy) for width, accuracy in about["finished"].items()}
            environment = about["environment"]
            threads = min(int(environment["threads"]), usable_cores())  # there may be fewer here
            where = {"threads": max(1, threads), "device": str(environment["device"])}
            return cls(Recipe.from_dict(about["recipe"]), finished, environment | where, int(about["data"]))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RunError(f"The checkpoint does not tell of its run: {type(error).__name__}, {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """The same run with other settings for the steps to come.

        Raises:
            RecipeError: a change that would make it another network, or other data.
        """
        recipe = self.recipe.override(changes)
        for place in changes:
            if not f"{place}.".startswith(tuple(f"{name}." for name in (*_CHANGEABLE, _MOVABLE))):
                raise RecipeError(f"{place} cannot be changed in a run that is resumed; start a new one instead.")
        if recipe.optimizer.get("name") != self.recipe.optimizer.get("name"):
            raise RecipeError("optimizer.name cannot be changed in a run that is resumed; start a new one instead.")
        return replace(self, recipe=recipe)

    def differences(self, environment: Mapping[str, Any]) -> Iterator[str]:
        """A sentence for everything that has changed and may change the last bit of a number."""
        for name, value in environment.items():
            if name == "threads" and environment["device"] == "cpu":
                continue  # our own kernels sum in one order on any number of threads
            if self.environment.get(name) != value:
                before = self.environment.get(name)
                yield f"{name} was {before} and is {value} now, so the numbers may differ in their last digits."

    def check_data(self, experiment: Experiment) -> None:
        """Refuse to go on with other data.

        Raises:
            RunError: the training data has another checksum.
        """
        if _checksum(experiment) != self.data:
            raise RunError(f"{experiment.dataset} holds other data than the run was trained on until now.")


def _checksum(experiment: Experiment) -> int:
    dataset = experiment.trainer.train.dataset
    return zlib.crc32(np.ascontiguousarray(dataset.labels).data, zlib.crc32(np.ascontiguousarray(dataset.inputs).data))

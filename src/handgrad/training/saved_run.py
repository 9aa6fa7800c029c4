"""A run that was trained before, opened to be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from handgrad import losses
from handgrad.data.datasets import Dataset
from handgrad.data.preprocessing import Preprocessing
from handgrad.errors import HandgradError, RunError
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.ops import Shape, for_device
from handgrad.training.construct import construct
from handgrad.training.evaluation import outputs_as_probabilities
from handgrad.training.experiment import build_model
from handgrad.training.history import History
from handgrad.training.recipe import Recipe
from handgrad.training.run import RunDirectory


@dataclass(frozen=True)
class SavedRun:
    """A run, opened for evaluation and prediction with what it learned in the end, or until a checkpoint.

    Args:
        directory: where it lies.
        recipe: with every value that it is trained with.
        preprocessing: from raw inputs to what the model sees.
        raw_shape: of one raw input, such as (28, 28).
        input_shape: of one example, as the model sees it.
        model: the network.
        loss: what it is trained on.
        classes: number of classes, or None where the targets are numbers.
        class_names: of the classes, or None where numbers are their names.
        feature_names: of a table's columns, or None where there are none.
    """

    directory: RunDirectory
    recipe: Recipe
    preprocessing: Preprocessing
    raw_shape: Shape
    input_shape: Shape
    model: Layer
    loss: Loss
    classes: int | None
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None

    @classmethod
    def open(cls, path: Path, *, device: str = "cpu", weights: Mapping[str, Any] | None = None) -> Self:
        """Read a run directory and rebuild its model.

        Args:
            path: the directory.
            device: where the model lives, as `handgrad.ops.for_device` takes it.
            weights: a checkpoint's, in place of those that a finished run has saved.

        Raises:
            RunError: it is not a run directory, or a file in it is damaged.
        """
        directory = RunDirectory(path)
        values = directory.read_json("run.json")
        if weights is None and isinstance(values, dict) and values.get("saved") is False:
            raise RunError(f"{path} is not finished; go on with `handgrad train --resume {path}`.")
        ops = for_device(device)
        try:
            recipe = Recipe.from_dict(values["recipe"])
            shape = tuple(values["input_shape"])
            model = build_model(recipe.model, shape, values["outputs"])
            weights = _read_weights(path / "model.safetensors") if weights is None else weights
            _check_weights(model, weights)  # before memory is taken for a model that the file does not hold
            model.initialize(np.random.default_rng(0), ops=ops)
            model.parameters.load_state_dict(weights)
            preprocessing = Preprocessing.from_dict(values["preprocessing"])
            loss = construct(losses.NAMED, recipe.loss, "loss")
            raw_shape = tuple(values["raw_shape"])
            if preprocessing.output_shape(raw_shape) != shape:
                raise RunError(f"raw_shape {raw_shape} does not become input_shape {shape} by the preprocessing")
            names = [tuple(found) if (found := values.get(f"{kind}_names")) else None for kind in ("class", "feature")]
            return cls(directory, recipe, preprocessing, raw_shape, shape, model, loss, values["classes"], *names)
        except (KeyError, TypeError, AttributeError, HandgradError) as error:
            raise RunError(f"{path} is not a complete run: {str(error).rstrip('.')}.") from error

    def class_name(self, number: int) -> str:
        """What to call a class."""
        return str(number) if self.class_names is None else self.class_names[number]

    def history(self) -> History:
        """Every step and epoch of the run.

        Raises:
            RunError: history.json is missing or damaged.
        """
        values = self.directory.read_json("history.json")
        try:
            return History.from_dict(values)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            path = self.directory.path / "history.json"
            raise RunError(f"{path} is not the history of a run: {type(error).__name__}, {error}.") from error

    def fitted(self, dataset: Dataset) -> Dataset:
        """The data with the classes numbered as the run numbers them, by their names.

        Raises:
            RunError: the network cannot be scored on it: the data have another shape or other columns, or classes that
                the network has never seen.
            DataError: a class has a name that is unknown to the run.
        """
        shape, columns = dataset.inputs.shape[1:], dataset.feature_names
        if columns != self.feature_names:
            raise RunError(
                f"{dataset.name} has the columns {_listed(columns)}, but the run was trained on "
                f"{_listed(self.feature_names)}; train a run on that data first."
            )
        same_kind = (dataset.classes is None) == (self.classes is None)
        if shape != self.raw_shape or not same_kind or (dataset.classes or 0) > (self.classes or 0):
            raise RunError(
                f"{dataset.name} has inputs {shape} and {dataset.classes} classes, but the run was trained on "
                f"{self.raw_shape} and {self.classes}; train a run on that data first."
            )
        return dataset.with_classes(self.class_names) if self.class_names else dataset

    def probabilities(self, inputs: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Outputs for raw inputs, (N, …) → (N, C): probabilities for a classifier, else the outputs themselves."""
        return outputs_as_probabilities(self.model, self.loss, self.preprocessing(inputs))


def _listed(names: tuple[str, ...] | None) -> str:
    return ", ".join(names) if names else "without names"


def _check_weights(model: Layer, weights: Mapping[str, "np.ndarray[Any, Any]"]) -> None:
    """Refuse weights of another network, and such as nothing can be computed with."""
    expected = {name: tuple(slot.spec.shape) for name, slot in model.slots().items()}
    found = {name: tuple(array.shape) for name, array in weights.items()}
    if found != expected:
        name = next(name for name in [*expected, *found] if expected.get(name) != found.get(name))
        raise RunError(f"{name} has the shape {found.get(name)}, expected {expected.get(name)}.")
    for name, array in weights.items():
        if not np.all(np.isfinite(array)):
            raise RunError(f"{name} holds NaN or infinity: training diverged, or the file is damaged.")


def _read_weights(path: Path) -> dict[str, "np.ndarray[Any, Any]"]:
    import safetensors
    import safetensors.numpy

    try:
        return safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise RunError(f"{path} cannot be read ({error})") from error

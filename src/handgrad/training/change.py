"""Other settings for a training that runs: learning rate, momentum, dropout, batch size."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from handgrad.errors import RecipeError
from handgrad.training.assembly import Loaders, build_trainer
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.experiment import Experiment, build_model, random_streams
from handgrad.training.recipe import Recipe
from handgrad.training.trainer import Trainer

#: New values by name: learning_rate, momentum, dropout, batch_size.
Settings: TypeAlias = Mapping[str, float]

#: What each optimizer calls its momentum.
_MOMENTUM = {"sgd": "momentum", "adam": "beta1", "adamw": "beta1"}


def changes(recipe: Recipe, settings: Settings) -> dict[str, Any]:
    """The places of a recipe that settings stand in, with their new values, as `Recipe.override` takes them.

    The momentum of Adam is its β₁. Dropout is that of the hidden layers, and of every Dropout among the features.

    Args:
        recipe: of the training.
        settings: new values by name: learning_rate, momentum, dropout, batch_size.

    Raises:
        RecipeError: the recipe has no place for a setting.

    >>> changes(Recipe.load("fast"), {"learning_rate": 0.01, "momentum": 0.8})
    {'optimizer.learning_rate': 0.01, 'optimizer.beta1': 0.8}
    """
    places: dict[str, Any] = {}
    for name, value in settings.items():
        if name == "learning_rate":
            places["optimizer.learning_rate"] = value
        elif name == "momentum":
            places[f"optimizer.{_momentum(recipe)}"] = value
        elif name == "dropout":
            places |= _dropout(recipe, value)
        elif name == "batch_size":
            places["train.batch_size"] = value
        else:
            known = "learning_rate, momentum, dropout and batch_size"
            raise RecipeError(f"{name} cannot be changed while a network trains, expected one of {known}.")
    return places


def _momentum(recipe: Recipe) -> str:
    optimizer = recipe.optimizer.get("name", "")
    if optimizer not in _MOMENTUM:
        raise RecipeError(f"{optimizer} has no momentum; train with one of {', '.join(_MOMENTUM)}.")
    return _MOMENTUM[optimizer]


def _dropout(recipe: Recipe, p: float) -> dict[str, Any]:
    places: dict[str, Any] = {}
    if any(table.get("name") == "Dropout" for table in recipe.model.features):
        features = [{**table, "p": p} if table.get("name") == "Dropout" else table for table in recipe.model.features]
        places["model.features"] = features
    if recipe.model.hidden:
        places["model.dropout"] = p
    if not places:
        raise RecipeError("This network has no hidden layer, so there is nothing to drop.")
    return places


def changed(experiment: Experiment, recipe: Recipe) -> Experiment:
    """The same training at the same moment, whose next steps are taken with other settings.

    Weights, what the optimizer remembers, random numbers and history stay. It is what a run would be that was stopped
    here and resumed with the changed recipe. Dropout layers may come or go, as they have no parameters; what another
    optimizer remembers besides begins with zeros. A schedule goes on as if all steps had been as long as those to come.

    Args:
        experiment: between two steps, or for another batch size between two epochs; it is left as it is.
        recipe: the experiment's own, but for what `changes` names.

    Raises:
        RecipeError: a value that a layer or the optimizer refuses, or another batch size inside an epoch.

    >>> experiment = Experiment.prepare(Recipe.load("points"))
    >>> _ = list(experiment.trainer.run(2))
    >>> slower = changed(experiment, experiment.recipe.override({"optimizer.learning_rate": 0.01}))
    >>> slower.trainer.optimizer.learning_rate, slower.trainer.state.step
    (0.01, 2)
    """
    before, streams = experiment.trainer, random_streams(recipe.train.seed)
    outputs = experiment.model.output_shape(experiment.input_shape)[0]
    ops = experiment.model.parameters.ops
    model = build_model(recipe.model, experiment.input_shape, outputs).initialize(streams["init"], ops=ops)
    train = Loaders(recipe, experiment.preprocessing, streams["shuffle"]).train(before.train.dataset)
    if train.batch_size != before.train.batch_size and before.position is not None and before.position.batch > 0:
        raise RecipeError(f"train.batch_size cannot become {train.batch_size} inside an epoch; wait for its end.")
    trainer = build_trainer(
        recipe, model, experiment.loss, train=train, monitors=before.monitors, rng=streams["dropout"]
    )
    _fitted(Checkpoint.of(before), before, trainer).restore(trainer)
    return replace(experiment, recipe=recipe, trainer=trainer)


def _fitted(moment: Checkpoint, before: Trainer, trainer: Trainer) -> Checkpoint:
    """A moment of one trainer as one of another, whose layers, optimizer or batches may differ."""
    old, new = before.model.parameters.views, trainer.model.parameters.views
    names = dict(zip(old, new, strict=True))  # dropout layers shift the numbers of those behind them
    arrays = dict(Checkpoint.of(trainer).arrays)
    for name, array in moment.arrays.items():
        prefix, slash, last = name.rpartition("/")
        place = f"{prefix}{slash}{names.get(last, last)}"
        if place in arrays or not prefix.startswith("optimizer"):  # a velocity is of no use without momentum
            arrays[place] = array
    values = dict(moment.values)
    if len(trainer.train) != len(before.train):
        values["schedule_offset"] = before.state.step - len(before.history.epochs) * len(trainer.train)
    if trainer.train.random_state.keys() != before.train.random_state.keys():  # there was one batch, in no random order
        values["random"] = {**values["random"], "train": trainer.train.random_state}
        values["position"] = {**values["position"], "randomness": trainer.train.random_state}
    return Checkpoint(arrays, values)

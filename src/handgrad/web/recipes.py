"""Recipes for the page: what may be put into one, and whether a changed one would work."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from handgrad import initializers, losses, optimizers, schedules
from handgrad.data.datasets import BUILT_IN, Splits
from handgrad.errors import HandgradError, RecipeError
from handgrad.layers import Dropout, Residual, Sequential
from handgrad.layers.activations import Activation
from handgrad.training.assembly import Loaders, build_preprocessing, build_schedule
from handgrad.training.construct import construct
from handgrad.training.experiment import LAYERS, build_model, check_fit
from handgrad.training.recipe import Recipe, recipe_names
from handgrad.web.description import layers_of
from handgrad.web.errors import NotFoundError

#: Parameters that a network of the page may have: Adam keeps three numbers besides each, and a checkpoint all of them.
MOST_PARAMETERS = 20_000_000
#: And layers.
MOST_LAYERS = 100
#: And passes over the data, of which a training keeps notes.
MOST_EPOCHS = 1_000_000

#: What follows from the data or the layer before, or is an object.
_INFERRED = ("self", "in_features", "in_channels", "num_features", "weight_init", "bias_init", "steps")


def load_recipe(name: str) -> Recipe:
    """A recipe of the package. A path is not one.

    Raises:
        NotFoundError: there is none of that name.
    """
    if name not in recipe_names():
        raise NotFoundError(f"There is no recipe {name[:60]!r}, expected one of {', '.join(recipe_names())}.")
    return Recipe.load(name)


def checked_recipe(name: str, changes: Mapping[str, Any]) -> Recipe:
    """A recipe with changes, on one of the built-in data sets.

    Raises:
        NotFoundError: there is no such recipe.
        RecipeError: there is no such place, a value is of the wrong kind, or the data lies elsewhere.
    """
    recipe = load_recipe(name)
    with _refusing():
        recipe = recipe.tailored(changes)
    if recipe.data.dataset not in BUILT_IN:
        raise RecipeError(f"data.dataset is {recipe.data.dataset!r}, expected one of {', '.join(BUILT_IN)}.")
    return recipe


def network(recipe: Recipe, splits: Splits) -> list[dict[str, Any]]:
    """The layers that a recipe describes, with the shapes that follow from the data; nothing is initialised.

    Args:
        recipe: to be looked at.
        splits: its data.

    Raises:
        RecipeError: the layers do not fit each other or the data, there are too many parameters, or another part of
            the recipe names something that does not exist.
    """
    data = splits.train
    with _refusing():
        if _count(recipe.model.features) + len(recipe.model.hidden) > MOST_LAYERS:
            raise RecipeError(f"The network has too many layers, expected at most {MOST_LAYERS} in the page.")
    if not 1 <= recipe.train.epochs <= MOST_EPOCHS:
        raise RecipeError(f"train.epochs is {recipe.train.epochs}, expected 1 to {MOST_EPOCHS:,} in the page.")
    if not 0 <= recipe.data.validation < len(data):
        raise RecipeError(f"data.validation is {recipe.data.validation}, expected 0 to {len(data) - 1:,}.")
    with _refusing():
        preprocessing = build_preprocessing(recipe.data, data[:1])  # a mean of one example is as good here
        shape = preprocessing.output_shape(data.inputs.shape[1:])
        model = build_model(recipe.model, shape, data.classes or data.labels.shape[1])
        check_fit(recipe, construct(losses.NAMED, recipe.loss, "loss"), model, data)
        Loaders(recipe, preprocessing, np.random.default_rng(0)).train(data[:1])
        construct(optimizers.NAMED, recipe.optimizer, "optimizer")
        build_schedule(recipe.schedule, 100, recipe.train.epochs)
        layers = layers_of(model, shape)
    count = sum(layer["parameters"] for layer in layers)
    if count > MOST_PARAMETERS:
        raise RecipeError(f"The network has {count:,} parameters, expected at most {MOST_PARAMETERS:,} in the page.")
    return layers


@contextmanager
def _refusing() -> Iterator[None]:
    """Within the block, whatever goes wrong with the values of a stranger's recipe is an error of the recipe."""
    try:
        yield
    except HandgradError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise RecipeError(f"A value of the recipe cannot be used: {type(error).__name__}, {error}.") from error


def _count(tables: Any) -> int:
    """Layers in a list of tables, those in branches included; what is no list of tables is refused when it is built."""
    if not isinstance(tables, list | tuple):
        return 0
    return sum(1 + _count(table.get("branch")) for table in tables if isinstance(table, Mapping))


def choices() -> dict[str, Any]:
    """Everything that a recipe may name, with its settings and their defaults."""
    layers = {name: kind for name, kind in LAYERS.items() if not issubclass(kind, Residual | Sequential)}
    return {
        "layers": _described(layers),
        "activations": [name for name, kind in layers.items() if issubclass(kind, Activation) and kind is not Dropout],
        "optimizers": _described(optimizers.NAMED),
        "schedules": _described(schedules.NAMED),
        "losses": _described(losses.NAMED),
        "initializers": list(initializers.NAMED),
        "datasets": list(BUILT_IN),
    }


def _described(kinds: Mapping[str, type[Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "settings": list(_settings(kind))} for name, kind in kinds.items()]


def _settings(kind: type[Any]) -> Iterable[dict[str, Any]]:
    """Name and default of every setting that a recipe can give; `required` where there is none."""
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in _INFERRED or parameter.kind is parameter.VAR_POSITIONAL:
            continue
        required = parameter.default is parameter.empty
        default = None if required else parameter.default
        if required or isinstance(default, bool | int | float | str | tuple | None):
            yield {"name": name, "default": default, "required": required}

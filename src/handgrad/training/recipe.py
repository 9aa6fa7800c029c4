"""Recipes: everything that makes a training run what it is, in one TOML file."""

import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Self, cast

from handgrad.data.augment import Augmentation
from handgrad.errors import ArgumentError, RecipeError
from handgrad.training.construct import did_you_mean


@dataclass(frozen=True)
class DataSection:
    """What is learned from.

    Args:
        dataset: what `handgrad.data.load` takes: "mnist", "xor", "points", the name of a published data set, a
            directory, or a file.
        target: the column of a table that is to be predicted; "" for the last.
        targets: whether a table's or an archive's targets are "classes" or "numbers"; "auto" looks at them.
        image_size: [height, width] to which a folder's pictures are brought; [] where all have one size.
        held_out: the part kept for testing, where the data have no test part.
        validation: training examples set aside to choose by; 0 for none.
        normalize: "none", "unit" (pixels to [0, 1]), "standard" (mean 0, standard deviation 1) or "featurewise" (the
            same for each column or channel).
        layout: "flat" rows or "image" (C, H, W).
        append_ones: add a column of ones, the bias of a first layer that has none.
        one_hot: targets as one-hot rows rather than integers.
    """

    dataset: str = "mnist"
    target: str = ""
    targets: str = "auto"
    image_size: tuple[int, ...] = ()
    held_out: float = 0.2
    validation: int = 0
    normalize: str = "unit"
    layout: str = "flat"
    append_ones: bool = False
    one_hot: bool = False


@dataclass(frozen=True)
class ModelSection:
    """What learns: feature layers, then hidden layers, then the output layer.

    Args:
        features: tables of layers in front; sizes that follow from the input may be left out.
        hidden: widths of the hidden linear layers.
        activation: the layer behind each hidden layer.
        dropout: probability of dropping each hidden unit; 0 for none.
        bias: whether hidden and output layers have biases.
        output_activation: a layer behind the output, such as "Sigmoid"; "" for none.
        init: the law of the first weights, by its name in `handgrad.initializers`.
    """

    features: tuple[Mapping[str, Any], ...] = ()
    hidden: tuple[int, ...] = ()
    activation: str = "ReLU"
    dropout: float = 0.0
    bias: bool = True
    output_activation: str = ""
    init: str = "he"


@dataclass(frozen=True)
class TrainSection:
    """How long, in what portions, and what is reported on the way.

    Args:
        epochs: passes over the training data.
        batch_size: examples a step; 0 for all of them.
        seed: from which every random number follows.
        clip_norm: longest gradient allowed; 0 does not clip.
        patience: epochs without a better validation score before stopping; 0 never stops.
        keep_best: end with the parameters of the best validation score.
        report_test: score the test data after every epoch, as some sources do, rather than once at the end.
        log_every: print the loss every so many steps; 0 does not.
    """

    epochs: int = 10
    batch_size: int = 64
    seed: int = 0
    clip_norm: float = 0.0
    patience: int = 0
    keep_best: bool = False
    report_test: bool = False
    log_every: int = 0


@dataclass(frozen=True)
class SelectSection:
    """A search for the width on validation data before the run itself.

    Args:
        widths: candidates for the hidden layer.
        epochs: passes that each candidate gets.
        validation: training examples set aside to compare them.
    """

    widths: tuple[int, ...] = ()
    epochs: int = 20
    validation: int = 5000


@dataclass(frozen=True)
class Recipe:
    """A whole training run, checked when it is made.

    The tables `loss`, `optimizer` and `schedule` hold a `name` and the settings of what it names; `augment` holds the
    distortions of training images, none by default; `search` the values that a sweep may try, see `training.search`.

    Raises:
        RecipeError: an unknown table or key, or a value of the wrong kind.

    >>> recipe = Recipe.load("mlp").override({"train.epochs": 3})
    >>> recipe.model.hidden, recipe.train.epochs
    ((128,), 3)
    """

    name: str
    summary: str = ""
    data: DataSection = DataSection()
    augment: Augmentation = field(default_factory=Augmentation)
    model: ModelSection = ModelSection()
    loss: Mapping[str, Any] = field(default_factory=lambda: {"name": "softmax_cross_entropy"})
    optimizer: Mapping[str, Any] = field(default_factory=lambda: {"name": "sgd", "learning_rate": 0.1})
    schedule: Mapping[str, Any] = field(default_factory=lambda: {"name": "constant"})
    train: TrainSection = TrainSection()
    select: SelectSection = SelectSection()
    search: Mapping[str, Any] = field(default_factory=dict)
    queries: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w-][\w.-]*", self.name):  # it becomes part of a path
            raise RecipeError(f"name is {self.name!r}, expected letters, digits, '.', '_' and '-'.")
        if self.train.seed < 0 or self.train.batch_size < 0:
            raise RecipeError("train.seed and train.batch_size are integers >= 0.")

    @classmethod
    def load(cls, name_or_path: str) -> Self:
        """A recipe of the package by its name, or one of your own by its path.

        Raises:
            RecipeError: there is no such recipe, or the file is not one.
        """
        path = Path(name_or_path)
        if name_or_path in recipe_names():
            text = (_package_folder() / f"{name_or_path}.toml").read_text(encoding="utf-8")
        elif path.suffix == ".toml" and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
        else:
            hint = did_you_mean(name_or_path, recipe_names())
            names = ", ".join(recipe_names())
            raise RecipeError(f"Recipe {name_or_path!r} not found, expected one of {names}, or a .toml file{hint}.")
        try:
            return cls.from_dict({"name": path.stem} | tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecipeError) as error:
            raise RecipeError(f"Recipe {name_or_path}: {error}") from error

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From nested tables, as TOML and JSON give them.

        Raises:
            RecipeError: an unknown table or key, or a value of the wrong kind.
        """
        return cast(Self, checked(cls, values, ""))

    def to_dict(self) -> dict[str, Any]:
        """Nested tables of plain values; the inverse of `from_dict`."""
        return asdict(self)

    def override(self, changes: Mapping[str, Any]) -> Self:
        """A copy with some values changed, each named by its place: `train.epochs`, `optimizer.learning_rate`.

        A whole table may be among them; it is taken before values inside of it.

        Raises:
            RecipeError: there is no such place, or the value is of the wrong kind.

        >>> Recipe.load("mlp").override({"optimizer.beta1": 0.8, "optimizer": {"name": "adam"}}).optimizer
        {'name': 'adam', 'beta1': 0.8}
        """
        tables = self.to_dict()
        for place, value in sorted(changes.items(), key=lambda change: change[0].count(".")):
            *parents, key = place.split(".")
            table: Any = tables
            for parent in parents:
                table = table.get(parent) if isinstance(table, dict) else None
            if not isinstance(table, dict) or (not parents and key not in table):
                raise RecipeError(f"{place!r} is not a value of a recipe{did_you_mean(place, _places(self))}.")
            table[key] = value
        return self.from_dict(tables)

    def tailored(self, changes: Mapping[str, Any]) -> Self:
        """What `override` gives, for a new run: who chooses a width does not want to have one searched.

        Raises:
            RecipeError: as `override`.

        >>> Recipe.load("mlp-select").tailored({"model.hidden": [20]}).select.widths
        ()
        """
        recipe = self.override(changes)
        return recipe.override({"select.widths": ()}) if "model.hidden" in changes else recipe

    def with_optimizer(self, name: str) -> Self:
        """A copy with another optimizer at its own default settings; the recipe's own optimizer keeps its settings."""
        return self if name == self.optimizer.get("name") else replace(self, optimizer={"name": name})


def recipe_names() -> tuple[str, ...]:
    """The package's recipes; the default first, then by name.

    >>> recipe_names()[0]
    'fast'
    """
    names = sorted(file.name.removesuffix(".toml") for file in _package_folder().iterdir() if ".toml" in file.name)
    return tuple(sorted(names, key=lambda name: name != "fast"))


def as_toml(value: object) -> str:
    """A value as TOML writes it, so that it can be copied behind `--set`.

    >>> as_toml({"name": "sgd", "nesterov": True}), as_toml((25, 25))
    ('{ name = "sgd", nesterov = true }', '[25, 25]')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + " }"
    return repr(value)


def _package_folder() -> Any:
    return resources.files("handgrad.training") / "recipes"


def _places(recipe: Recipe) -> list[str]:
    tables = recipe.to_dict()
    return [f"{table}.{key}" for table, values in tables.items() if isinstance(values, dict) for key in values]


def checked(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    """A dataclass or named tuple from a table, every value checked against its field's type.

    Args:
        kind: the class.
        values: by field.
        where: the table's place, for error messages.

    Raises:
        RecipeError: an unknown field, or a value of the wrong kind.
    """
    hints = typing.get_type_hints(kind)
    arguments = {}
    for key, value in values.items():
        place = f"{where}.{key}".lstrip(".")
        if key not in hints:
            raise RecipeError(f"{place} is unknown, expected one of {', '.join(hints)}{did_you_mean(key, hints)}.")
        arguments[key] = _value(hints[key], value, place)
    try:
        return kind(**arguments)
    except ArgumentError as error:
        raise RecipeError(f"{where}.{error}") from error


def _value(hint: Any, value: Any, place: str) -> Any:
    """The value as its type hint wants it, or a RecipeError."""
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        return checked(hint, _require(value, Mapping, "a table", place), place)
    origin = typing.get_origin(hint)
    if origin is tuple:
        items = _require(value, list | tuple, "a list", place)
        return tuple(_value(typing.get_args(hint)[0], item, f"{place}[{i}]") for i, item in enumerate(items))
    if origin is not None:
        inner, table = typing.get_args(hint)[1], dict(_require(value, Mapping, "a table", place))
        return table if inner is Any else {key: _value(inner, item, f"{place}.{key}") for key, item in table.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, bool):
        raise RecipeError(f"{place} is {value!r}, expected an integer.")
    words = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}
    return _require(value, hint, words[hint], place)


def _require(value: Any, kind: type | types.UnionType, words: str, place: str) -> Any:
    if not isinstance(value, kind):
        raise RecipeError(f"{place} is {value!r}, expected {words}.")
    return value

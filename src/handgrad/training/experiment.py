"""From a recipe to everything that a run needs, ready to train."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from handgrad import initializers, layers, losses
from handgrad.data.datasets import Dataset, Progress, Splits, split
from handgrad.data.loader import Loader
from handgrad.data.preprocessing import Preprocessing
from handgrad.errors import RecipeError
from handgrad.layers import Layer, LogSoftmax, Sequential, Softmax
from handgrad.losses import ClassificationLoss, Loss, SoftmaxCrossEntropy
from handgrad.ops import Shape, for_device
from handgrad.training.assembly import Loaders, build_preprocessing, build_trainer, load_data
from handgrad.training.construct import construct
from handgrad.training.history import Epoch, Step
from handgrad.training.recipe import ModelSection, Recipe
from handgrad.training.trainer import Trainer

#: Every layer that a recipe may name.
LAYERS: dict[str, type[Layer]] = {
    name: kind
    for name in layers.__all__
    if isinstance(kind := getattr(layers, name), type) and issubclass(kind, Layer) and not inspect.isabstract(kind)
}

#: One stream of random numbers for each purpose, so that a change to one leaves the others as they were.
_STREAMS = ("split", "init", "shuffle", "dropout")


def random_streams(seed: int) -> dict[str, np.random.Generator]:
    """Independent generators from one seed, by purpose: split, init, shuffle, dropout.

    >>> sorted(random_streams(0))
    ['dropout', 'init', 'shuffle', 'split']
    """
    return {name: np.random.default_rng([seed, index]) for index, name in enumerate(_STREAMS)}


@dataclass(frozen=True)
class Experiment:
    """A recipe with its data loaded and its model built.

    Args:
        recipe: what it was made from.
        dataset: the name of the data.
        preprocessing: from raw inputs to what the model sees.
        input_shape: of one example, as the model sees it.
        classes: number of classes, or None where the targets are numbers.
        loss: what is minimised.
        trainer: ready to run; it holds the model.
        test: the test data, to be scored once.
    """

    recipe: Recipe
    dataset: str
    preprocessing: Preprocessing
    input_shape: Shape
    classes: int | None
    loss: Loss
    trainer: Trainer
    test: Loader

    @property
    def model(self) -> Layer:
        """The network that the trainer trains."""
        return self.trainer.model

    def ends_with(self, event: Step | Epoch) -> bool:
        """Whether an event of its trainer is the last one."""
        return isinstance(event, Epoch) and (event.number == self.recipe.train.epochs or bool(self.trainer.stopped_by))

    @classmethod
    def prepare(cls, recipe: Recipe, *, splits: Splits | None = None, device: str = "cpu") -> Self:
        """Load the data, measure the preprocessing on the training part, build the model, and draw its weights.

        Args:
            recipe: what to build.
            splits: the data; loaded by the recipe's `data.dataset` where left out.
            device: where the model lives, as `handgrad.ops.for_device` takes it.

        Raises:
            RecipeError: the recipe does not fit the data, or names something that does not exist.
            ArgumentError: so does a setting of the preprocessing, the batches or the trainer.
            DataError: the data cannot be read.
            DeviceError: the device is not there.

        >>> experiment = Experiment.prepare(Recipe.load("points"))
        >>> experiment.model
        Sequential(Linear(in_features=2, out_features=2, has_bias=True))
        """
        ops = for_device(device)
        if recipe.train.epochs < 1:
            raise RecipeError(f"train.epochs is {recipe.train.epochs}, expected an integer >= 1.")
        splits = splits or load_data(recipe.data)
        streams = random_streams(recipe.train.seed)
        train, validation = _set_aside(splits.train, recipe.data.validation, streams["split"])
        preprocessing = build_preprocessing(recipe.data, train)
        input_shape = preprocessing.output_shape(train.inputs.shape[1:])
        outputs = splits.train.classes or splits.train.labels.shape[1]
        model = build_model(recipe.model, input_shape, outputs).initialize(streams["init"], ops=ops)
        loss = construct(losses.NAMED, recipe.loss, "loss")
        check_fit(recipe, loss, model, splits.train)
        loaders = Loaders(recipe, preprocessing, streams["shuffle"])
        test = loaders.score(splits.test)
        monitors = {"validation": loaders.score(validation)} if validation else {}
        if recipe.train.report_test:
            monitors["test"] = test
        batches = loaders.train(train)
        trainer = build_trainer(recipe, model, loss, train=batches, monitors=monitors, rng=streams["dropout"])
        return cls(recipe, splits.train.name, preprocessing, input_shape, splits.train.classes, loss, trainer, test)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Of the classes, or None where numbers are their names."""
        return self.test.dataset.class_names

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Of a table's columns, or None where there are none."""
        return self.test.dataset.feature_names


@dataclass(frozen=True)
class Phase:
    """One stretch of training with its own model: a candidate of a search, or the run itself.

    Args:
        title: for people.
        experiment: what is trained.
        finished: the validation accuracy of every width that was tried before.
    """

    title: str
    experiment: Experiment
    finished: Mapping[int, float] = field(default_factory=dict)


def phases(
    recipe: Recipe,
    *,
    device: str = "cpu",
    finished: Mapping[int, float] | None = None,
    progress: Progress | None = None,
) -> Iterator[Phase]:
    """The run of a recipe, after its search for a width, if it has one.

    The caller trains each phase to its end before asking for the next: the width of the last phase is the one whose
    candidate scored best on validation data. Test data takes no part in the choice.

    Args:
        recipe: what to run.
        device: as `handgrad.ops.for_device` takes it.
        finished: the validation accuracy of widths that an earlier process has tried; they are not tried again.
        progress: as `handgrad.data.load` takes it.

    Raises:
        RecipeError: patience or keep_best without validation data after a search, or as `Experiment.prepare`.
        ArgumentError, DataError, DeviceError: as `Experiment.prepare`.

    >>> [phase.title for phase in phases(Recipe.load("points"))]
    ['points']
    """
    if recipe.select.widths and (recipe.train.patience or recipe.train.keep_best) and not recipe.data.validation:
        raise RecipeError("train.patience and train.keep_best need data.validation > 0 in the final run of a search.")
    splits = load_data(recipe.data, progress=progress)
    scores = dict(finished or {})
    for width in recipe.select.widths:
        if width in scores:
            continue
        changes = {"model.hidden": (width,), "train.epochs": recipe.select.epochs, "train.report_test": False}
        candidate = recipe.override(changes | {"data.validation": recipe.select.validation})
        experiment = Experiment.prepare(candidate, splits=splits, device=device)
        yield Phase(f"width {width}", experiment, dict(scores))
        scores[width] = experiment.trainer.history.epochs[-1].scores["validation"].merit
    if scores:
        best = max(scores, key=lambda width: scores[width])
        recipe = recipe.override({"model.hidden": (best,)})
    title = f"width {recipe.model.hidden[0]}, all data" if scores else recipe.name
    yield Phase(title, Experiment.prepare(recipe, splits=splits, device=device), scores)


def build_model(section: ModelSection, input_shape: Shape, outputs: int) -> Sequential:
    """The layers that a recipe's `model` describes, sizes filled in from the input, first to last.

    Args:
        section: the description.
        input_shape: of one example.
        outputs: number of classes, or of numbers to predict.

    Raises:
        RecipeError: an unknown layer or law, or layers that do not fit each other.

    >>> build_model(ModelSection(hidden=(3,)), (2,), 2)
    Sequential(Linear(in_features=2, out_features=3, has_bias=True), ReLU(),
               Linear(in_features=3, out_features=2, has_bias=True))
    """
    if section.init not in initializers.NAMED:
        raise RecipeError(f"model.init is {section.init!r}, expected one of {', '.join(initializers.NAMED)}.")
    tables = [*section.features]
    for width in section.hidden:
        tables += [{"name": "Linear", "out_features": width, "bias": section.bias}, {"name": section.activation}]
        tables += [{"name": "Dropout", "p": section.dropout}] if section.dropout else []
    tables += [{"name": "Linear", "out_features": outputs, "bias": section.bias}]
    tables += [{"name": section.output_activation}] if section.output_activation else []
    model, shape = [], input_shape
    for index, table in enumerate(tables):
        layer = build_layer(table, shape, section.init, f"model layer {index}")
        try:
            shape = layer.output_shape(shape)
        except ValueError as error:
            raise RecipeError(f"Model layer {index}, {table['name']}: {error}") from error
        model.append(layer)
    return Sequential(*model)


def build_layer(table: Mapping[str, Any], shape: Shape, init: str, where: str) -> Layer:
    """One layer of a recipe, its input size taken from the shape that reaches it.

    Args:
        table: its name and settings; a residual layer's `branch` is a list of such tables.
        shape: of one example, as it comes from the layer before.
        init: the law of its first weights, by its name in `handgrad.initializers`.
        where: what messages call its place.

    Raises:
        RecipeError: an unknown name or setting, or a value that the layer refuses.

    >>> build_layer({"name": "Linear", "out_features": 3}, (2,), "he", "layers[0]")
    Linear(in_features=2, out_features=3, has_bias=True)
    """
    weight_init, bias_init = initializers.NAMED[init]
    width = shape[0] if len(shape) == 3 else shape[-1]  # channels of an image (C, H, W), else features
    table = dict(table)
    if "branch" in table:
        if not isinstance(table["branch"], list | tuple):
            raise RecipeError(f"{where}.branch is {table['branch']!r}, expected a list of layers.")
        inner, inner_shape = [], shape
        for index, entry in enumerate(table["branch"]):
            inner.append(build_layer(entry, inner_shape, init, f"{where}.branch[{index}]"))
            inner_shape = inner[-1].output_shape(inner_shape)
        table["branch"] = Sequential(*inner)
    return construct(
        LAYERS,
        table,
        where,
        in_features=width,
        in_channels=width,
        num_features=width,
        weight_init=weight_init,
        bias_init=bias_init,
    )


def check_fit(recipe: Recipe, loss: Loss, model: Sequential, dataset: Dataset) -> None:
    """Refuse what would train, and learn nonsense, or be found only after the training.

    Args:
        recipe: the description.
        loss: that it names.
        model: that it describes; it need not be initialised.
        dataset: the training data.

    Raises:
        RecipeError: the loss does not fit the targets or the last layer, or a question is no input.
    """
    _check_loss(recipe, loss, model, dataset)
    shape = dataset.inputs.shape[1:]
    for query in recipe.queries:
        if (len(query),) != shape:
            raise RecipeError(
                f"queries holds {list(query)}, but an input of {dataset.name} has the shape {shape}; "
                "leave them out with --set queries=[]."
            )


def _check_loss(recipe: Recipe, loss: Loss, model: Sequential, dataset: Dataset) -> None:
    """Refuse a loss that does not fit the targets or the last layer; it would train, and learn nonsense."""
    name, classes = recipe.loss["name"], dataset.classes
    if classes == 1:
        raise RecipeError(f"{dataset.name} has a single class, so there is nothing to tell apart.")
    if isinstance(loss, ClassificationLoss) and classes is None:
        raise RecipeError(f"loss.name is {name!r}, but {dataset.name} has numbers as targets; try mean_squared_error.")
    if not isinstance(loss, ClassificationLoss) and classes is not None and not recipe.data.one_hot:
        raise RecipeError(
            f"loss.name is {name!r}, but {dataset.name} has {classes} classes; try softmax_cross_entropy, "
            "or data.one_hot = true."
        )
    if isinstance(loss, SoftmaxCrossEntropy) and isinstance(model[len(model) - 1], Softmax | LogSoftmax):
        raise RecipeError(
            f"loss.name is {name!r}, which contains the softmax that the last layer has; softmax would be applied "
            "twice. Leave model.output_activation out."
        )


def _set_aside(train: Dataset, count: int, rng: np.random.Generator) -> tuple[Dataset, Dataset | None]:
    """Training and validation data; with a count of 0 there is no validation data."""
    return split(train, count, rng) if count else (train, None)

"""The models that the page offers: recipes as they start, and runs as they are; opened when first asked for."""

import math
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad import __version__, optimizers
from handgrad.data.datasets import Dataset, Splits
from handgrad.data.preprocessing import Preprocessing
from handgrad.errors import HandgradError, RunError
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.ops import Shape
from handgrad.optimizers import Optimizer
from handgrad.training.assembly import load_data, scoring_loader
from handgrad.training.construct import construct
from handgrad.training.evaluation import outputs_as_probabilities, predict
from handgrad.training.experiment import Experiment
from handgrad.training.recipe import DataSection, Recipe, recipe_names
from handgrad.web.cache import OnceCache
from handgrad.web.recipes import load_recipe
from handgrad.web.runs import RunFiles, RunFolder

#: Models, scores and descriptions of runs that are kept; the data sets apart, of which there are few.
MOST_MODELS, MOST_SCORED, MOST_RUNS = 8, 8, 200


@dataclass(frozen=True)
class Entry:
    """A model in the list.

    Args:
        id: "kind/name".
        title: for people.
        summary: what it is, in a line.
        kind: "recipes" or "runs".
        trained: whether it has learned anything.
        training: whether a process trains it now.
        accuracy: on test data, as far as it is known.
        raw_shape: of one raw input.
        classes: number of classes, or None where the targets are numbers.
        class_names: of the classes, or None where numbers are their names.
        feature_names: of a table's columns, or None where there are none.
        version: changes whenever the weights do.
    """

    id: str
    title: str
    summary: str
    kind: str
    trained: bool
    training: bool
    accuracy: float | None
    raw_shape: Shape
    classes: int | None
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    version: str

    def to_dict(self) -> dict[str, Any]:
        """As the contract has it."""
        return asdict(self) | {"raw_shape": list(self.raw_shape)}


@dataclass(frozen=True)
class OpenModel:
    """A model that can be computed with. It is shared by threads: nobody changes it; a copy is made by deepcopy.

    Args:
        entry: how it is listed.
        recipe: what it was made from.
        model: the network, float32.
        loss: what it is trained on.
        preprocessing: from raw inputs to what the model sees.
        input_shape: of one example, as the model sees it.
        datasets: where its test data comes from.
    """

    entry: Entry
    recipe: Recipe
    model: Layer
    loss: Loss
    preprocessing: Preprocessing
    input_shape: Shape
    datasets: "Datasets"

    @property
    def id(self) -> str:
        """Kind and name, as in "recipes/mlp"."""
        return self.entry.id

    @property
    def version(self) -> str:
        """Changes whenever the weights do."""
        return self.entry.version

    @property
    def raw_shape(self) -> Shape:
        """Of one raw input, such as (28, 28)."""
        return self.entry.raw_shape

    @property
    def classes(self) -> int | None:
        """Number of classes, or None where the targets are numbers."""
        return self.entry.classes

    @cached_property
    def optimizer(self) -> Optimizer:
        """What the recipe trains it with."""
        return construct(optimizers.NAMED, self.recipe.optimizer, "optimizer")

    @property
    def test(self) -> Dataset:
        """The test data of the recipe.

        Raises:
            DataError, ArgumentError: it cannot be read any more.
        """
        return self.datasets.get(self.recipe.data).test

    @property
    def image_size(self) -> int:
        """Side of the square grey images that it looks at.

        Raises:
            HandgradError: it looks at something else.
        """
        shape = self.raw_shape
        if not self.classes or len(shape) != 2 or shape[0] != shape[1]:
            raise HandgradError(f"{self.id} does not look at square grey images; choose a model that does.")
        return shape[0]

    def batch(self, rows: Sequence[Sequence[float]]) -> NDArray[Any]:
        """Raw inputs from rows of numbers, (N, …), in the kind of numbers that the data has: images are of bytes.

        Raises:
            HandgradError: a row has more or fewer numbers than an input.
        """
        size = math.prod(self.raw_shape)
        for place, row in enumerate(rows):
            if len(row) != size:
                raise HandgradError(f"Input {place} has {len(row)} numbers, expected {size}, as {self.id} takes.")
        batch = np.array(rows, np.float32).reshape(-1, *self.raw_shape)  # (N, D) → (N, …)
        return np.rint(np.clip(batch, 0, 255)).astype(np.uint8) if len(self.raw_shape) > 1 else batch

    def probabilities(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Outputs for raw inputs, (N, …) → (N, C): probabilities for a classifier, else the outputs themselves."""
        return outputs_as_probabilities(self.model, self.loss, self.preprocessing(inputs))


#: What a recipe's `data` says of the use of the examples, whatever files they are from.
_NOT_OF_THE_FILES: dict[str, Any] = {
    "validation": 0,
    "normalize": "none",
    "layout": "flat",
    "append_ones": False,
    "one_hot": False,
}


class Datasets:
    """Data sets by what recipes say of them, each loaded once."""

    def __init__(self) -> None:
        self._loaded = OnceCache[Splits](size=4)

    def get(self, section: DataSection) -> Splits:
        """The data that a recipe's `data` names.

        Raises:
            DataError, ArgumentError, RecipeError: it cannot be read.
        """
        return self._loaded.get(replace(section, **_NOT_OF_THE_FILES), lambda: load_data(section))


class Catalog:
    """All models by kind and name; may be used by several threads.

    Args:
        runs: the folder whose subdirectories are runs; it need not exist.
        extra: run directories from elsewhere, under their own names.
    """

    def __init__(self, runs: Path, extra: Iterable[Path] = ()) -> None:
        self.datasets = Datasets()
        self._folder = RunFolder(runs, tuple(extra))
        self._opened = OnceCache[OpenModel](MOST_MODELS)
        self._mistakes = OnceCache[NDArray[np.int64]](MOST_SCORED)
        self._entries = OnceCache[Entry](2 * MOST_RUNS)

    def index(self) -> list[Entry]:
        """Recipes, the default first, then runs, the newest first; runs that cannot be read are left out."""
        recipes = [self._recipe_entry(Recipe.load(name)) for name in recipe_names()]
        runs = []
        for path in self._folder.newest(MOST_RUNS):
            with suppress(HandgradError):
                runs.append(self._run_entry(RunFiles.find(path)))
        return [*recipes, *runs]

    def open(self, kind: str, name: str) -> OpenModel:
        """A model with its weights as they are now.

        Args:
            kind: "recipes" or "runs".
            name: the recipe's name, or that of the run's directory.

        Raises:
            NotFoundError: there is none of that name.
            HandgradError: it cannot be read, and why.
        """
        if kind == "recipes":
            return self._opened.get((kind, name), lambda: self._open_recipe(name))
        files = RunFiles.find(self._folder.path(name))
        return self._opened.get((kind, name), lambda: self._open_run(files), version=files.version)

    def entry(self, kind: str, name: str) -> Entry:
        """How a model is listed, without opening it.

        Raises:
            NotFoundError, HandgradError: as `open`.
        """
        if kind == "recipes":
            return self._recipe_entry(load_recipe(name))
        return self._run_entry(RunFiles.find(self._folder.path(name)))

    def mistakes(self, opened: OpenModel) -> NDArray[np.int64]:
        """The rows of the test data that a model classifies wrongly, the largest loss first.

        Scored once for each version of it; with a large network that takes seconds. A model of numbers makes none.

        Raises:
            DataError, ArgumentError: the test data cannot be read.
            ShapeError: it does not fit the model any more.
        """
        return self._mistakes.get(opened.id, lambda: _mistakes(opened), version=opened.version)

    def _recipe_entry(self, recipe: Recipe) -> Entry:
        data = self.datasets.get(recipe.data).train
        return Entry(
            id=f"recipes/{recipe.name}",
            title=recipe.name,
            summary=recipe.summary,
            kind="recipes",
            trained=False,
            training=False,
            accuracy=None,
            raw_shape=data.inputs.shape[1:],
            classes=data.classes,
            class_names=data.class_names,
            feature_names=data.feature_names,
            version=_fingerprint(recipe),  # from which its first weights follow
        )

    def _open_recipe(self, name: str) -> OpenModel:
        recipe = load_recipe(name)
        made = Experiment.prepare(recipe, splits=self.datasets.get(recipe.data))
        entry = self._recipe_entry(recipe)
        return OpenModel(entry, recipe, made.model, made.loss, made.preprocessing, made.input_shape, self.datasets)

    def _run_entry(self, files: RunFiles) -> Entry:
        kept = self._entries.get(files.path, lambda: _describe_run(files), version=(files.version, files.described))
        return replace(kept, training=files.is_being_trained())

    def _open_run(self, files: RunFiles) -> OpenModel:
        run = files.open()
        entry = self._run_entry(files)
        return OpenModel(entry, run.recipe, run.model, run.loss, run.preprocessing, run.input_shape, self.datasets)


def _mistakes(opened: OpenModel) -> NDArray[np.int64]:
    if opened.classes is None:
        return np.empty(0, np.int64)
    data = opened.test
    loader = scoring_loader(data, opened.preprocessing, one_hot=opened.recipe.data.one_hot)
    model = deepcopy(opened.model)  # compiling changes the weights for a moment, and others are using them
    outputs, ops = predict(model, loader), model.parameters.ops  # (N, C)
    wrong = np.flatnonzero(outputs.argmax(axis=1) != data.labels)
    losses = [opened.loss(outputs[[row]], loader.targets(np.array([row])), ops=ops) for row in wrong]
    return wrong[np.argsort(losses)[::-1]]


def _fingerprint(recipe: Recipe) -> str:
    return f"{__version__}-{zlib.crc32(repr(recipe).encode()):08x}"


def _names(values: list[Any] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(map(str, values))


def _describe_run(files: RunFiles) -> Entry:
    values = files.values
    try:
        recipe = Recipe.from_dict(values["recipe"])
        return Entry(
            id=f"runs/{files.path.name}",
            title=files.path.name,
            summary=recipe.summary,
            kind="runs",
            trained=True,
            training=False,
            accuracy=files.accuracy(),
            raw_shape=tuple(int(length) for length in values["raw_shape"]),
            classes=None if values["classes"] is None else int(values["classes"]),
            class_names=_names(values.get("class_names")),
            feature_names=_names(values.get("feature_names")),
            version=files.version,
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        reason = f"{type(error).__name__}, {error}".rstrip(".")
        raise RunError(f"{files.path} is not a complete run: {reason}.") from error

"""What a command is asked to look at: a recipe's network as it starts, or a run's as it was trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from handgrad.errors import RecipeError

if TYPE_CHECKING:
    from handgrad.data.datasets import Dataset
    from handgrad.data.loader import Batch
    from handgrad.data.preprocessing import Preprocessing
    from handgrad.layers import Layer
    from handgrad.losses import Loss
    from handgrad.training.recipe import Recipe


@dataclass(frozen=True)
class Subject:
    """A network with its loss and the data it learns from.

    Args:
        title: the recipe's name or the run's directory.
        recipe: with every value.
        model: initialised, or trained.
        loss: what it is trained on.
        train: the training data.
        preprocessing: from raw inputs to what the model sees.
    """

    title: str
    recipe: "Recipe"
    model: "Layer"
    loss: "Loss"
    train: "Dataset"
    preprocessing: "Preprocessing"

    @classmethod
    def open(cls, name: str) -> Self:
        """A run, if `name` is a directory; else a recipe's name or its file.

        Raises:
            RecipeError: it is neither.
            RunError: it is a directory without a complete run.
            DataError: its data cannot be read.
        """
        return cls._of_run(Path(name)) if Path(name).is_dir() else cls._of_recipe(name)

    @classmethod
    def _of_run(cls, path: Path) -> Self:
        from handgrad.data.datasets import load
        from handgrad.training.run import SavedRun

        run = SavedRun.open(path)
        train = load(run.recipe.data.dataset).train
        return cls(str(path), run.recipe, run.model, run.loss, train, run.preprocessing)

    @classmethod
    def _of_recipe(cls, name: str) -> Self:
        from handgrad.training.experiment import Experiment
        from handgrad.training.recipe import Recipe

        try:
            recipe = Recipe.load(name)
        except RecipeError as error:
            raise RecipeError(f"{error} A run's directory would do as well; {name} is none.") from error
        experiment = Experiment.prepare(recipe)
        train = experiment.trainer.train.dataset
        return cls(recipe.name, recipe, experiment.model, experiment.loss, train, experiment.preprocessing)

    def batch(self, size: int) -> "Batch":
        """The first training examples, as the model and the loss take them, in float64."""
        from handgrad.data.loader import Loader

        one_hot = self.recipe.data.one_hot
        return Loader(self.train, size, preprocessing=self.preprocessing, one_hot=one_hot, dtype="float64")[0]

"""What a command is asked to look at: a recipe's network as it starts, or a run's as it was trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self, TypeAlias

import typer

from handgrad.errors import RecipeError

if TYPE_CHECKING:
    from handgrad.data.loader import Batch
    from handgrad.layers import Layer
    from handgrad.training.experiment import Experiment
    from handgrad.training.recipe import Recipe
    from handgrad.training.saved_run import SavedRun

#: `[RECIPE|RUN]` on the command line.
SubjectName: TypeAlias = Annotated[
    str, typer.Argument(metavar="[RECIPE|RUN]", help="A recipe's name or .toml file, or a run's directory.")
]


@dataclass(frozen=True)
class Subject:
    """A recipe made ready to train and, if it has been trained, what came of it.

    Args:
        title: the recipe's name or the run's directory.
        experiment: the data, and the network with its first weights.
        run: the finished run, if it is one.
    """

    title: str
    experiment: "Experiment"
    run: "SavedRun | None" = None

    @classmethod
    def open(cls, name: str) -> Self:
        """A run, if `name` is a directory; else a recipe's name or its file.

        Raises:
            RecipeError: it is neither.
            RunError: it is a directory without a complete run.
            DataError: its data cannot be read.
        """
        from handgrad.training.experiment import Experiment
        from handgrad.training.recipe import Recipe
        from handgrad.training.saved_run import SavedRun

        if Path(name).is_dir():
            run = SavedRun.open(Path(name))
            return cls(name, Experiment.prepare(run.recipe), run)
        try:
            recipe = Recipe.load(name)
        except RecipeError as error:
            raise RecipeError(f"{error} A run's directory would do as well; {name} is none.") from error
        return cls(recipe.name, Experiment.prepare(recipe))

    @property
    def recipe(self) -> "Recipe":
        """With every value."""
        return self.experiment.recipe

    @property
    def model(self) -> "Layer":
        """The network as it was trained or, if it has not been, as it starts."""
        return self.run.model if self.run else self.experiment.model

    def batch(self, size: int) -> "Batch":
        """The first training examples, as the model and the loss take them, in float64."""
        from handgrad.data.loader import Loader

        train, preprocessing = self.experiment.trainer.train, (self.run or self.experiment).preprocessing
        return Loader(train.dataset, size, preprocessing=preprocessing, one_hot=train.one_hot, dtype="float64")[0]

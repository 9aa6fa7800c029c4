"""A run with everything that a report looks at: its network, its history, and its data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from handgrad.data.loader import Loader
from handgrad.errors import ArgumentError, DataError, RecipeError, RunError
from handgrad.training.assembly import scoring_loader
from handgrad.training.checkpoint_folder import read_latest
from handgrad.training.experiment import Experiment
from handgrad.training.history import History
from handgrad.training.run import RunDirectory
from handgrad.training.saved_run import SavedRun

#: What may be scored: test data, what was set aside to choose by, and what was learned from.
SPLITS = ("test", "validation", "train")


@dataclass(frozen=True)
class OpenRun:
    """A run, finished or not, with its data.

    Args:
        name: of its directory.
        saved: the network with what it learned.
        history: every step and epoch.
        experiment: the training as it began, with its data and first weights.
        environment: versions, machine and threads, as run.json tells them.
        result: what result.json tells; empty where there is none, as of a run that is not finished.
        step: of the checkpoint that the weights are from; None for a finished run.
    """

    name: str
    saved: SavedRun
    history: History
    experiment: Experiment
    environment: Mapping[str, Any]
    result: Mapping[str, Any]
    step: int | None

    @classmethod
    def open(cls, path: Path, *, data: str | None = None) -> Self:
        """Read a run directory and load its data; nothing in the directory is changed.

        Args:
            path: the directory.
            data: where the data lies now, if not where the recipe says.

        Raises:
            RunError: it is no run, has no weights yet, a file is damaged, or the data does not fit or is gone.
        """
        directory = RunDirectory(path)
        values = directory.read_json("run.json")
        result: Mapping[str, Any] = {}
        if isinstance(values, dict) and values.get("saved") is False:
            checkpoint = read_latest(directory.checkpoints)
            saved, step = SavedRun.open(path, weights=checkpoint.weights), checkpoint.step
            history = checkpoint.history()
        else:
            saved, step = SavedRun.open(path), None
            history, result = saved.history(), _table(directory, "result.json")
        environment = values.get("environment")
        known = environment if isinstance(environment, dict) else {}
        return cls(path.resolve().name, saved, history, _prepared(saved, data), known, result, step)

    def loader(self, split: str) -> Loader:
        """Batches of a part of the data, in order.

        Args:
            split: "test", "validation" or "train".

        Raises:
            ArgumentError: there is no such part, or none was set aside.
        """
        if split not in SPLITS:
            raise ArgumentError("split", split, f"one of {', '.join(SPLITS)}")
        trainer = self.experiment.trainer
        found = {"test": self.experiment.test, "train": trainer.train} | dict(trainer.monitors)
        if split not in found:
            expected = f"a part that {self.name} has: it set no examples aside (data.validation is 0)"
            raise ArgumentError("split", split, expected, "choose test or train")
        one_hot = self.saved.recipe.data.one_hot
        return scoring_loader(found[split].dataset, self.saved.preprocessing, one_hot=one_hot)


def _prepared(saved: SavedRun, data: str | None) -> Experiment:
    """The training as it began."""
    recipe = saved.recipe.override({"data.dataset": data}) if data else saved.recipe
    path = saved.directory.path
    try:
        experiment = Experiment.prepare(recipe)
        saved.fitted(experiment.test.dataset)
        return experiment
    except (DataError, ArgumentError, RecipeError) as error:
        raise RunError(
            f"The data of {path}, {recipe.data.dataset}, cannot be used: {error} Say with --data where it lies now."
        ) from error


def _table(directory: RunDirectory, name: str) -> Mapping[str, Any]:
    """A JSON file's table; empty where the file is missing, for the weights are what matters."""
    if not (directory.path / name).exists():
        return {}
    values = directory.read_json(name)
    if not isinstance(values, dict):
        raise RunError(f"{directory.path / name} holds no table; it is damaged.")
    return values

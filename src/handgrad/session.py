"""A training in a run directory, begun or gone on with: its phases, checkpoints, interruptions, what it leaves."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from handgrad.errors import HandgradError, RecipeError, RunError
from handgrad.files import remove_unfinished
from handgrad.observer import Interruption, Observer, Recorder
from handgrad.ops import limit_threads
from handgrad.training.change import Settings, changed, changes
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.checkpoint_folder import CheckpointFolder, files, latest
from handgrad.training.experiment import Experiment, Phase, phases
from handgrad.training.recipe import Recipe
from handgrad.training.resumption import Resumption
from handgrad.training.run import RunDirectory, environment, result_of
from handgrad.training.trainer import Trainer, TrainingError


@dataclass(frozen=True)
class Saving:
    """How often checkpoints are written, in minutes at most between two, and how many stay."""

    minutes: float
    keep: int


def begin(
    recipe: Recipe,
    out: Path | None,
    *,
    device: str,
    threads: int | None,
    saving: Saving,
    observer: Observer,
    recorder: Recorder | None = None,
) -> dict[str, Any]:
    """Train a recipe in a new directory; returns the result.

    Args:
        recipe: what to train.
        out: the directory; one below ./runs where left out.
        device: where to compute, as `handgrad.ops.for_device` takes it.
        threads: that compute; None for all cores.
        saving: when to write checkpoints.
        observer: who is told, and may steer.
        recorder: who keeps a record too.

    Raises:
        RecipeError, ArgumentError, DataError, DeviceError: as `phases`.
        RunError: the directory cannot be made or written to, or holds something already.
        TrainingError: a loss became NaN or infinite; what was learned before is saved.
    """
    with limit_threads(threads, device) as count:
        with observer.reading() as progress:
            remaining = phases(recipe, device=device, progress=progress)
            first = next(remaining)  # the data and the model, and their errors, before any directory is made
        run = RunDirectory.create(out) if out else RunDirectory.create_next(Path("runs"), recipe.name)
        with run.locked():
            session = Session(recipe, run, count, saving, observer, recorder)
            return session.train(itertools.chain([first], remaining))


def resume(
    path: Path,
    changes: Mapping[str, Any],
    *,
    device: str | None,
    threads: int | None,
    saving: Saving,
    observer: Observer,
    recorder: Recorder | None = None,
) -> dict[str, Any]:
    """Go on with a run from its latest checkpoint, on the device and threads of before unless told otherwise.

    Args:
        path: the run's directory.
        changes: to its recipe, by place, for the steps to come.
        device: where to compute; None for that of before.
        threads: that compute; None for as many as before.
        saving: when to write checkpoints.
        observer: who is told, and may steer.
        recorder: who keeps a record too.

    Raises:
        RunError: there is no checkpoint to go on from, its data has changed, or another process trains there.
        RecipeError: a change that would make it another network, other data, or shorter than it is already.
        DataError, DeviceError: as `phases`.
        TrainingError: a loss became NaN or infinite; what was learned before is saved.
    """
    run = RunDirectory(path)
    if not run.checkpoints.is_dir():
        raise RunError(f"{path} has no checkpoints, expected the directory of a run; look into ./runs.")
    with run.locked():
        remove_unfinished(path)
        checkpoint = latest(run.checkpoints, observer.warn)
        if checkpoint is None:
            raise RunError(f"{path} has no checkpoint to go on from; train anew, into another directory.")
        before = Resumption.read(checkpoint).changed(changes)
        device, threads = device or before.environment["device"], threads or before.environment["threads"]
        with limit_threads(threads, device) as count:
            for sentence in before.differences(environment(count, device)):
                observer.warn(sentence)
            session = Session(before.recipe, run, count, saving, observer, recorder, checkpoint)
            with observer.reading() as progress:
                remaining = phases(before.recipe, device=device, finished=before.finished, progress=progress)
                first = next(remaining)
            return session.train(itertools.chain([first], remaining))


@dataclass
class Session:
    """One process's part in a run.

    Args:
        recipe: what was asked for.
        run: its directory, locked.
        threads: that compute.
        saving: when to write checkpoints.
        observer: who is told, and may steer.
        recorder: who keeps a record too.
        checkpoint: to go on from, if it is not the beginning.
    """

    recipe: Recipe
    run: RunDirectory
    threads: int
    saving: Saving
    observer: Observer
    recorder: Recorder | None = None
    checkpoint: Checkpoint | None = None
    _complained: bool = False  # of the last checkpoint, which could not be written
    _saved_step: int | None = None  # of the last checkpoint

    def train(self, remaining: Iterable[Phase]) -> dict[str, Any]:
        """Every phase, then the files and pictures; returns the result."""
        with self.observer.interruptible() as interruption:
            for phase in remaining:
                experiment = self._train_phase(phase, interruption)
                if experiment.trainer.stopped_by == "request":
                    break
            with self.observer.keeping():
                result = self._keep(experiment)
                if self.recorder is not None:
                    self.recorder.finish(experiment, result, self.run.path)
        self.observer.finish(experiment, result, self._way_on)
        return result

    def _train_phase(self, phase: Phase, interruption: Interruption) -> Experiment:
        """Train a phase to its end; returns its experiment, which is another one where settings were changed."""
        searching = len(phase.finished) < len(self.recipe.select.widths)
        # Trainings of one run follow each other in the alphabetical order of their names.
        name = f"search-{len(phase.finished) + 1:04d}" if searching else "step"
        settings: Settings = {}
        while True:
            folder = self._folder(phase, name)
            self._begin_or_go_on(phase.experiment, folder)
            self.observer.compile(phase.experiment.trainer)
            recording = nullcontext() if self.recorder is None else self.recorder.phase(phase, self.run.path)
            with self._saving_if_cut_off(phase.experiment, folder), self.observer.phase(phase), recording:
                settings = self._train_until_changed(phase, folder, interruption, searching=searching)
            if not settings:
                return phase.experiment
            phase = self._changed(phase, settings, searching=searching)

    def _train_until_changed(
        self, phase: Phase, folder: CheckpointFolder, interruption: Interruption, *, searching: bool
    ) -> Settings:
        """Train to the phase's end, or until settings are to be changed, which are returned then."""
        trainer = phase.experiment.trainer
        save = partial(self._save_if_newer, folder, trainer)
        if settings := self.observer.steer(save):
            return settings
        for event in trainer.run_to(phase.experiment.recipe.train.epochs):
            self.observer.show(event)
            if self.recorder is not None:
                self.recorder.show(event)
            if trainer.is_stopping:  # the epoch was closed too early; the checkpoint has it open
                continue
            is_last = phase.experiment.ends_with(event)
            if not is_last and (settings := self.observer.steer(save)):
                return settings
            if interruption.requested or is_last:
                self._attempt(partial(folder.write, trainer), trainer, urgent=True)
            else:
                self._attempt(partial(folder.after, event, trainer), trainer)
            if interruption.requested and (searching or not is_last):  # else everything is done
                trainer.stop()
        return {}

    def _changed(self, phase: Phase, settings: Settings, *, searching: bool) -> Phase:
        """The phase with other settings, or as it is where they cannot be had."""
        try:
            if searching:
                raise RecipeError("Settings cannot be changed before the search for a width has ended.")
            places = changes(self.recipe, settings)
            experiment = changed(phase.experiment, phase.experiment.recipe.override(places))
            self.recipe = self.recipe.override(places)
            return replace(phase, experiment=experiment)
        except HandgradError as error:
            self.observer.warn(str(error))
            return phase

    def _folder(self, phase: Phase, name: str) -> CheckpointFolder:
        """The run's checkpoints, with what it has to know of itself to go on."""
        where = environment(self.threads, phase.experiment.model.parameters.ops.device)
        return CheckpointFolder(
            self.run.checkpoints,
            keep=self.saving.keep,
            minutes=self.saving.minutes,
            name=name,
            about=Resumption.of(self.recipe, phase, where).to_dict(),
        )

    def _begin_or_go_on(self, experiment: Experiment, folder: CheckpointFolder) -> None:
        trainer, epochs = experiment.trainer, experiment.recipe.train.epochs
        checkpoint, self.checkpoint = self.checkpoint, None
        if checkpoint is not None:
            Resumption.read(checkpoint).check_data(experiment)
            checkpoint.restore(trainer)
            self._saved_step = checkpoint.step
            begun = len(trainer.history.epochs) + (trainer.position is not None and trainer.position.batch > 0)
            if begun > epochs:
                raise RecipeError(f"train.epochs is {epochs}, expected at least {begun}: so many epochs were begun.")
        describe: Callable[[], Path | None] = partial(self.run.describe, experiment, self.threads, saved=False)
        writes = (describe, partial(folder.write, trainer))  # a checkpoint too, since the recipe may be another one now
        # run.json says that there is a run to go on with, so at a beginning a checkpoint has to be there before it.
        for write in writes if checkpoint is not None else writes[::-1]:
            self._attempt(write, trainer)

    def _save_if_newer(self, folder: CheckpointFolder, trainer: Trainer) -> None:
        """Write a checkpoint unless there is one of this step."""
        if self._saved_step != trainer.state.step:
            self._attempt(partial(folder.write, trainer), trainer, urgent=True)

    def _attempt(self, write: Callable[[], Path | None], trainer: Trainer, *, urgent: bool = False) -> None:
        """Write a checkpoint; where it cannot be written, those before are there still."""
        try:
            if (path := write()) is not None:
                self._complained, self._saved_step = False, trainer.state.step
                self.observer.saved(path, trainer.state.step)
        except (OSError, RunError, MemoryError) as error:
            if not self._complained or urgent:  # else once, not after every epoch
                reason = getattr(error, "strerror", None) or error or "not enough memory"
                last = "there is none yet" if self._saved_step is None else f"the last is of step {self._saved_step:,}"
                self.observer.warn(
                    f"no checkpoint could be written to {self.run.checkpoints} ({reason}). "
                    f"{'What was learned is still to be saved' if urgent else 'Training goes on'}; {last}."
                )
            self._complained = True

    @contextmanager
    def _saving_if_cut_off(self, experiment: Experiment, folder: CheckpointFolder) -> Iterator[None]:
        """Within the block, training that fails, or a second Ctrl-C, still leaves what was learned in the directory."""
        try:
            yield
        except TrainingError as error:
            raise TrainingError(f"{error} {self._rescue(experiment, folder)}") from error
        except KeyboardInterrupt:
            self.run.save(experiment, self.threads)
            self.observer.warn(f"stopped at once; the weights as they are now were saved. {self._way_on}")
            raise

    @property
    def _way_on(self) -> str:
        """How an interrupted run is gone on with."""
        if self._saved_step is None:
            return "There is no checkpoint to go on from."
        return f"To go on from step {self._saved_step:,}: python -m handgrad train --resume {self.run.path}"

    def _rescue(self, experiment: Experiment, folder: CheckpointFolder) -> str:
        """Save what was learned before a NaN, and say how to go on."""
        trainer, parameters = experiment.trainer, experiment.model.parameters
        try:
            checkpoint = latest(folder.path, self.observer.warn)
            if checkpoint is not None and not np.all(np.isfinite(parameters.ops.to_numpy(parameters.vector))):
                checkpoint.restore(trainer)  # the last step had ruined them already
            self.run.save(experiment, self.threads)
        except (OSError, RunError) as error:
            return f"It could not be saved: {error}"
        saved = f"What was learned until step {trainer.state.step:,} is in {self.run.path}."
        if checkpoint is None:
            return saved
        rate = trainer.optimizer.learning_rate / 10
        way_on = f"`handgrad train --resume {self.run.path} --lr {rate:g}`"
        if checkpoint.step == trainer.state.step and len(files(folder.path)) > 1:
            # The same numbers come again, whatever the rate: the damage was done before.
            way_on = f"remove {files(folder.path)[-1]}, then {way_on}"
        return f"{saved} The last checkpoint is of step {checkpoint.step:,}; to go on with a lower rate: {way_on}."

    def _keep(self, experiment: Experiment) -> dict[str, Any]:
        """Write everything that the run leaves behind, what was learned first; returns the result."""
        from handgrad.inspection.pictures import draw  # takes a while, so not before there is something to draw
        from handgrad.inspection.plots import save

        run = self.run
        try:
            run.save(experiment, self.threads)
        except RunError as error:
            if self._saved_step is None:
                raise
            hint = f"Make room, then `handgrad train --resume {run.path}` goes on from step {self._saved_step:,}."
            raise RunError(f"{error} {hint}") from error
        with np.errstate(over="ignore", invalid="ignore"):  # a network that diverged shows it in its scores
            result = result_of(experiment, self.threads, run.path)
            run.write_json("result.json", result)
            try:
                for name, figure in draw(experiment):
                    run.write(f"{name}.png", save(figure))
            except (OSError, RunError) as error:
                reason = str(error).rstrip(".")
                self.observer.warn(f"the pictures could not all be made ({reason}); what was learned is saved.")
        return result

"""TensorBoard: what a training does, for another program to show while it runs, and beside other runs.

handgrad train mlp --tensorboard
tensorboard --logdir runs
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from handgrad.inspection.pictures import draw_first_weights
from handgrad.inspection.plots import save
from handgrad.inspection.signals import signals
from handgrad.inspection.vitals import few_examples
from handgrad.interop.event_file import EventFile
from handgrad.interop.tensorboard_graph import graph_of
from handgrad.layers import ReLU
from handgrad.layers.summary import summary
from handgrad.training.experiment import Experiment, Phase
from handgrad.training.history import Epoch, Step

__all__ = ["EventFile", "TensorBoard"]

#: Points of a curve at most, which is as many as TensorBoard draws.
_POINTS = 1000
#: Epochs of which histograms and a picture of the first layer are written.
_LOOKS = 20
#: Seconds in which what was written can be seen.
_FLUSHED = 2.0
#: Of a result, what runs are compared by.
_SCORES = ("test_accuracy", "test_loss", "validation_accuracy", "train_seconds")
#: Of a run's pictures, those that are there already, as curves and as a row of pictures.
_WRITTEN = ("curves", "weights")


class TensorBoard:
    """A `Recorder` that writes event files into the folder `tensorboard` of a run's directory.

    Curves of steps (loss, learning rate, length of the gradient) and epochs (losses, accuracies); for some epochs
    histograms of weights and gradients, each layer's gradient and share of dead units, and a picture of the first
    layer; the graph; in the end the run's pictures, and its settings beside its scores. All curves are over steps.

    Args:
        warn: told once, in a sentence, when no more can be written; training goes on.

    >>> TensorBoard(warn=print).folder(Path("runs/mlp-1"), "width 100")
    PosixPath('runs/mlp-1/tensorboard/width-100')
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._events: EventFile | None = None
        self._failed = False

    def folder(self, run: Path, title: str = "") -> Path:
        """Where a run's events are, or those of one of its phases."""
        return run / "tensorboard" / re.sub(r"\W+", "-", title)

    @contextmanager
    def phase(self, phase: Phase, run: Path) -> Iterator[None]:
        """Within the block, a phase is recorded; where a run goes on, later records of before are void."""
        experiment = phase.experiment
        self._experiment, self._trainer = experiment, experiment.trainer
        self._batch = few_examples(self._trainer.train)
        self._losses, self._steps, self._flushed = 0.0, 0, time.monotonic()
        epochs, begun = experiment.recipe.train.epochs, self._trainer.state.step
        self._each_step = max(1, -(-epochs * len(self._trainer.train) // _POINTS))
        self._each_epoch, self._each_look = max(1, -(-epochs // _POINTS)), max(1, -(-epochs // _LOOKS))
        title = "" if phase.title == experiment.recipe.name else phase.title
        with self._opened(self.folder(run, title), begun or None):
            if self._events is not None and not begun:
                self._write_beginning(self._events)
            yield

    def show(self, event: Step | Epoch) -> None:
        """Write of a step or an epoch, unless there are so many that every other one will do."""
        if self._events is None:
            return
        with self._writing():
            if isinstance(event, Step):
                self._show_step(event, self._events)
            else:
                self._show_epoch(event, self._events)
            if time.monotonic() - self._flushed > _FLUSHED:
                self._events.flush()
                self._flushed = time.monotonic()

    def finish(self, experiment: Experiment, result: dict[str, Any], run: Path) -> None:
        """Write the run's pictures, and its settings beside its scores."""
        step = experiment.trainer.state.step
        scores = {f"result/{name}": float(result[name]) for name in _SCORES if result[name] is not None}
        with self._opened(self.folder(run)):
            if self._events is None:
                return
            with self._writing():
                self._events.settings(dict(_flat(experiment.recipe.to_dict())), scores, step)
                for path in sorted(run.glob("*.png")):
                    if path.stem not in _WRITTEN:
                        self._events.image(f"run/{path.stem}", path.read_bytes(), step)

    def _show_step(self, step: Step, events: EventFile) -> None:
        """A loss is the mean over the steps since the last one that was written."""
        self._losses += step.loss
        self._steps += 1
        if step.number % self._each_step:
            return
        events.scalar("step/loss", self._losses / self._steps, step.number)
        events.scalar("step/learning_rate", step.learning_rate, step.number)
        events.scalar("step/gradient_norm", step.gradient_norm, step.number)
        self._losses, self._steps = 0.0, 0

    def _show_epoch(self, epoch: Epoch, events: EventFile) -> None:
        step, is_last = self._trainer.state.step, self._experiment.ends_with(epoch)
        if epoch.number % self._each_epoch == 0 or is_last:
            events.scalar("loss/train", epoch.train_loss, step)
            for name, scores in epoch.scores.items():
                events.scalar(f"loss/{name}", scores.loss, step)
                if self._experiment.classes:
                    events.scalar(f"accuracy/{name}", scores.accuracy, step)
            events.scalar("epoch/seconds", epoch.seconds, step)
        if epoch.number % self._each_look == 0 or is_last:
            self._look(events, step)

    def _write_beginning(self, events: EventFile) -> None:
        """What is known before the first step."""
        experiment = self._experiment
        with self._writing():
            events.graph(graph_of(experiment.model, experiment.loss, experiment.input_shape))
            table = summary(experiment.model, experiment.input_shape)
            events.text("network", "\n".join(f"    {line}" for line in table.splitlines()), 0)
            self._look(events, 0)

    def _look(self, events: EventFile, step: int) -> None:
        """How weights and gradients are spread, and what the first layer looks for."""
        parameters = self._experiment.model.parameters
        for name, view in parameters.views.items():
            events.histogram(f"weight/{name}", parameters.ops.to_numpy(view), step)
        for signal in signals(self._experiment.model, self._experiment.loss, *self._batch):
            place = f"{signal.name}_{type(signal.layer).__name__}"  # as the graph calls it
            for name, gradient in signal.parameter_gradients.items():
                events.histogram(f"gradient/{name}", gradient, step)
            if signal.gradient_norm is not None:
                events.scalar(f"gradient_norm/{place}", signal.gradient_norm, step)
            if isinstance(signal.layer, ReLU):
                events.scalar(f"units_dead/{place}", float(signal.dead.mean()), step)
        if (figure := draw_first_weights(self._experiment)) is not None:
            events.image("first_layer", save(figure), step)

    @contextmanager
    def _opened(self, folder: Path, start: int | None = None) -> Iterator[None]:
        """Within the block there is a file to write to, unless that has failed."""
        if not self._failed:
            with self._writing():
                self._events = EventFile(folder, start)
        try:
            yield
        finally:
            with self._writing():
                if self._events is not None:
                    self._events.close()
            self._events = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Within the block, what cannot be written ends the record, not the training."""
        try:
            yield
        except OSError as error:
            events, self._events, self._failed = self._events, None, True
            if events is not None:
                with suppress(OSError):
                    events.close()
            self._warn(f"no more can be written for TensorBoard ({error.strerror}); training goes on.")


def _flat(table: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, bool | float | str]]:
    """Every value of nested tables by its dotted place; several values as text."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{place}{name}", ", ".join(map(str, value))
        elif value is not None:
            yield f"{place}{name}", value

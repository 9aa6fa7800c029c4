"""What a training in the page tells of itself: events as plain values, so many a second and no more."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from handgrad.data.datasets import Progress
from handgrad.inspection.vitals import VitalSigns
from handgrad.observer import Interruption
from handgrad.training.change import Settings
from handgrad.training.experiment import Experiment, Phase
from handgrad.training.history import Epoch, Step
from handgrad.training.trainer import Trainer
from handgrad.web.confusion import Confusion
from handgrad.web.description import beginning, epoch_values, settings_of
from handgrad.web.runs import weights_version
from handgrad.web.steering import Steering

#: Seconds between two events of a kind.
STEPS, EPOCHS, SIGNS, CONFUSION, COMPILING = 0.1, 0.1, 1.0, 1.0, 0.2
#: Between two of a step it is less at first, since a training may end within a second: this share of its time so far.
_SOONEST, _STEPS_SHARE = 0.01, 0.05
#: At most this share of the time goes into taking signs, and as much into counting mistakes.
_SHARE = 0.05
#: Of the result: one number an epoch, all of which were told when it ended.
_TOLD_BEFORE = ("epoch_seconds", "train_loss")


class PageObserver:
    """An `Observer` for the page.

    Args:
        tell: takes an event, {"event": its kind, …}.
        steering: what the page has asked for.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None], steering: Steering) -> None:
        self._tell = tell
        self._steering = steering
        self._titles: set[str] = set()  # of the phases that have begun
        self._event: Step | Epoch | None = None
        self._epoch_told = 0
        self._paused = False
        self._is_begun = False
        self._weights: dict[str, Any] | None = None  # the event of the latest
        self._losses, self._steps, self._since = 0.0, 0, 0.0  # since the last event of a step
        self._postponed: dict[str, float] = {}
        self._pace = 0.0
        self._told: dict[str, float] = {}  # when an event of that kind was told
        self._took: dict[str, float] = {}  # the seconds that making it took

    def reading(self) -> AbstractContextManager[Progress]:
        """The page trains on data of the package, which are read at once."""
        return nullcontext(lambda done, total: None)

    @contextmanager
    def interruptible(self) -> Iterator[Interruption]:
        """The page asks to stop by a command."""
        yield self._steering.interruption

    def compile(self, trainer: Trainer) -> None:
        """Tell how many kernels are ready, where there are any to wait for."""

        def report(done: int, total: int) -> None:
            if done < total and self._is_due("compiling", COMPILING):
                self._tell({"event": "compiling", "done": done, "total": total})

        trainer.prepare(report)

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Tell what begins, or which settings it goes on with."""
        self._phase, self._trainer, self._event = phase, phase.experiment.trainer, None
        self._signs, self._confusion = VitalSigns(phase.experiment), Confusion(phase.experiment)
        self._began = time.monotonic()
        self._begin_stretch()
        self._tell_pace()
        if phase.title in self._titles:
            self._tell({"event": "settings", **settings_of(phase.experiment, self._pace)})
        else:
            self._titles.add(phase.title)
            self._tell({"event": "started", **beginning(phase, self._pace)})
        self._is_begun = True
        if self._weights is not None:
            self._tell(self._weights)
        try:
            yield
        finally:
            self._is_begun, self._weights = False, None

    def show(self, event: Step | Epoch) -> None:
        """Tell of a step, an epoch, and the layers, each now and then."""
        self._event = event
        if isinstance(event, Step):
            self._step = event
            self._losses += event.loss
            self._steps += 1
            one_by_one = self._steering.single or 0 < self._pace <= 1 / STEPS
            if one_by_one or self._is_due("step", self._between_steps()):
                self._tell_step(event)
            if self._signs.expects_step:
                self._tell_signs(event.number)
            elif self._is_due("signals", SIGNS):
                self._signs.expect_step()
            return
        is_last = self._phase.experiment.ends_with(event)
        if is_last or self._is_due("epoch", EPOCHS):
            if self._steps:  # or the next event would be of a single step, after the pause for scoring
                self._tell_step(self._step)
            self._tell_epoch(event)
        if is_last or self._is_due("confusion", CONFUSION):
            self._tell_confusion(event)

    def steer(self, save: Callable[[], None]) -> Settings:
        """Wait while the page wants to look, and tell the session what is to change."""
        if isinstance(self._event, Step):
            self._steering.slow_down()
        pause = self._steering.is_pause(self._event)
        if pause and not self._paused:
            self._tell_what_was_left_out()
        # Settings first: in a pause the page shows what it will go on with.
        return self._new_settings() or self._wait(save, pause=pause)

    def _wait(self, save: Callable[[], None], *, pause: bool) -> Settings:
        """Wait, if asked to, until it is to go on or a setting is to change."""
        if pause:
            if not self._paused:
                save()
                self._tell_state(paused=True)
            while self._steering.wait(pace=self._pace):
                self._tell_pace()
        if self._paused and not self._steering.pauses:  # else only a setting has changed
            self._begin_stretch()
            if self._steering.single:
                self._signs.expect_step()
            self._tell_state(paused=False)
        return self._new_settings()

    def _new_settings(self) -> Settings:
        position = self._trainer.position
        settings = self._steering.take_settings(between_epochs=position is None or position.batch == 0)
        self._tell_postponed()
        self._tell_pace()
        return settings

    def _tell_what_was_left_out(self) -> None:
        if isinstance(self._event, Step) and self._steps:
            self._tell_step(self._event)
        if isinstance(self._event, Epoch):
            if self._epoch_told != self._event.number:
                self._tell_epoch(self._event)
            self._tell_confusion(self._event)

    def _tell_state(self, *, paused: bool) -> None:
        self._paused = paused
        state = "paused" if paused else "running"
        self._tell({"event": "state", "state": state, "step": self._trainer.state.step})

    def _tell_postponed(self) -> None:
        if self._postponed != self._steering.postponed:  # told once
            self._postponed = dict(self._steering.postponed)
            self._tell({"event": "postponed", "settings": self._postponed})

    def _tell_pace(self) -> None:
        if self._pace != self._steering.pace:
            self._pace = self._steering.pace
            self._tell({"event": "pace", "steps_per_second": self._pace})

    def _begin_stretch(self) -> None:
        """Forget what was counted: a new stretch of training without a pause begins."""
        self._losses, self._steps, self._since = 0.0, 0, time.monotonic()

    def _between_steps(self) -> float:
        """Seconds between two events of a step."""
        return min(STEPS, max(_SOONEST, _STEPS_SHARE * (time.monotonic() - self._began)))

    def _is_due(self, kind: str, seconds: float) -> bool:
        """Whether it is time for another event of that kind; if so it is noted as told."""
        now = time.monotonic()
        if now - self._told.get(kind, 0.0) < max(seconds, self._took.get(kind, 0.0) / _SHARE):
            return False
        self._told[kind] = now
        return True

    def _tell_step(self, step: Step) -> None:
        self._told["step"] = time.monotonic()
        seconds = time.monotonic() - self._since
        self._tell(
            {
                "event": "step",
                "number": step.number,
                "epoch": step.epoch,
                "batch": step.batch,
                "batches": step.batches,
                "loss": self._losses / self._steps,
                "learning_rate": step.learning_rate,
                "gradient_norm": step.gradient_norm,
                "examples_per_second": self._steps * self._trainer.train.batch_size / max(seconds, 1e-6),
            }
        )
        self._begin_stretch()

    def _tell_signs(self, number: int) -> None:
        with self._timed("signals"):
            layers = [asdict(signs) for signs in self._signs.take()]
        self._tell({"event": "signals", "step": number, "layers": layers})

    def _tell_epoch(self, epoch: Epoch) -> None:
        self._epoch_told = epoch.number
        self._tell({"event": "epoch", "step": self._trainer.state.step, **epoch_values(epoch)})

    def _tell_confusion(self, epoch: Epoch) -> None:
        if not self._confusion.is_possible:
            return
        with self._timed("confusion"):
            counted = self._confusion.count()
        self._tell({"event": "confusion", "epoch": epoch.number, **counted})

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._told[kind] = time.monotonic()
        self._took[kind] = self._told[kind] - started

    def saved(self, path: Path, step: int) -> None:
        """There are newer weights to look at."""
        self._weights = {"event": "weights", "version": weights_version(path.stat()), "step": step}
        if self._is_begun:  # else once it is known which network they belong to
            self._tell(self._weights)

    def warn(self, sentence: str) -> None:
        """Pass it on."""
        self._tell({"event": "warning", "message": sentence})

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Tell that there is something to wait for."""
        self._tell({"event": "saving"})
        yield

    def finish(self, experiment: Experiment, result: dict[str, Any], way_on: str) -> None:
        """Tell the result, and why it ended."""
        if self._steering.timed_out:
            self.warn("This training took as long as one in the page may, so it was stopped; it can be gone on with.")
        self._is_begun = True
        self.saved(Path(result["run_directory"]) / "model.safetensors", experiment.trainer.state.step)
        result = {name: value for name, value in result.items() if name not in _TOLD_BEFORE}
        self._tell({"event": "ended", "result": result, "stopped_by": experiment.trainer.stopped_by, "way_on": way_on})

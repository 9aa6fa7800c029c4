"""The training loop, as a generator: the caller decides what to print, draw or stop."""

import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.data.loader import Loader, RandomState
from handgrad.errors import ArgumentError, HandgradError, NonFiniteError
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.ops import Array, Ops
from handgrad.optimizers import Optimizer
from handgrad.schedules import ConstantSchedule, Schedule
from handgrad.training.batches import Batches, Examples
from handgrad.training.evaluation import evaluate
from handgrad.training.history import Epoch, History, Scores, Step
from handgrad.training.non_finite import origin_of_non_finite


class TrainingError(HandgradError):
    """Training cannot go on: the loss is no longer a finite number."""


@dataclass(slots=True)
class Position:
    """How far an epoch has come.

    Args:
        epoch: its number, from 1.
        randomness: of the loader, before it drew this epoch's order.
        batch: steps taken in the epoch.
        examples: seen in the epoch.
        loss: summed over those examples.
        norm: of the gradient, summed over the steps.
        learning_rate: of the last step.
        seconds: spent training.
    """

    epoch: int
    randomness: RandomState
    batch: int = 0
    examples: int = 0
    loss: float = 0.0
    norm: float = 0.0
    learning_rate: float = 0.0
    seconds: float = 0.0

    def add(self, examples: int, loss: float, norm: float, rate: float, seconds: float) -> None:
        """Count a step on so many examples, whose mean loss and gradient's norm are given."""
        self.batch += 1
        self.examples += examples
        self.loss += loss * examples
        self.norm += norm
        self.learning_rate = rate
        self.seconds += seconds


class Trainer:
    """Trains a model on batches; `run` yields a `Step` after each update and an `Epoch` after each pass.

    It prints nothing and saves nothing. The records are also kept in `history`. `stop()` ends the run cleanly after the
    current step, from a signal handler or another thread.

    Args:
        model: an initialised model.
        loss: what to minimise.
        optimizer: how.
        train: the training batches.
        monitors: loaders that are scored after each epoch, by name. "validation" steers `patience` and `keep_best`;
            any other, such as "test", is only reported.
        schedule: multiplies the optimizer's learning rate.
        clip_norm: longest gradient allowed, over all parameters; None does not clip.
        patience: stop after so many epochs without a better validation score; None never does.
        keep_best: when the run ends, go back to the parameters with the best validation score.
        rng: for dropout; needed only where a layer draws numbers.

    A validation score is better if its accuracy is higher, or equal with a lower loss; where the targets are amounts,
    if its loss is lower.

    Raises:
        ArgumentError: patience or keep_best without a "validation" monitor, or a setting out of range.

    >>> splits = handgrad.datasets.load("points")
    >>> model = handgrad.Linear(2, 2).initialize(np.random.default_rng(0))
    >>> preprocessing = handgrad.Preprocessing.for_dataset(splits.train, normalize="none")
    >>> loader = handgrad.Loader(splits.train, None, preprocessing=preprocessing)
    >>> trainer = Trainer(model, handgrad.SoftmaxCrossEntropy(), handgrad.SGD(0.1), train=loader)
    >>> losses = [event.loss for event in trainer.run(epochs=50) if isinstance(event, Step)]
    >>> losses[-1] < losses[0]
    True
    """

    def __init__(
        self,
        model: Layer,
        loss: Loss,
        optimizer: Optimizer,
        *,
        train: Loader,
        monitors: Mapping[str, Loader] | None = None,
        schedule: Schedule | None = None,
        clip_norm: float | None = None,
        patience: int | None = None,
        keep_best: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.train = train
        self.monitors = dict(monitors or {})
        self.schedule = schedule or ConstantSchedule()
        self.clip_norm = clip_norm
        self.patience = patience
        self.keep_best = keep_best
        self.rng = rng
        self.history = History()
        self.gradients = model.parameters.gradients()
        self.state = optimizer.start(model.parameters.vector, ops=model.parameters.ops)
        self.schedule_offset = 0
        self.best: tuple[Scores, dict[str, Any]] | None = None
        self.position: Position | None = None  # between epochs
        self.stopped_by = ""
        self._stop_requested = False
        self._check()
        parameters = model.parameters
        # A copy, renewed before every step; none where there are none, since XOR's steps took 2 % longer for it.
        self._averages = parameters.ops.affine(parameters.buffers, 1.0, 0.0) if parameters.buffers.shape[0] else None
        self._examples = Examples(train, parameters.dtype, weighted=True)
        state = (parameters.vector, parameters.buffers, self.gradients.vector, *self.state.slots.values())
        self._compiled_step = parameters.ops.compile(_weakly(self._step), (*state, *self._examples.state))

    def _check(self) -> None:
        if len(self.train) == 0:
            raise ArgumentError("train", self.train, "a loader with at least one example")
        for name, value in (("patience", self.patience), ("keep_best", self.keep_best)):
            if value and "validation" not in self.monitors:
                raise ArgumentError(name, value, 'a "validation" monitor beside it', "test data must not choose")
        if self.patience is not None and self.patience < 1:
            raise ArgumentError("patience", self.patience, "an integer >= 1, or None")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ArgumentError("clip_norm", self.clip_norm, "a number > 0, or None")

    def prepare(self, report: Callable[[int, int], None] | None = None) -> None:
        """Compile the step ahead of `run`, which otherwise does it at its first step.

        Args:
            report: called with the number of kernels that are ready, and of all.
        """
        prepare = getattr(self._compiled_step, "prepare", None)
        if prepare is not None:
            given, targets = self._examples.first()
            prepare((1.0, 1, targets, *given), report)

    @property
    def schedule_offset(self) -> int:
        """Steps that the schedule does not count, since a change of the batch size."""
        return self._schedule_offset

    @schedule_offset.setter
    def schedule_offset(self, steps: int) -> None:
        self._schedule_offset, schedule = steps, self.schedule
        # XOR's steps are so short that a subtraction counts, so most have none; nor does the function hold the trainer.
        self._factor = (lambda taken: schedule(taken - steps)) if steps else schedule

    def stop(self) -> None:
        """End the run after the current step; the unfinished epoch is scored and recorded as incomplete."""
        self._stop_requested = True

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called since the run began."""
        return self._stop_requested

    def run(self, epochs: int) -> Iterator[Step | Epoch]:
        """Train for a number of passes over the data, on from where the last run ended.

        Args:
            epochs: at least 1.

        Yields:
            a Step after each update, an Epoch after each pass.

        Raises:
            ArgumentError: there are no epochs to train.
            TrainingError: a loss is NaN or infinite; the parameters are those before that step.
        """
        if epochs < 1:
            raise ArgumentError("epochs", epochs, "an integer >= 1")
        self._stop_requested, self.stopped_by = False, ""
        yield from self.run_to(len(self.history.epochs) + epochs)

    def run_to(self, epochs: int) -> Iterator[Step | Epoch]:
        """Train until that many passes have been made in all, those before a restart included.

        Args:
            epochs: in all; if they have been made already, or the run was ended, nothing is trained.

        Yields:
            as `run`.
        """
        while len(self.history.epochs) < epochs and not self.stopped_by:
            yield from self._run_epoch()
            if self._stop_requested and not self.stopped_by:
                self.stopped_by = "request"
        if self.keep_best and self.best:
            self.model.parameters.load_state_dict(self.best[1])

    def _run_epoch(self) -> Iterator[Step | Epoch]:
        position, remaining = self._begin_or_go_on()
        batches, started = len(self.train), time.perf_counter()
        for given, targets in remaining:
            summed, norm, rate = self._update(given, targets)
            seconds, size = time.perf_counter() - started, len(targets)
            loss = self.loss.per_example(summed, size)
            position.add(size, loss, norm, rate, seconds)
            step = Step(self.state.step, position.epoch, position.batch, batches, loss, rate, norm)
            self.history.add(step)
            yield step
            if self._stop_requested:
                break
            started = time.perf_counter()
        yield self._end_epoch(position, complete=position.batch == batches)

    def _begin_or_go_on(self) -> tuple[Position, Batches]:
        """The place in the epoch to train from, its beginning or where it was left, and the batches from there."""
        if self.position is None:
            self.position = Position(len(self.history.epochs) + 1, self.train.random_state)
            return self.position, self._examples.batches()
        now = self.train.random_state
        self.train.random_state = self.position.randomness  # so that it draws this epoch's order again
        remaining = self._examples.batches(skip=self.position.batch)
        if self.position.batch:  # what has been drawn since then, if dropout draws from the same generator
            self.train.random_state = now
        return self.position, remaining

    def _end_epoch(self, position: Position, *, complete: bool) -> Epoch:
        """Score, and close the epoch's record."""
        scores = {name: evaluate(self.model, self.loss, loader) for name, loader in self.monitors.items()}
        if self._stop_requested:  # also one that came while scoring
            self.stopped_by = "request"
        epoch = Epoch(
            position.epoch,
            position.loss / position.examples,
            scores,
            position.learning_rate,
            position.norm / position.batch,
            position.seconds,
            self._note_best(scores.get("validation")),
            complete,
        )
        self.history.epochs.append(epoch)
        self.position = None
        if self.is_out_of_patience and not self.stopped_by:
            self.stopped_by = "patience"
        return epoch

    def _update(self, given: Sequence[Array], targets: Array) -> tuple[float, float, float]:
        """One step on a batch: the loss, the gradient's norm, the learning rate."""
        taken = self.state.step
        step, rate = taken + 1, float(self.optimizer.learning_rate * self._factor(taken))
        if self._averages is not None:
            self._averages[...] = self.model.parameters.buffers
        try:
            loss, norm = self._compiled_step(rate, step, targets, *given)
        except NonFiniteError as error:
            if self._averages is not None:  # forward had moved them already
                self.model.parameters.buffers[...] = self._averages
            where = self._origin(given, targets, rate)
            raise TrainingError(
                f"The {error.what} became {error.value} at step {step}. {where} The parameters are those before it."
            ) from error
        self.state.step = step
        return float(loss), float(norm), rate

    def _origin(self, given: Sequence[Array], targets: Array, rate: float) -> str:
        """Where in the step it began, and why."""
        inputs = self._examples.inputs(*self._examples.split(given)[0], ops=self.model.parameters.ops)
        general = "Lower the learning rate, clip the gradient, or check that the inputs are scaled."
        return origin_of_non_finite(self.model, self.loss, inputs, targets, rate) or general

    def _step(self, rate: float, step: int, targets: Array, *given: Array, ops: Ops) -> tuple[Array, Array]:
        """Forward, loss, backward and update; the loss and the gradient's norm."""
        model, gradient = self.model, ops.asarray(self.gradients.vector)
        rng = None if self.rng is None else ops.randomness(self.rng)
        described, weight = self._examples.split(given)
        outputs, cache = model.forward(self._examples.inputs(*described, ops=ops), ops=ops, training=True, rng=rng)
        loss, loss_cache = self.loss.forward(outputs, ops.asarray(targets), ops=ops, sample_weight=weight)
        ops.require_finite("loss", loss)
        model.backward(self.loss.backward(loss_cache, ops=ops), cache, ops=ops, grads=self.gradients.tree)
        norm = ops.norm(gradient) if self.clip_norm is None else ops.clip(gradient, self.clip_norm)
        ops.require_finite("gradient's norm", norm)
        vector = ops.asarray(model.parameters.vector)
        slots = {name: ops.asarray(slot) for name, slot in self.state.slots.items()}
        self.optimizer.update(vector, gradient, slots, step, ops=ops, learning_rate=rate)
        return loss, norm

    def _note_best(self, scores: Scores | None) -> bool:
        """Whether these validation scores are the best so far; if asked to, keep the parameters that made them."""
        if scores is None:
            return False
        if self.best and _rank(scores) <= _rank(self.best[0]):
            return False
        self.best = (scores, self.model.parameters.state_dict() if self.keep_best else {})
        return True

    @property
    def is_out_of_patience(self) -> bool:
        """Whether the validation score has not become better for `patience` epochs."""
        if self.patience is None:
            return False
        last_best = max((epoch.number for epoch in self.history.epochs if epoch.is_best), default=0)
        return len(self.history.epochs) - last_best >= self.patience


def _weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, without holding on to its object.

    A trainer that owned a function that owns the trainer would be freed when Python looks for cycles, which is seldom:
    six convolutional networks trained one after the other held 700 MB.
    """
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any, **options: Any) -> Any:
        alive = reference()
        assert alive is not None  # whoever calls it has the trainer
        return alive(*arguments, **options)

    return call


def _rank(scores: Scores) -> tuple[float, float]:
    """Higher is better: accuracy first, then a lower loss."""
    return scores.merit, -scores.loss

"""What happened during training: one record a step, one record an epoch."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self


@dataclass(frozen=True)
class Scores:
    """How a model does on a set of examples.

    Args:
        loss: mean loss an example.
        accuracy: share of right answers, in [0, 1]; NaN where the targets are amounts, of which none is just right.
        count: number of examples.
    """

    loss: float
    accuracy: float
    count: int

    @property
    def merit(self) -> float:
        """What is to be as large as possible: the accuracy, or for amounts minus the loss.

        >>> Scores(0.5, 0.9, 10).merit, Scores(0.5, math.nan, 10).merit
        (0.9, -0.5)
        """
        return -self.loss if math.isnan(self.accuracy) else self.accuracy

    def _repr_html_(self) -> str:
        from handgrad.training.display import scores_html

        return scores_html(self)


class Step(NamedTuple):
    """One update of the parameters.

    Args:
        number: steps taken so far, this one included.
        epoch: the epoch it belongs to, from 1.
        batch: its place in the epoch, from 1.
        batches: steps in the epoch.
        loss: of the batch, before the update, as the mean over its examples.
        learning_rate: that the update used.
        gradient_norm: length of the whole gradient, before clipping.
    """

    number: int
    epoch: int
    batch: int
    batches: int
    loss: float
    learning_rate: float
    gradient_norm: float

    def _repr_html_(self) -> str:
        from handgrad.training.display import step_html

        return step_html(self)


class Epoch(NamedTuple):
    """One pass over the training data.

    Args:
        number: from 1.
        train_loss: mean of the steps' losses, weighted by batch size.
        scores: after the epoch, by name: "validation", "test".
        learning_rate: of its last step.
        gradient_norm: mean over its steps.
        seconds: spent training; scoring and the caller's own time are left out.
        is_best: whether the validation score was the best so far.
        complete: False if training was stopped inside the epoch.
    """

    number: int
    train_loss: float
    scores: Mapping[str, Scores]
    learning_rate: float
    gradient_norm: float
    seconds: float
    is_best: bool = False
    complete: bool = True

    def _repr_html_(self) -> str:
        from handgrad.training.display import epoch_html

        return epoch_html(self)


#: A run of millions of steps keeps every second, every fourth, … so that no more than so many are in memory.
MOST_STEPS = 100_000


@dataclass
class History:
    """Every epoch of a training run, and every step, or of very many an even selection.

    Args:
        steps: those whose number is a multiple of `every`.
        epochs: all of them.
        every: 1, and twice as much whenever there are more than `MOST_STEPS`.

    >>> history = History()
    >>> history.add(Step(1, 1, 1, 1, loss=2.5, learning_rate=0.1, gradient_norm=1.0))
    >>> History.from_dict(history.to_dict()).steps[0].loss
    2.5
    """

    steps: list[Step] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    every: int = 1

    def add(self, step: Step) -> None:
        """Note a step, or leave it out where there are so many that not all are kept."""
        if self.every > 1 and step.number % self.every:
            return
        self.steps.append(step)
        if len(self.steps) > MOST_STEPS:
            self.every *= 2
            self.steps = [step for step in self.steps if step.number % self.every == 0]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers for JSON; steps as columns, which is a third of the size of rows."""
        return {
            "steps": {name: [_short(getattr(step, name)) for step in self.steps] for name in Step._fields},
            "epochs": [
                {**epoch._asdict(), "scores": {name: asdict(scores) for name, scores in epoch.scores.items()}}
                for epoch in self.epochs
            ],
            "every": self.every,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; a loss that JSON could not hold is NaN.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: a part is missing, unknown, or of another kind or length.
        """
        columns = values["steps"]
        rows = zip(*columns.values(), strict=True)
        steps = [Step(**_numbers(dict(zip(columns, row, strict=True)))) for row in rows]
        epochs = [
            Epoch(**_numbers({**epoch, "scores": {name: Scores(**_numbers(s)) for name, s in epoch["scores"].items()}}))
            for epoch in values["epochs"]
        ]
        return cls(steps, epochs, int(values.get("every", 1)))

    def _repr_html_(self) -> str:
        from handgrad.training.display import history_html

        return history_html(self)


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with NaN for every null, which no field of a record may be."""
    return {name: math.nan if value is None else value for name, value in values.items()}


def _short(value: float) -> float:
    """A float to the seven digits that float32 carries."""
    return float(f"{value:.7g}") if isinstance(value, float) else value

"""How a report writes numbers and sentences."""

import math
from collections.abc import Sequence
from typing import Any

from handgrad.display import numbers
from handgrad.report.answers import Answers
from handgrad.report.measured import Measured

#: The parts of the data, as sentences have them.
EXAMPLES = {"test": "test examples", "validation": "validation examples", "train": "training examples"}


def count(value: int) -> str:
    """A whole number with its thousands set apart.

    >>> count(10000)
    '10,000'
    """
    return f"{value:,}"


def percent(share: float | None) -> str:
    r"""A share as a percentage with two decimals, which a line does not break.

    >>> percent(0.98765), percent(float("nan")), percent(None)
    ('98.77\xa0%', '—', '—')
    """
    return numbers.percent(share).replace(" ", "\N{NO-BREAK SPACE}")


def short(value: float) -> str:
    """A number to three digits.

    >>> short(-0.012345), short(123456.0), short(0.0), short(float("inf"))
    ('−0.0123', '1.23e+05', '0', 'not finite')
    """
    return f"{value:.3g}".replace("-", "−", 1 if value < 0 else 0) if math.isfinite(value) else "not finite"


def of_examples(answers: Answers) -> str:
    """What was scored, as in "10,000 test examples of mnist"."""
    return f"{count(len(answers.dataset))} {EXAMPLES[answers.split]} of {answers.dataset.name}"


def trained_for(measured: Measured) -> str:
    """How many epochs there were, of how many."""
    done = sum(epoch.complete for epoch in measured.run.history.epochs)
    return f"{count(done)} of {count(measured.run.saved.recipe.train.epochs)}"


def training_seconds(measured: Measured) -> float:
    """Spent training, scoring left out."""
    return math.fsum(epoch.seconds for epoch in measured.run.history.epochs)


def warnings(measured: Measured) -> list[str]:
    """What a reader must know of a run before anything else."""
    run, found = measured.run, []
    history = run.history
    if run.step is not None:
        found.append(
            f"{run.name} is not finished. What is shown is its latest checkpoint, after step {count(run.step)} "
            f"({trained_for(measured)} epochs)."
        )
    elif run.result.get("stopped_by") == "request":
        found.append(f"{run.name} was stopped by its user after {trained_for(measured)} epochs.")
    elif run.result.get("stopped_by") == "patience":
        found.append(
            f"{run.name} ended after {trained_for(measured)} epochs, for its scores had stopped getting better."
        )
    elif len(history.epochs) < run.saved.recipe.train.epochs:
        found.append(f"{run.name} ended early, after {trained_for(measured)} epochs.")
    broken = [epoch.number for epoch in history.epochs if not math.isfinite(epoch.train_loss)]
    broken += [step.epoch for step in history.steps if not math.isfinite(step.loss)]
    if broken:
        found.append(f"The loss of {run.name} became NaN or infinite in epoch {min(broken)}; curves have gaps there.")
    if not all(p.values.is_finite and p.gradient.is_finite for layer in measured.layers for p in layer.parameters):
        found.append(f"{run.name} has weights or gradients that are NaN or infinite; statistics leave them out.")
    return found


def recipe_tables(measured: Measured) -> dict[str, Any]:
    """The recipe's tables, without its summary, and without the ranges of a sweep, which change nothing of a run."""
    tables = measured.run.saved.recipe.to_dict()
    return {name: table for name, table in tables.items() if name not in ("summary", "search")}


def listed(names: Sequence[Any]) -> str:
    """Names as a sentence has them.

    >>> listed(["A"]), listed(["A", "B", "C"])
    ('A', 'A, B and C')
    """
    words = [str(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

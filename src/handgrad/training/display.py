"""Records of a training as a notebook shows them: its curves, its epochs, its scores."""

import math
from collections.abc import Sequence

from handgrad.display.chart import Points, line_chart
from handgrad.display.html import Html, evenly, folded, joined, muted, output, paragraph, table
from handgrad.display.numbers import counted, number, percent, score, seconds
from handgrad.training.history import Epoch, History, Scores, Step

#: Points of a line at most.
_POINTS = 200


def history_html(history: History) -> str:
    """The curves of loss and accuracy, and below them the epochs, folded.

    >>> "No epochs yet" in history_html(handgrad.History())
    True
    """
    epochs = history.epochs
    if not epochs:
        return output(
            paragraph("No epochs yet", f", {counted(len(history.steps), 'step')}" if history.steps else "", ".")
        )
    return output(paragraph(in_short(epochs)), curves(epochs), folded("Epochs", epochs_table(epochs)))


def in_short(epochs: Sequence[Epoch]) -> str:
    """How many epochs in which time, and how good the last and the best were."""
    last, spent = epochs[-1], sum(epoch.seconds for epoch in epochs)
    said = [f"{counted(len(epochs), 'epoch')} in {seconds(spent)}: loss {number(last.train_loss)}"]
    said += [f"{name} {score(scores.accuracy, scores.loss)}" for name, scores in last.scores.items()]
    best = _best(epochs)
    if best is not None and best is not last:
        chosen = best.scores["validation"]
        said.append(f"best {score(chosen.accuracy, chosen.loss)} in epoch {best.number:,}")
    return ", ".join(said) + ("" if last.complete else " (the last epoch was not finished)")


def curves(epochs: Sequence[Epoch]) -> Html:
    """Loss and accuracy by epoch, in training and by each monitor; nothing for a single epoch, which has no curve."""
    chosen = [epochs[place] for place in evenly(len(epochs), _POINTS)]
    names = list(dict.fromkeys(name for epoch in chosen for name in epoch.scores))
    if len(chosen) < 2:
        return Html("")
    losses: dict[str, Points] = {"train": [(epoch.number, epoch.train_loss) for epoch in chosen]}
    accuracies: dict[str, Points] = {"train": []}  # is not measured; keeps the monitors' colours the same in both
    for name in names:
        scored = [(epoch.number, epoch.scores[name]) for epoch in chosen if name in epoch.scores]
        losses[name] = [(place, scores.loss) for place, scores in scored]
        accuracies[name] = [(place, scores.accuracy) for place, scores in scored]
    charts = line_chart("loss", losses, across="epoch"), line_chart("accuracy", accuracies, across="epoch", unit="%")
    return joined(charts)


def epochs_table(epochs: Sequence[Epoch]) -> Html:
    """A row for each epoch; of very many, for evenly spaced ones and the best."""
    names, best = list(dict.fromkeys(name for epoch in epochs for name in epoch.scores)), _best(epochs)
    places = set(evenly(len(epochs)))
    figures = [figure for name in names for figure in ((name, "loss"), (name, "accuracy")) if _is_taken(figure, epochs)]
    rows = [_row(e, figures, is_best=e is best) for place, e in enumerate(epochs) if place in places or e is best]
    header = ["epoch", "train loss", *map(" ".join, figures), "learning rate", "time", ""]
    shown = table(header, rows, "r" * (4 + len(figures)))
    if len(rows) == len(epochs):
        return shown
    return joined([shown, paragraph(muted(f"{len(rows)} of {len(epochs):,} epochs."))])


def epoch_html(epoch: Epoch) -> str:
    """One epoch as a row."""
    return output(epochs_table([epoch]))


def step_html(step: Step) -> str:
    """One step as a row."""
    header = ["step", "epoch", "batch", "loss", "learning rate", "gradient's norm"]
    place = f"{step.batch:,} of {step.batches:,}"
    cells = [f"{step.number:,}", f"{step.epoch:,}", place, number(step.loss), f"{step.learning_rate:.4g}"]
    return output(table(header, [[*cells, f"{step.gradient_norm:.4g}"]], "rrrrrr"))


def scores_html(scores: Scores) -> str:
    """Accuracy, loss and number of examples."""
    cells = [percent(scores.accuracy), number(scores.loss), f"{scores.count:,}"]
    return output(table(["accuracy", "loss", "examples"], [cells], "rrr"))


def _best(epochs: Sequence[Epoch]) -> Epoch | None:
    """The one whose validation score no other reached."""
    return next((epoch for epoch in reversed(epochs) if epoch.is_best), None)


def _is_taken(figure: tuple[str, str], epochs: Sequence[Epoch]) -> bool:
    """Whether an epoch has it: of amounts there is no accuracy."""
    name, what = figure
    return what == "loss" or any(name in e.scores and not math.isnan(e.scores[name].accuracy) for e in epochs)


def _row(epoch: Epoch, figures: Sequence[tuple[str, str]], *, is_best: bool) -> list[object]:
    cells = [_figure(epoch.scores.get(name), what) for name, what in figures]
    note = ["best"] * is_best + ["not finished"] * (not epoch.complete)
    rate = f"{epoch.learning_rate:.3g}"
    return [f"{epoch.number:,}", number(epoch.train_loss), *cells, rate, seconds(epoch.seconds), ", ".join(note)]


def _figure(scores: Scores | None, what: str) -> str:
    if scores is None:
        return ""
    return number(scores.loss) if what == "loss" else percent(scores.accuracy)

"""What a sweep found, as pictures: how it went, which settings mattered, and which values were good together."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from handgrad.extras import load
from handgrad.interop.sweep import finished_trials, scored_trials

optuna: Any = load("optuna", "sweep")


def draw(study: Any) -> Iterator[tuple[str, Figure]]:
    """Every picture that the trials so far allow, with its name.

    Args:
        study: from `open_study`.
    """
    trials = scored_trials(study)
    if not trials:
        return
    yield "history", history(trials, [trial for trial in finished_trials(study) if trial not in trials])
    yield "parallel", parallel(trials)
    if found := importances(study):
        yield "importance", importance(found)


def importances(study: Any) -> dict[str, float]:
    """The share that each setting has in how scores differ, largest first; empty where too few trials can tell.

    Args:
        study: from `open_study`.
    """
    if len({trial.value for trial in scored_trials(study)}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # that there are too few
        try:
            return dict(optuna.importance.get_param_importances(study))
        except UserWarning:
            return {}


def history(complete: list[Any], pruned: list[Any]) -> Figure:
    """Every trial's score in the order of their numbers, and the best until then; of a pruned one, the last it had."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    pruned = [trial for trial in pruned if trial.intermediate_values]
    values = [trial.value for trial in complete]
    places = [trial.number + 1 for trial in complete]
    best = np.maximum.accumulate(values)
    axis.plot(places, best, color="tab:orange", drawstyle="steps-post", label="best so far")
    axis.plot(places, values, "o", color="tab:blue", markersize=4, label="finished")
    if pruned:
        last = [trial.intermediate_values[max(trial.intermediate_values)] for trial in pruned]
        axis.plot([trial.number + 1 for trial in pruned], last, "x", color="tab:gray", markersize=4, label="pruned")
    axis.set(xlabel="trial", ylabel="score on validation data", title="Scores of the trials")
    axis.set_ylim(*_most(values))
    axis.legend(frameon=False)
    axis.grid(alpha=0.3)
    return figure


def importance(found: dict[str, float]) -> Figure:
    """Bars, the most important setting on top."""
    figure = Figure(figsize=(7, 0.8 + 0.4 * len(found)), layout="constrained")
    axis = figure.subplots()
    names = [*found][::-1]
    bars = axis.barh(names, [found[name] for name in names], color="tab:blue")
    axis.bar_label(bars, fmt="%.2f", padding=3)
    axis.set(title="What the score depends on", xlim=(0, 1.1 * max(found.values())))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def parallel(trials: list[Any]) -> Figure:
    """A line for each trial through the values of its settings and its score, the better the darker."""
    names = sorted({name for trial in trials for name in trial.params})
    scores = np.array([trial.value for trial in trials])
    columns = [_places(trials, name) for name in names] + [(_unit(scores), *_numbers(scores))]
    figure = Figure(figsize=(1.8 * len(columns) + 1, 4.5), layout="constrained")
    axis = figure.subplots()
    shade = _unit(np.maximum(scores, np.median(scores)))
    for row in np.argsort(scores):
        colour = (0.05, 0.3, 0.6, 0.12 + 0.78 * float(shade[row]))
        axis.plot(range(len(columns)), [places[row] for places, *_ in columns], color=colour, linewidth=1.2)
    for column, (_, ticks, words) in enumerate(columns):
        axis.axvline(column, color="black", linewidth=0.8)
        for tick, word in zip(ticks, words, strict=True):
            axis.annotate(word, (column, tick), xytext=(4, 0), textcoords="offset points", fontsize=8, va="center")
    axis.set_xticks(range(len(columns)), [*(name.replace(".", "\n") for name in names), "score"])
    axis.set_yticks([])
    axis.set(xlim=(-0.1, len(columns) - 0.6), title="Values that were tried together")
    axis.spines[:].set_visible(False)
    return figure


def _places(trials: list[Any], name: str) -> tuple[np.ndarray[Any, Any], list[float], list[str]]:
    """Where each trial crosses a setting's line, from 0 to 1, and the ticks of that line with their words."""
    distribution = next(trial.distributions[name] for trial in trials if name in trial.distributions)
    if isinstance(distribution, optuna.distributions.CategoricalDistribution):
        words = [str(choice) for choice in distribution.choices]
        step = 1 / max(1, len(words) - 1)
        places = np.array([words.index(str(trial.params[name])) * step for trial in trials])
        return places, [index * step for index in range(len(words))], words
    ends = np.array([distribution.low, distribution.high], float)
    values = np.array([trial.params[name] for trial in trials], float)
    if distribution.log:
        ends, values = np.log(ends), np.log(values)
    words = [f"{distribution.low:g}", f"{distribution.high:g}"]
    return (values - ends[0]) / (ends[1] - ends[0]), [0.0, 1.0], words


def _numbers(scores: np.ndarray[Any, Any]) -> tuple[list[float], list[str]]:
    return [0.0, 1.0], [f"{scores.min():.4g}", f"{scores.max():.4g}"]


def _unit(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """From 0 to 1."""
    width = float(np.ptp(values))
    return (values - values.min()) / width if width else np.ones_like(values)


def _most(values: list[float]) -> tuple[float, float]:
    """Limits in which the better three quarters can be told apart, and the best is not at the rim."""
    low, high = float(np.quantile(values, 0.25)), max(values)
    margin = 0.15 * (high - low) or 0.01
    return min(low, float(np.median(values))) - 2 * margin, high + margin

"""What the page about one run says and shows."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from handgrad.display.html import Html
from handgrad.display.numbers import number, seconds
from handgrad.inspection import plots
from handgrad.inspection.pictures import first_weights
from handgrad.report import figures
from handgrad.report.comparison import places
from handgrad.report.examples import Examples, numbers
from handgrad.report.images import heat_sheet
from handgrad.report.measured import Measured
from handgrad.report.scores import most_confused
from handgrad.report.words import (
    EXAMPLES,
    count,
    of_examples,
    percent,
    recipe_tables,
    short,
    trained_for,
    training_seconds,
    warnings,
)

#: A larger confusion matrix cannot be read.
MOST_CLASSES = 60
_MOST_MISTAKES, _MOST_CONFUSED, _MOST_ROWS = 24, 8, 20
_MOST_UNITS = 64


def run_values(measured: Measured) -> dict[str, Any]:
    """Everything that the template of a run names.

    Args:
        measured: the run.
    """
    return {
        "m": measured,
        "notes": warnings(measured),
        "headline": _headline(measured),
        "looked_at": _looked_at(measured),
        "examples": EXAMPLES[measured.answers.split],
        "contents": _contents(measured),
        "curves": list(_curves(measured)),
        "plane": _plane(measured),
        "first_layer": _first_layer(measured),
        "recipe": [(name, [value]) for name, value in places(recipe_tables(measured))],
        "environment": [(name, [str(value)]) for name, value in measured.run.environment.items()],
        **(_about_classes(measured) if measured.class_names else _about_numbers(measured)),
    }


def _headline(measured: Measured) -> list[tuple[str, str]]:
    answers, run = measured.answers, measured.run
    facts = [("accuracy", percent(answers.accuracy))] if answers.accuracy is not None else []
    facts += [("mean loss", number(answers.loss))]
    if measured.calibration:
        facts += [("calibration error", percent(measured.calibration.error))]
    if measured.scores:
        facts += [("mean F1", percent(measured.scores.mean_f1))]
    return [
        *facts,
        ("parameters", count(run.saved.model.parameters.count)),
        ("epochs", trained_for(measured)),
        ("training", seconds(training_seconds(measured))),
    ]


def _looked_at(measured: Measured) -> str:
    scored, split = of_examples(measured.answers), measured.answers.split
    if split == "test":
        same = measured.run.loader("train").dataset
        if np.array_equal(same.inputs, measured.answers.dataset.inputs):
            return f"Scores are of {scored}, which are also what it was trained on: there are no others."
        return (
            f"Scores are of {scored}. Looking at them is not choosing by them: to choose between runs, use "
            "--split validation."
        )
    if split == "validation":
        return f"Scores are of {scored}, set aside from the training data to choose by. The test data was not scored."
    return f"Scores are of {scored}: what it was trained on, so they say what it remembers, not how well it does."


def _contents(measured: Measured) -> list[tuple[str, str]]:
    about = (
        [
            ("confusion", "Confusion matrix"),
            ("classes", "Class by class"),
            ("mistakes", "Worst mistakes"),
            ("calibration", "Calibration"),
        ]
        if measured.class_names
        else [("answers", "Predicted and wanted")]
    )
    plane = [("plane", "The plane")] if _has_plane(measured) else []
    rest = [("inside", "Weights, activations, gradients"), ("doctor", "Findings"), ("recipe", "Recipe, environment")]
    return [("curves", "Learning curves"), *about, *plane, *rest]


def _curves(measured: Measured) -> Iterator[tuple[Html, str, str]]:
    """Each figure with its title, and the last values in words."""
    history = measured.run.history
    if not history.epochs and not history.steps:
        return
    if history.epochs:
        last = history.epochs[-1]
        said = ", ".join(f"{name} {number(scores.loss)}" for name, scores in last.scores.items())
        alt = f"Mean loss by epoch; in the end train {number(last.train_loss)}{', ' if said else ''}{said}."
    else:
        alt = f"Loss by steps of the first epoch; in the end {number(history.steps[-1].loss)}."
    yield figures.to_svg(figures.losses(history), "loss"), "Loss", alt
    if (figure := figures.accuracies(history)) is not None:
        said = ", ".join(f"{name} {percent(scores.accuracy)}" for name, scores in last.scores.items())
        yield figures.to_svg(figure, "accuracy"), "Accuracy", f"Accuracy by epoch; in the end {said}."
    if not history.steps:
        return
    steps, title = history.steps, "Length of the gradient"
    figure = figures.by_steps(history, "length of the gradient", [step.gradient_norm for step in steps], steep=True)
    alt = f"{title} by step; {short(steps[0].gradient_norm)} at first, {short(steps[-1].gradient_norm)} in the end."
    yield figures.to_svg(figure, "gradient"), title, alt
    rates = [step.learning_rate for step in steps]
    if len(set(rates)) > 1:
        alt = f"Learning rate by step, from {short(min(rates))} to {short(max(rates))}."
        yield figures.to_svg(figures.by_steps(history, "learning rate", rates), "rate"), "Learning rate", alt


def _about_classes(measured: Measured) -> dict[str, Any]:
    names, calibration = measured.class_names, measured.calibration
    assert measured.counts is not None
    wrong = measured.counts - np.diag(np.diag(measured.counts))
    svg = alt = ""
    if calibration is not None:
        svg = figures.to_svg(figures.reliability({"this network": calibration}), "reliability")
        alt = (
            f"Accuracy over confidence. Mean confidence {percent(calibration.mean_confidence)}, expected calibration "
            f"error {percent(calibration.error)}."
        )
    return {
        "most_classes": MOST_CLASSES,
        "most_wrong": max(1, int(wrong.max())),
        "confused": most_confused(measured.counts, _MOST_CONFUSED),
        "mistakes": _mistakes(measured, names),
        "reliability": svg,
        "reliability_alt": alt,
    }


def _mistakes(measured: Measured, names: list[str]) -> list[dict[str, Any]]:
    """The worst, ready to be shown."""
    answers, shown = measured.answers, Examples(measured.answers.dataset)
    assert measured.mistakes is not None
    as_text = percent if measured.calibration else short
    found = []
    for row in measured.mistakes[:_MOST_MISTAKES].tolist():
        true, taken = int(answers.dataset.labels[row]), int(answers.predicted[row])
        words = {"true": names[true], "taken": names[taken]}
        outputs = {"sure": as_text(answers.outputs[row, taken]), "truth": as_text(answers.outputs[row, true])}
        found.append(vars(shown[row]) | words | outputs)
    return found


def _about_numbers(measured: Measured) -> dict[str, Any]:
    answers = measured.answers
    targets, shown = np.asarray(answers.dataset.labels, np.float64), Examples(answers.dataset)
    off = np.abs(answers.outputs - targets).max(axis=1)  # (N, D) → (N,)
    is_small = len(off) <= _MOST_ROWS
    rows = np.arange(len(off)) if is_small else np.argsort(-off, kind="stable")[:_MOST_ROWS]
    return {
        "numbers": answers.errors,
        "wanted": None
        if is_small
        else figures.to_svg(figures.wanted_and_predicted(targets, answers.outputs), "wanted"),
        "rows": [
            vars(shown[row])
            | {"wanted": numbers(targets[row]), "predicted": numbers(answers.outputs[row]), "off": float(off[row])}
            for row in rows.tolist()
        ],
    }


def _has_plane(measured: Measured) -> bool:
    """Whether inputs are points of the plane, and the last output says all."""
    dataset = measured.answers.dataset
    says_all = dataset.classes == 2 or (dataset.classes is None and measured.answers.accuracy is not None)
    return dataset.inputs.shape[1:] == (2,) and says_all


def _plane(measured: Measured) -> Html | None:
    if not _has_plane(measured):
        return None
    train = measured.run.experiment.trainer.train.dataset
    with np.errstate(over="ignore", invalid="ignore"):
        return figures.to_svg(plots.plane(train, measured.run.saved.probabilities), "plane")


def _first_layer(measured: Measured) -> dict[str, str] | None:
    """What the units of the first layer look for, as a picture, and how many are shown."""
    saved = measured.run.saved
    weight = first_weights(saved.model, saved.raw_shape)
    if weight is None:
        return None
    shown = min(len(weight), _MOST_UNITS)
    many = f"{shown} units" if shown == len(weight) else f"The first {shown} of {len(weight)} units"
    beside = 16 if shown > 32 else 8
    picture = heat_sheet(plots.weight_tiles(weight, saved.raw_shape)[:shown], min(shown, beside))
    return {"picture": picture, "many": many}

"""What the page says and shows that compares runs."""

import itertools
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from handgrad.display.html import Html
from handgrad.display.numbers import number, seconds
from handgrad.report import figures
from handgrad.report.comparison import Agreement, differences, disagreements
from handgrad.report.examples import Examples
from handgrad.report.measured import Measured
from handgrad.report.words import (
    EXAMPLES,
    count,
    listed,
    of_examples,
    percent,
    recipe_tables,
    short,
    trained_for,
    training_seconds,
    warnings,
)
from handgrad.training.history import Epoch

_MOST_SHOWN = 24
_SCORES = ("accuracy", "mean loss", "calibration error", "mean F1", "parameters", "epochs", "training")


def comparison_values(measured: Sequence[Measured]) -> dict[str, Any]:
    """Everything that the template of a comparison names.

    Args:
        measured: the runs, at least two.
    """
    letters, names = [_letter(place) for place in range(len(measured))], _names(measured)
    labels = [f"{letter}  {_elided(name)}" for letter, name in zip(letters, names, strict=True)]
    first = measured[0]
    is_comparable = all(one.answers.same_examples(first.answers) for one in measured)
    class_names = first.class_names if is_comparable else []
    rows = disagreements([one.answers.outputs for one in measured]) if class_names else np.empty(0, np.int64)
    calibrated = {label: one.calibration for label, one in zip(labels, measured, strict=True) if one.calibration}
    pairs = list(_pairs(measured, letters))
    return {
        "measured": measured,
        "letters": letters,
        "runs": [_row(one, letter, name) for one, letter, name in zip(measured, letters, names, strict=True)],
        "score_names": _SCORES,
        "notes": [*_not_comparable(measured, letters), *(note for one in measured for note in warnings(one))],
        "looked_at": _looked_at(measured, is_comparable),
        "contents": _contents(has_pairs=bool(pairs), has_classes=bool(class_names), is_calibrated=bool(calibrated)),
        "examples": EXAMPLES[first.answers.split],
        "curves": list(_curves(dict(zip(labels, measured, strict=True)))),
        "recipe": differences([recipe_tables(one) for one in measured]),
        "environment": differences([one.run.environment for one in measured]),
        "pairs": pairs,
        "same_examples": is_comparable,
        "names": class_names,
        "disagreeing": len(rows),
        "total": len(first.answers.dataset),
        "shown": _shown(measured, letters, rows[:_MOST_SHOWN].tolist()),
        "reliability": figures.to_svg(figures.reliability(calibrated), "reliability") if calibrated else "",
        "reliability_alt": "Accuracy over confidence. Expected calibration errors: "
        + ", ".join(f"{label.split()[0]} {percent(found.error)}" for label, found in calibrated.items()),
    }


def _letter(place: int) -> str:
    """A to Z, then numbers."""
    return string.ascii_uppercase[place] if place < 26 else str(place + 1)


def _names(measured: Sequence[Measured]) -> list[str]:
    """Of the directories; with the directory above where two have the same."""
    often = Counter(one.run.name for one in measured)
    paths = [one.run.saved.directory.path.resolve() for one in measured]
    return [f"{path.parent.name}/{path.name}" if often[path.name] > 1 else path.name for path in paths]


def _elided(name: str, most: int = 26) -> str:
    """A name that fits into a legend."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-most // 2 + 1 :]}"


def _row(one: Measured, letter: str, name: str) -> dict[str, Any]:
    scores = (
        percent(one.answers.accuracy),
        number(one.answers.loss),
        percent(one.calibration.error if one.calibration else None),
        percent(one.scores.mean_f1 if one.scores else None),
        count(one.run.saved.model.parameters.count),
        trained_for(one),
        seconds(training_seconds(one)),
    )
    return {
        "letter": letter,
        "name": name,
        "recipe": one.run.saved.recipe.name,
        "data": of_examples(one.answers),
        "scores": scores,
    }


def _not_comparable(measured: Sequence[Measured], letters: Sequence[str]) -> list[str]:
    """A sentence if runs were scored on different examples."""
    groups: list[list[int]] = []
    for place, one in enumerate(measured):
        known = next((group for group in groups if measured[group[0]].answers.same_examples(one.answers)), None)
        if known is None:
            groups.append([place])
        else:
            known.append(place)
    if len(groups) == 1:
        losses = {str(one.run.saved.recipe.loss) for one in measured}
        return (
            ["The runs minimise different losses, so their mean losses cannot be compared."] if len(losses) > 1 else []
        )
    sets = [
        f"{listed([letters[place] for place in group])} on {of_examples(measured[group[0]].answers)}"
        for group in groups
    ]
    return [
        f"These runs were scored on different examples: {'; '.join(sets)}. Their scores cannot be compared with each "
        "other."
    ]


def _looked_at(measured: Sequence[Measured], is_same: bool) -> str:
    split = measured[0].answers.split
    scored = of_examples(measured[0].answers) if is_same else EXAMPLES[split]
    if split == "test":
        return (
            f"Scores are of {scored}. To choose the run with the best of them would make its score look better "
            "than it is: choose with --split validation, and score the chosen one."
        )
    if split == "validation":
        return f"Scores are of {scored}, set aside from the training data to choose by. No test data was scored."
    return f"Scores are of {scored}: what the networks were trained on, so they say what they remember."


def _contents(*, has_pairs: bool, has_classes: bool, is_calibrated: bool) -> list[tuple[str, str]]:
    return [
        ("scores", "Scores"),
        ("curves", "Learning curves"),
        ("differences", "What differs"),
        *([("agreement", "Who is right")] if has_pairs else []),
        *([("disagreements", "Where they disagree"), ("classes", "Class by class")] if has_classes else []),
        *([("calibration", "Calibration")] if is_calibrated else []),
        ("doctor", "Findings"),
    ]


def _curves(measured: dict[str, Measured]) -> Iterator[tuple[Html, str, str]]:
    """The training loss, and each score that a run has, a line for each run."""
    histories = {label: one.run.history for label, one in measured.items()}
    figure = figures.compared(histories, "mean training loss", lambda epoch: epoch.train_loss)
    if figure is not None:
        yield figures.to_svg(figure, "train-loss"), "Training loss", "Mean training loss of each run by epoch."
    for name in ("validation", "test"):
        figure = figures.compared(histories, "accuracy", partial(_accuracy, name))
        if figure is not None:
            title = f"Accuracy on {name} data"
            yield figures.to_svg(figure, f"{name}-accuracy"), title, f"{title} of each run by epoch."


def _accuracy(name: str, epoch: Epoch) -> float | None:
    return epoch.scores[name].accuracy if name in epoch.scores else None


def _pairs(measured: Sequence[Measured], letters: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every two runs that were scored on the same examples with classes."""
    for (one, first), (two, second) in itertools.combinations(zip(measured, letters, strict=True), 2):
        mine, theirs = one.answers, two.answers
        if one.class_names and mine.same_examples(theirs):
            found = Agreement.of(mine.dataset.labels, mine.predicted, theirs.predicted)
            chance = found.p_value
            shown = percent(chance) if chance >= 1e-4 else "below 0.01 %"
            yield {"first": first, "second": second, "found": found, "chance": shown, "total": len(mine.dataset)}


def _shown(measured: Sequence[Measured], letters: Sequence[str], rows: Sequence[int]) -> list[dict[str, Any]]:
    """Examples on which networks disagree, with what each says."""
    dataset, names = measured[0].answers.dataset, measured[0].class_names
    examples, found = Examples(dataset), []
    for row in rows:
        true, said = int(dataset.labels[row]), []
        for one, letter in zip(measured, letters, strict=True):
            answer = int(one.answers.predicted[row])
            output = float(one.answers.outputs[row, answer])
            sure = percent(output) if one.calibration else short(output)
            said.append({"letter": letter, "answer": names[answer], "sure": sure, "right": answer == true})
        found.append(vars(examples[row]) | {"true": names[true], "said": said})
    return found

"""The networks that the lessons measure, each with one thing about it that is worth seeing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handgrad.data.datasets import Dataset
from handgrad.training.recipe import Recipe

#: Images that a lesson's network learns from, and others by which it is scored.
LEARNED, SCORED = 12_000, 2_000
#: Few enough to be learned by heart; set aside where all the others are learned from.
_FEW, _SET_ASIDE = 1_000, 5_000

_SMALL: dict[str, Any] = {"model.hidden": (64,), "optimizer.learning_rate": 0.1, "train.epochs": 2}
_DEEP = _SMALL | {"model.hidden": (64,) * 8}
_BY_HEART = _SMALL | {"train.epochs": 30}

Parts = tuple[Dataset, Dataset]


def _apart(images: Dataset) -> Parts:
    return images[:LEARNED], images[LEARNED : LEARNED + SCORED]


def _all(images: Dataset) -> Parts:
    return images[_SET_ASIDE:], images[:_SET_ASIDE]


def _few(images: Dataset) -> Parts:
    return images[:_FEW], images[LEARNED : LEARNED + SCORED]


def _leaking(images: Dataset) -> Parts:
    return images[:_FEW], images[: _FEW // 2]


def _by_class(images: Dataset) -> Parts:
    learned, scored = _apart(images)
    return learned[np.argsort(learned.labels, kind="stable")], scored


@dataclass(frozen=True)
class Case:
    """One network of a lesson.

    Args:
        setting: the one place of the recipe that the lesson is about, with its value; empty where it is the data.
        others: values of the recipe `mlp` that are changed besides.
        data: from images in random order to those learned from, and those scored by.
        shuffled: whether they are learned in another order in each epoch.
    """

    setting: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=lambda: _SMALL)
    data: Callable[[Dataset], Parts] = _apart
    shuffled: bool = True

    @property
    def recipe(self) -> Recipe:
        """What is trained; the test data are not looked at.

        >>> CASES["zeros"]["broken"].recipe.model.init
        'zeros'
        """
        return Recipe.load("mlp").override({"train.report_test": False, **self.others, **self.setting})


def _init(law: str, epochs: int = 2) -> Case:
    return Case({"model.init": law}, {"train.epochs": epochs}, _all)


#: Every network of every lesson, by lesson and variant.
CASES: dict[str, dict[str, Case]] = {
    "start": {"normal": _init("normal"), "he": _init("he")},
    "pixels": {"broken": Case({"data.normalize": "none"}), "fixed": Case({"data.normalize": "unit"})},
    "sum": {"broken": Case({"loss.reduction": "sum"}), "fixed": Case({"loss.reduction": "mean"})},
    "zeros": {"broken": Case({"model.init": "zeros"}), "fixed": Case({"model.init": "he"})},
    "depth": {
        "broken": Case({"model.activation": "Sigmoid"}, _DEEP),
        "fixed": Case({"model.activation": "ReLU"}, _DEEP),
    },
    "order": {"broken": Case(data=_by_class, shuffled=False), "fixed": Case(data=_by_class)},
    "leak": {"broken": Case(others=_BY_HEART, data=_leaking), "fixed": Case(others=_BY_HEART, data=_few)},
}

"""What the XOR lesson says of its seeds, tried again."""

import re
from importlib import resources
from typing import Any

import numpy as np
import pytest

from handgrad.ops import limit_threads
from handgrad.training.experiment import Experiment
from handgrad.training.recipe import Recipe

WORDS = (resources.files("handgrad.web") / "static" / "lessons" / "xor.js").read_text(encoding="utf-8")
INPUTS, ANSWERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])


def sentences(key: str) -> list[str]:
    """In English and Chinese."""
    found = re.findall(rf'"{key}": "(.*)"', WORDS)
    assert len(found) == 2
    return found


def outputs(recipe: str, changes: dict[str, Any], seed: int) -> Any:
    experiment = Experiment.prepare(Recipe.load(recipe).override(changes | {"train.seed": seed}))
    for _ in experiment.trainer.run(experiment.recipe.train.epochs):
        pass
    return experiment.model(experiment.preprocessing(INPUTS))[:, 0]


@pytest.mark.slow
def test_of_the_first_network_all_seeds_learn_it() -> None:
    with limit_threads(1):
        errors = [float(np.abs(outputs("xor", {}, seed) - ANSWERS).max()) for seed in range(100)]
    for sentence in sentences("xor.three.note"):
        assert re.findall(r"[\d.]*\d", sentence) == ["0", "99", f"{max(errors):.2f}"]


@pytest.mark.slow
def test_of_the_second_network_some_seeds_get_stuck() -> None:
    with limit_threads(1):
        found = {seed: outputs("xor-bias", {"model.hidden": (2,)}, seed) for seed in range(40)}
    stuck = [
        seed
        for seed, output in found.items()
        if np.any((output > 0.5) != ANSWERS) or np.abs(output - ANSWERS).max() > 0.4
    ]
    for seed in stuck:
        assert np.sum(np.abs(found[seed] - 0.5) < 0.1) == 2, found[seed]
    for sentence in sentences("xor.two.note"):
        assert [int(number) for number in re.findall(r"\d+", sentence)] == [0, 39, *stuck]
    assert len(stuck) == 6


def test_with_weights_of_zero_no_seed_learns_it() -> None:
    with limit_threads(1):
        assert outputs("xor", {"model.init": "zeros"}, seed=0) == pytest.approx([0.5] * 4, abs=1e-6)

"""What a wrong gradient is said to look like."""

from typing import Any

import numpy as np
import pytest

from handgrad.inspection.resemblance import resemblance

SLOPES = np.random.default_rng(0).normal(size=(3, 2, 3, 3))
SQUARE = SLOPES[0, 0]


def said(wrong: Any, slopes: Any) -> str:
    return resemblance(wrong.ravel(), slopes.ravel(), np.arange(slopes.size), slopes.shape)


@pytest.mark.parametrize(
    ("wrong", "slopes", "words"),
    [
        (SQUARE.T, SQUARE, "transposed"),
        (SLOPES[..., ::-1, ::-1], SLOPES, "turned by 180°"),
        (SLOPES.swapaxes(2, 3), SLOPES, "rows and columns of its windows"),
        (SLOPES[::-1], SLOPES, "reverse order"),
        (SLOPES + 0.5, SLOPES, "larger by 0.5 everywhere"),
        (SLOPES / 3, SLOPES, "0.3333 times the slope"),
        (np.where(SLOPES > 0, SLOPES, 0), SLOPES, f"{np.count_nonzero(SLOPES < -3e-4)} of 54 elements are far off"),
        (np.where(SLOPES > 0, SLOPES, np.nan), SLOPES, f"{np.count_nonzero(SLOPES <= 0)} of 54 elements are NaN"),
        (SQUARE, 0 * SQUARE, "9 of 9 elements are far off"),
    ],
)
def test_each_mistake_has_its_words(wrong: Any, slopes: Any, words: str) -> None:
    assert words in said(wrong, slopes)


def test_of_a_small_difference_nothing_is_said() -> None:
    assert said(1.00001 * SLOPES, SLOPES) == ""
    assert said(SLOPES + 1e-6 * SLOPES**2, SLOPES) == ""
    assert said(0 * SLOPES + 1e-8, 0 * SLOPES) == ""


def test_a_sample_is_not_rearranged() -> None:
    places = np.arange(0, 9, 2)
    assert "transposed" not in resemblance(SQUARE.T.ravel()[places], SQUARE.ravel()[places], places, SQUARE.shape)

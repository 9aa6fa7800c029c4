"""How single examples are shown: pictures where they are images, numbers where not."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.data.datasets import Dataset
from handgrad.display.images import brightness, picture
from handgrad.inspection.pictures import is_image

_MOST_NUMBERS = 8


@dataclass(frozen=True)
class Example:
    """One example on the page.

    Args:
        row: its number in its part of the data, from 0.
        picture: the address of its picture; "" where it is none.
        alt: what the picture is, for who does not see it.
        text: its numbers, where it is no picture.
    """

    row: int
    picture: str
    alt: str
    text: str


class Examples:
    """Shows the examples of a data set.

    Args:
        dataset: the examples.

    >>> Examples(handgrad.datasets.load("points").train)[0].text
    '(2, 1)'
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._is_image = is_image(dataset.inputs.shape[1:])
        self._brightness = brightness(dataset.inputs) if self._is_image else (0.0, 1.0)

    def __getitem__(self, row: int) -> Example:
        inputs = self._dataset.inputs[row]
        if self._is_image:
            alt = f"example {row} of {self._dataset.name}"
            return Example(row, picture(inputs, *self._brightness), alt, "")
        return Example(row, "", "", numbers(inputs))


def numbers(values: NDArray[Any]) -> str:
    """A few numbers as text.

    >>> numbers(np.array([0.5, 2.0])), numbers(np.array([1.0]))
    ('(0.5, 2)', '1')
    """
    flat = np.asarray(values).reshape(-1)
    words = [f"{value:.4g}" for value in flat[:_MOST_NUMBERS].tolist()]
    if len(flat) == 1:
        return words[0]
    return f"({', '.join(words)}{', …' if len(flat) > _MOST_NUMBERS else ''})"

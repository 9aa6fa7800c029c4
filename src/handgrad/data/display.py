"""Data sets as a notebook shows them: sizes, classes, and the first examples."""

from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.display.html import Html, element, image, joined, muted, output, paragraph, table
from handgrad.display.images import brightness, picture
from handgrad.display.numbers import counted

if TYPE_CHECKING:
    from handgrad.data.datasets import Dataset

#: Examples that are shown, numbers of a row at most, and classes whose sizes are told.
_EXAMPLES, _NUMBERS, _CLASSES = 10, 12, 20
_SIDE = 56  # pixels of an example's longer side on the screen


def dataset_html(dataset: "Dataset", title: str = "") -> str:
    """Number, shape and kind of the examples, how many there are of each class, and the first ten.

    >>> "10 examples" in dataset_html(handgrad.datasets.load("points").train)
    True
    """
    shape = " × ".join(map(str, dataset.inputs.shape[1:]))
    kind = (
        f"{counted(dataset.classes, 'class', 'es')}"
        if dataset.classes is not None
        else counted(dataset.labels.shape[1], "target")
    )
    said = f"{counted(len(dataset), 'example')} of {shape} {dataset.inputs.dtype}, {kind}"
    heading = paragraph(
        element("strong", title or dataset.name), ": ", said, ", weighted" * (dataset.weights is not None)
    )
    return output(heading, _classes(dataset), _examples(dataset))


def splits_html(train: "Dataset", test: "Dataset") -> str:
    """Both data sets, or the one that is both."""
    if train is test:
        return dataset_html(train, f"{train.name}, to train and to test on")
    return output(
        *(Html(dataset_html(each, f"{each.name}, {role}")) for role, each in (("train", train), ("test", test)))
    )


def _classes(dataset: "Dataset") -> Html:
    """How many examples each class has."""
    if dataset.classes is None or dataset.classes > _CLASSES:
        return Html("")
    counts = ", ".join(f"{_label(dataset, c)}: {count:,}" for c, count in enumerate(dataset.class_counts()))
    return paragraph(muted("of each class: ", counts))


def _examples(dataset: "Dataset") -> Html:
    """The first ones with their labels, as images or as rows of numbers."""
    first = dataset[:_EXAMPLES]
    if not len(first):
        return Html("")
    if dataset.inputs.ndim == 2:
        return _rows(first)
    if dataset.inputs.ndim == 4 and dataset.inputs.shape[3] not in (1, 3):
        return Html("")
    low, high = brightness(first.inputs)
    addresses = (picture(pixels, low, high, longest=2 * _SIDE) for pixels in first.inputs)
    labels = (_label(first, label) for label in first.labels)
    return paragraph(joined(map(_picture, addresses, labels)))


def _rows(dataset: "Dataset") -> Html:
    """Inputs and label of each; of many numbers the first."""
    width = min(dataset.inputs.shape[1], _NUMBERS)
    names = dataset.feature_names or tuple(map(str, range(width)))
    header = [*names[:width]] + ["…"] * (dataset.inputs.shape[1] > width) + ["label"]
    rows = []
    for numbers, label in zip(dataset.inputs, dataset.labels, strict=True):
        cells = [f"{value:.4g}" for value in numbers[:width]]
        rows.append([*cells, *["…"] * (len(header) - width - 1), _label(dataset, label)])
    return table(header, rows, "r" * len(header))


def _label(dataset: "Dataset", label: Any) -> str:
    """A class's name, or the numbers that are wanted."""
    if dataset.class_names is not None:
        return dataset.class_names[int(label)]
    return ", ".join(f"{value:g}" for value in np.atleast_1d(label))


def _picture(address: str, text: str) -> Html:
    """One image with its label below."""
    size = f"height:{_SIDE}px;min-width:1px;image-rendering:pixelated;display:block"
    style = "display:inline-block;margin:0 6px 4px 0;text-align:center"
    return element("span", image(address, f"an example of {text}", size), text, style=style)

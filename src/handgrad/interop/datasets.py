"""Data sets of other libraries: Hugging Face's `datasets`, and PyTorch's."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.data.datasets import Dataset
from handgrad.data.labels import Targets, encode_targets
from handgrad.data.large import finished, new_array
from handgrad.data.pictures import as_pixels, check_image_size
from handgrad.data.tables import from_dataframe
from handgrad.errors import ArgumentError, DataError
from handgrad.extras import load


def from_huggingface(
    dataset: Any, *, target: str = "", targets: Targets = "auto", image_size: Sequence[int] = ()
) -> Dataset:
    """Turn one split of a data set of Hugging Face's library into one of ours.

    A column of images becomes pixels, and the other columns are left out; without one the columns are those of a table,
    as `handgrad.data.tables.from_dataframe` takes them. A column of class labels brings the names of its classes.

    Args:
        dataset: a `datasets.Dataset`, such as `load_dataset("mnist")["train"]`.
        target: the column to be predicted; "" for the only one of class labels, or else the last.
        targets: "auto", "classes" or "numbers".
        image_size: (height, width) to which images are brought; () where all have one size.

    Raises:
        MissingExtraError: `datasets` is not installed, or for a table pandas.
        ArgumentError: there is no such column as `target`, or `image_size` is impossible.
        DataError: images differ in size and none is asked for, or columns hold what is no feature.

    Example:
        >>> import datasets
        >>> rows = datasets.Dataset.from_dict({"x": [0.5, 1.5], "kind": ["cat", "dog"]})
        >>> from_huggingface(rows).class_names
        ('cat', 'dog')
    """
    library = load("datasets", "data")
    features = dataset.features
    labels = [name for name, feature in features.items() if isinstance(feature, library.ClassLabel)]
    images = [name for name, feature in features.items() if isinstance(feature, library.Image)]
    target = target or (labels[0] if len(labels) == 1 else list(features)[-1])
    if target not in features:
        raise ArgumentError("target", target, f"one of the columns {', '.join(features)}")
    name = dataset.info.dataset_name or "data"
    if images:
        inputs = _stack_pictures(dataset[images[0]], len(dataset), image_size, name)
        numbers, classes, names = encode_targets(np.asarray(dataset.with_format("numpy")[target][:]), name, targets)
        found = Dataset(inputs, numbers, name, classes, class_names=names)
    else:
        found = from_dataframe(dataset.to_pandas(), target=target, targets=targets, name=name)
    return _with_label_names(found, features[target].names) if target in labels else found


def from_torch(
    dataset: Any, *, targets: Targets = "auto", image_size: Sequence[int] = (), name: str = "data"
) -> Dataset:
    """Turn a data set of PyTorch's, such as one of torchvision's, into one of ours, going through it once.

    Args:
        dataset: has a length, and gives pairs of an input and a label. Inputs are Pillow's images, tensors or arrays:
            images (C, H, W) of 1 or 3 channels or (H, W), or rows (D,). `classes`, if it has that, are names.
        targets: "auto", "classes" or "numbers".
        image_size: (height, width) to which Pillow's images are brought; () where all have one size.
        name: of the data set.

    Raises:
        ArgumentError: `image_size` is impossible.
        DataError: inputs differ in shape.

    Example:
        >>> pairs = [(np.zeros((1, 2, 2), np.uint8), 0), (np.ones((1, 2, 2), np.uint8), 1)]
        >>> from_torch(pairs).inputs.shape
        (2, 2, 2)
    """
    labels: list[Any] = []

    def inputs() -> Iterable[Any]:
        for index in range(len(dataset)):
            x, y = dataset[index]
            labels.append(np.asarray(y))
            yield x

    pixels = _stack_pictures(inputs(), len(dataset), image_size, name)
    numbers, classes, names = encode_targets(np.array(labels), name, targets)
    found = Dataset(pixels, numbers, name, classes, class_names=names)
    given = getattr(dataset, "classes", None)
    return _with_label_names(found, given) if given and classes else found


def _with_label_names(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """The names that a library has for the numbers; of some of these there may be no example here."""
    numbers = [int(n) for n in dataset.class_names or range(dataset.classes or 0)]  # what each label was
    labels = np.array(numbers, np.int64)[dataset.labels]
    return Dataset(dataset.inputs, labels, dataset.name, len(names), class_names=tuple(map(str, names)))


def _stack_pictures(pictures: Iterable[Any], count: int, image_size: Sequence[int], name: str) -> NDArray[Any]:
    """All inputs in one array, channels last; of the shape of the first, or of the wanted one."""
    check_image_size(image_size)
    stacked: NDArray[Any] | None = None
    for row, picture in enumerate(pictures):
        array = _as_array(picture, image_size)
        if stacked is None:
            stacked = new_array((count, *array.shape), array.dtype)
        if array.shape != stacked.shape[1:]:
            raise DataError(
                f"{name}: example {row} has the shape {array.shape}, but the first {stacked.shape[1:]}; bring all to "
                "one, pictures by image_size."
            )
        stacked[row] = array
    if stacked is None:
        raise DataError(f"{name} holds no examples, expected at least one.")
    return finished(stacked)


def _as_array(picture: Any, image_size: Sequence[int]) -> NDArray[Any]:
    """Pixels (H, W) or (H, W, 3), or a row (D,), of what a library calls an input."""
    if hasattr(picture, "getbands"):  # Pillow's
        channels = () if len(picture.getbands()) < 3 and picture.mode != "P" else (3,)
        return as_pixels(picture, (*(image_size or picture.size[::-1]), *channels))
    array = np.asarray(picture)
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = array.transpose(1, 2, 0)  # (C, H, W) → (H, W, C)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]  # (H, W, 1) → (H, W)
    is_number = array.dtype == np.uint8 and array.ndim > 1
    return array if is_number or np.issubdtype(array.dtype, np.floating) else array.astype(np.float32)

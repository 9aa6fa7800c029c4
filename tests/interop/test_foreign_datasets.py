"""Data sets of other libraries become ours, or are refused."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from handgrad.errors import ArgumentError, DataError
from handgrad.interop.datasets import from_huggingface, from_torch

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 5, 4, 3)).astype(np.uint8)


def huggingface() -> Any:
    return pytest.importorskip("datasets")


def test_images_with_named_labels() -> None:
    library = huggingface()
    features = library.Features({"image": library.Image(), "label": library.ClassLabel(names=["cat", "dog", "owl"])})
    rows = {"image": [Image.fromarray(pixels) for pixels in PIXELS], "label": [0, 1, 1, 0, 1, 0]}
    dataset = from_huggingface(library.Dataset.from_dict(rows, features=features))
    np.testing.assert_array_equal(dataset.inputs, PIXELS)
    assert dataset.labels.tolist() == rows["label"]
    assert (dataset.classes, dataset.class_names) == (3, ("cat", "dog", "owl"))  # also the one that has no example
    part = from_huggingface(library.Dataset.from_dict(rows, features=features).filter(lambda row: row["label"] == 1))
    assert part.labels.tolist() == [1, 1, 1]


def test_columns_of_a_table() -> None:
    library = huggingface()
    rows = library.Dataset.from_dict({"size": [1, 2, 3], "kind": ["b", "a", "b"], "price": [0.5, 1.5, 2.5]})
    assert from_huggingface(rows).feature_names == ("size", "kind=a", "kind=b")
    assert from_huggingface(rows).labels.tolist() == [[0.5], [1.5], [2.5]]
    assert from_huggingface(rows, target="kind").class_names == ("a", "b")
    with pytest.raises(ArgumentError, match="target is 'colour', expected one of the columns size, kind, price"):
        from_huggingface(rows, target="colour")


def test_pytorch_images_are_turned_so_that_channels_come_last() -> None:
    torch = pytest.importorskip("torch")
    first = torch.tensor(PIXELS).permute(0, 3, 1, 2)  # (N, H, W, C) → (N, C, H, W)
    labels = torch.tensor([2, 0, 1, 1, 0, 2])
    dataset = from_torch(torch.utils.data.TensorDataset(first, labels), name="tensors")
    np.testing.assert_array_equal(dataset.inputs, PIXELS)
    assert (dataset.name, dataset.classes, dataset.labels.tolist()) == ("tensors", 3, labels.tolist())
    scaled = from_torch(torch.utils.data.TensorDataset(first / 255, labels))
    np.testing.assert_allclose(scaled.inputs, PIXELS / 255, rtol=1e-6)


def test_pytorch_rows_with_numbers() -> None:
    torch = pytest.importorskip("torch")
    rows, targets = torch.arange(6).reshape(3, 2), torch.tensor([0.5, 1.5, 2.5])
    dataset = from_torch(torch.utils.data.TensorDataset(rows, targets))
    assert dataset.inputs.dtype == np.float32
    assert dataset.labels.tolist() == [[0.5], [1.5], [2.5]]


class Photos:
    """As torchvision's data sets are, without a transform."""

    classes = ("cat", "dog")

    def __init__(self, *sizes: tuple[int, int]) -> None:
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("RGB", self.sizes[index], (index, 0, 0)), index % 2


def test_pillow_images_of_pytorch() -> None:
    dataset = from_torch(Photos((4, 3), (4, 3)))
    assert (dataset.inputs.shape, dataset.class_names) == ((2, 3, 4, 3), ("cat", "dog"))
    assert from_torch(Photos((4, 3), (8, 8)), image_size=(2, 2)).inputs[:, 0, 0, 0].tolist() == [0, 1]
    with pytest.raises(DataError, match=r"example 1 has the shape \(8, 8, 3\), but the first \(3, 4, 3\)"):
        from_torch(Photos((4, 3), (8, 8)))
    with pytest.raises(DataError, match="no examples"):
        from_torch(Photos())

"""The data room: files, data sets, preprocessing and batches. It knows nothing of layers or training."""

from handgrad.data.augment import Augmentation
from handgrad.data.datasets import Dataset, Splits, load, split
from handgrad.data.digits import MnistSteps, as_mnist, mnist_steps, read_image
from handgrad.data.idx import read_idx, write_idx
from handgrad.data.loader import Batch, Loader, one_hot
from handgrad.data.preprocessing import Preprocessing

__all__ = [
    "Augmentation",
    "Batch",
    "Dataset",
    "Loader",
    "MnistSteps",
    "Preprocessing",
    "Splits",
    "as_mnist",
    "load",
    "mnist_steps",
    "one_hot",
    "read_idx",
    "read_image",
    "split",
    "write_idx",
]

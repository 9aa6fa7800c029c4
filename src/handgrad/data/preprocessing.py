"""From raw inputs to what a network is fed: scaled, centred, and laid out in rows or as channels."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from handgrad.data.datasets import Dataset
from handgrad.errors import ArgumentError, ShapeError

Layout = Literal["flat", "image"]
Normalize = Literal["none", "unit", "standard", "featurewise"]

_PIECE = 2**22  # numbers that are turned into float64 at a time
_HISTOGRAM_CHUNK = 2**20  # np.bincount copies its input as int64: by chunks that stays in the cache


@dataclass(frozen=True)
class Preprocessing:
    """The fixed map from raw inputs to network inputs, the same for training, testing and a drawn digit.

    y = (scale · x − mean) / std, elementwise, with one mean and std, or one for each column of rows (N, D) or channel
    of images (N, H, W, C). Then `flat` gives rows (N, H·W·C) or (N, D), and `image` gives
    channels first: (N, C, H, W) from (N, H, W, C) or, with C = 1, from (N, H, W).

    Args:
        scale: applied first; 1/255 takes uint8 pixels to [0, 1].
        mean: subtracted after scaling; a number, or as many as there are columns or channels.
        std: divided by last; likewise.
        layout: `flat` or `image`.
        append_ones: append a column of ones to flat rows, so that a weight matrix can hold its bias.

    Raises:
        ArgumentError: a number is not finite, `scale` or `std` is not positive, `mean` and `std` are of different
            lengths, `layout` is unknown, or `append_ones` is asked for with the image layout.

    Example:
        >>> images = np.array([[[0, 255], [51, 102]]], np.uint8)
        >>> Preprocessing()(images).round(6)
        array([[0. , 1. , 0.2, 0.4]], dtype=float32)
        >>> Preprocessing(layout="image")(images).shape
        (1, 1, 2, 2)
    """

    scale: float = 1 / 255
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    layout: Layout = "flat"
    append_ones: bool = False

    def __post_init__(self) -> None:
        for name in ("scale", "mean", "std"):
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) and name != "scale" else (value,):
                if not isinstance(number, int | float) or isinstance(number, bool) or not math.isfinite(number):
                    raise ArgumentError(name, value, "a finite number", "check the values it was measured on")
                if name != "mean" and number <= 0:
                    raise ArgumentError(name, value, "a number > 0", "use 1.0 to leave the inputs as they are")
        if np.shape(self.mean) != np.shape(self.std):
            raise ArgumentError("std", self.std, f"as many numbers as there are in mean, {np.size(self.mean)}")
        if self.layout not in get_args(Layout):
            raise ArgumentError("layout", self.layout, "'flat' or 'image'")
        if not isinstance(self.append_ones, bool) or (self.append_ones and self.layout == "image"):
            expected = "True or False, and True only with layout 'flat'"
            raise ArgumentError("append_ones", self.append_ones, expected, "let the layer have a bias instead")

    @property
    def is_uniform(self) -> bool:
        """Whether all elements are treated alike, by one mean and one standard deviation."""
        return isinstance(self.mean, int | float)

    @property
    def shift(self) -> NDArray[np.float64]:
        """What is subtracted from a raw input, () or (C,): y = (x − shift) · factor is the map in two operations."""
        return np.asarray(np.asarray(self.mean, np.float64) / self.scale)

    @property
    def factor(self) -> NDArray[np.float64]:
        """What the difference is multiplied with, () or (C,)."""
        return np.asarray(self.scale / np.asarray(self.std, np.float64))

    def __call__(self, inputs: NDArray[Any], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Apply the map to a batch.

        Args:
            inputs: (N, H, W), (N, H, W, C) or (N, D), uint8 or floating point.
            dtype: of the result; float32, or float64 for checks.

        Returns:
            A new array (N, *output_shape(inputs.shape[1:])); `inputs` is left as it is.

        Raises:
            ShapeError: the layout cannot be made from the shape of `inputs`.

        Example:
            >>> Preprocessing(scale=1.0, mean=2.0, std=2.0, append_ones=True)(np.array([[2.0, 6.0]]))
            array([[0., 2., 1.]], dtype=float32)
        """
        outputs = np.empty((len(inputs), *self.output_shape(inputs.shape[1:])), dtype)
        values = outputs[:, :-1] if self.append_ones else outputs
        if self.append_ones:
            outputs[:, -1] = 1
        if self.layout == "image" and inputs.ndim == 4:
            values = values.transpose(0, 2, 3, 1)  # (N, C, H, W) → (N, H, W, C), a view
        inputs = inputs.reshape(values.shape)  # (N, H, W) → (N, 1, H, W) or (N, H·W); flat: (N, H, W, C) → (N, H·W·C)
        # Subtracting first loses nothing to cancellation where the mean is large beside the spread.
        shift, factor = (self._for_each(numbers.astype(outputs.dtype), values) for numbers in (self.shift, self.factor))
        if not shift.any():
            np.multiply(inputs, factor, out=values)
        else:
            np.subtract(inputs, shift, out=values)
            values *= factor
        return outputs

    def _for_each(self, numbers: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
        """As many numbers as the last axis of the values has elements, or one for all: flat, (C,) → (H·W·C,)."""
        is_repeated = numbers.ndim == 1 and self.layout == "flat"
        return np.tile(numbers, values.shape[-1] // numbers.size) if is_repeated else numbers

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Tell the shape of one network input from the shape of one raw input.

        Args:
            input_shape: (H, W), (H, W, C) or (D,): without the batch dimension.

        Returns:
            (C, H, W) for the image layout; (H·W·C,) or (D,) for the flat one, plus 1 with `append_ones`.

        Raises:
            ShapeError: an image layout is asked of rows, the shape is none of the three, or it has another number of
                columns or channels than mean and std.

        Example:
            >>> Preprocessing().output_shape((28, 28))
            (784,)
            >>> Preprocessing(layout="image").output_shape((32, 32, 3))
            (3, 32, 32)
        """
        if not self.is_uniform and (len(input_shape) == 2 or input_shape[-1:] != np.shape(self.mean)):
            count = np.size(self.mean)
            raise ShapeError("input_shape", input_shape, f"({count},) or (H, W, {count}), as many as mean has numbers")
        if self.layout == "flat" and len(input_shape) in (1, 2, 3):
            return (math.prod(input_shape) + self.append_ones,)
        if self.layout == "image" and len(input_shape) == 2:
            return (1, *input_shape)
        if self.layout == "image" and len(input_shape) == 3:
            return (input_shape[2], *input_shape[:2])
        expected = "(H, W) or (H, W, C)" + (", or (D,)" if self.layout == "flat" else "")
        raise ShapeError("input_shape", input_shape, f"{expected} for layout {self.layout!r}", "reshape the inputs")

    @classmethod
    def for_dataset(
        cls, dataset: Dataset, normalize: Normalize, *, layout: Layout = "flat", append_ones: bool = False
    ) -> "Preprocessing":
        """Choose scale, mean and standard deviation from the training data.

        - `none`: inputs keep their values; scale 1.
        - `unit`: uint8 pixels go to [0, 1]; scale 1/255.
        - `standard`: mean 0 and standard deviation 1 over all elements, after scale 1/255 for uint8 pixels
          and scale 1 for floating-point rows. Where all elements are equal the standard deviation counts as 1.
        - `featurewise`: the same for each column of rows (N, D) or channel of images (N, H, W, C) by itself.

        Args:
            dataset: the training data; measuring on anything else would leak the test data into the model.
            normalize: `none`, `unit`, `standard` or `featurewise`.
            layout: as in the class.
            append_ones: as in the class.

        Raises:
            ArgumentError: `normalize` is unknown, `unit` is asked of floating-point inputs, or `standard` or
                `featurewise` is asked of no elements or of some that are not finite.

        Example:
            >>> from handgrad.data.datasets import load
            >>> preprocessing = Preprocessing.for_dataset(load("mnist").train, "standard")
            >>> f"{preprocessing.mean:.4f} {preprocessing.std:.4f}"
            '0.1307 0.3081'
        """
        pixels = dataset.inputs.dtype == np.uint8
        if normalize not in get_args(Normalize):
            raise ArgumentError("normalize", normalize, "'none', 'unit', 'standard' or 'featurewise'")
        if normalize == "unit" and not pixels:
            expected = "'none', 'standard' or 'featurewise' for floating-point inputs, whose largest value is unknown"
            raise ArgumentError("normalize", normalize, expected, "use 'featurewise' for the columns of a table")
        if normalize == "none":
            return cls(1.0, layout=layout, append_ones=append_ones)
        scale = 1 / 255 if pixels else 1.0
        if normalize == "unit":
            return cls(scale, layout=layout, append_ones=append_ones)
        if not dataset.inputs.size:
            raise ArgumentError("dataset", dataset.name, "at least one input to measure", "use normalize 'none'")
        if normalize == "standard" or dataset.inputs.ndim == 3:  # grey images have one channel
            mean, std = _pixel_moments(dataset.inputs) if pixels else _moments(dataset.inputs)
            return cls(scale, scale * mean, scale * std or 1.0, layout, append_ones)
        means, stds = _featurewise_moments(dataset.inputs)
        return cls(scale, tuple(scale * m for m in means), tuple(scale * s or 1.0 for s in stds), layout, append_ones)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold without loss.

        Example:
            >>> Preprocessing(scale=1.0).to_dict()
            {'scale': 1.0, 'mean': 0.0, 'std': 1.0, 'layout': 'flat', 'append_ones': False}
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Preprocessing":
        """Rebuild what `to_dict` gave.

        Args:
            values: every field of the class by its name.

        Raises:
            ArgumentError: a field is missing, unknown or has an impossible value.

        Example:
            >>> Preprocessing.from_dict(Preprocessing(mean=0.5).to_dict()) == Preprocessing(mean=0.5)
            True
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise ArgumentError("values", sorted(values), f"exactly the keys {sorted(names)}")
        settings: dict[str, Any] = {
            n: tuple(value) if isinstance(value, list) else value for n, value in values.items()
        }
        return cls(**settings)


def _pixel_moments(images: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and standard deviation of uint8 pixels, from how often each of the 256 levels occurs."""
    pixels = images.reshape(-1)  # (N, H, W[, C]) → (N·H·W·C,)
    counts = np.zeros(256, np.int64)
    for start in range(0, len(pixels), _HISTOGRAM_CHUNK):
        counts += np.bincount(pixels[start : start + _HISTOGRAM_CHUNK], minlength=256)
    levels = np.arange(256)
    mean = float(counts @ levels / len(pixels))  # sum over the 256 levels
    variance = float(counts @ (levels - mean) ** 2 / len(pixels))
    return mean, math.sqrt(variance)


def _moments(values: NDArray[Any]) -> tuple[float, float]:
    """Mean and standard deviation of floating-point elements, taken in float64."""
    if values.min() == values.max():
        return float(values.flat[0]), 0.0  # exactly: rounding in the mean must not leave a tiny divisor
    means, variances = _mean_and_variance(values.reshape(-1, 1))  # (N, …) → (elements, 1)
    return float(means[0]), math.sqrt(variances[0])


def _featurewise_moments(inputs: NDArray[Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each column or channel."""
    table = inputs.reshape(-1, inputs.shape[-1])  # (N, D) as it is; (N, H, W, C) → (N·H·W, C)
    means, variances = _mean_and_variance(table)
    constant = table.min(axis=0) == table.max(axis=0)  # over N or N·H·W
    return np.where(constant, table[0], means).tolist(), np.where(constant, 0.0, np.sqrt(variances)).tolist()


def _mean_and_variance(table: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each column of (N, C), in float64, by pieces: the data may be larger than memory."""
    step = max(1, _PIECE // table.shape[1])
    pieces = [table[first : first + step] for first in range(0, len(table), step)]
    means = sum(piece.sum(axis=0, dtype=np.float64) for piece in pieces) / len(table)  # over N
    variances = sum(np.square(piece - means).sum(axis=0) for piece in pieces) / len(table)  # over N
    return np.asarray(means), np.asarray(variances)

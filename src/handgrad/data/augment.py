"""Augmentation: training images turned, slanted, stretched, moved and bent a little, differently each time."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import ArgumentError, ShapeError
from handgrad.ops import Array, Ops, for_device
from handgrad.ops.distortion import AFFINE, knots

#: What each setting may be; the bounds keep coordinates within what float32 can tell apart.
_RANGES = {
    "rotation": (0, 180),
    "shear": (0, 2),
    "scale": (0, 0.9),
    "translation": (0, 1000),
    "elastic_alpha": (0, 100),
    "elastic_sigma": (0.5, 1000),
}


@dataclass(frozen=True)
class Augmentation:
    """Random distortions that leave a digit the digit it is: an affine map of the image and an elastic one.

    out(p) = in(c + A⁻¹ (p − c − t) + u(p)), where p = (x, y) counts pixels and c is the image's centre;
    A = R(θ) · [[1, k], [0, 1]] · diag(s₁, s₂). Between pixels the image is interpolated bilinearly; around it
    all is 0. For each image θ, k, s₁, s₂, t₁ and t₂ are drawn evenly from the ranges below.

    u is white noise smoothed by a Gaussian. Made literally, it takes 2·H·W random numbers an image and two long
    filters, for 64 MNIST images 0.95 ms; with a cubic B-spline the whole distortion takes 0.10 ms: u(p) =
    Σₖ aₖ β³(p/(σ√3) − k), with an even random aₖ in each direction at every node of a grid σ√3 pixels wide. β³ then has
    the Gaussian's standard deviation; the correlation between two points of u, averaged over where they lie, is the
    Gaussian's to within 0.024, and the size of u varies from place to place by 4 %.

    Args:
        rotation: largest angle |θ| in degrees.
        shear: largest |k|, the pixels that a row moves sideways for each pixel of height.
        scale: largest |s − 1|, drawn apart for width and height.
        translation: largest |t| in pixels, drawn apart for each direction.
        elastic_alpha: root mean square of u in each direction, in pixels. Simard's α, which multiplies smoothed noise
            from [−1, 1], is 2√(3π)·σ times as large: his α = 34 with σ = 4 is 1.38 pixels.
        elastic_sigma: standard deviation σ of the Gaussian, in pixels; small trembles, large bends as a whole.

    Raises:
        ArgumentError: a setting is not a number, or out of range.

    Source: P. Y. Simard, D. Steinkraus, J. C. Platt, "Best Practices for Convolutional Neural Networks Applied to
    Visual Document Analysis", ICDAR 2003.

    Example:
        >>> images = handgrad.datasets.load("mnist").train.inputs[:64]
        >>> distorted = Augmentation(rotation=15, elastic_alpha=1.4)(images, np.random.default_rng(0))
        >>> distorted.shape, distorted.dtype
        ((64, 28, 28), dtype('uint8'))
    """

    rotation: float = 0.0
    shear: float = 0.0
    scale: float = 0.0
    translation: float = 0.0
    elastic_alpha: float = 0.0
    elastic_sigma: float = 4.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (least, most) = getattr(self, field.name), _RANGES[field.name]
            if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
                raise ArgumentError(field.name, value, f"a number from {least} to {most}")

    @property
    def active(self) -> bool:
        """Whether it changes anything.

        Example:
            >>> Augmentation().active, Augmentation(shear=0.1).active
            (False, True)
        """
        return any((self.rotation, self.shear, self.scale, self.translation, self.elastic_alpha))

    def __call__(self, images: NDArray[Any], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Distort each image of a batch in its own way.

        Args:
            images: uint8 (N, H, W) or (N, H, W, C).
            rng: draws every random number.

        Returns:
            A new array like `images`, which is left as it is.

        Raises:
            ShapeError: `images` is not uint8 of one of these shapes.

        Example:
            >>> image = np.zeros((1, 3, 5), np.uint8)
            >>> image[0, 1] = 200
            >>> Augmentation(translation=1)(image, np.random.default_rng(0))
            array([[[184, 184, 184, 184, 113],
                    [ 16,  16,  16,  16,  10],
                    [  0,   0,   0,   0,   0]]], dtype=uint8)
        """
        if images.dtype != np.uint8 or images.ndim not in (3, 4):
            found = f"{images.dtype} of shape {images.shape}"
            raise ShapeError("images", found, "uint8 (N, H, W) or (N, H, W, C)", "pass them before preprocessing")
        if not images.size:
            return images.copy()
        rows, numbers = images.reshape(len(images), -1), self.draw(images.shape, rng)  # (N, …) → (N, H·W·C)
        distorted: NDArray[np.uint8] = _compiled(self, images.shape[1:])(rows, numbers)
        return distorted.reshape(images.shape)  # (N, H·W·C) → (N, H, W[, C])

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
        """The random numbers that decide how each of a batch of images is distorted.

        Those of the affine maps come first, so they are the same with and without an elastic displacement.

        Args:
            shape: of the images, (N, H, W) or (N, H, W, C).
            rng: draws them.

        Returns:
            float32 (N, 6), from [0, 1); with an elastic displacement (N, 6 + 2·Kʸ·Kˣ) for a grid of Kʸ × Kˣ nodes.

        Example:
            >>> Augmentation(rotation=5).draw((64, 28, 28), np.random.default_rng(0)).shape
            (64, 6)
        """
        affine = rng.random((shape[0], AFFINE), np.float32)
        if not self.elastic_alpha:
            return affine
        nodes = math.prod(knots(extent, self._spacing(shape[1:])) for extent in shape[1:3])
        return np.concatenate([affine, rng.random((shape[0], 2 * nodes), np.float32)], axis=1)

    def distort(self, source: Array, index: Array | None, numbers: Array, shape: tuple[int, ...], *, ops: Ops) -> Array:
        """Distort images as numbers from `draw` say.

        Args:
            source: uint8 (M, …), images of `shape`.
            index: (N,), which of them; None is all.
            numbers: (N, …).
            shape: of an image, (H, W) or (H, W, C).
            ops: does it.

        Returns:
            uint8 (N, H·W·C).

        Example:
            >>> images = handgrad.datasets.load("mnist").train.inputs
            >>> augmentation, rows = Augmentation(rotation=5), np.arange(3)
            >>> numbers = augmentation.draw((3, 28, 28), np.random.default_rng(0))
            >>> ops = handgrad.ops.for_device("cpu")
            >>> augmentation.distort(images, rows, numbers, (28, 28), ops=ops).shape
            (3, 784)
        """
        # Σₖ β³(x − k)² is 151/315 on average over x, and numbers drawn evenly from [−1, 1] have the variance 1/3.
        amplitude = self.elastic_alpha * math.sqrt(3) * 315 / 151
        limits = math.radians(self.rotation), self.shear, self.scale, self.translation, amplitude
        return ops.distort(source, index, numbers, (*shape, 1)[:3], limits, self._spacing(shape))

    def _spacing(self, shape: tuple[int, ...]) -> float:
        """Pixels between the nodes of the spline for images (H, W[, C]); an affine map needs only the fewest."""
        if not self.elastic_alpha:
            return float(max(shape[:2]))
        return self.elastic_sigma * math.sqrt(3)  # β³ with nodes h apart has the standard deviation h/√3


@lru_cache(maxsize=16)
def _compiled(augmentation: Augmentation, shape: tuple[int, ...]) -> Callable[..., Any]:
    """The distortion of images of one shape."""

    def distort(source: Array, numbers: Array, *, ops: Ops) -> Array:
        return augmentation.distort(source, None, numbers, shape, ops=ops)

    return for_device("cpu").compile(distort)

"""Pooling: one number for each window of an image."""

import math
from abc import abstractmethod
from typing import Any

from handgrad.errors import ArgumentError
from handgrad.layers.layer import Formulas, Layer, Rng
from handgrad.layers.parameters import ParameterTree
from handgrad.layers.windows import as_pair, require_batch, require_image, window_grid
from handgrad.ops import Array, Ops, Pair, Shape


class Pool2d(Layer):
    """What both poolings share: the window, and the shapes.

    Args:
        kernel_size: (kh, kw) of the window, or one number for both.
        stride: step between windows, in pixels; the kernel size where left out, so that windows tile the image.
        padding: border added on each side, at most half the kernel.

    Raises:
        ArgumentError: a size is below 1, or padding below 0 or more than half the kernel.
        ShapeError: in forward, x is not (N, C, H, W), or smaller than a window.
    """

    def __init__(self, kernel_size: int | Pair, stride: int | Pair | None = None, padding: int | Pair = 0) -> None:
        self.kernel_size = as_pair("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else as_pair("stride", stride, 1)
        self.padding = as_pair("padding", padding, 0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ArgumentError("padding", padding, f"at most half the kernel {self.kernel_size}")

    @abstractmethod
    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Any]:
        """One number for each window."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """(..., C, H, W) → (..., C, H', W')."""
        require_image(input_shape)
        grid = window_grid(input_shape, self.kernel_size, self.stride, self.padding)
        return (*input_shape[:-2], *grid)

    def flops(self, input_shape: Shape) -> int:
        """One comparison or addition for each element of each window."""
        return math.prod(self.kernel_size) * math.prod(self.output_shape(input_shape))

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """A 4×4 image in four windows."""
        return cls(2), (1, 1, 4, 4)


class MaxPool2d(Pool2d):
    """The largest number of each window; a tie goes to the first in reading order.

    Shapes: x (N, C, H, W) → y (N, C, H', W'). Padding counts as −∞. Arguments as `Pool2d`.

    >>> layer = MaxPool2d(2).initialize(np.random.default_rng(0))
    >>> layer(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    formulas = Formulas(
        forward=r"y_{n c p q} = \max_{i, j}\; x^{\text{pad}}_{n,\, c,\, s p + i,\, s q + j}",
        backward={
            "x": r"\bar x_{n c u v} = \sum_{p, q} \bar y_{n c p q}\,"
            r"[\text{window } (p, q) \text{ has its first maximum at } (u, v)]"
        },
        shapes={"x": "(N, C, H, W)", "y": "(N, C, H', W')"},
        notes="The cache holds, for each window, the index of its first maximum.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Any]:
        """The maximum of each window; the cache is where it was, and the input's shape."""
        self.output_shape(require_batch(tuple(x.shape)))
        y, index = ops.max_pool2d(x, self.kernel_size, self.stride, self.padding)
        return y, (index, tuple(x.shape))

    def backward(self, dy: Array, cache: Any, *, ops: Ops, grads: ParameterTree) -> Array:
        """Each ȳ goes whole to the element that won; elements of overlapping windows add up what they won."""
        index, shape = cache
        return ops.max_pool2d_dx(dy, index, shape, self.kernel_size, self.stride, self.padding)


class AvgPool2d(Pool2d):
    """The mean of each window, padding counted as zeros.

    Shapes: x (N, C, H, W) → y (N, C, H', W'). Arguments as `Pool2d`.

    >>> layer = AvgPool2d(2).initialize(np.random.default_rng(0))
    >>> layer(np.arange(16.0).reshape(1, 1, 4, 4)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """

    formulas = Formulas(
        forward=r"y_{n c p q} = \frac{1}{k_h k_w} \sum_{i, j} x^{\text{pad}}_{n,\, c,\, s p + i,\, s q + j}",
        backward={
            "x": r"\bar x^{\text{pad}}_{n c u v} = \frac{1}{k_h k_w} "
            r"\sum_{(p, q)\,:\,(u, v) \text{ in window } (p, q)} \bar y_{n c p q}"
        },
        shapes={"x": "(N, C, H, W)", "y": "(N, C, H', W')"},
        notes="The cache is only the input's shape.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Shape]:
        """The mean of each window; the cache is the input's shape."""
        self.output_shape(require_batch(tuple(x.shape)))
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding), tuple(x.shape)

    def backward(self, dy: Array, shape: Shape, *, ops: Ops, grads: ParameterTree) -> Array:
        """Each ȳ is shared equally by its window."""
        return ops.avg_pool2d_dx(dy, shape, self.kernel_size, self.stride, self.padding)

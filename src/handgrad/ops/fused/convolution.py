"""Convolution, and the gradient of its input as convolutions; `convolution_gradients` has the other gradients.

An image lies with its channels last, so the kw·C numbers that one row of a window covers are neighbours in memory. So
are the output channels of a weight, which lies as (kh, kw, C, O). Some windows side by side times some output channels
are then a register tile, to which kh products of depth kw·C are added; no window is copied anywhere.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from handgrad.ops.fused.convolution_gradients import images_gradient, sums_of_images, weight_gradient
from handgrad.ops.fused.linear import SUMMED_TOGETHER, column_sums
from handgrad.ops.fused.native import Native, floats, helper, kernel, kernel_maker, literally
from handgrad.ops.fused.pooling import grid_of_windows
from handgrad.ops.fused.products import tile_width
from handgrad.ops.fused.recorder import NotTraceable, Recorder, Value, Written, require_shape
from handgrad.ops.fused.tile import LANES, WIDE, add_product, load_tile, store_tile, zero_tile
from handgrad.ops.interface import Array, Pair, Shape

#: Rows of the tallest tile: what is in use, rows × 2 vectors and three more, must fit 32 registers (AVX-512) or 16. The
#: taller, the less often weights are read: from 32 to 64 channels at 14 × 14, 190 GFLOP/s with 14 rows, 172 with 7.
_TALLEST = 14 if LANES == 16 else 6
_GROUPS = 16  # of images, whose weight gradients are summed apart
_WORTH_ADDING = 3  # rows of a tile, at least, to have every window add to its pixels
_SMALL_WEIGHT = 1024  # numbers: every image may as well have a sum of its own
_ORDER = (2, 3, 1, 0)  # a weight (O, C, kh, kw) lies as (kh, kw, C, O)


@helper
def _window_tile(rows, vectors, x, x_tap, x_pixel, weight, taps, depth, bias, y, y_pixel, columns):
    """`rows` windows side by side, `x_pixel` bytes apart, times the weights of some output channels."""
    literally(rows)  # the compiler must know how large the tile is
    literally(vectors)
    tile = zero_tile(rows, vectors)
    if bias != 0:
        tile = load_tile(rows, vectors, bias, 0, columns)
    for tap in range(taps):
        element = x + tap * x_tap
        for _ in range(depth):
            tile = add_product(tile, rows, vectors, element, x_pixel, weight, columns)
            element += 4
            weight += 4 * columns
    store_tile(tile, rows, vectors, y, y_pixel, columns)


@kernel_maker
def _correlation(rows: int) -> Native:
    """The kernel whose tiles have this many rows."""

    @kernel
    def correlate(words, begin, end, scratch):
        """y = W * x + b for images begin … end − 1; the weights of the columns of one tile lie together."""
        weight, bias, outputs, taps, depth = words[2], words[3], words[4], words[5], words[6]
        height, width, x_image, x_tap, x_row, x_pixel = words[7], words[8], words[9], words[10], words[11], words[12]
        y_image, y_row, y_pixel = words[13], words[14], words[15]
        for image in range(begin, end):
            x_first, y_first = words[0] + words[16] + image * x_image, words[1] + words[17] + image * y_image
            column = 0
            while column < outputs:
                columns = tile_width(outputs - column)
                tile_weight, tile_bias = weight + 4 * column * taps * depth, bias + 4 * column if bias != 0 else 0
                for p in range(height):
                    for tile in range(-(-width // rows)):
                        q = min(tile * rows, width - rows)  # the last tile may overlap the one before
                        x, y = x_first + p * x_row + q * x_pixel, y_first + p * y_row + q * y_pixel + 4 * column
                        if columns == WIDE:
                            _window_tile(
                                rows, 2, x, x_tap, x_pixel, tile_weight, taps, depth, tile_bias, y, y_pixel, WIDE
                            )
                        else:
                            _window_tile(
                                rows, 1, x, x_tap, x_pixel, tile_weight, taps, depth, tile_bias, y, y_pixel, columns
                            )
                column += columns

    return correlate


@kernel
def arrange(words, begin, end, scratch):
    """Weights in the order that `correlate` reads: for each tile its columns, for the taps begin … end − 1.

    Taps are taken from a first one in steps, which may go backwards. Their matrices (C, O) may be turned.
    """
    outputs, depth, column_step, depth_step, kernel_width = words[2], words[3], words[4], words[5], words[6]
    first_i, first_j, step_i, step_j, taps, taps_across = words[7], words[8], words[9], words[10], words[11], words[12]
    for tap in range(begin, end):
        i, j = first_i + tap // taps_across * step_i, first_j + tap % taps_across * step_j
        x = floats(words[0] + 4 * (i * kernel_width + j) * outputs * depth)
        column = 0
        while column < outputs:
            columns = tile_width(outputs - column)
            y = floats(words[1] + 4 * (column * taps + tap * columns) * depth)
            for k in range(depth):
                for c in range(columns):
                    y[k * columns + c] = x[(column + c) * column_step + k * depth_step]
            column += columns


@kernel
def frame(words, begin, end, scratch):
    """Images inside larger ones of zeros; sizes are in numbers."""
    height, row, full_height, full_row, above, before = words[2], words[3], words[4], words[5], words[6], words[7]
    for image in range(begin, end):
        x, y = floats(words[0] + 4 * image * height * row), floats(words[1] + 4 * image * full_height * full_row)
        written = 0
        for p in range(height):
            start = (above + p) * full_row + before
            for i in range(written, start):
                y[i] = 0
            for i in range(row):
                y[start + i] = x[p * row + i]
            written = start + row
        for i in range(written, full_height * full_row):
            y[i] = 0


class ConvolutionOps(Recorder):
    """Convolution, recorded."""

    def __init__(self, state: Sequence["np.ndarray[Any, Any]"]) -> None:
        super().__init__(state)
        self._padded: dict[tuple[Value, Pair], Value] = {}

    def conv2d(self, x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair) -> Value:
        x, weight = self.value(x), self.value(weight, _ORDER)
        outputs, _, *taps = weight.shape
        y = self.new(_convolved(x.shape, weight.shape, stride, padding))
        if bias is not None:
            bias = self.value(bias)
            require_shape((outputs,), bias)
        if outputs > LANES and outputs != WIDE:  # as they are, the weights of a tile lie apart: 168 GFLOP/s, not 190
            weight = self._arrange(weight, [range(taps[a]) for a in range(2)], turned=False)
        self._correlate(_Grid(self._pad(x, padding), stride=stride), weight, taps, bias, _Grid(y))
        return y

    def conv2d_dx(self, dy: Array, weight: Array, shape: Shape, stride: Pair, padding: Pair) -> Value:
        dy, weight, dx = self.value(dy), self.value(weight, _ORDER), self.new(shape)
        require_shape(_convolved(dx.shape, weight.shape, stride, padding), dy)
        rows = _even_rows(dy.shape[3])
        if not any(padding) and rows >= _WORTH_ADDING:
            self._add_to_windows(dy, weight, dx, stride, rows)
        else:
            self._gather_from_windows(dy, weight, dx, stride, padding)
        return dx

    def _add_to_windows(self, dy: Value, weight: Value, dx: Value, stride: Pair, rows: int) -> None:
        """Record the gradient of the images where every window lies inside: no product is with a border's zeros."""
        (images, outputs, height, width), (_, inputs, *taps) = dy.shape, weight.shape
        turned, grid = self._arrange(weight, [range(taps[a]) for a in range(2)], turned=True), _Grid(dx)
        self.emit(
            images_gradient(rows), dy, Written(dx), turned, inputs, outputs, height, width, *taps,
            grid.steps[0], grid.tap, *stride, items=images, by_rows=True, whole=[turned],
            flops=2 * dy.size * math.prod(taps) * inputs,
        )  # fmt: skip

    def _gather_from_windows(self, dy: Value, weight: Value, dx: Value, stride: Pair, padding: Pair) -> None:
        """Record the gradient of the images as convolutions of ȳ, framed by zeros, with the turned weights."""
        # Input u meets output p at tap i = u + padding − stride·p. So the inputs from `first` on in steps of the stride
        # share every stride-th tap, and are a convolution of ȳ with those; the larger i, the smaller p.
        taps, axes = weight.shape[2:], range(2)
        margin = [max(0, -(-taps[a] // stride[a]) - 1 - padding[a] // stride[a]) for a in axes]
        last = [(dx.shape[2 + a] - 1 + padding[a]) // stride[a] for a in axes]
        dy = self._frame(dy, margin, [margin[a] + max(dy.shape[2 + a], last[a] + 1) for a in axes])
        for first in product(*(range(min(stride[a], dx.shape[2 + a])) for a in axes)):
            met = [range((first[a] + padding[a]) % stride[a], taps[a], stride[a])[::-1] for a in axes]
            start = [margin[a] + (first[a] + padding[a]) // stride[a] - len(met[a]) + 1 for a in axes]
            turned = self._arrange(weight, met, turned=True) if all(met) else weight
            self._correlate(_Grid(dy, start), turned, [len(m) for m in met], None, _Grid(dx, first, stride))

    def conv2d_grads(self, dy: Array, x: Array, out: tuple[Array, Array | None], stride: Pair, padding: Pair) -> None:
        dy, x, weight = self.value(dy), self.value(x), self.value(out[0], _ORDER)
        require_shape(_convolved(x.shape, weight.shape, stride, padding), dy)
        (outputs, inputs, kh, kw), (images, _, height, width) = weight.shape, dy.shape
        together = 1 if weight.size <= _SMALL_WEIGHT else max(1, -(-images // _GROUPS))
        sums, depth = self.new((-(-images // together), weight.size)), kw * inputs
        taps = kh if kh * depth <= _TALLEST else 1  # rows of a window in a tile
        grid = _Grid(self._pad(x, padding), stride=stride)
        x_image, x_row, x_pixel = grid.steps
        self.emit(
            weight_gradient(_tile_rows(depth), taps), grid.image, dy, Written(sums),
            images, together, height, width, outputs, kh // taps, depth, x_image, grid.tap, x_row, x_pixel,
            items=sums.shape[0], by_rows=together == 1, flops=2 * dy.size * kh * depth,
        )  # fmt: skip
        self._sum_rows(sums, weight)
        if out[1] is not None:
            sums, bias = self.new((images, outputs)), self.value(out[1])
            require_shape((outputs,), bias)
            self.rowwise(sums_of_images, dy, Written(sums), height * width, outputs, like=dy)
            self._sum_rows(sums, bias)

    def _correlate(self, x: "_Grid", weight: Value, taps: Sequence[int], bias: Value | None, y: "_Grid") -> None:
        """Record the convolution of the windows that begin at the pixels of a grid; y's grid says how many."""
        (images, outputs), (height, width), depth = y.image.shape[:2], y.size, taps[1] * x.image.shape[1]
        x_image, x_row, x_pixel = x.steps
        self.emit(
            _correlation(_tile_rows(width)), x.image, Written(y.image), weight, bias, outputs, taps[0], depth,
            height, width, x_image, x.tap, x_row, x_pixel, *y.steps, x.start, y.start,
            items=images, by_rows=True, whole=[weight] if bias is None else [weight, bias],
            flops=2 * images * outputs * height * width * taps[0] * depth,
        )  # fmt: skip

    def _arrange(self, weight: Value, taps: Sequence[range], *, turned: bool) -> Value:
        """Record weights (taps, C, O), or turned (taps, O, C), as `correlate` reads them."""
        outputs, inputs, _, kernel_width = weight.shape
        sizes = (inputs, outputs, outputs, 1) if turned else (outputs, inputs, 1, outputs)
        firsts, steps, count = [t[0] for t in taps], [t.step for t in taps], len(taps[0]) * len(taps[1])
        y = self.new((count, inputs * outputs))
        settings = (*sizes, kernel_width, *firsts, *steps, count, len(taps[1]))
        self.emit(arrange, weight, Written(y), *settings, items=count)
        return y

    def _pad(self, x: Value, padding: Pair) -> Value:
        """x with its border of zeros, recorded once: the gradient needs it again."""
        key = x, (padding[0], padding[1])
        if key not in self._padded:
            size = [x.shape[2 + a] + 2 * padding[a] for a in range(2)]
            self._padded[key] = self._frame(x, padding, size)
        return self._padded[key]

    def _frame(self, x: Value, margin: Sequence[int], size: Sequence[int]) -> Value:
        """Record x inside an image of zeros; x itself if it fills it."""
        images, channels, height, width = x.shape
        if [height, width] == list(size):
            return x
        y = self.new((images, channels, *size))
        settings = (height, width * channels, size[0], size[1] * channels, margin[0], margin[1] * channels)
        self.rowwise(frame, x, Written(y), *settings, like=y)
        return y

    def _sum_rows(self, x: Value, out: Value) -> None:
        rows, columns = x.shape
        self.emit(column_sums, x, Written(out), rows, columns, items=-(-columns // SUMMED_TOGETHER))


@dataclass(frozen=True)
class _Grid:
    """Some pixels of an image: every `stride`-th from `first` on, down and across. Distances are in bytes."""

    image: Value
    first: Sequence[int] = (0, 0)
    stride: Sequence[int] = (1, 1)

    @property
    def size(self) -> tuple[int, int]:
        """How many there are, down and across."""
        height, width = (-(-(self.image.shape[2 + a] - self.first[a]) // self.stride[a]) for a in range(2))
        return height, width

    @property
    def start(self) -> int:
        """From the image's beginning to the first pixel."""
        return self.tap * self.first[0] + 4 * self.image.shape[1] * self.first[1]

    @property
    def tap(self) -> int:
        """From one row of the image to the next."""
        return 4 * self.image.shape[1] * self.image.shape[3]

    @property
    def steps(self) -> tuple[int, int, int]:
        """From one image to the next, from one row of the grid to the next, and from one pixel of it."""
        pixel = 4 * self.image.shape[1]
        return self.tap * self.image.shape[2], self.tap * self.stride[0], pixel * self.stride[1]


def _convolved(x: Shape, weight: Shape, stride: Pair, padding: Pair) -> Shape:
    """The shape of what a convolution of these shapes makes."""
    if len(x) != 4 or len(weight) != 4 or x[1] != weight[1]:
        raise NotTraceable(f"images {x} do not fit weights {weight}")
    return (x[0], weight[0], *grid_of_windows(x, (weight[2], weight[3]), stride, padding))


def _tile_rows(length: int) -> int:
    """Rows of the fewest tiles that cover so many, as even as can be."""
    return -(-length // -(-length // _TALLEST))


def _even_rows(length: int) -> int:
    """Rows of the tallest tiles that cover so many without overlapping."""
    return next(rows for rows in range(min(length, _TALLEST), 0, -1) if length % rows == 0)

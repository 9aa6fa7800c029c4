"""Pooling: one number for each window of each channel. Where a window reaches over the border, only its inside is read.

All kernels are given the addresses of the images x (or x̄), of what is pooled of them, y (or ȳ), and of the index, then
the same sizes, in the order of `_geometry`. Items are images.
"""

import math
from typing import Any

import numpy as np

from handgrad.ops.fused.native import floats, helper, kernel, literally, real
from handgrad.ops.fused.products import tile_width
from handgrad.ops.fused.recorder import NotTraceable, Recorder, Value, Written, require_shape
from handgrad.ops.fused.tile import (
    WIDE,
    full_tile,
    load_bytes,
    load_tile,
    scaled_sum,
    store_bytes,
    store_tile,
    where_equal,
    where_larger,
    where_nan,
    zero_tile,
)
from handgrad.ops.interface import Array, Pair, Shape

_f = np.float32
#: Places in a window that a byte can tell apart; the index of larger windows is float32.
IN_A_BYTE = 256


@helper
def _inside(start, length, size):
    """Which elements first … last − 1 of a window that begins at `start` lie inside."""
    return max(0, -start), min(length, size - start)


@helper
def _row_of_windows(words, image, p):
    """Where the windows of row p begin in x, in bytes, and which of their rows lie inside."""
    pixel, height, width, start = 4 * words[3], words[4], words[5], p * words[10] - words[12]
    return words[0] + pixel * ((image * height + start) * width - words[13]), _inside(start, words[8], height)


@helper
def _maximum(vectors, x, rows, across, steps, lowest, nowhere, y, index, small, columns):
    """The largest number of a window and its place there: `lowest` and `nowhere`, if none is larger."""
    literally(vectors)  # the compiler must know how large the tile is
    row, pixel, kernel_width = steps
    best, place = full_tile(1, vectors, lowest), full_tile(1, vectors, nowhere)
    for i in range(rows[0], rows[1]):
        for j in range(across[0], across[1]):
            candidate = load_tile(1, vectors, x + i * row + j * pixel, 0, columns)
            place = where_larger(candidate, best, full_tile(1, vectors, _f(i * kernel_width + j)), place)
            larger = where_larger(candidate, best, candidate, best)
            best = larger if lowest == 0 else where_nan(candidate, larger)
    store_tile(best, 1, vectors, y, 0, columns)
    if small:
        store_bytes(place, vectors, index, columns)
    else:
        store_tile(place, 1, vectors, index, 0, columns)


@kernel
def max_pool(words, begin, end, scratch):
    """y and the index of each window of images begin … end − 1."""
    channels, y_height, y_width, kw, sw, small = words[3], words[6], words[7], words[9], words[11], words[14]
    lowest, nowhere, pixel = _f(real(words[15])), _f(real(words[16])), 4 * channels
    steps = pixel * words[5], pixel, kw
    for image in range(begin, end):
        for p in range(y_height):
            x_row, rows = _row_of_windows(words, image, p)
            for q in range(y_width):
                across = _inside(q * sw - words[13], kw, words[5])
                first, column = ((image * y_height + p) * y_width + q) * channels, 0
                while column < channels:
                    columns = tile_width(channels - column)
                    x, y = x_row + q * sw * pixel + 4 * column, words[1] + 4 * (first + column)
                    index = words[2] + (first + column) * (1 if small else 4)
                    if columns == WIDE:
                        _maximum(2, x, rows, across, steps, lowest, nowhere, y, index, small, columns)
                    else:
                        _maximum(1, x, rows, across, steps, lowest, nowhere, y, index, small, columns)
                    column += columns


@helper
def _clear(words, image):
    """Zeros in an image of x̄, unless windows cover it side by side; whether they overlap."""
    height, width, kh, kw, sh, sw = words[4], words[5], words[8], words[9], words[10], words[11]
    covered = sh == kh and words[12] == 0 and words[6] * kh == height
    if not (covered and sw == kw and words[13] == 0 and words[7] * kw == width):
        size = words[3] * height * width
        x = floats(words[0] + 4 * image * size)
        for i in range(size):
            x[i] = 0
    return sh < kh or sw < kw


@helper
def _to_maximum(vectors, dy, index, small, dx, rows, across, steps, adds, columns):
    """ȳ to the place in its window that the index says, 0 to the others."""
    literally(vectors)
    row, pixel, kernel_width = steps
    gradient = load_tile(1, vectors, dy, 0, columns)
    place = load_bytes(vectors, index, columns) if small else load_tile(1, vectors, index, 0, columns)
    for i in range(rows[0], rows[1]):
        for j in range(across[0], across[1]):
            given = where_equal(place, full_tile(1, vectors, _f(i * kernel_width + j)), gradient)
            element = dx + i * row + j * pixel
            if adds:
                given = scaled_sum(load_tile(1, vectors, element, 0, columns), _f(1), given)
            store_tile(given, 1, vectors, element, 0, columns)


@kernel
def max_pool_dx(words, begin, end, scratch):
    """x̄ for images begin … end − 1."""
    channels, y_height, y_width, kw, sw, small = words[3], words[6], words[7], words[9], words[11], words[14]
    pixel = 4 * channels
    steps = pixel * words[5], pixel, kw
    for image in range(begin, end):
        adds = _clear(words, image)
        for p in range(y_height):
            dx_row, rows = _row_of_windows(words, image, p)
            for q in range(y_width):
                across = _inside(q * sw - words[13], kw, words[5])
                first, column = ((image * y_height + p) * y_width + q) * channels, 0
                while column < channels:
                    columns = tile_width(channels - column)
                    dx, dy = dx_row + q * sw * pixel + 4 * column, words[1] + 4 * (first + column)
                    index = words[2] + (first + column) * (1 if small else 4)
                    if columns == WIDE:
                        _to_maximum(2, dy, index, small, dx, rows, across, steps, adds, columns)
                    else:
                        _to_maximum(1, dy, index, small, dx, rows, across, steps, adds, columns)
                    column += columns


@helper
def _mean(vectors, x, rows, across, row, pixel, area, y, columns):
    """The sum of a window's inside divided by its whole area."""
    literally(vectors)
    total = zero_tile(1, vectors)
    for i in range(rows[0], rows[1]):
        for j in range(across[0], across[1]):
            total = scaled_sum(total, _f(1), load_tile(1, vectors, x + i * row + j * pixel, 0, columns))
    store_tile(scaled_sum(zero_tile(1, vectors), _f(1) / _f(area), total), 1, vectors, y, 0, columns)


@kernel
def avg_pool(words, begin, end, scratch):
    """y for images begin … end − 1."""
    channels, y_height, y_width, kw, sw, area = words[3], words[6], words[7], words[9], words[11], words[8] * words[9]
    pixel = 4 * channels
    for image in range(begin, end):
        for p in range(y_height):
            x_row, rows = _row_of_windows(words, image, p)
            for q in range(y_width):
                across = _inside(q * sw - words[13], kw, words[5])
                first, column = ((image * y_height + p) * y_width + q) * channels, 0
                while column < channels:
                    columns = tile_width(channels - column)
                    x, y = x_row + q * sw * pixel + 4 * column, words[1] + 4 * (first + column)
                    if columns == WIDE:
                        _mean(2, x, rows, across, pixel * words[5], pixel, area, y, columns)
                    else:
                        _mean(1, x, rows, across, pixel * words[5], pixel, area, y, columns)
                    column += columns


@helper
def _to_all(vectors, dy, dx, rows, across, row, pixel, area, adds, columns):
    """An equal share of ȳ to each element of its window."""
    literally(vectors)
    share = scaled_sum(zero_tile(1, vectors), _f(1) / _f(area), load_tile(1, vectors, dy, 0, columns))
    for i in range(rows[0], rows[1]):
        for j in range(across[0], across[1]):
            element, given = dx + i * row + j * pixel, share
            if adds:
                given = scaled_sum(load_tile(1, vectors, element, 0, columns), _f(1), share)
            store_tile(given, 1, vectors, element, 0, columns)


@kernel
def avg_pool_dx(words, begin, end, scratch):
    """x̄ for images begin … end − 1."""
    channels, y_height, y_width, kw, sw, area = words[3], words[6], words[7], words[9], words[11], words[8] * words[9]
    pixel = 4 * channels
    for image in range(begin, end):
        adds = _clear(words, image)
        for p in range(y_height):
            dx_row, rows = _row_of_windows(words, image, p)
            for q in range(y_width):
                across = _inside(q * sw - words[13], kw, words[5])
                first, column = ((image * y_height + p) * y_width + q) * channels, 0
                while column < channels:
                    columns = tile_width(channels - column)
                    dx, dy = dx_row + q * sw * pixel + 4 * column, words[1] + 4 * (first + column)
                    if columns == WIDE:
                        _to_all(2, dy, dx, rows, across, pixel * words[5], pixel, area, adds, columns)
                    else:
                        _to_all(1, dy, dx, rows, across, pixel * words[5], pixel, area, adds, columns)
                    column += columns


class PoolingOps(Recorder):
    """Pooling, recorded."""

    def max_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> tuple[Value, Value]:
        x = self.value(x)
        y = self.new(_pooled(x.shape, kernel, stride, padding))
        index = self.new(y.shape, _index_type(kernel))
        settings = (*_geometry(x, y, kernel, stride, padding), _is_small(index))
        self.rowwise(max_pool, x, Written(y), Written(index), *settings, -math.inf, 0.0, like=x)
        return y, index

    def max_pool2d_dx(self, dy: Array, index: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Value:
        dy, index, dx = self.value(dy), self.value(index, dtype=_index_type(kernel)), self.new(shape)
        require_shape(_pooled(dx.shape, kernel, stride, padding), dy, index)
        settings = (*_geometry(dx, dy, kernel, stride, padding), _is_small(index))
        self.rowwise(max_pool_dx, Written(dx), dy, index, *settings, like=dx)
        return dx

    def avg_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Value:
        x = self.value(x)
        y = self.new(_pooled(x.shape, kernel, stride, padding))
        self.rowwise(avg_pool, x, Written(y), None, *_geometry(x, y, kernel, stride, padding), like=x)
        return y

    def avg_pool2d_dx(self, dy: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Value:
        dy, dx = self.value(dy), self.new(shape)
        require_shape(_pooled(dx.shape, kernel, stride, padding), dy)
        self.rowwise(avg_pool_dx, Written(dx), dy, None, *_geometry(dx, dy, kernel, stride, padding), like=dx)
        return dx


def grid_of_windows(x: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """Rows and columns of windows that images of this shape have."""
    height, width = ((x[2 + a] + 2 * padding[a] - kernel[a]) // stride[a] + 1 for a in range(2))
    if min(height, width) < 1:
        raise NotTraceable(f"a window {kernel} is larger than images {x}")
    return height, width


def _pooled(x: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Shape:
    """The shape of what is pooled of images of this shape."""
    if len(x) != 4:
        raise NotTraceable(f"{x} are no images")
    return (*x[:2], *grid_of_windows(x, kernel, stride, padding))


def _geometry(x: Value, y: Value, kernel: Pair, stride: Pair, padding: Pair) -> Shape:
    """What every kernel is told after the addresses."""
    return (*x.shape[1:], *y.shape[2:], *kernel, *stride, *padding)


def _index_type(kernel: Pair) -> "np.dtype[Any]":
    return np.dtype(np.uint8 if kernel[0] * kernel[1] <= IN_A_BYTE else np.float32)


def _is_small(index: Value) -> int:
    return int(index.dtype == np.uint8)

"""Making and combining arrays."""

import math
from typing import Any

import numpy as np

from handgrad.errors import ArgumentError
from handgrad.ops.fused.native import floats, helper, integers, kernel, prefetch, real, small_integers
from handgrad.ops.fused.products import MANY_INPUTS, PARTS, part_of
from handgrad.ops.fused.recorder import NotTraceable, Recorder, Value, Written, require_shape, row_size
from handgrad.ops.interface import Array, Shape

_f = np.float32
#: Rows that the processor is asked for beforehand, since they lie anywhere: 64 images took 15 µs, and take 6.
_AHEAD = 16
_CACHE_LINE = 64  # bytes


@kernel
def fill(words, begin, end, scratch):
    """One number everywhere."""
    y, size, value = floats(words[0]), words[1], _f(real(words[2]))
    for i in range(begin * size, end * size):
        y[i] = value


@kernel
def affine(words, begin, end, scratch):
    """scale·x + shift."""
    x, y, size, scale, shift = floats(words[0]), floats(words[1]), words[2], _f(real(words[3])), _f(real(words[4]))
    for i in range(begin * size, end * size):
        y[i] = x[i] * scale + shift


@kernel
def add(words, begin, end, scratch):
    """x + y."""
    x, y, z, size = floats(words[0]), floats(words[1]), floats(words[2]), words[3]
    for i in range(begin * size, end * size):
        z[i] = x[i] + y[i]


@kernel
def multiply(words, begin, end, scratch):
    """x·y, element by element."""
    x, y, z, size = floats(words[0]), floats(words[1]), floats(words[2]), words[3]
    for i in range(begin * size, end * size):
        z[i] = x[i] * y[i]


@kernel
def one_hot(words, begin, end, scratch):
    """Rows of zeros with a single one. A label outside [0, classes) gives a row of NaN, which the loss reports."""
    labels, y, classes = integers(words[0]), floats(words[1]), words[2]
    for row in range(begin, end):
        label = labels[row]
        blank = _f(0) if 0 <= label < classes else _f(np.nan)
        for column in range(classes):
            y[row * classes + column] = _f(1) if column == label else blank


@helper
def _fetch(source, is_bytes, shift, factor, y, size):
    """(source − shift)·factor for so many numbers."""
    target = floats(y)
    if is_bytes:
        pixels = small_integers(source)
        for i in range(size):
            target[i] = (_f(pixels[i]) - shift) * factor
    else:
        numbers = floats(source)
        for i in range(size):
            target[i] = (numbers[i] - shift) * factor


@helper
def _gather(words, row, first, last):
    """Columns first … last − 1 of a row of (source[index] − shift)·factor, and of the ones that may follow it."""
    size, width, shift, factor, is_bytes = words[3], words[4], _f(real(words[5])), _f(real(words[6])), words[7]
    chosen, y = row if words[1] == 0 else integers(words[1])[row], words[2] + 4 * row * width
    if not 0 <= chosen < words[8]:  # NaN, which the loss reports
        for i in range(first, last):
            floats(y)[i] = _f(np.nan)
        return
    element = 1 if is_bytes else 4
    inside = min(last, size)
    _fetch(words[0] + (chosen * size + first) * element, is_bytes, shift, factor, y + 4 * first, inside - first)
    for i in range(inside, last):
        floats(y)[i] = _f(1)


@helper
def _ask_for(words, row, first, last):
    """Have the processor fetch columns first … last − 1 of a row of the source."""
    size, element = words[3], 1 if words[7] else 4
    chosen = row if words[1] == 0 else integers(words[1])[row]
    start = words[0] + chosen * size * element
    for place in range(start + first * element, start + min(last, size) * element, _CACHE_LINE):
        prefetch(place)


@helper
def _gather_rows(words, begin, end, first, last):
    """Columns first … last − 1 of rows begin … end − 1, as `_gather` makes them, asked for some rows ahead."""
    for row in range(begin, min(begin + _AHEAD, end)):
        _ask_for(words, row, first, last)
    for row in range(begin, end):
        if row + _AHEAD < end:
            _ask_for(words, row + _AHEAD, first, last)
        _gather(words, row, first, last)


@kernel
def gather(words, begin, end, scratch):
    """(source[index] − shift)·factor, row by row; source is uint8 or float32, and a column of ones may follow."""
    _gather_rows(words, begin, end, 0, words[4])


@kernel
def gather_by_parts(words, begin, end, scratch):
    """The same for all rows, and the parts begin … end − 1 of their columns."""
    for part in range(begin, end):
        first, count = part_of(words[4], part, PARTS)
        _gather_rows(words, 0, words[9], first, first + count)


@kernel
def channels_first(words, begin, end, scratch):
    """Rows (C, P) from rows (P, C): an image as a reader of its shape would list it."""
    channels, pixels = words[2], words[3]
    for row in range(begin, end):
        x, y = floats(words[0] + 4 * row * channels * pixels), floats(words[1] + 4 * row * channels * pixels)
        for channel in range(channels):
            for pixel in range(pixels):
                y[channel * pixels + pixel] = x[pixel * channels + channel]


class ArrayOps(Recorder):
    """Making and combining arrays, recorded."""

    def asarray(self, values: Any, dtype: str | None = None) -> Value:
        value = self.value(values, dtype=None)
        if dtype and value.dtype != np.dtype(dtype):
            raise NotTraceable(f"{value.dtype} is turned into {dtype}")
        return value

    def to_numpy(self, x: Array) -> Any:
        raise NotTraceable("an array is read back")

    def zeros(self, shape: Shape, dtype: str) -> Value:
        if dtype != "float32":
            raise NotTraceable(f"an array of {dtype} is made")
        return self._filled(shape, 0.0)

    def full(self, shape: Shape, value: float, like: Array) -> Value:
        return self._filled(shape, value)

    def _filled(self, shape: Shape, value: float) -> Value:
        y = self.new(shape)
        rows = shape[0] if shape else 1
        self.emit(fill, Written(y), y.size // max(1, rows), float(value), items=rows, by_rows=True)
        return y

    def cast(self, x: Array, like: Array) -> Value:
        return self.value(x)

    def reshape(self, x: Array, shape: Shape) -> Value:
        x = self.value(x)
        shape = tuple(shape)
        if math.prod(shape) != x.size:
            raise ArgumentError("shape", shape, f"{x.size} elements")
        if _same_order(x.shape, shape):
            return Value(shape, x.dtype, x.block, x.offset)
        channels, pixels = _channels_and_pixels(x.shape if x.ndim == 4 else shape)
        y = self.new(shape)
        inner, outer, image = (channels, pixels, x) if x.ndim == 4 else (pixels, channels, y)
        self.rowwise(channels_first, x, Written(y), inner, outer, like=image)
        return y

    def permute(self, x: Array, axes: Shape) -> Value:
        raise NotTraceable("axes are exchanged")

    def add(self, x: Array, y: Array) -> Value:
        return self._combine(add, x, y)

    def multiply(self, x: Array, y: Array) -> Value:
        return self._combine(multiply, x, y)

    def _combine(self, kernel: Any, x: Array, y: Array) -> Value:
        x, y = self.value(x), self.value(y)
        require_shape(x.shape, y)
        z = self.new(x.shape)
        self.rowwise(kernel, x, y, Written(z), row_size(x), like=x)
        return z

    def affine(self, x: Array, scale: float, shift: float) -> Value:
        x = self.value(x)
        y = self.new(x.shape)
        self.rowwise(affine, x, Written(y), row_size(x), float(scale), float(shift), like=x)
        return y

    def one_hot(self, labels: Array, classes: int, like: Array) -> Value:
        labels = self.value(labels, dtype=np.int64)
        require_shape(labels.shape[:1], labels)
        y = self.new((labels.shape[0], classes))
        self.rowwise(one_hot, labels, Written(y), classes, like=y)
        return y

    def take(self, source: Array, index: Array | None, shift: float, factor: float, shape: Shape) -> Value:
        if isinstance(source, Value) and source.ndim == 4:
            raise NotTraceable("an argument (N, H, W, C), which would lie in memory as images do")
        source = self.value(source, dtype=None)
        rows = source.shape[0]
        if index is not None:
            index = self.value(index, dtype=np.int64)
            require_shape(index.shape[:1], index)
            rows = index.shape[0]
        y = self.new((rows, *shape))
        if source.dtype not in (np.uint8, np.float32) or row_size(y) - row_size(source) not in (0, 1):
            raise NotTraceable(f"examples of {source.dtype} and shape {source.shape[1:]} become {shape}")
        is_bytes = int(source.dtype == np.uint8)
        settings = (row_size(source), row_size(y), float(shift), float(factor), is_bytes, source.shape[0])
        if y.ndim == 2 and row_size(y) >= MANY_INPUTS:  # a linear layer's
            self.emit(gather_by_parts, source, index, Written(y), *settings, rows, items=PARTS, flops=y.size)
            return y
        whole = [] if index is None else [source]
        self.emit(gather, source, index, Written(y), *settings, items=rows, by_rows=True, whole=whole, flops=y.size)
        return y


def _same_order(old: Shape, new: Shape) -> bool:
    """Whether both shapes list the elements in the order in which they lie in memory."""
    if len(old) != 4 and len(new) != 4:
        return True
    if len(old) == 4 and len(new) == 4:
        if old != new:
            raise NotTraceable("an image takes another shape")
        return True
    channels, pixels = _channels_and_pixels(old if len(old) == 4 else new)
    return channels == 1 or pixels == 1


def _channels_and_pixels(image: Shape) -> tuple[int, int]:
    return image[1], image[2] * image[3]

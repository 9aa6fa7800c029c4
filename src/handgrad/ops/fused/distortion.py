"""Distorting images: where each pixel comes from, and what lies there.

Each step is a loop of its own over a whole image, because LLVM makes vector instructions of a loop only if it does not
fetch from places that it computes while it writes: with the fetching between them, `_locate` and `_blend` took 300 µs
instead of 40 for 64 MNIST images. In all those 64 images take about 100 µs on one core.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from handgrad.ops.distortion import AFFINE, knots, spline_weights
from handgrad.ops.fused.native import floats, helper, integers, kernel, real, small_integers, words32
from handgrad.ops.fused.recorder import NotTraceable, Recorder, Value, Written
from handgrad.ops.fused.threads import SCRATCH_BYTES
from handgrad.ops.interface import Array, Shape

_f, _i, _u = np.float32, np.int32, np.uint32
_ZERO, _HALF, _ONE, _TWO = _f(0), _f(0.5), _f(1), _f(2)
_BYTE = _u(255)
_VECTOR = 16  # rows of whole vectors: 28 pixels as 32 take 9 % less time than as 28


@helper
def _inverse(numbers, limits):
    """A⁻¹ = diag(1/s₁, 1/s₂) · [[1, −k], [0, 1]] · R(−θ), row by row, and t."""
    angle = (_TWO * numbers[0] - _ONE) * limits[0]
    shear = (_TWO * numbers[1] - _ONE) * limits[1]
    width = _ONE + (_TWO * numbers[2] - _ONE) * limits[2]
    height = _ONE + (_TWO * numbers[3] - _ONE) * limits[2]
    right = (_TWO * numbers[4] - _ONE) * limits[3]
    down = (_TWO * numbers[5] - _ONE) * limits[3]
    cos, sin = _f(math.cos(angle)), _f(math.sin(angle))
    return (cos + shear * sin) / width, (sin - shear * cos) / width, -sin / height, cos / height, right, down


@helper
def _place_nodes(numbers, bends, limits, spacing, size, nodes, xs, ys):
    """Where in the image each node's place comes from; size (height, width), nodes (down, across)."""
    xx, xy, yx, yy, right, down = _inverse(numbers, limits)
    centre_y, centre_x = _f(size[0] - 1) / _TWO, _f(size[1] - 1) / _TWO
    for row in range(nodes[0]):
        y = _f(row - 1) * spacing - centre_y - down
        for column in range(nodes[1]):
            x = _f(column - 1) * spacing - centre_x - right
            k = row * nodes[1] + column
            xs[k] = centre_x + xx * x + xy * y
            ys[k] = centre_y + yx * x + yy * y
            if bends:
                xs[k] += limits[4] * (_TWO * numbers[AFFINE + 2 * k] - _ONE)
                ys[k] += limits[4] * (_TWO * numbers[AFFINE + 2 * k + 1] - _ONE)


@helper
def _interpolate(nodes, down, across, firsts, along_y, along_x, height, stride, strips, places):
    """The spline at every pixel: along x for each row of nodes, then along y from the four rows around a pixel.

    `firsts` says which row of nodes is the first of these four; dividing for it took a third of the whole time.
    """
    for k in range(down):
        strip = floats(strips + 4 * k * stride)
        for x in range(stride):
            strip[x] = _ZERO
        for j in range(across):
            node, column = nodes[k * across + j], floats(along_x + 4 * j * stride)
            for x in range(stride):
                strip[x] += node * column[x]
    for y in range(height):
        k = firsts[y]
        w0, w1 = along_y[k * height + y], along_y[(k + 1) * height + y]
        w2, w3 = along_y[(k + 2) * height + y], along_y[(k + 3) * height + y]
        strip0, strip1 = floats(strips + 4 * k * stride), floats(strips + 4 * (k + 1) * stride)
        strip2, strip3 = floats(strips + 4 * (k + 2) * stride), floats(strips + 4 * (k + 3) * stride)
        place = floats(places + 4 * y * stride)
        for x in range(stride):
            place[x] = (w0 * strip0[x] + w1 * strip1[x]) + (w2 * strip2[x] + w3 * strip3[x])


@helper
def _locate(xs, ys, pixels, height, width, index):
    """Split each place into a pixel, as its position among the words, and the fractions beyond it, which replace it.

    Places more than a pixel outside the image move to its border of zeros, and so would NaN.
    """
    right, bottom, stride = _f(width + 1), _f(height + 1), _i(width + 2)
    for p in range(pixels):
        x, y = xs[p] + _ONE, ys[p] + _ONE  # words begin one pixel outside
        x, y = x if x > _ZERO else _ZERO, y if y > _ZERO else _ZERO
        x, y = x if x < right else right, y if y < bottom else bottom
        column, row = _i(x), _i(y)
        xs[p], ys[p] = x - _f(column), y - _f(row)
        index[p] = _u(row * stride + column)


@helper
def _pack(image, height, width, channels, padded, words):
    """Four neighbours as the bytes of one word, so that one load fetches them all.

    image (H, W, channels), of which the first is meant; padded (H + 3, W + 2) and words (H + 2, W + 2), both zero
    around the image. Word (y, x) holds the pixels (y − 1, x − 1), (y − 1, x), (y, x − 1) and (y, x).
    """
    stride = width + 2
    for y in range(height):
        row, pixels = small_integers(padded + (y + 1) * stride + 1), small_integers(image + y * width * channels)
        for x in range(width):
            row[x] = pixels[x * channels]
    top_left, top_right = small_integers(padded), small_integers(padded + 1)
    bottom_left, bottom_right = small_integers(padded + stride), small_integers(padded + stride + 1)
    for p in range((height + 2) * stride - stride - 1):
        upper = _u(top_left[p]) | (_u(top_right[p]) << _u(8))
        words[p] = upper | (_u(bottom_left[p]) << _u(16)) | (_u(bottom_right[p]) << _u(24))


@helper
def _blend(words, xs, ys, count, pixels):
    """Bilinear interpolation between the four bytes of each word."""
    for p in range(count):
        word, x = words[p], xs[p]
        top_left, top_right = _f(_i(word & _BYTE)), _f(_i((word >> _u(8)) & _BYTE))
        bottom_left, bottom_right = _f(_i((word >> _u(16)) & _BYTE)), _f(_i(word >> _u(24)))
        top = top_left + x * (top_right - top_left)
        bottom = bottom_left + x * (bottom_right - bottom_left)
        pixels[p] = np.uint8(_i(top + ys[p] * (bottom - top) + _HALF))


@helper
def _spread(pixels, stride, image, height, width, channels):
    """The first columns of pixels (H, stride) to the first channel of image (H, W, channels)."""
    for y in range(height):
        row, target = small_integers(pixels + y * stride), small_integers(image + y * width * channels)
        for x in range(width):
            target[x * channels] = row[x]


@helper
def _clear(address, count):
    memory = small_integers(address)
    for i in range(count):
        memory[i] = 0


@kernel
def distort(words, begin, end, scratch):
    """Images begin … end − 1, each of its own row of numbers; a source that is not there gives a black image."""
    height, width, channels, stride, down, across = words[8], words[9], words[10], words[11], words[12], words[13]
    firsts, along_y, limits = integers(words[4]), floats(words[5]), floats(words[7])
    spacing, sources, drawn = _f(real(words[14])), words[15], words[16]
    nodes_x, nodes_y = floats(scratch + words[17]), floats(scratch + words[18])
    strips, index, fetched = scratch + words[19], words32(scratch + words[20]), words32(scratch + words[21])
    xs, ys, pixels = scratch + words[22], scratch + words[23], scratch + words[24]
    padded, packed = scratch + words[25], scratch + words[26]
    size, nodes, count = (height, width), (down, across), height * stride
    _clear(padded, (height + 3) * (width + 2))
    _clear(packed, 4 * (height + 2) * (width + 2))
    for n in range(begin, end):
        image, target = n if words[1] == 0 else integers(words[1])[n], words[3] + n * height * width * channels
        if not 0 <= image < sources:
            _clear(target, height * width * channels)
            continue
        own, bends = floats(words[2] + 4 * n * drawn), drawn > AFFINE
        _place_nodes(own, bends, limits, spacing, size, nodes, nodes_x, nodes_y)
        _interpolate(nodes_x, down, across, firsts, along_y, words[6], height, stride, strips, xs)
        _interpolate(nodes_y, down, across, firsts, along_y, words[6], height, stride, strips, ys)
        _locate(floats(xs), floats(ys), count, height, width, index)
        for channel in range(channels):
            source = words[0] + image * height * width * channels + channel
            _pack(source, height, width, channels, padded, words32(packed))
            for p in range(count):
                fetched[p] = words32(packed)[index[p]]
            _blend(fetched, floats(xs), floats(ys), count, small_integers(pixels))
            _spread(pixels, stride, target + channel, height, width, channels)


class DistortionOps(Recorder):
    """Distortion, recorded."""

    def distort(
        self,
        source: Array,
        index: Array | None,
        numbers: Array,
        shape: Shape,
        limits: Sequence[float],
        spacing: float,
    ) -> Value:
        source, numbers = self.value(source, dtype=np.uint8), self.value(numbers)
        index = None if index is None else self.value(index, dtype=np.int64)
        height, width, channels = shape
        y = self.new((numbers.shape[0], height * width * channels), np.uint8)
        stride, down, across = -(-width // _VECTOR) * _VECTOR, knots(height, spacing), knots(width, spacing)
        along_x = np.zeros((across, stride), np.float32)
        along_x[:, :width] = spline_weights(width, spacing)
        firsts = (np.arange(height) / spacing).astype(np.int64)
        arrays = firsts, spline_weights(height, spacing), along_x, np.array(limits, np.float32)
        constants = [self.constant(array) for array in arrays]
        *places, end = _scratch_places(height, width, stride, down, across)
        if end > SCRATCH_BYTES:
            raise NotTraceable(f"images of {height}×{width} are distorted")
        if numbers.ndim != 2 or numbers.shape[1] not in (AFFINE, AFFINE + 2 * down * across):
            raise NotTraceable(f"numbers of shape {numbers.shape} distort images")
        self.emit(
            distort, source, index, numbers, Written(y), *constants, *shape, stride, down, across, float(spacing),
            source.shape[0], numbers.shape[1], *places,
            items=y.shape[0], by_rows=True, whole=[*constants, *([] if index is None else [source])],
            flops=50 * y.size,
        )  # fmt: skip
        return y


def _scratch_places(height: int, width: int, stride: int, down: int, across: int) -> list[int]:
    """Where in a thread's scratch memory each intermediate result lies, and where the last one ends; in bytes."""
    nodes, pixels, framed = down * across, height * stride, (height + 3) * (width + 2)
    sizes = [4 * nodes] * 2 + [4 * down * stride] + [4 * pixels] * 4 + [pixels, framed, 4 * framed]
    return [0, *accumulate(-(-size // 64) * 64 for size in sizes)]

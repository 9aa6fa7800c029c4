# mypy: disable-error-code="no-untyped-def"
"""The loops that distort images, compiled by Numba when this module is first imported, and kept on disk after that.

Each step is a loop of its own over a whole image, because LLVM makes vector instructions of a loop only if it does not
fetch from places that it computes while it writes: with the fetching between them, `_locate` and `_blend` took 300 µs
instead of 40 for 64 MNIST images. Arrays are flat, since each NumPy function used here would take 0.1 to 0.2 seconds to
compile. In all those 64 images take about 130 µs on one core.
"""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

_f, _i, _u = np.float32, np.int32, np.uint32
_ZERO, _HALF, _ONE, _TWO = _f(0), _f(0.5), _f(1), _f(2)
_BYTE = _u(255)

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_SIGNATURE = types.void(
    types.Array(types.uint8, 4, "C", readonly=True),
    types.float32[:, ::1],
    types.float32[::1],
    types.intp,
    types.intp,
    types.float64,
    types.uint8[:, :, :, ::1],
)

_helper = numba.njit(**_OPTIONS)


def _kept_on_disk(function: Callable[..., Any]) -> Any:
    try:
        return numba.njit(_SIGNATURE, cache=True, **_OPTIONS)(function)
    except RuntimeError:  # neither the package's folder nor the user's can be written to: compiled in every process
        return numba.njit(_SIGNATURE, **_OPTIONS)(function)


@_helper
def _splines(knots, extent, stride, spacing):
    """How much each node counts at each pixel: weights[k, x] = β³(x / spacing + 1 − k), (knots, stride) as one row."""
    weights = np.empty(knots * stride, np.float32)
    for k in range(knots):
        for x in range(stride):
            distance = abs(x / spacing + 1 - k)
            near = 2 / 3 - distance * distance * (1 - distance / 2)
            far = max(0.0, 2 - distance)
            value = near if distance < 1 else far * far * far / 6
            weights[k * stride + x] = _f(value if x < extent else 0)
    return weights


@_helper
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


@_helper
def _coefficients(numbers, limits, knots_x, spacing, centre_x, centre_y, nodes_x, nodes_y):
    """Where in the image each node's place comes from, (knots_y, knots_x) as one row for x and one for y.

    Splines reproduce straight lines, so the affine map enters by its values at the nodes.
    """
    xx, xy, yx, yy, right, down = _inverse(numbers, limits)
    for row in range(nodes_x.size // knots_x):
        y = _f(row - 1) * spacing - centre_y - down
        for column in range(knots_x):
            x = _f(column - 1) * spacing - centre_x - right
            k = row * knots_x + column
            bend_x = limits[4] * (_TWO * numbers[6 + 2 * k] - _ONE)
            bend_y = limits[4] * (_TWO * numbers[7 + 2 * k] - _ONE)
            nodes_x[k] = centre_x + xx * x + xy * y + bend_x
            nodes_y[k] = centre_y + yx * x + yy * y + bend_y


@_helper
def _interpolate(nodes, rows, columns, spacing, height, stride, strips, places):
    """The spline at every pixel: along x for each row of nodes, then along y from the four rows around a pixel."""
    knots_x = columns.size // stride
    for k in range(strips.size // stride):
        strip = strips[k * stride : (k + 1) * stride]
        for x in range(stride):
            strip[x] = _ZERO
        for j in range(knots_x):
            node, column = nodes[k * knots_x + j], columns[j * stride : (j + 1) * stride]
            for x in range(stride):
                strip[x] += node * column[x]
    for y in range(height):
        k = int(y / spacing)
        w0, w1 = rows[k * height + y], rows[(k + 1) * height + y]
        w2, w3 = rows[(k + 2) * height + y], rows[(k + 3) * height + y]
        strip0, strip1 = strips[k * stride : (k + 1) * stride], strips[(k + 1) * stride : (k + 2) * stride]
        strip2, strip3 = strips[(k + 2) * stride : (k + 3) * stride], strips[(k + 3) * stride : (k + 4) * stride]
        place = places[y * stride : (y + 1) * stride]
        for x in range(stride):
            place[x] = (w0 * strip0[x] + w1 * strip1[x]) + (w2 * strip2[x] + w3 * strip3[x])


@_helper
def _locate(xs, ys, height, width, index):
    """Split each place into a pixel, as its position in `words`, and the fractions beyond it, which replace the place.

    Places more than a pixel outside the image move to its border of zeros, and so would NaN.
    """
    right, bottom, stride = _f(width + 1), _f(height + 1), _i(width + 2)
    for p in range(xs.size):
        x, y = xs[p] + _ONE, ys[p] + _ONE  # words begin one pixel outside
        x, y = x if x > _ZERO else _ZERO, y if y > _ZERO else _ZERO
        x, y = x if x < right else right, y if y < bottom else bottom
        column, row = _i(x), _i(y)
        xs[p], ys[p] = x - _f(column), y - _f(row)
        index[p] = _u(row * stride + column)


@_helper
def _pack(image, padded, words):
    """Four neighbours as the bytes of one word, so that one load fetches them all.

    image (H, W); padded (H + 3, W + 2) and words (H + 2, W + 2) as one row, both zero around the image. Word (y, x)
    holds the pixels (y − 1, x − 1), (y − 1, x), (y, x − 1) and (y, x).
    """
    height, width = image.shape
    stride = width + 2
    for y in range(height):
        row = padded[(y + 1) * stride + 1 :]
        for x in range(width):
            row[x] = image[y, x]
    top_right, bottom, bottom_right = padded[1:], padded[stride:], padded[stride + 1 :]
    for p in range(words.size - stride - 1):
        upper = _u(padded[p]) | (_u(top_right[p]) << _u(8))
        words[p] = upper | (_u(bottom[p]) << _u(16)) | (_u(bottom_right[p]) << _u(24))


@_helper
def _blend(words, xs, ys, pixels):
    """Bilinear interpolation between the four bytes of each word."""
    for p in range(words.size):
        word, x = words[p], xs[p]
        top_left, top_right = _f(_i(word & _BYTE)), _f(_i((word >> _u(8)) & _BYTE))
        bottom_left, bottom_right = _f(_i((word >> _u(16)) & _BYTE)), _f(_i(word >> _u(24)))
        top = top_left + x * (top_right - top_left)
        bottom = bottom_left + x * (bottom_right - bottom_left)
        pixels[p] = np.uint8(_i(top + ys[p] * (bottom - top) + _HALF))


@_helper
def _unpad(pixels, stride, image):
    """The first columns of pixels (H, stride), as one row, to image (H, W)."""
    height, width = image.shape
    for y in range(height):
        row = pixels[y * stride : (y + 1) * stride]
        for x in range(width):
            image[y, x] = row[x]


@_kept_on_disk
def resample(images, numbers, limits, knots_y, knots_x, spacing, target):
    """Distort every image into `target`.

    Args:
        images: uint8 (N, C, H, W).
        numbers: float32 (N, 6 + 2·knots_y·knots_x), evenly from [0, 1): for θ, k, s₁, s₂, t₁, t₂, then u.
        limits: float32 (5,): what θ (radians), k, s − 1, t and the coefficients of u reach.
        knots_y: nodes of the spline along y.
        knots_x: along x.
        spacing: pixels between nodes.
        target: uint8 (N, C, H, W).
    """
    count, channels, height, width = images.shape
    stride = (width + 15) // 16 * 16  # rows of whole vectors: 28 pixels as 32 take 9 % less time than as 28
    rows, columns = _splines(knots_y, height, height, spacing), _splines(knots_x, width, stride, spacing)
    centre_x, centre_y = _f(width - 1) / _TWO, _f(height - 1) / _TWO
    nodes_x, nodes_y = np.empty(knots_y * knots_x, np.float32), np.empty(knots_y * knots_x, np.float32)
    strips = np.empty(knots_y * stride, np.float32)
    xs, ys = np.empty(height * stride, np.float32), np.empty(height * stride, np.float32)
    index, fetched = np.empty(height * stride, np.uint32), np.empty(height * stride, np.uint32)
    pixels = np.empty(height * stride, np.uint8)
    padded, words = np.empty((height + 3) * (width + 2), np.uint8), np.empty((height + 2) * (width + 2), np.uint32)
    for p in range(padded.size):
        padded[p] = 0
    for p in range(words.size):
        words[p] = 0
    for n in range(count):
        _coefficients(numbers[n], limits, knots_x, _f(spacing), centre_x, centre_y, nodes_x, nodes_y)
        _interpolate(nodes_x, rows, columns, spacing, height, stride, strips, xs)
        _interpolate(nodes_y, rows, columns, spacing, height, stride, strips, ys)
        _locate(xs, ys, height, width, index)
        for channel in range(channels):
            _pack(images[n, channel], padded, words)
            for p in range(index.size):
                fetched[p] = words[index[p]]
            _blend(fetched, xs, ys, pixels)
            _unpad(pixels, stride, target[n, channel])

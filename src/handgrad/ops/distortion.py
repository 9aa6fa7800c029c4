"""Distorting images, written to be read: the oracle for the kernel in `fused/distortion.py`.

Where each pixel of a distorted image comes from is a smooth function of its position, a cubic B-spline over a grid of
nodes: place(p) = Σₖ nodeₖ β³(p/h − k), with nodes h pixels apart. Splines reproduce straight lines, so an affine map
enters by its values at the nodes, and so does the elastic displacement by its coefficients.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.ops.interface import Array

AFFINE = 6  # numbers that an image's affine map takes: θ, k, s₁, s₂, t₁, t₂


def knots(extent: int, spacing: float) -> int:
    """Nodes that a cubic spline needs along `extent` pixels: four around each pixel.

    >>> knots(28, 7.0)
    7
    """
    return int((extent - 1) / spacing) + 4


def spline_weights(extent: int, spacing: float) -> NDArray[np.float32]:
    """How much each node counts at each pixel: (knots, extent), β³(x / spacing + 1 − k) in row k, column x.

    >>> spline_weights(3, 1.0).sum(axis=0)
    array([1., 1., 1.], dtype=float32)
    """
    distance = np.abs(np.arange(extent) / spacing + 1 - np.arange(knots(extent, spacing))[:, None])
    near, far = 2 / 3 - distance**2 * (1 - distance / 2), np.maximum(0, 2 - distance) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)


def distort(xp: Any, images: Array, numbers: Array, limits: Sequence[float], spacing: float) -> Array:
    """Images (N, H, W, C), uint8, each resampled by its own row of numbers (N, 6 + 2·Kʸ·Kˣ)."""
    _, height, width, _ = images.shape
    along_y, along_x = (
        xp.asarray(spline_weights(extent, spacing), device=numbers.device) for extent in (height, width)
    )
    xs, ys = (along_y.T @ nodes @ along_x for nodes in _nodes(xp, numbers, limits, spacing, height, width))
    return _bilinear(xp, images, xs, ys)  # xs, ys (N, H, W)


def _nodes(
    xp: Any, numbers: Array, limits: Sequence[float], spacing: float, height: int, width: int
) -> tuple[Array, Array]:
    """The places that the spline's nodes stand for: x and y, each (N, Kʸ, Kˣ)."""
    even = xp.reshape(2 * numbers - 1, (*numbers.shape, 1, 1))  # [0, 1) → [−1, 1), (N, numbers, 1, 1)
    angle, shear = even[:, 0] * limits[0], even[:, 1] * limits[1]  # each (N, 1, 1)
    wide, high = 1 + even[:, 2] * limits[2], 1 + even[:, 3] * limits[2]
    right, down = even[:, 4] * limits[3], even[:, 5] * limits[3]
    columns, rows = (
        (xp.astype(xp.arange(knots(extent, spacing), device=numbers.device), numbers.dtype) - 1) * spacing
        for extent in (width, height)
    )
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    x = xp.reshape(columns, (1, 1, -1)) - centre_x - right  # (N, 1, Kˣ)
    y = xp.reshape(rows, (1, -1, 1)) - centre_y - down  # (N, Kʸ, 1)
    turned_x, turned_y = xp.cos(angle) * x + xp.sin(angle) * y, xp.cos(angle) * y - xp.sin(angle) * x  # R(−θ)
    xs, ys = centre_x + (turned_x - shear * turned_y) / wide, centre_y + turned_y / high  # (N, Kʸ, Kˣ)
    if numbers.shape[1] == AFFINE:
        return xs, ys
    bend = limits[4] * xp.reshape(even[:, AFFINE:], (*xs.shape, 2))  # → (N, Kʸ, Kˣ, 2)
    return xs + bend[..., 0], ys + bend[..., 1]


def _bilinear(xp: Any, images: Array, xs: Array, ys: Array) -> Array:
    """Each image at its places, between the four pixels around each, and 0 outside."""
    count, height, width, channels = images.shape
    framed = xp.zeros((count, height + 3, width + 3, channels), dtype=xp.float32, device=xs.device)
    framed[:, 1 : height + 1, 1 : width + 1, :] = xp.astype(images, xp.float32)
    xs, ys = xp.clip(xs + 1, 0, width + 1), xp.clip(ys + 1, 0, height + 1)  # in `framed`
    column, row = xp.astype(xs, xp.int64), xp.astype(ys, xp.int64)
    right, down = xs - xp.astype(column, xs.dtype), ys - xp.astype(row, ys.dtype)
    right, down = xp.expand_dims(right, axis=-1), xp.expand_dims(down, axis=-1)  # (N, H, W) → (N, H, W, 1)
    first = xp.reshape(xp.arange(count, device=xs.device), (-1, 1, 1)) * (height + 3)
    flat = xp.reshape(framed, (-1, channels))  # (N, H + 3, W + 3, C) → (N·(H + 3)·(W + 3), C)

    def neighbours(below: int, beside: int) -> Array:
        index = (first + row + below) * (width + 3) + column + beside
        return xp.reshape(xp.take(flat, xp.reshape(index, (-1,)), axis=0), images.shape)

    top = neighbours(0, 0) + right * (neighbours(0, 1) - neighbours(0, 0))
    bottom = neighbours(1, 0) + right * (neighbours(1, 1) - neighbours(1, 0))
    return xp.astype(xp.floor(top + down * (bottom - top) + 0.5), xp.uint8)

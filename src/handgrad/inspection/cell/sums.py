"""Layers whose every number is a sum of products: linear maps, convolutions, mean pooling, reshaping."""

import math
from collections.abc import Iterator

import numpy as np

from handgrad.inspection.cell.parts import (
    DX,
    DY,
    Account,
    Factor,
    Index,
    Site,
    Wiring,
    X,
    Y,
    equal,
    number,
    product,
    summed,
)
from handgrad.layers import AvgPool2d, Conv2d, Dropout, Flatten, Layer, Linear, MaxPool2d
from handgrad.layers.pool import Pool2d


class LinearWiring(Wiring):
    """Every output with every input of its row, through one weight each."""

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """y_o = Σ W_oi x_i + b_o."""
        assert isinstance(layer, Linear)
        *row, o = index
        inputs = range(layer.in_features)
        parts = [product(site.parameter("W", "weight", (o, i)), site.factor(X, (*row, i))) for i in inputs]
        parts += [product(site.parameter("b", "bias", (o,)))] if layer.has_bias else []
        return summed(site.factor(Y, index), parts)

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """x̄_i = Σ ȳ_o W_oi."""
        assert isinstance(layer, Linear)
        *row, i = index
        outputs = range(layer.out_features)
        parts = [product(site.factor(DY, (*row, o)), site.parameter("W", "weight", (o, i))) for o in outputs]
        return summed(site.factor(DX, index), parts)

    def parameter_gradient(self, site: Site, layer: Layer, name: str, index: Index) -> Account:
        """W̄_oi = Σ ȳ_o x_i and b̄_o = Σ ȳ_o over the rows, of which one example mostly has one."""
        rows = list(np.ndindex(site[Y].shape[:-1]))
        if name == "bias":
            parts = [product(site.factor(DY, (*row, *index))) for row in rows]
            return summed(site.parameter_gradient("b", name, index), parts)
        o, i = index
        parts = [product(site.factor(DY, (*row, o)), site.factor(X, (*row, i))) for row in rows]
        return summed(site.parameter_gradient("W", name, index), parts)


class ConvWiring(Wiring):
    """Every output pixel with a window of every channel, through the same weights everywhere."""

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """y_opq = b_o + Σ W_ocij x_c,sp+i,sq+j."""
        assert isinstance(layer, Conv2d)
        o, p, q = index
        parts = [
            product(site.parameter("W", "weight", (o, c, i, j)), site.factor(X, (c, u, v)))
            for c in range(layer.in_channels)
            for i, j, u, v in window(layer, p, q, site[X].shape)
        ]
        parts += [product(site.parameter("b", "bias", (o,)))] if layer.has_bias else []
        return summed(site.factor(Y, index), parts)

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """x̄_cuv = Σ ȳ_opq W_ocij over the windows that the pixel lies in."""
        assert isinstance(layer, Conv2d)
        c, u, v = index
        parts = [
            product(site.factor(DY, (o, p, q)), site.parameter("W", "weight", (o, c, i, j)))
            for o in range(layer.out_channels)
            for i, j, p, q in windows_with(layer, u, v, site[Y].shape)
        ]
        return summed(site.factor(DX, index), parts)

    def parameter_gradient(self, site: Site, layer: Layer, name: str, index: Index) -> Account:
        """W̄_ocij = Σ ȳ_opq x_c,sp+i,sq+j over all places; b̄_o = Σ ȳ_opq."""
        assert isinstance(layer, Conv2d)
        o, grid = index[0], np.ndindex(site[Y].shape[1:])
        if name == "bias":
            parts = [product(site.factor(DY, (o, p, q))) for p, q in grid]
            return summed(site.parameter_gradient("b", name, index), parts)
        _, c, i, j = index
        parts = []
        for p, q in grid:
            u, v = (s * a + k - pad for s, a, k, pad in zip(layer.stride, (p, q), (i, j), layer.padding, strict=True))
            if 0 <= u < site[X].shape[1] and 0 <= v < site[X].shape[2]:
                parts.append(product(site.factor(DY, (o, p, q)), site.factor(X, (c, u, v))))
        return summed(site.parameter_gradient("W", name, index), parts)


class MeanPoolWiring(Wiring):
    """Every output with the pixels of its window, each as much as the others."""

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """y = Σ x / (k_h k_w) over the window."""
        assert isinstance(layer, AvgPool2d)
        c, p, q = index
        pixels = [site.factor(X, (c, u, v)) for _, _, u, v in window(layer, p, q, site[X].shape)]
        return summed(site.factor(Y, index), [product(_share(layer), pixel) for pixel in pixels])

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """x̄ = Σ ȳ / (k_h k_w) over the windows that the pixel lies in."""
        assert isinstance(layer, AvgPool2d)
        c, u, v = index
        outputs = [site.factor(DY, (c, p, q)) for _, _, p, q in windows_with(layer, u, v, site[Y].shape)]
        return summed(site.factor(DX, index), [product(_share(layer), dy) for dy in outputs])


class MaxPoolWiring(Wiring):
    """Every output with the one pixel of its window that is largest."""

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """y = max x over the window."""
        assert isinstance(layer, MaxPool2d)
        c, p, q = index
        pixels = [site.factor(X, (c, u, v)) for _, _, u, v in window(layer, p, q, site[X].shape)]
        if len(pixels) == 1:
            return summed(site.factor(Y, index), [product(*pixels)])
        symbols, numbers = ", ".join(f.symbol for f in pixels), ", ".join(number(f.value) for f in pixels)
        return equal(site.factor(Y, index), rf"\max({symbols})", rf"\max({numbers})", sources=pixels)

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """x̄ = Σ ȳ over the windows in which the pixel is the first maximum."""
        assert isinstance(layer, MaxPool2d)
        c, u, v = index
        around, won = [], []
        for _, _, p, q in windows_with(layer, u, v, site[Y].shape):
            around.append(site.factor(DY, (c, p, q)))
            pixels = [(a, b) for _, _, a, b in window(layer, p, q, site[X].shape)]
            if max(pixels, key=lambda place: float(site[X][(c, *place)])) == (u, v):  # the first of several
                won.append(product(around[-1]))
        remark = "" if won else "not_largest"
        return summed(site.factor(DX, index), won, sources=around, remark=remark)


class ReshapeWiring(Wiring):
    """The same numbers in another shape, or in the same."""

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """y holds x."""
        place = _reshaped(index, site[Y].shape, site[X].shape)
        return summed(site.factor(Y, index), [product(site.factor(X, place))], remark=_remark(layer))

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """x̄ holds ȳ."""
        place = _reshaped(index, site[X].shape, site[Y].shape)
        dy = product(site.factor(DY, place))
        return summed(site.factor(DX, index), [dy], remark=_remark(layer))


def window(layer: Conv2d | Pool2d, p: int, q: int, shape: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
    """For window (p, q) its places (i, j) and the pixels (u, v) of an image (C, H, W) there, without the border."""
    for i, j in np.ndindex(layer.kernel_size):
        u, v = layer.stride[0] * p + i - layer.padding[0], layer.stride[1] * q + j - layer.padding[1]
        if 0 <= u < shape[1] and 0 <= v < shape[2]:
            yield i, j, u, v


def windows_with(layer: Conv2d | Pool2d, u: int, v: int, grid: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
    """For pixel (u, v) its places (i, j) in the windows (p, q) of an output (O, H', W') that it lies in."""
    for i, j in np.ndindex(layer.kernel_size):
        (p, down), (q, across) = (
            divmod(at + pad - k, s) for at, pad, k, s in zip((u, v), layer.padding, (i, j), layer.stride, strict=True)
        )
        if down == across == 0 and 0 <= p < grid[1] and 0 <= q < grid[2]:
            yield i, j, p, q


def _share(layer: AvgPool2d) -> Factor:
    count = math.prod(layer.kernel_size)
    return Factor(rf"\tfrac{{1}}{{{count}}}", 1 / count)


def _reshaped(index: Index, shape: tuple[int, ...], other: tuple[int, ...]) -> Index:
    """The place that an element has in another shape."""
    return tuple(map(int, np.unravel_index(int(np.ravel_multi_index(index, shape)), other)))


def _remark(layer: Layer) -> str:
    return "dropout" if isinstance(layer, Dropout) else ""


#: For each layer, how its numbers are connected.
SUMS: dict[type[Layer], Wiring] = {
    Linear: LinearWiring(),
    Conv2d: ConvWiring(),
    AvgPool2d: MeanPoolWiring(),
    MaxPool2d: MaxPoolWiring(),
    Flatten: ReshapeWiring(),
    Dropout: ReshapeWiring(),
}

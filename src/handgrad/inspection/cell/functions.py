"""Layers that are a function of one number, normalisation, and any layer of which nothing else is known."""

from collections.abc import Callable
from dataclasses import dataclass

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
    element,
    equal,
    number,
    product,
    summed,
)
from handgrad.inspection.trace import Values
from handgrad.layers import GELU, BatchNorm1d, BatchNorm2d, Layer, LeakyReLU, ReLU, Sigmoid, Tanh

#: Of layers with more outputs than this, single derivatives are not looked for.
_MOST_OUTPUTS = 2048


@dataclass(frozen=True)
class FunctionWiring(Wiring):
    """Every output with the one input in its place.

    Args:
        function: y as LaTeX, from x.
        slope: what ȳ is multiplied with, as LaTeX, from x and y.
    """

    function: Callable[[str, Layer], str]
    slope: Callable[[str, str, Layer], str]

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """y = f(x)."""
        x = site.factor(X, index)
        symbols, numbers = self.function(x.symbol, layer), self.function(number(x.value, factor=True), layer)
        return equal(site.factor(Y, index), symbols, numbers, sources=[x])

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """x̄ = ȳ f'(x)."""
        x, y, dy = (site.factor(letter, index) for letter in (X, Y, DY))
        symbols = rf"{dy.symbol} \cdot {self.slope(x.symbol, y.symbol, layer)}"
        slope = self.slope(number(x.value, factor=True), number(y.value, factor=True), layer)
        numbers = rf"{number(dy.value, factor=True)} \cdot {slope}"
        return equal(site.factor(DX, index), symbols, numbers, sources=[dy, x])


class BatchNormWiring(Wiring):
    """Every output with the one input in its place; in prediction mean and variance are known beforehand."""

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """y = γ (x − μ) / √(σ² + ε) + β."""
        mean, variance = _running(layer, index)
        x, scale, shift = site.factor(X, index), *self._parameters(site, index)
        symbols = rf"{scale.symbol}\,\frac{{{x.symbol} - \mu}}{{\sqrt{{\sigma^2 + \varepsilon}}}} + {shift.symbol}"
        top = rf"{number(x.value)} - {number(mean, factor=True)}"
        root = rf"\sqrt{{{number(variance)} + \varepsilon}}"
        factor, addend = number(scale.value, factor=True), number(shift.value, factor=True)
        numbers = rf"{factor} \cdot \frac{{{top}}}{{{root}}} + {addend}"
        return equal(site.factor(Y, index), symbols, numbers, sources=[x, scale, shift], remark="running")

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """x̄ = ȳ γ / √(σ² + ε)."""
        _, variance = _running(layer, index)
        dy, scale = site.factor(DY, index), self._parameters(site, index)[0]
        symbols = rf"{dy.symbol}\,\frac{{{scale.symbol}}}{{\sqrt{{\sigma^2 + \varepsilon}}}}"
        root = rf"\sqrt{{{number(variance)} + \varepsilon}}"
        numbers = rf"{number(dy.value, factor=True)} \cdot \frac{{{number(scale.value)}}}{{{root}}}"
        return equal(site.factor(DX, index), symbols, numbers, sources=[dy, scale], remark="running")

    def parameter_gradient(self, site: Site, layer: Layer, name: str, index: Index) -> Account:
        """γ̄ = Σ ȳ x̂ over the channel; β̄ = Σ ȳ."""
        (c,) = index
        places = [(c, *place) for place in np.ndindex(site[Y].shape[1:])]
        if name == "bias":
            return summed(site.parameter_gradient(r"\beta", name, index), [product(site.factor(DY, p)) for p in places])
        parts = [product(site.factor(DY, place), self._normalised(site, layer, place)) for place in places]
        return summed(site.parameter_gradient(r"\gamma", name, index), parts, remark="running")

    def _normalised(self, site: Site, layer: Layer, index: Index) -> Factor:
        """x̂, which stands in no array; it is lit where its x stands."""
        assert isinstance(layer, BatchNorm1d)
        mean, variance = _running(layer, index)
        value = (float(site[X][index]) - mean) / float(np.sqrt(variance + layer.epsilon))
        return Factor(element(r"\hat x", index), value, site.arrays[X], index)

    def _parameters(self, site: Site, index: Index) -> tuple[Factor, Factor]:
        return site.parameter(r"\gamma", "weight", index[:1]), site.parameter(r"\beta", "bias", index[:1])


def _running(layer: Layer, index: Index) -> tuple[float, float]:
    """Running mean and variance of a channel."""
    assert isinstance(layer, BatchNorm1d)
    return float(layer.running_mean[index[0]]), float(layer.running_var[index[0]])


class DerivativeWiring(Wiring):
    """What the layer's own backward pass says of any layer: which inputs reach an output, and how strongly."""

    def output(self, site: Site, layer: Layer, index: Index) -> Account:
        """The inputs whose derivative is not 0."""
        dy = np.zeros((1, *site[Y].shape), site[Y].dtype)
        dy[(0, *index)] = 1
        reached = self._backward(site, layer, dy)[0]
        sources = tuple(site.factor(X, tuple(map(int, place))) for place in np.argwhere(reached))
        return equal(site.factor(Y, index), sources=sources)

    def input_gradient(self, site: Site, layer: Layer, index: Index) -> Account:
        """x̄ = Σ ȳ ∂y/∂x, the chain rule."""
        shape, result = site[Y].shape, site.factor(DX, index)
        if site[Y].size > _MOST_OUTPUTS:
            return equal(result, sources=())
        dy = np.eye(site[Y].size, dtype=site[Y].dtype).reshape(-1, *shape)  # (M, M) → (M, …), a unit vector a row
        slopes = self._backward(site, layer, dy)  # (M, …)
        parts = []
        for place, slope in zip(np.ndindex(shape), (row[index] for row in slopes), strict=True):
            if slope:
                symbol = rf"\frac{{\partial {element(Y, place)}}}{{\partial {element(X, index)}}}"
                parts.append(product(site.factor(DY, place), Factor(symbol, float(slope))))
        return summed(result, parts)

    def parameter_gradient(self, site: Site, layer: Layer, name: str, index: Index) -> Account:
        """The number alone."""
        return equal(site.parameter_gradient(r"\theta", name, index), sources=())

    def _backward(self, site: Site, layer: Layer, dy: Values) -> Values:
        """Gradients with respect to x, (M, …), for M gradients of y."""
        parameters = site.trace.model.parameters
        ops = parameters.ops
        x = np.repeat(site[X][None], len(dy), axis=0)  # (…) → (M, …)
        _, cache = layer.forward(ops.asarray(x), ops=ops)
        tree = parameters.gradients().tree[site.name]
        dx: Values = ops.to_numpy(layer.backward(ops.asarray(dy), cache, ops=ops, grads=tree))
        return dx


def _gelu(x: str, layer: Layer) -> str:
    return rf"\tfrac12 \cdot {x}\,\left(1 + \tanh\left({_gelu_inner(x)}\right)\right)"


def _gelu_slope(x: str, y: str, layer: Layer) -> str:
    bend = rf"\sqrt{{\tfrac{{2}}{{\pi}}}}\,(1 + 0.134145 \cdot {x}^2)"
    slope = rf"\left(\tfrac12 (1 + t) + \tfrac12 \cdot {x}\,(1 - t^2)\,{bend}\right)"
    return rf"{slope}, \quad t = \tanh\left({_gelu_inner(x)}\right)"


def _gelu_inner(x: str) -> str:
    return rf"\sqrt{{\tfrac{{2}}{{\pi}}}}\,({x} + 0.044715 \cdot {x}^3)"


def _leak(layer: Layer) -> str:
    assert isinstance(layer, LeakyReLU)
    return number(layer.negative_slope, factor=True)


#: For each layer, how its numbers are connected.
FUNCTIONS: dict[type[Layer], Wiring] = {
    ReLU: FunctionWiring(lambda x, _: rf"\max({x},\, 0)", lambda x, y, _: rf"[{x} > 0]"),
    LeakyReLU: FunctionWiring(
        lambda x, layer: rf"{x} \cdot \left([{x} > 0] + {_leak(layer)}\,[{x} \le 0]\right)",
        lambda x, y, layer: rf"\left([{x} > 0] + {_leak(layer)}\,[{x} \le 0]\right)",
    ),
    Sigmoid: FunctionWiring(lambda x, _: rf"\frac{{1}}{{1 + e^{{-{x}}}}}", lambda x, y, _: rf"{y} \cdot (1 - {y})"),
    Tanh: FunctionWiring(lambda x, _: rf"\tanh {x}", lambda x, y, _: rf"(1 - {y}^2)"),
    GELU: FunctionWiring(_gelu, _gelu_slope),
    BatchNorm1d: BatchNormWiring(),
    BatchNorm2d: BatchNormWiring(),
}

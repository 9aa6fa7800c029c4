"""From a case to something that runs: parameters drawn, kinks kept away, the same numbers on every device."""

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from cases import LayerCase

from handgrad.layers import Conv2d, Gradients, Layer, LeakyReLU, Linear, MaxPool2d, ReLU, Sequential
from handgrad.ops import Array, Ops, Shape, for_device

Values = npt.NDArray[np.float64]
SEED = 20240229
CPU = for_device("cpu")
KINKED = (ReLU, LeakyReLU, MaxPool2d)


@dataclass
class Prepared:
    """An initialised layer with an input and an upstream gradient."""

    layer: Layer
    ops: Ops
    x: Array
    dy: Array
    training: bool

    def forward(self) -> tuple[Array, Any]:
        """Output and cache; the same random numbers, hence the same dropout mask, every time."""
        rng = np.random.default_rng(SEED)
        return self.layer.forward(self.x, ops=self.ops, training=self.training, rng=rng)

    def backward(self, cache: Any) -> tuple[Array, Gradients]:
        """Input gradient and parameter gradients; these start as NaN, so that backward must write each."""
        gradients = self.layer.parameters.gradients()
        gradients.vector[...] = np.nan
        return self.layer.backward(self.dy, cache, ops=self.ops, grads=gradients.tree), gradients

    def results(self) -> dict[str, Values]:
        """Everything that one forward and one backward pass compute, by name."""
        y, cache = self.forward()
        dx, gradients = self.backward(cache)
        buffers = {name: view for name, view in self.layer.parameters.views.items() if name not in gradients.views}
        computed = {"y": y, "dx": dx, **gradients.views, **buffers}
        return {name: self.ops.to_numpy(array) for name, array in computed.items()}


def prepare(case: LayerCase, ops: Ops = CPU, dtype: str = "float64") -> Prepared:
    """Random parameters (biases and scales too, so that none is at a special value), input and upstream gradient."""
    rng = np.random.default_rng(SEED)
    layer = deepcopy(case.layer).initialize(rng, ops=ops, dtype=dtype)
    fill(layer, rng)
    output_shape = (case.shape[0], *layer.output_shape(case.shape[1:]))
    dy = rng.normal(size=output_shape)
    return Prepared(layer, ops, ops.asarray(distinct(rng, case.shape), dtype), ops.asarray(dy, dtype), case.training)


def prepare_above_a_layer(case: LayerCase) -> Prepared:
    """The case on top of a linear layer, or for images a convolution, that passes x on unchanged."""
    lower = _lower(case.shape)
    run = prepare(LayerCase(Sequential(lower, case.layer), case.shape, training=case.training))
    identity = np.eye(_channels(case.shape))
    shape = run.layer.parameters.views["0.weight"].shape
    run.layer.parameters.assign("0.weight", identity.reshape(shape))
    run.layer.parameters.assign("0.bias", np.zeros(len(identity)))
    return run


def fill(layer: Layer, rng: np.random.Generator) -> None:
    """Draw parameters from N(0, 1) and buffers, variances among them, from U(½, 3/2)."""
    parameters = layer.parameters
    for name, view in parameters.views.items():
        trained = name in parameters.names
        parameters.assign(name, rng.normal(size=view.shape) if trained else rng.uniform(0.5, 1.5, view.shape))


def distinct(rng: np.random.Generator, shape: Shape) -> Values:
    """Numbers in (−2, 2), evenly spaced and shuffled: none near another, and none near 0."""
    size = math.prod(shape)
    spaced = (np.arange(size) + 0.75) * 4.0 / size - 2.0  # with ½ for ¾, an odd number would have 0 in its middle
    return rng.permutation(spaced).reshape(shape)


def has_kinks(layer: Layer) -> bool:
    """Whether the layer, or one inside it, has points without a derivative."""
    return any(isinstance(inner, KINKED) for _, inner in layer.walk())


def _lower(shape: Shape) -> Layer:
    channels = _channels(shape)
    return Conv2d(channels, channels, 1) if len(shape) == 4 else Linear(channels, channels)


def _channels(shape: Shape) -> int:
    return shape[1] if len(shape) == 4 else shape[-1]

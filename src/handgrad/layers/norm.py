"""Normalisation: give activations mean 0 and variance 1, then let the network choose scale and shift."""

import math
from typing import Any

from handgrad.errors import ArgumentError, ShapeError
from handgrad.initializers import Constant, Zeros
from handgrad.layers.layer import Formulas, Layer, Rng
from handgrad.layers.parameters import ParameterSpec, ParameterTree
from handgrad.ops import Array, Ops, Shape


class BatchNorm1d(Layer):
    """Normalises each feature over the batch; in prediction, by running averages. Ioffe and Szegedy (2015).

    Shapes: x (N, C) → y (N, C); weight γ (C,), bias β (C,); running_mean and running_var (C,) are kept, not trained.
    Initialisation: γ = 1, β = 0, running mean 0, running variance 1.
    Forward in training moves the running averages by `momentum` towards the batch's mean and (unbiased) variance, as
    PyTorch does; nothing else is changed by a forward pass anywhere in handgrad.

    Args:
        num_features: C.
        momentum: share of the newest batch in the running averages, in [0, 1].
        epsilon: added to the variance, > 0.

    Raises:
        ArgumentError: an argument is out of range.
        ShapeError: in forward, x has another shape; or a training batch has a single value a feature.

    >>> layer = BatchNorm1d(2).initialize(np.random.default_rng(0))
    >>> y, _ = layer.forward(np.float32([[0, 5], [2, 5]]), ops=layer.parameters.ops, training=True)
    >>> y.round(3).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    formulas = Formulas(
        forward=r"\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \quad y = \gamma \odot \hat x + \beta, \quad "
        r"\mu = \frac1M \sum_m x_m, \quad \sigma^2 = \frac1M \sum_m (x_m - \mu)^2",
        backward={
            "x": r"\bar x = \frac{1}{\sqrt{\sigma^2 + \varepsilon}} \left(\bar{\hat x} - \frac1M \sum_m \bar{\hat x}_m "
            r"- \hat x \odot \frac1M \sum_m \bar{\hat x}_m \odot \hat x_m\right), "
            r"\quad \bar{\hat x} = \gamma \odot \bar y",
            "weight": r"\bar\gamma = \sum_m \bar y_m \odot \hat x_m",
            "bias": r"\bar\beta = \sum_m \bar y_m",
        },
        shapes={"x": "(N, C)", "y": "(N, C)", r"\gamma": "(C)", r"\beta": "(C)"},
        notes="m runs over the M values that one feature has in the batch. In prediction μ and σ² are constants, the "
        "running averages, and x̄ = γ ȳ / √(σ² + ε).",
    )

    weight: Array
    bias: Array
    running_mean: Array
    running_var: Array
    _axes: tuple[int, ...] = (0,)

    def __init__(self, num_features: int, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        if num_features < 1:
            raise ArgumentError("num_features", num_features, "an integer >= 1")
        if not 0 <= momentum <= 1:
            raise ArgumentError("momentum", momentum, "a number in [0, 1]")
        if not epsilon > 0:
            raise ArgumentError("epsilon", epsilon, "a number > 0")
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Any]:
        """y = γ x̂ + β; the cache is x̂, the variance, and whether it was the batch's own."""
        self._check(tuple(x.shape))
        mean, variance = self._batch_moments(x, ops) if training else (self.running_mean, self.running_var)
        mean, variance, weight, bias = (self._spread(a, ops) for a in (mean, variance, self.weight, self.bias))
        y, x_hat = ops.normalize(x, mean, variance, self.epsilon, weight, bias)
        return y, (x_hat, variance, training)

    def backward(self, dy: Array, cache: Any, *, ops: Ops, grads: ParameterTree) -> Array:
        """Through x̂, and in training through the mean and variance, which depend on every x as well."""
        x_hat, variance, training = cache
        ops.normalize_grads(dy, x_hat, out=(grads.weight, grads.bias), axes=self._axes)
        weight = self._spread(self.weight, ops)
        return ops.normalize_dx(dy, x_hat, variance, self.epsilon, weight, self._axes if training else None)

    def _batch_moments(self, x: Array, ops: Ops) -> tuple[Array, Array]:
        """Mean and variance of the batch; the running averages move towards them."""
        size = math.prod(x.shape[a] for a in self._axes)
        if size < 2:
            raise ShapeError("x", tuple(x.shape), "two or more values a feature in training", "use a larger batch")
        mean, variance = ops.moments(x, self._axes)
        ops.move_average(self.running_mean, mean, self.momentum)
        ops.move_average(self.running_var, ops.affine(variance, size / (size - 1), 0.0), self.momentum)
        return mean, variance

    def _spread(self, value: Array, ops: Ops) -> Array:
        """(C,) or anything with C elements as an array that broadcasts over x."""
        return ops.reshape(value, (1, self.num_features))  # (C,) → (1, C)

    def _check(self, shape: Shape) -> None:
        if len(shape) != 2 or shape[1] != self.num_features:
            raise ShapeError("x", shape, f"(N, {self.num_features})")

    def parameter_specs(self) -> dict[str, ParameterSpec]:
        """γ as weight and β as bias, (C,) each."""
        shape = (self.num_features,)
        return {"weight": ParameterSpec(shape, Constant(1.0)), "bias": ParameterSpec(shape, Zeros())}

    def buffer_specs(self) -> dict[str, ParameterSpec]:
        """Running mean and variance, (C,) each."""
        shape = (self.num_features,)
        return {
            "running_mean": ParameterSpec(shape, Zeros()),
            "running_var": ParameterSpec(shape, Constant(1.0)),
        }

    def output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        self._check((1, *input_shape))
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        """Two operations an element in prediction: scale and shift."""
        return 2 * math.prod(input_shape)

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """Four rows of two features."""
        return cls(2), (4, 2)


class BatchNorm2d(BatchNorm1d):
    """Batch normalisation of images: each channel over the batch and all its pixels.

    Shapes: x (N, C, H, W) → y (N, C, H, W); the rest as `BatchNorm1d`.

    >>> layer = BatchNorm2d(1).initialize(np.random.default_rng(0))
    >>> layer(np.ones((1, 1, 2, 2))).shape
    (1, 1, 2, 2)
    """

    formulas = Formulas(
        forward=BatchNorm1d.formulas.forward,
        backward=BatchNorm1d.formulas.backward,
        shapes={"x": "(N, C, H, W)", "y": "(N, C, H, W)", r"\gamma": "(C)", r"\beta": "(C)"},
        notes="m runs over the M = N·H·W values that one channel has in the batch.",
    )

    _axes = (0, 2, 3)

    def _spread(self, value: Array, ops: Ops) -> Array:
        return ops.reshape(value, (1, self.num_features, 1, 1))  # (C,) → (1, C, 1, 1)

    def _check(self, shape: Shape) -> None:
        if len(shape) != 4 or shape[1] != self.num_features:
            raise ShapeError("x", shape, f"(N, {self.num_features}, H, W)")

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """Two images of two channels."""
        return cls(2), (2, 2, 2, 2)


class LayerNorm(Layer):
    """Normalises each example over its own features, so it is the same in training and prediction. Ba et al. (2016).

    Shapes: x (..., C) → y (..., C); weight γ (C,), bias β (C,).
    Initialisation: γ = 1, β = 0.

    Args:
        num_features: C, the length of the last axis.
        epsilon: added to the variance, > 0.

    Raises:
        ArgumentError: an argument is out of range.
        ShapeError: in forward, the last axis of x is not num_features long.

    >>> layer = LayerNorm(2).initialize(np.random.default_rng(0))
    >>> layer([[3.0, 5.0]]).round(3)
    array([[-1.,  1.]], dtype=float32)
    """

    formulas = Formulas(
        forward=r"\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \quad y = \gamma \odot \hat x + \beta, \quad "
        r"\mu = \frac1C \sum_c x_c, \quad \sigma^2 = \frac1C \sum_c (x_c - \mu)^2",
        backward={
            "x": r"\bar x = \frac{1}{\sqrt{\sigma^2 + \varepsilon}} \left(\bar{\hat x} - \frac1C \sum_c \bar{\hat x}_c "
            r"- \hat x\, \frac1C \sum_c \bar{\hat x}_c\, \hat x_c\right), \quad \bar{\hat x} = \gamma \odot \bar y",
            "weight": r"\bar\gamma = \sum_n \bar y_n \odot \hat x_n",
            "bias": r"\bar\beta = \sum_n \bar y_n",
        },
        shapes={"x": "(N, C)", "y": "(N, C)", r"\gamma": "(C)", r"\beta": "(C)"},
        notes="Mean and variance run along a row, the parameters' gradients down the rows.",
    )

    weight: Array
    bias: Array

    def __init__(self, num_features: int, epsilon: float = 1e-5) -> None:
        if num_features < 1:
            raise ArgumentError("num_features", num_features, "an integer >= 1")
        if not epsilon > 0:
            raise ArgumentError("epsilon", epsilon, "a number > 0")
        self.num_features = num_features
        self.epsilon = epsilon

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Any]:
        """y = γ x̂ + β; the cache is x̂ and the variance of each row."""
        self.output_shape(tuple(x.shape))
        mean, variance = ops.moments(x, (-1,))  # (..., C) → (..., 1)
        y, x_hat = ops.normalize(x, mean, variance, self.epsilon, self.weight, self.bias)
        return y, (x_hat, variance)

    def backward(self, dy: Array, cache: Any, *, ops: Ops, grads: ParameterTree) -> Array:
        """Through x̂, and through the mean and variance of the row."""
        x_hat, variance = cache
        rows = tuple(range(len(dy.shape) - 1))  # every axis but the last
        ops.normalize_grads(dy, x_hat, out=(grads.weight, grads.bias), axes=rows)
        return ops.normalize_dx(dy, x_hat, variance, self.epsilon, self.weight, (-1,))

    def parameter_specs(self) -> dict[str, ParameterSpec]:
        """γ as weight and β as bias, (C,) each."""
        shape = (self.num_features,)
        return {"weight": ParameterSpec(shape, Constant(1.0)), "bias": ParameterSpec(shape, Zeros())}

    def output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        if not input_shape or input_shape[-1] != self.num_features:
            raise ShapeError("x", input_shape, f"a last axis of num_features = {self.num_features}")
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        """Eight operations an element: mean, variance, scale and shift."""
        return 8 * math.prod(input_shape)

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """Two rows of three features."""
        return cls(3), (2, 3)

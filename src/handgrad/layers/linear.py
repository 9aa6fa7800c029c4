"""The affine map, in which a network keeps nearly all it learns."""

import math

from handgrad.errors import ArgumentError, ShapeError
from handgrad.initializers import HeNormal, Initializer, Zeros
from handgrad.layers.layer import Formulas, Layer, Rng
from handgrad.layers.parameters import ParameterSpec, ParameterTree
from handgrad.ops import Array, Ops, Shape


class Linear(Layer):
    """Affine map of each row: every output is a weighted sum of all inputs, plus a bias.

    Shapes: x (..., in) → y (..., out); weight (out, in); bias (out,).
    Initialisation: weight from He's normal law, N(0, 2/in); bias 0.

    Args:
        in_features: length of an input row.
        out_features: length of an output row.
        bias: whether to add a bias.
        weight_init: the law of the first weights.
        bias_init: the law of the first biases.

    Raises:
        ArgumentError: a size is below 1.
        ShapeError: in forward, the last axis of x is not in_features long.

    >>> layer = Linear(3, 2).initialize(np.random.default_rng(0))
    >>> layer(np.ones((4, 3))).shape
    (4, 2)
    """

    formulas = Formulas(
        forward=r"y = x W^{\top} + b",
        backward={
            "x": r"\bar x = \bar y\, W",
            "weight": r"\bar W = \bar y^{\top} x",
            "bias": r"\bar b = \sum_n \bar y_n",
        },
        shapes={
            "x": r"(N, \text{in})",
            "y": r"(N, \text{out})",
            "W": r"(\text{out}, \text{in})",
            "b": r"(\text{out})",
        },
    )

    weight: Array
    bias: Array | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight_init: Initializer = HeNormal(),
        bias_init: Initializer = Zeros(),
    ) -> None:
        for name, value in (("in_features", in_features), ("out_features", out_features)):
            if value < 1:
                raise ArgumentError(name, value, "an integer >= 1")
        self.in_features = in_features
        self.out_features = out_features
        self.weight_init = weight_init
        self.bias_init = bias_init
        self.has_bias = bias
        if not bias:
            self.bias = None

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """y = x Wᵀ + b; the cache is x."""
        if x.shape[-1] != self.in_features:
            raise ShapeError("x", tuple(x.shape), f"a last axis of in_features = {self.in_features}")
        return ops.linear(x, self.weight, self.bias), x

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """x̄ = ȳ W; fills W̄ = ȳᵀ x and b̄ = Σ ȳ."""
        ops.linear_grads(dy, x, out=(grads.weight, grads.bias if self.has_bias else None))
        return ops.linear_dx(dy, self.weight)

    def parameter_specs(self) -> dict[str, ParameterSpec]:
        """Weight (out, in) and bias (out,)."""
        fans = self.in_features, self.out_features
        shape = (self.out_features, self.in_features)
        specs = {"weight": ParameterSpec(shape, self.weight_init, *fans, order=(1, 0))}  # in memory (in, out)
        if self.has_bias:
            specs["bias"] = ParameterSpec((self.out_features,), self.bias_init, *fans)
        return specs

    def output_shape(self, input_shape: Shape) -> Shape:
        """The last axis becomes out_features long."""
        if not input_shape or input_shape[-1] != self.in_features:
            raise ShapeError("input_shape", input_shape, f"a last axis of in_features = {self.in_features}")
        return (*input_shape[:-1], self.out_features)

    def flops(self, input_shape: Shape) -> int:
        """2·in operations an output element: a multiplication and an addition for each weight, the bias included."""
        return 2 * math.prod(input_shape) * self.out_features

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """Three inputs, two outputs."""
        return cls(3, 2), (2, 3)

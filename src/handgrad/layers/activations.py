"""Functions of one number, applied to each element: the bends that make a network more than one matrix."""

import math
from abc import abstractmethod
from typing import Any

from handgrad.errors import ArgumentError
from handgrad.layers.layer import Formulas, Layer, Rng
from handgrad.layers.parameters import ParameterTree
from handgrad.ops import Array, Ops, Shape


class Activation(Layer):
    """A layer without parameters whose output has its input's shape, any shape."""

    @abstractmethod
    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Any]:
        """Output and cache."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        return input_shape

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """Two rows of three numbers."""
        return cls(), (2, 3)


class ReLU(Activation):
    """Rectified linear unit: positive numbers pass, the rest become 0. Nair and Hinton (2010).

    At x = 0, where the derivative does not exist, it is taken as 0, as every library does.

    >>> ReLU().initialize(np.random.default_rng(0))([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y = \max(x, 0)",
        backward={"x": r"\bar x = \bar y \odot [x > 0]"},
        notes="The cache is x. A unit whose x is negative for every example gets no gradient: it is dead.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """y = max(x, 0); the cache is x."""
        return ops.relu(x), x

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """x̄ = ȳ [x > 0]."""
        return ops.relu_dx(dy, x)


class LeakyReLU(Activation):
    """ReLU that lets a fraction of negative numbers through, so that no unit dies. Maas et al. (2013).

    Args:
        negative_slope: the fraction, a finite number.

    >>> LeakyReLU(0.5).initialize(np.random.default_rng(0))([-1.0, 2.0])
    array([-0.5,  2. ], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y = x\,[x > 0] + a\,x\,[x \le 0]",
        backward={"x": r"\bar x = \bar y\,[x > 0] + a\,\bar y\,[x \le 0]"},
        notes="a is negative_slope. The cache is x.",
    )

    def __init__(self, negative_slope: float = 0.01) -> None:
        if not math.isfinite(negative_slope):
            raise ArgumentError("negative_slope", negative_slope, "a finite number")
        self.negative_slope = negative_slope

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """x where positive, a·x elsewhere; the cache is x."""
        return ops.relu(x, self.negative_slope), x

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """ȳ where x was positive, a·ȳ elsewhere."""
        return ops.relu_dx(dy, x, self.negative_slope)


class Sigmoid(Activation):
    """Logistic function: squeezes any number into (0, 1).

    >>> Sigmoid().initialize(np.random.default_rng(0))([0.0])
    array([0.5], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y = \sigma(x) = \frac{1}{1 + e^{-x}}",
        backward={"x": r"\bar x = \bar y \odot y \odot (1 - y)"},
        notes="The cache is the output y: the derivative is y(1 − y), not σ'(y). It is at most 1/4: gradients shrink.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """y = σ(x); the cache is y."""
        y = ops.sigmoid(x)
        return y, y

    def backward(self, dy: Array, y: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """x̄ = ȳ y (1 − y)."""
        return ops.sigmoid_dx(dy, y)


class Tanh(Activation):
    """Hyperbolic tangent: squeezes any number into (−1, 1), and keeps 0 at 0.

    >>> Tanh().initialize(np.random.default_rng(0))([0.0])
    array([0.], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y = \tanh x",
        backward={"x": r"\bar x = \bar y \odot (1 - y^2)"},
        notes="The cache is the output y.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """y = tanh x; the cache is y."""
        y = ops.tanh(x)
        return y, y

    def backward(self, dy: Array, y: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """x̄ = ȳ (1 − y²)."""
        return ops.tanh_dx(dy, y)


class GELU(Activation):
    """Gaussian error linear unit in its tanh form: x times, nearly, the normal distribution function of x.

    Hendrycks and Gimpel (2016), the form used by GPT-2; PyTorch's `nn.GELU(approximate="tanh")`. It stays within
    5·10⁻⁴ of the form with the error function, which the array API standard does not offer.

    >>> GELU().initialize(np.random.default_rng(0))([0.0, 100.0])
    array([  0., 100.], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y = \tfrac12 x\,(1 + t), \quad t = \tanh\left(\sqrt{\tfrac{2}{\pi}}\,(x + 0.044715\,x^3)\right)",
        backward={
            "x": r"\bar x = \bar y \odot \left(\tfrac12 (1 + t) "
            r"+ \tfrac12 x\,(1 - t^2)\,\sqrt{\tfrac{2}{\pi}}\,(1 + 0.134145\,x^2)\right)"
        },
        notes="The cache is x.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """y = ½ x (1 + t); the cache is x."""
        return ops.gelu(x), x

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """ȳ times the derivative at x, by the product rule."""
        return ops.gelu_dx(dy, x)

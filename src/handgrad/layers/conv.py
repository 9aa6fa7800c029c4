"""Convolution: one small linear map, applied at every place of an image."""

import math

from handgrad.errors import ArgumentError
from handgrad.initializers import HeNormal, Initializer, Zeros
from handgrad.layers.layer import Formulas, Layer, Rng
from handgrad.layers.parameters import ParameterSpec, ParameterTree
from handgrad.layers.windows import as_pair, require_batch, require_image, window_grid
from handgrad.ops import Array, Ops, Pair, Shape


class Conv2d(Layer):
    """Each output pixel is a weighted sum of a small window over all input channels, plus a bias. LeCun et al. (1989).

    As in every deep-learning library, the kernel is not flipped: mathematically this is cross-correlation.

    Shapes: x (N, C, H, W) → y (N, O, H', W'), H' = ⌊(H + 2·padding − kh) / stride⌋ + 1, W' likewise;
    weight (O, C, kh, kw); bias (O,).
    Initialisation: weight from He's normal law, N(0, 2/(C·kh·kw)); bias 0.

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: (kh, kw), or one number for both.
        stride: step between windows, in pixels, down and across.
        padding: rows and columns of zeros added on each side.
        bias: whether to add a bias.
        weight_init: the law of the first weights.
        bias_init: the law of the first biases.

    Raises:
        ArgumentError: a size is below 1, or padding below 0.
        ShapeError: in forward, x is not (N, C, H, W), or smaller than a window.

    >>> layer = Conv2d(1, 2, 3, padding=1).initialize(np.random.default_rng(0))
    >>> layer(np.ones((4, 1, 5, 5))).shape
    (4, 2, 5, 5)
    """

    formulas = Formulas(
        forward=r"y_{n o p q} = b_o + \sum_{c, i, j} W_{o c i j}\; x^{\text{pad}}_{n,\, c,\, s p + i,\, s q + j}",
        backward={
            "x": r"\bar x^{\text{pad}}_{n,\, c,\, u,\, v} = \sum_{o} \sum_{\substack{s p + i = u \\ s q + j = v}} "
            r"W_{o c i j}\; \bar y_{n o p q}",
            "weight": r"\bar W_{o c i j} = \sum_{n, p, q} \bar y_{n o p q}\; "
            r"x^{\text{pad}}_{n,\, c,\, s p + i,\, s q + j}",
            "bias": r"\bar b_o = \sum_{n, p, q} \bar y_{n o p q}",
        },
        shapes={"x": "(N, C, H, W)", "y": "(N, O, H', W')", "W": "(O, C, k_h, k_w)", "b": "(O)"},
        notes="s is the stride; x^pad is x with its border of zeros, which the input's gradient drops again.",
    )

    weight: Array
    bias: Array | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = True,
        *,
        weight_init: Initializer = HeNormal(),
        bias_init: Initializer = Zeros(),
    ) -> None:
        for name, value in (("in_channels", in_channels), ("out_channels", out_channels)):
            if value < 1:
                raise ArgumentError(name, value, "an integer >= 1")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = as_pair("kernel_size", kernel_size, 1)
        self.stride = as_pair("stride", stride, 1)
        self.padding = as_pair("padding", padding, 0)
        self.weight_init = weight_init
        self.bias_init = bias_init
        self.has_bias = bias
        if not bias:
            self.bias = None

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array]:
        """Slide the kernel over x; the cache is x."""
        self.output_shape(require_batch(tuple(x.shape)))
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding), x

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: ParameterTree) -> Array:
        """Each ȳ flows back along the weights of its window; each weight meets every window it was laid on."""
        out = (grads.weight, grads.bias if self.has_bias else None)
        ops.conv2d_grads(dy, x, out, self.stride, self.padding)
        return ops.conv2d_dx(dy, self.weight, tuple(x.shape), self.stride, self.padding)

    def parameter_specs(self) -> dict[str, ParameterSpec]:
        """Weight (O, C, kh, kw) and bias (O,)."""
        shape = (self.out_channels, self.in_channels, *self.kernel_size)
        area = math.prod(self.kernel_size)
        fans = self.in_channels * area, self.out_channels * area
        specs = {"weight": ParameterSpec(shape, self.weight_init, *fans, order=(2, 3, 1, 0))}  # (kh, kw, C, O)
        if self.has_bias:
            specs["bias"] = ParameterSpec((self.out_channels,), self.bias_init, *fans)
        return specs

    def output_shape(self, input_shape: Shape) -> Shape:
        """(..., C, H, W) → (..., O, H', W')."""
        require_image(input_shape, self.in_channels)
        grid = window_grid(input_shape, self.kernel_size, self.stride, self.padding)
        return (*input_shape[:-3], self.out_channels, *grid)

    def flops(self, input_shape: Shape) -> int:
        """2·C·kh·kw operations an output element: a multiplication and an addition for each weight."""
        return 2 * self.in_channels * math.prod(self.kernel_size) * math.prod(self.output_shape(input_shape))

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """One 3×3 image, one 2×2 kernel."""
        return cls(1, 1, 2), (1, 1, 3, 3)

r"""The one interface behind which all arithmetic happens.

Layers, losses and optimizers call these operations and never name an array library. A bar over a name means the
gradient of the loss with respect to it: `dy` is ȳ, the gradient handed down from above, and `NAME_dx` returns x̄.

Shapes: N examples, C channels, (H, W) height and width, (H', W') the same after striding, K = kh·kw·C.
`...` stands for any number of leading axes. Arrays are floating point unless said otherwise.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

#: An array of whichever library the ops compute with: NumPy, PyTorch, CuPy, array-api-strict.
Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]


class Ops(Protocol):
    """Every operation a layer, loss or optimizer may ask for.

    Implementations hold no state between calls. Arrays are fresh unless an argument is called `out`, or the summary
    says "in place".
    """

    @property
    def device(self) -> str:
        """The name by which `handgrad.ops.for_device` finds these ops, such as `cpu` or `torch:cuda`."""
        ...

    def compile(self, function: Callable[..., Any], state: Sequence[Array] = ()) -> Callable[..., Any]:
        """A function that does the same as `function`, and may do it faster the next time.

        Args:
            function: takes arrays and numbers, and these operations as `ops`; what it does must follow from the
                shapes of its arguments. It returns an array, a tuple of arrays, or None.
            state: arrays that it reads or changes besides its arguments, such as the parameters.

        Returns:
            a function of the same arguments without `ops`; arrays without axes come back as floats or arrays.
        """
        ...

    # -- moving arrays -----------------------------------------------------------------------------

    def asarray(self, values: Any, dtype: str | None = None) -> Array:
        """Values (a NumPy array, a list, an array of these ops) on this device, as `dtype` or unchanged."""
        ...

    def to_numpy(self, x: Array) -> "np.typing.NDArray[Any]":
        """The same values as a NumPy array."""
        ...

    def zeros(self, shape: Shape, dtype: str) -> Array:
        """A new array of zeros."""
        ...

    def full(self, shape: Shape, value: float, like: Array) -> Array:
        """A new array filled with one number, of the dtype of `like`."""
        ...

    def cast(self, x: Array, like: Array) -> Array:
        """x in the dtype of `like`."""
        ...

    def reshape(self, x: Array, shape: Shape) -> Array:
        """The same elements in row-major order under another shape; a view where that is possible."""
        ...

    def affine(self, x: Array, scale: float, shift: float) -> Array:
        """scale·x + shift, element by element."""
        ...

    def take(self, source: Array, index: Array | None, shift: float, factor: float, shape: Shape) -> Array:
        """Float32 examples (N, *shape): rows `index` (N,) of source, (source − shift)·factor in the order of memory.

        Without an index, all rows.

        Source (M, …), uint8 or float32, and index are NumPy's. A row with one element less than `shape` gets a 1 at its
        end. With a `shape` (C, H, W), source has its channels last.
        """
        ...

    def distort(
        self,
        source: Array,
        index: Array | None,
        numbers: Array,
        shape: Shape,
        limits: Sequence[float],
        spacing: float,
    ) -> Array:
        """Uint8 images (N, H·W·C): rows `index` (N,) of source, each distorted as its row of numbers says.

        The map is that of `handgrad.Augmentation`. Without an index, all rows.

        Source (M, …), uint8, holds images of `shape` (H, W, C). Numbers (N, 6 + 2·Kʸ·Kˣ), from [0, 1), are for
        θ, k, s₁, s₂, t₁, t₂ and then for u, x and y, at the nodes of a grid `spacing` pixels wide. Limits are what
        θ (radians), k, s − 1, t and the coefficients of u reach. Source, index and numbers are NumPy's.
        """
        ...

    def permute(self, x: Array, axes: Shape) -> Array:
        """A view of x with its axes in another order: axis i of the result is axis axes[i] of x."""
        ...

    # -- linear ------------------------------------------------------------------------------------

    def linear(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """y = x Wᵀ + b; x (..., in), weight (out, in), bias (out,) → (..., out)."""
        ...

    def linear_dx(self, dy: Array, weight: Array) -> Array:
        """x̄ = ȳ W; dy (..., out) → (..., in)."""
        ...

    def linear_grads(self, dy: Array, x: Array, out: tuple[Array, Array | None]) -> None:
        """Fill out with W̄ = ȳᵀ x (out, in) and b̄ = Σₙ ȳₙ (out,)."""
        ...

    # -- convolution and pooling -------------------------------------------------------------------

    def conv2d(self, x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair) -> Array:
        """Cross-correlation of x (N, C, H, W) with weight (O, C, kh, kw) → (N, O, H', W')."""
        ...

    def conv2d_dx(self, dy: Array, weight: Array, shape: Shape, stride: Pair, padding: Pair) -> Array:
        """x̄ of `conv2d` for an input of that shape; dy (N, O, H', W')."""
        ...

    def conv2d_grads(self, dy: Array, x: Array, out: tuple[Array, Array | None], stride: Pair, padding: Pair) -> None:
        """Fill out with W̄ (O, C, kh, kw) and b̄ (O,) of `conv2d`."""
        ...

    def max_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> tuple[Array, Array]:
        """Largest element of each window and the index (0 … kh·kw − 1) of its first occurrence; both (N, C, H', W')."""
        ...

    def max_pool2d_dx(self, dy: Array, index: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        """x̄ of `max_pool2d`: each ȳ goes to the element that won its window."""
        ...

    def avg_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        """Mean of each window, padding counted as zeros; (N, C, H', W')."""
        ...

    def avg_pool2d_dx(self, dy: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        """x̄ of `avg_pool2d`: each ȳ is shared equally by its window."""
        ...

    # -- activations, element by element -----------------------------------------------------------

    def relu(self, x: Array, slope: float = 0.0) -> Array:
        """x where x > 0, slope·x elsewhere."""
        ...

    def relu_dx(self, dy: Array, x: Array, slope: float = 0.0) -> Array:
        """ȳ where x > 0, slope·ȳ elsewhere."""
        ...

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + e⁻ˣ), without overflow for any x."""
        ...

    def sigmoid_dx(self, dy: Array, y: Array) -> Array:
        """ȳ y (1 − y), from the *output* y."""
        ...

    def tanh(self, x: Array) -> Array:
        """tanh x."""
        ...

    def tanh_dx(self, dy: Array, y: Array) -> Array:
        """ȳ (1 − y²), from the *output* y."""
        ...

    def gelu(self, x: Array) -> Array:
        """½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))."""
        ...

    def gelu_dx(self, dy: Array, x: Array) -> Array:
        """ȳ times the derivative of `gelu` at the *input* x."""
        ...

    # -- softmax over the last axis ----------------------------------------------------------------

    def softmax(self, x: Array) -> Array:
        """exp(x − max x) / Σ exp(x − max x)."""
        ...

    def softmax_dx(self, dy: Array, y: Array) -> Array:
        """(diag(y) − y yᵀ) ȳ = y (ȳ − ȳ·y), the Jacobian–vector product."""
        ...

    def log_softmax(self, x: Array) -> Array:
        """(x − max x) − log Σ exp(x − max x)."""
        ...

    def log_softmax_dx(self, dy: Array, y: Array) -> Array:
        """ȳ − e^y Σ ȳ."""
        ...

    # -- elementwise combination and normalisation -------------------------------------------------

    def add(self, x: Array, y: Array) -> Array:
        """x + y."""
        ...

    def multiply(self, x: Array, y: Array) -> Array:
        """x · y, element by element."""
        ...

    def randomness(self, rng: np.random.Generator) -> np.random.Generator:
        """The generator, to be handed to layers; in a function being compiled one that only these operations use."""
        ...

    def dropout_mask(self, rng: np.random.Generator, like: Array, p: float) -> Array:
        """An array like `like` that is 0 with probability p and 1/(1 − p) otherwise."""
        ...

    def moments(self, x: Array, axes: Sequence[int]) -> tuple[Array, Array]:
        """Mean and (biased) variance over axes, which are kept with length 1."""
        ...

    def normalize(
        self, x: Array, mean: Array, variance: Array, epsilon: float, weight: Array, bias: Array
    ) -> tuple[Array, Array]:
        """y = γ x̂ + β and x̂ = (x − μ) / √(σ² + ε); all arguments broadcast against x."""
        ...

    def normalize_dx(
        self,
        dy: Array,
        x_hat: Array,
        variance: Array,
        epsilon: float,
        weight: Array,
        axes: Sequence[int] | None,
    ) -> Array:
        """x̄ of `normalize` when mean and variance were taken of x over axes, or constants (axes None)."""
        ...

    def normalize_grads(self, dy: Array, x_hat: Array, out: tuple[Array, Array], axes: Sequence[int]) -> None:
        """Fill out with γ̄ = Σ ȳ x̂ and β̄ = Σ ȳ, summed over axes."""
        ...

    def move_average(self, average: Array, value: Array, momentum: float) -> None:
        """In place: average ← (1 − momentum) · average + momentum · value."""
        ...

    # -- losses; w (N,) weighs the examples, so w = 1/N gives the mean -----------------------------

    def one_hot(self, labels: Array, classes: int, like: Array) -> Array:
        """Integer labels (N,) as rows (N, classes) with a single 1, of the dtype of `like`.

        Raises ArgumentError for labels that are not integers in [0, classes); a compiled function may instead give
        such a row NaN.
        """
        ...

    def softmax_cross_entropy(self, logits: Array, targets: Array, w: Array) -> tuple[Array, Array]:
        """−Σₙ wₙ Σ_c t log softmax(logits) (a scalar), and the probabilities (N, C)."""
        ...

    def softmax_cross_entropy_dx(self, probabilities: Array, targets: Array, w: Array) -> Array:
        """wₙ (ŷ Σ_c t − t) with respect to the logits, (N, C)."""
        ...

    def cross_entropy(self, probabilities: Array, targets: Array, w: Array, floor: float) -> Array:
        """−Σₙ wₙ Σ_c t log max(ŷ, floor), a scalar."""
        ...

    def cross_entropy_dx(self, probabilities: Array, targets: Array, w: Array, floor: float) -> Array:
        """−wₙ t / max(ŷ, floor) with respect to the probabilities, (N, C)."""
        ...

    def binary_cross_entropy(self, logits: Array, targets: Array, w: Array) -> Array:
        """Σₙ wₙ Σ_c [max(x, 0) − x t + log(1 + e^−|x|)], a scalar."""
        ...

    def binary_cross_entropy_dx(self, logits: Array, targets: Array, w: Array) -> Array:
        """wₙ (σ(x) − t) with respect to the logits."""
        ...

    def squared_error(self, y: Array, targets: Array, w: Array) -> Array:
        """Σₙ wₙ Σ_c (y − t)², a scalar."""
        ...

    def squared_error_dx(self, y: Array, targets: Array, w: Array) -> Array:
        """2 wₙ (y − t)."""
        ...

    # -- optimizers: one pass over the vector of all parameters, in place --------------------------

    def norm(self, x: Array) -> Array:
        """√Σ x², an array without axes."""
        ...

    def clip(self, x: Array, limit: float) -> Array:
        """In place: x ← x · min(1, limit / (‖x‖ + 10⁻⁶)); returns ‖x‖ before, an array without axes."""
        ...

    def require_finite(self, what: str, value: Array) -> None:
        """Go on only if a number (an array without axes) is finite; else raise NonFiniteError.

        What follows in `sgd`, `rmsprop` and `adam` is then left undone.
        """
        ...

    def sgd(
        self,
        w: Array,
        g: Array,
        velocity: Array | None,
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        decay: float,
    ) -> None:
        """In place: g' = g + λ w; v ← μ v + g'; w ← w − η v (Nesterov: w ← w − η (g' + μ v)); g stays."""
        ...

    def rmsprop(self, w: Array, g: Array, v: Array, *, lr: float, alpha: float, epsilon: float, decay: float) -> None:
        """In place: v ← α v + (1 − α) g²; w ← w − η g / (√v + ε)."""
        ...

    def adam(
        self,
        w: Array,
        g: Array,
        m: Array,
        v: Array,
        *,
        step: int,
        lr: float,
        betas: tuple[float, float],
        epsilon: float,
        decay: float,
        decoupled: bool,
    ) -> None:
        """In place: m, v, both bias-corrected by 1 − βᵗ; w ← w − η m̂ / (√v̂ + ε); decay added to g, or decoupled."""
        ...

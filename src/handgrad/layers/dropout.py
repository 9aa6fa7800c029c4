"""Noise that keeps units from relying on each other."""

from handgrad.errors import ArgumentError
from handgrad.layers.activations import Activation
from handgrad.layers.layer import Formulas, Layer, Rng
from handgrad.layers.parameters import ParameterTree
from handgrad.ops import Array, Ops, Shape


class Dropout(Activation):
    """In training, sets each element to 0 with probability p and scales the rest by 1/(1 − p); else passes x on.

    Srivastava et al. (2014). The scaling keeps the expected value, so prediction needs no correction.

    Args:
        p: probability of dropping an element, 0 <= p < 1.

    Raises:
        ArgumentError: p is outside that range; or forward is called with training=True and no rng.

    >>> layer = Dropout(0.5).initialize(np.random.default_rng(0))
    >>> layer([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y = x \odot k, \quad k_i = \tfrac{1}{1 - p} \text{ with probability } 1 - p, \text{ else } 0",
        backward={"x": r"\bar x = \bar y \odot k"},
        notes="The cache is the mask k, so that backward drops what forward dropped. In prediction y = x.",
    )

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p < 1:
            raise ArgumentError("p", p, "a probability with 0 <= p < 1")
        self.p = p

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Array | None]:
        """y = x k; the cache is k, or None where nothing is dropped."""
        if not training or self.p == 0:
            return x, None
        if rng is None:
            raise ArgumentError("rng", rng, "a numpy.random.Generator", "dropout draws its mask from it in training")
        mask = ops.dropout_mask(rng, x, self.p)
        return ops.multiply(x, mask), mask

    def backward(self, dy: Array, mask: Array | None, *, ops: Ops, grads: ParameterTree) -> Array:
        """x̄ = ȳ k."""
        return dy if mask is None else ops.multiply(dy, mask)

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """Half of two rows of three."""
        return cls(0.5), (2, 3)

"""The laws from which first weights are drawn.

fan_in is the number of inputs that one output sums over, fan_out the number of outputs that one input reaches:
in and out for a linear layer, in·kh·kw and out·kh·kw for a convolution.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from handgrad.errors import ArgumentError

Values: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


class Initializer(Protocol):
    """A function that draws the first values of one parameter."""

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        """Values of that shape, float64."""
        ...


@dataclass(frozen=True)
class Constant:
    """Every value the same.

    >>> Constant(0.5)(np.random.default_rng(0), (2,), fan_in=1, fan_out=1)
    array([0.5, 0.5])
    """

    value: float = 0.0

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        return np.full(shape, self.value)


@dataclass(frozen=True)
class Zeros(Constant):
    """Every value 0: right for biases, wrong for weights, whose units would all stay equal.

    >>> Zeros()(np.random.default_rng(0), (2,), fan_in=1, fan_out=1)
    array([0., 0.])
    """


@dataclass(frozen=True)
class Uniform:
    """U(low, high).

    >>> float(Uniform(0, 1)(np.random.default_rng(0), (), fan_in=1, fan_out=1))
    0.636...
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ArgumentError("high", self.high, f"a number >= low = {self.low}")

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        return rng.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class Normal:
    """N(0, standard_deviation²).

    >>> float(Normal()(np.random.default_rng(0), (), fan_in=1, fan_out=1))
    0.125...
    """

    standard_deviation: float = 1.0

    def __post_init__(self) -> None:
        if not self.standard_deviation >= 0:
            raise ArgumentError("standard_deviation", self.standard_deviation, "a number >= 0")

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        return rng.normal(0.0, self.standard_deviation, shape)


@dataclass(frozen=True)
class FanInUniform:
    """U(−1/√fan_in, 1/√fan_in), PyTorch's default for linear and convolution layers and their biases.

    >>> bool(abs(FanInUniform()(np.random.default_rng(0), (9,), fan_in=4, fan_out=1)).max() <= 0.5)
    True
    """

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        bound = 1.0 / math.sqrt(fan_in)
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class XavierUniform:
    """U(−a, a), a = √(6 / (fan_in + fan_out)): keeps variance both ways through tanh. Glorot and Bengio (2010).

    >>> bool(abs(XavierUniform()(np.random.default_rng(0), (9,), fan_in=3, fan_out=3)).max() <= 1.0)
    True
    """

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        bound = math.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class XavierNormal:
    """N(0, 2 / (fan_in + fan_out)). Glorot and Bengio (2010).

    >>> XavierNormal()(np.random.default_rng(0), (2,), fan_in=1, fan_out=1).shape
    (2,)
    """

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        return rng.normal(0.0, math.sqrt(2.0 / (fan_in + fan_out)), shape)


@dataclass(frozen=True)
class HeUniform:
    """U(−a, a), a = √(6 / fan_in): keeps the variance forward through ReLU. He et al. (2015).

    >>> bool(abs(HeUniform()(np.random.default_rng(0), (9,), fan_in=6, fan_out=1)).max() <= 1.0)
    True
    """

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        bound = math.sqrt(6.0 / fan_in)
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class HeNormal:
    """N(0, 2 / fan_in): keeps the variance forward through ReLU, which halves it. He et al. (2015).

    >>> HeNormal()(np.random.default_rng(0), (2,), fan_in=2, fan_out=1).shape
    (2,)
    """

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> Values:
        return rng.normal(0.0, math.sqrt(2.0 / fan_in), shape)


#: What `--init NAME` and a recipe's `init` may say: (law of the weights, law of the biases).
NAMED: dict[str, tuple[Initializer, Initializer]] = {
    "he": (HeNormal(), Zeros()),
    "he_uniform": (HeUniform(), Zeros()),
    "xavier": (XavierNormal(), Zeros()),
    "xavier_uniform": (XavierUniform(), Zeros()),
    "normal": (Normal(1.0), Normal(1.0)),
    "uniform": (Uniform(0.0, 1.0), Uniform(0.0, 1.0)),
    "fan_in": (FanInUniform(), FanInUniform()),
    "zeros": (Zeros(), Zeros()),
}

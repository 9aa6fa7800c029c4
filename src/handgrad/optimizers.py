"""Optimizers: how a gradient becomes a step. Each is one pass over the vector of all parameters.

An optimizer holds only its settings; what it remembers between steps is an `OptimizerState`, a value of its own,
so that it can be saved, shown and resumed.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from handgrad.errors import ArgumentError
from handgrad.ops import Array, Ops


@dataclass
class OptimizerState:
    """What an optimizer remembers: how many steps it took, and its vectors, twins of the parameters."""

    step: int
    slots: dict[str, Array]


@dataclass(frozen=True)
class Optimizer(ABC):
    """Settings that every optimizer has.

    Args:
        learning_rate: η, the length of a step, > 0; a schedule multiplies it.
        weight_decay: λ >= 0, pulls every parameter towards 0.

    Raises:
        ArgumentError: a setting is out of range.
    """

    learning_rate: float
    weight_decay: float = 0.0

    #: The update, as LaTeX.
    formula: ClassVar[str]

    def __post_init__(self) -> None:
        _require("learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf, "a number > 0")
        _require("weight_decay", self.weight_decay, self.weight_decay >= 0, "a number >= 0")

    def slot_names(self) -> tuple[str, ...]:
        """The vectors it remembers."""
        return ()

    def start(self, vector: Array, *, ops: Ops) -> OptimizerState:
        """The state before the first step: zeros of the parameters' shape and dtype."""
        shape = tuple(vector.shape)
        return OptimizerState(0, {name: ops.full(shape, 0.0, like=vector) for name in self.slot_names()})

    def step(
        self,
        vector: Array,
        gradient: Array,
        state: OptimizerState,
        *,
        ops: Ops,
        learning_rate: float | None = None,
    ) -> None:
        """Move the parameters one step, in place, and the state with them; the gradient stays as it is.

        Args:
            vector: all parameters, (P,).
            gradient: all gradients, (P,).
            state: what `start` returned.
            ops: the device.
            learning_rate: η of this step; the optimizer's own where left out.
        """
        state.step += 1
        rate = self.learning_rate if learning_rate is None else learning_rate
        # a NumPy float64 would widen float32 arithmetic
        self.update(vector, gradient, state.slots, state.step, ops=ops, learning_rate=float(rate))

    @abstractmethod
    def update(
        self,
        vector: Array,
        gradient: Array,
        slots: Mapping[str, Array],
        step: int,
        *,
        ops: Ops,
        learning_rate: float,
    ) -> None:
        """The formula alone: move the parameters and what is remembered, in place; `step` counts from 1."""


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent, plain or with momentum. Robbins and Monro (1951); Polyak (1964); Nesterov (1983).

    Args:
        momentum: μ in [0, 1): how much of the previous step is kept.
        nesterov: look ahead along the momentum; needs momentum > 0.

    >>> ops = handgrad.ops.for_device("cpu")
    >>> w = np.array([1.0])
    >>> optimizer = SGD(0.1)
    >>> optimizer.step(w, np.array([2.0]), optimizer.start(w, ops=ops), ops=ops)
    >>> w
    array([0.8])
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    formula = (
        r"v \leftarrow \mu v + g, \quad w \leftarrow w - \eta v \quad "
        r"(\text{Nesterov: } w \leftarrow w - \eta\,(g + \mu v)), \quad g \text{ being } g + \lambda w"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _require("momentum", self.momentum, 0 <= self.momentum < 1, "a number with 0 <= momentum < 1")
        _require("nesterov", self.nesterov, not self.nesterov or self.momentum > 0, "False, or True with momentum > 0")

    def slot_names(self) -> tuple[str, ...]:
        """The velocity, if there is momentum."""
        return ("velocity",) if self.momentum else ()

    def update(
        self,
        vector: Array,
        gradient: Array,
        slots: Mapping[str, Array],
        step: int,
        *,
        ops: Ops,
        learning_rate: float,
    ) -> None:
        """v ← μ v + g; w ← w − η v."""
        ops.sgd(
            vector,
            gradient,
            slots.get("velocity"),
            lr=learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            decay=self.weight_decay,
        )


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """Divides each gradient by the root of its running mean square. Tieleman and Hinton (2012).

    Args:
        alpha: share of the old mean square kept at each step, in [0, 1).
        epsilon: added to the root, > 0.

    >>> ops = handgrad.ops.for_device("cpu")
    >>> w = np.array([1.0])
    >>> optimizer = RMSProp(0.1, alpha=0.0)
    >>> optimizer.step(w, np.array([2.0]), optimizer.start(w, ops=ops), ops=ops)
    >>> w.round(6)
    array([0.9])
    """

    learning_rate: float = 0.01
    alpha: float = 0.99
    epsilon: float = 1e-8

    formula = (
        r"v \leftarrow \alpha v + (1 - \alpha) g^2, \quad w \leftarrow w - \eta\, \frac{g}{\sqrt v + \varepsilon}, "
        r"\quad g \text{ being } g + \lambda w"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _require("alpha", self.alpha, 0 <= self.alpha < 1, "a number with 0 <= alpha < 1")
        _require("epsilon", self.epsilon, self.epsilon > 0, "a number > 0")

    def slot_names(self) -> tuple[str, ...]:
        """The mean square v."""
        return ("v",)

    def update(
        self,
        vector: Array,
        gradient: Array,
        slots: Mapping[str, Array],
        step: int,
        *,
        ops: Ops,
        learning_rate: float,
    ) -> None:
        """v ← α v + (1 − α) g²; w ← w − η g / (√v + ε)."""
        settings = {"alpha": self.alpha, "epsilon": self.epsilon, "decay": self.weight_decay}
        ops.rmsprop(vector, gradient, slots["v"], lr=learning_rate, **settings)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Momentum over RMSProp, with both averages corrected for starting at 0. Kingma and Ba (2015).

    Args:
        beta1: share of the old mean kept at each step, in [0, 1).
        beta2: share of the old mean square kept at each step, in [0, 1).
        epsilon: added to the root, > 0.

    >>> ops = handgrad.ops.for_device("cpu")
    >>> w = np.array([1.0])
    >>> optimizer = Adam(0.1)
    >>> optimizer.step(w, np.array([2.0]), optimizer.start(w, ops=ops), ops=ops)
    >>> w.round(6)
    array([0.9])
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    formula = (
        r"m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad "
        r"w \leftarrow w - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}, "
        r"\quad g \text{ being } g + \lambda w"
    )
    #: Whether weight decay acts on the weights themselves (AdamW) or is added to the gradient.
    decoupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _require("beta1", self.beta1, 0 <= self.beta1 < 1, "a number with 0 <= beta1 < 1")
        _require("beta2", self.beta2, 0 <= self.beta2 < 1, "a number with 0 <= beta2 < 1")
        _require("epsilon", self.epsilon, self.epsilon > 0, "a number > 0")

    def slot_names(self) -> tuple[str, ...]:
        """The mean m and the mean square v."""
        return ("m", "v")

    def update(
        self,
        vector: Array,
        gradient: Array,
        slots: Mapping[str, Array],
        step: int,
        *,
        ops: Ops,
        learning_rate: float,
    ) -> None:
        """m, v, both bias-corrected; w ← w − η m̂ / (√v̂ + ε)."""
        ops.adam(
            vector,
            gradient,
            slots["m"],
            slots["v"],
            step=step,
            lr=learning_rate,
            betas=(self.beta1, self.beta2),
            epsilon=self.epsilon,
            decay=self.weight_decay,
            decoupled=self.decoupled,
        )


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly, past the division. Loshchilov and Hutter (2019).

    >>> ops = handgrad.ops.for_device("cpu")
    >>> w = np.array([1.0])
    >>> optimizer = AdamW(0.1, weight_decay=0.5)
    >>> optimizer.step(w, np.array([0.0]), optimizer.start(w, ops=ops), ops=ops)
    >>> w
    array([0.95])
    """

    weight_decay: float = 0.01

    formula = r"w \leftarrow (1 - \eta \lambda)\, w, \quad \text{then as Adam with } \lambda = 0"
    decoupled = True


def clip_by_global_norm(gradient: Array, max_norm: float, *, ops: Ops) -> float:
    """Scale the gradient down, in place, so that its length over all parameters is at most max_norm.

    g ← g · min(1, max_norm / (‖g‖ + 10⁻⁶)). Pascanu et al. (2013).

    Args:
        gradient: all gradients, (P,).
        max_norm: the longest allowed, > 0.
        ops: the device.

    Returns:
        ‖g‖ before clipping.

    Raises:
        ArgumentError: max_norm is not above 0.

    >>> g = np.array([3.0, 4.0])
    >>> clip_by_global_norm(g, 1.0, ops=handgrad.ops.for_device("cpu")), g.round(3)
    (5.0, array([0.6, 0.8]))
    """
    _require("max_norm", max_norm, max_norm > 0, "a number > 0")
    return float(ops.clip(gradient, max_norm))


def _require(name: str, value: object, holds: bool, expected: str) -> None:
    """Raise ArgumentError unless the condition holds."""
    if not holds:
        raise ArgumentError(name, value, expected)


#: What `--optimizer NAME` and a recipe may say.
NAMED: dict[str, type[Optimizer]] = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW}

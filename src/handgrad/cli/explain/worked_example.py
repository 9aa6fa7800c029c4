"""Small examples with numbers that a person can follow: one forward and one backward pass, or three steps."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from handgrad.cli.explain.matrices import Values
from handgrad.layers import BatchNorm1d, BatchNorm2d, Dropout, Layer, LayerNorm, ParameterVector
from handgrad.losses import BinaryCrossEntropy, ClassificationLoss, CrossEntropy, Loss, SoftmaxCrossEntropy
from handgrad.ops import for_device
from handgrad.optimizers import SGD, Optimizer, RMSProp

#: What else forward finds that helps to follow it: its letter, and where it lies in the cache.
_INTERMEDIATE: dict[type, tuple[str, Callable[[Any], Values]]] = {
    Dropout: ("k", lambda cache: cache),
    BatchNorm1d: (r"\hat x", lambda cache: cache[0]),
    BatchNorm2d: (r"\hat x", lambda cache: cache[0]),
    LayerNorm: (r"\hat x", lambda cache: cache[0]),
    SoftmaxCrossEntropy: (r"\hat y", lambda cache: cache[0]),
}

#: Settings that show most in three steps; the rest of an optimizer's settings are its own.
_SETTINGS: dict[type[Optimizer], dict[str, float]] = {
    SGD: {"learning_rate": 0.1, "momentum": 0.9},
    RMSProp: {"learning_rate": 0.01},
}


@dataclass(frozen=True)
class SlopeCheck:
    """One element of a gradient against the slope that the loss has when its input is moved.

    Args:
        letter: of the input, as LaTeX.
        place: the element's index.
        value: the element.
        step: ε, how far it is moved up and down.
        above: the loss with value + ε.
        below: the loss with value − ε.
        analytic: the element of the gradient that backward computed.
    """

    letter: str
    place: tuple[int, ...]
    value: float
    step: float
    above: float
    below: float
    analytic: float

    @property
    def numeric(self) -> float:
        """(L(x + ε) − L(x − ε)) / 2ε."""
        return (self.above - self.below) / (2 * self.step)

    @property
    def digits(self) -> int:
        """To how many digits the two agree, at most 12.

        >>> SlopeCheck("x", (0,), 1.0, 0.5, above=3.0, below=1.0, analytic=2.001).digits
        3
        """
        error = abs(self.numeric - self.analytic) / (abs(self.analytic) or 1.0)
        return 12 if error < 1e-12 else max(0, math.floor(-math.log10(error)))


@dataclass(frozen=True)
class Example:
    """A forward and a backward pass in numbers; every array under its letter, as LaTeX.

    Args:
        subject: the layer or loss.
        given: input, parameters or targets.
        computed: what forward computes, the output last.
        upstream: the gradient handed down from above; empty for a loss, with which gradients begin.
        gradients: what backward computes, the input's first.
        check: one element of the input's gradient, checked.
    """

    subject: Layer | Loss
    given: dict[str, Values]
    computed: dict[str, Values]
    upstream: dict[str, Values]
    gradients: dict[str, Values]
    check: SlopeCheck

    @property
    def arrays(self) -> dict[str, Values]:
        """All of them."""
        return self.given | self.computed | self.upstream | self.gradients


@dataclass(frozen=True)
class Descent:
    """Three steps of an optimizer down f(w) = ½ w², whose gradient is g = w.

    Args:
        optimizer: with its settings.
        rows: for each step t: w before it, g, every slot after it, and w after it as "w'".
    """

    optimizer: Optimizer
    rows: list[dict[str, float]] = field(default_factory=list)


def bar(letter: str) -> str:
    r"""The gradient with respect to what a letter stands for, as LaTeX.

    >>> bar("x")
    '\\bar{x}'
    """
    return rf"\bar{{{letter}}}"


def layer_example(kind: type[Layer], seed: int) -> Example:
    """The class's own example, with a small round input, parameters of one decimal, and an upstream gradient.

    Args:
        kind: a layer class.
        seed: from which all numbers follow.

    >>> import handgrad
    >>> layer_example(handgrad.ReLU, 0).given["x"].shape
    (2, 3)
    """
    rng = np.random.default_rng(seed)
    layer, shape = kind.example()
    layer.initialize(rng, dtype="float64")
    _round_parameters(layer.parameters, rng)
    x = round_numbers(rng, shape)

    def forward() -> tuple[Any, Any]:
        return layer.forward(x, ops=layer.parameters.ops, training=True, rng=np.random.default_rng(seed))

    y, cache = forward()
    dy = round_numbers(rng, y.shape)
    grads = layer.parameters.gradients()
    dx = layer.backward(dy, cache, ops=layer.parameters.ops, grads=grads.tree)
    given, gradients = {"x": x}, {bar("x"): np.asarray(dx)}
    for name in layer.parameters.names:
        letter, gradient_letter = _letters(layer, name)
        given[letter], gradients[gradient_letter] = layer.parameters.views[name], grads.views[name]
    check = _slope_check(lambda: float(np.sum(dy * forward()[0])), "x", x, gradients[bar("x")])
    return Example(layer, given, _intermediate(layer, cache) | {"y": y}, {bar("y"): dy}, gradients, check)


def loss_example(kind: type[Loss], seed: int) -> Example:
    """Two rows of three outputs with their targets.

    Args:
        kind: a loss class.
        seed: from which all numbers follow.

    >>> import handgrad
    >>> loss_example(handgrad.CrossEntropy, 0).given["t"].sum(axis=1)
    array([1., 1.])
    """
    rng, ops, loss = np.random.default_rng(seed), for_device("cpu"), kind()
    letter = next(iter(kind.formulas.backward))
    outputs, targets = _loss_inputs(kind, rng)
    value, cache = loss.forward(outputs, targets, ops=ops)
    gradient = np.asarray(loss.backward(cache, ops=ops))
    check = _slope_check(lambda: loss(outputs, targets, ops=ops), letter, outputs, gradient)
    computed = _intermediate(loss, cache) | {"L": np.asarray(value)}
    return Example(loss, {letter: outputs, "t": targets}, computed, {}, {bar(letter): gradient}, check)


def optimizer_example(kind: type[Optimizer], seed: int) -> Descent:
    """Three steps down f(w) = ½ w².

    Args:
        kind: an optimizer class.
        seed: from which the first w follows.

    >>> import handgrad
    >>> [round(row["w'"], 3) for row in optimizer_example(handgrad.Adam, 0).rows]
    [1.9, 1.8, 1.701]
    """
    ops, optimizer = for_device("cpu"), kind(**_SETTINGS.get(kind, {"learning_rate": 0.1}))
    w = np.array([np.random.default_rng(seed).integers(1, 5) / 2])
    state = optimizer.start(w, ops=ops)
    descent = Descent(optimizer)
    for _ in range(3):
        before = float(w[0])
        optimizer.step(w, np.array([before]), state, ops=ops)
        slots = {name: float(slot[0]) for name, slot in state.slots.items()}
        descent.rows.append({"t": state.step, "w": before, "g": before} | slots | {"w'": float(w[0])})
    return descent


def round_numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """Multiples of ½, half of them negative, none 0 and no two of one size: no maximum ties, no kink is hit.

    >>> round_numbers(np.random.default_rng(0), (3,))
    array([...])
    """
    count = math.prod(shape)
    signs = rng.permutation(np.resize([1.0, -1.0], count))
    sizes = rng.permutation(np.arange(1, max(4, count) + 1))[:count]
    return np.asarray(signs * sizes / 2, np.float64).reshape(shape)


def _round_parameters(parameters: ParameterVector, rng: np.random.Generator) -> None:
    """Leave one decimal, and move what starts constant, biases and scales, so that its part in the result shows."""
    for name in parameters.names:
        values: Values = np.asarray(parameters.views[name])
        if np.all(values == values.flat[0]):
            values = values + round_numbers(rng, values.shape) / 5
        parameters.assign(name, np.round(values, 1) + 0.0)  # no −0.0


def _letters(layer: Layer, name: str) -> tuple[str, str]:
    """What a parameter and its gradient are called in the gradient's formula, or by name where there is none."""
    found = re.match(r"\\bar\s*(\\[a-z]+|[A-Za-z])", layer.formulas.backward.get(name, ""))
    return (found[1], bar(found[1])) if found else (rf"\text{{{name}}}", rf"\text{{gradient of {name}}}")


def _loss_inputs(kind: type[Loss], rng: np.random.Generator) -> tuple[Values, Values]:
    """Outputs and targets of the kind that a loss wants: scores or probabilities, classes, answers or numbers."""
    shape = (2, 3)
    outputs: Values = round_numbers(rng, shape)
    targets: Values = round_numbers(rng, shape)
    if issubclass(kind, CrossEntropy):
        outputs = np.stack([rng.permutation([0.2, 0.3, 0.5]), rng.permutation([0.1, 0.2, 0.7])])
    if issubclass(kind, ClassificationLoss):
        targets = np.eye(3)[rng.integers(0, 3, 2)]
    if issubclass(kind, BinaryCrossEntropy):
        targets = rng.integers(0, 2, shape).astype(np.float64)
    return outputs, targets


def _intermediate(subject: Layer | Loss, cache: Any) -> dict[str, Values]:
    letter, find = _INTERMEDIATE.get(type(subject), ("", None))
    return {} if find is None else {letter: np.asarray(find(cache))}


def _slope_check(
    function: Callable[[], float], letter: str, x: Values, gradient: Values, step: float = 1e-4
) -> SlopeCheck:
    """Move the element with the largest gradient up and down, and put it back."""
    place = np.unravel_index(int(np.argmax(np.abs(gradient))), gradient.shape)
    value = float(x[place])
    x[place] = value + step
    above = function()
    x[place] = value - step
    below = function()
    x[place] = value
    return SlopeCheck(letter, tuple(map(int, place)), value, step, above, below, float(gradient[place]))

"""A gradient of a trace beside slopes that are measured, by moving one number after another."""

import time
from collections.abc import Callable

import numpy as np

from handgrad.errors import ArgumentError
from handgrad.inspection.gradcheck import Comparison, Slopes, TensorCheck
from handgrad.inspection.probe import Tensor, in_float64
from handgrad.inspection.trace import Trace, trace

#: As `gradcheck` takes it.
_TOLERANCE = 1e-6
#: At least so many elements are compared, however long each takes.
_FEWEST = 32


def check(
    found: Trace, array: str, *, seconds: float = 1.0, rng: np.random.Generator | None = None
) -> tuple[TensorCheck, Slopes]:
    """Compare one gradient of a trace with slopes of the loss, ∂L/∂θ ≈ (L(θ + h) − L(θ − h)) / 2h, in float64.

    Args:
        found: a trace with a target.
        array: "gradient.2", say, or "parameter_gradient.0.weight".
        seconds: about how long to measure; if that is not enough for all elements, some are drawn at random.
        rng: draws them; `numpy.random.default_rng(0)` where left out.

    Raises:
        ArgumentError: the array is no gradient of the trace.

    >>> from handgrad.inspection.trace import trace
    >>> model = handgrad.Sequential(handgrad.Linear(2, 3), handgrad.Tanh(), handgrad.Linear(3, 2))
    >>> example = model.initialize(np.random.default_rng(0)), handgrad.SoftmaxCrossEntropy(), [[1.0, 2.0]], [1]
    >>> result, slopes = check(trace(*example), "parameter_gradient.0.weight")
    >>> result.passed, len(slopes.places)
    (True, 6)
    """
    kind, _, name = array.partition(".")
    if kind not in ("gradient", "parameter_gradient") or array not in found.arrays:
        raise ArgumentError("array", array, "a gradient of the trace, such as gradient.1", "give a target, too")
    tensor = _tensor(found, kind, name)
    fits = max(_FEWEST, int(seconds / (2 * _duration(tensor.value))))
    comparison = Comparison(_TOLERANCE, min(fits, tensor.array.size), rng or np.random.default_rng(0))
    slopes = comparison.measure(tensor)
    return comparison.judge(tensor, slopes), slopes


def _tensor(found: Trace, kind: str, name: str) -> Tensor:
    """The array and its gradient in float64, and the loss as a function of it."""
    model = in_float64(found.model)
    again = trace(model, found.loss, found.activations[0][None], found.target)  # (…) → (1, …)
    position = int(name) if kind == "gradient" else again.owner(name)
    start = np.array(again.activations[position], np.float64)
    array = start if kind == "gradient" else model.parameters.views[name]

    def value() -> float:
        """The loss, computed from the layer on that the array is the input or a parameter of."""
        x, ops = start[None], model.parameters.ops  # (…) → (1, …)
        for _, layer in again.layers[position:]:
            x, _ = layer.forward(x, ops=ops)
        return found.loss(x, found.target, ops=ops)

    return Tensor(f"{kind}.{name}", array, np.array(again[f"{kind}.{name}"], np.float64), value)


def _duration(value: Callable[[], float]) -> float:
    """Seconds that one call takes, the second one, since the first warms up."""
    value()
    started = time.perf_counter()
    value()
    return time.perf_counter() - started

"""What flows through a network: every layer's output, and the gradient that comes back to it."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.layers import Layer, Sigmoid, Tanh
from handgrad.layers.parameters import dotted
from handgrad.layers.sequential import stages
from handgrad.losses import Loss

#: Of a way of 2 from end to end, 1 % from either.
_SATURATED = 0.98


@dataclass(frozen=True, eq=False)
class Signal:
    """One layer's part of a step.

    Args:
        name: the layer's dotted name.
        layer: itself.
        output: what it made, (N, …).
        gradient: of the loss with respect to that, in the same shape.
        parameter_gradients: of the loss with respect to the layer's own parameters, by their full names.
    """

    name: str
    layer: Layer
    output: NDArray[Any]
    gradient: NDArray[Any]
    parameter_gradients: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Which units, or channels, are not above 0 for any example of the batch, (C,)."""
        axes = tuple(axis for axis in range(self.output.ndim) if axis != 1)  # examples, and pixels
        return np.asarray(self.output.max(axis=axes) <= 0)  # (N, C, …) → (C,)

    @property
    def saturated(self) -> float | None:
        """The share of a sigmoid's or hyperbolic tangent's outputs within 1 % of their ends; None of another layer."""
        if not isinstance(self.layer, Sigmoid | Tanh):
            return None
        level = 2 * self.output - 1 if isinstance(self.layer, Sigmoid) else self.output
        return float(np.mean(np.abs(level) > _SATURATED))

    @property
    def gradient_norm(self) -> float | None:
        """Length of the gradient of all its parameters; None where there are none."""
        squares = [float(np.sum(np.square(array, dtype=np.float64))) for array in self.parameter_gradients.values()]
        return float(np.sqrt(sum(squares))) if squares else None

    def __str__(self) -> str:
        return f"layer {self.name} ({type(self.layer).__name__})" if self.name else f"the {type(self.layer).__name__}"


def signals(model: Layer, loss: Loss, inputs: Any, targets: Any) -> list[Signal]:
    """Run a batch forward and backward through a copy of a network, in training mode, and keep what every layer saw.

    Args:
        model: initialised; it stays as it is.
        loss: what it is trained on.
        inputs: a batch, (N, …).
        targets: its targets, as the loss takes them.

    >>> model = handgrad.Sequential(handgrad.Linear(2, 3), handgrad.ReLU(), handgrad.Linear(3, 2))
    >>> model = model.initialize(np.random.default_rng(0))
    >>> seen = signals(model, handgrad.SoftmaxCrossEntropy(), np.ones((4, 2)), [0] * 4)
    >>> [(str(signal), signal.output.shape) for signal in seen]
    [('layer 0 (Linear)', (4, 3)), ('layer 1 (ReLU)', (4, 3)), ('layer 2 (Linear)', (4, 2))]
    """
    model = deepcopy(model)
    parameters, ops = model.parameters, model.parameters.ops
    x, rng, passed = ops.asarray(inputs, parameters.dtype), np.random.default_rng(0), []
    with np.errstate(all="ignore"):
        for name, layer in stages(model):
            x, cache = layer.forward(x, ops=ops, training=True, rng=rng)
            passed.append((name, layer, x, cache))
        _, loss_cache = loss.forward(x, ops.asarray(targets), ops=ops)
        gradient = loss.backward(loss_cache, ops=ops)
        gradients, found = parameters.gradients(), []
        for name, layer, output, cache in reversed(passed):
            upstream, prefix = gradient, dotted(name, "")
            gradient = layer.backward(upstream, cache, ops=ops, grads=gradients.tree[name])
            own = {place: ops.to_numpy(view) for place, view in gradients.views.items() if place.startswith(prefix)}
            found.append(Signal(name, layer, ops.to_numpy(output), ops.to_numpy(upstream), own))
    return found[::-1]

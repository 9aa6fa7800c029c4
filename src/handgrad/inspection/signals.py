"""What flows through a network: every layer's output, and the gradient that comes back to it."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.layers import Layer
from handgrad.layers.sequential import stages
from handgrad.losses import Loss


@dataclass(frozen=True, eq=False)
class Signal:
    """One layer's part of a step.

    Args:
        name: the layer's dotted name.
        layer: itself.
        output: what it made, (N, …).
        gradient: of the loss with respect to that, in the same shape.
    """

    name: str
    layer: Layer
    output: NDArray[Any]
    gradient: NDArray[Any]

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
        tree, found = parameters.gradients().tree, []
        for name, layer, output, cache in reversed(passed):
            found.append(Signal(name, layer, ops.to_numpy(output), ops.to_numpy(gradient)))
            gradient = layer.backward(gradient, cache, ops=ops, grads=tree[name])
    return found[::-1]

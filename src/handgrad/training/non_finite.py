"""Where a number that is not finite came from: the first place in a step that made it of finite ones, and why."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np

from handgrad.layers import Layer
from handgrad.layers.parameters import dotted
from handgrad.layers.sequential import stages
from handgrad.losses import Loss
from handgrad.ops import Array, Ops

#: Numbers of a healthy network are far smaller; inputs beyond it are not scaled, weights have been driven away.
_LARGE = 1e3


def origin_of_non_finite(model: Layer, loss: Loss, inputs: Array, targets: Any, learning_rate: float) -> str:
    """Two sentences: where NaN or infinity first appears when a batch is run through a network, and a likely cause.

    The step is repeated on a copy, layer by layer: the inputs, the parameters, every layer forward, the loss, every
    layer backward.

    Args:
        model: with the parameters that the step began with.
        loss: what it is trained on.
        inputs: the batch, as the model takes it.
        targets: its targets, as the loss takes them.
        learning_rate: of the step, for the advice.

    Returns:
        the sentences; empty where everything is finite this time (another dropout mask, another order of sums).

    >>> model = handgrad.Linear(2, 2).initialize(np.random.default_rng(0))
    >>> inputs = np.array([[1, np.inf]], np.float32)
    >>> origin_of_non_finite(model, handgrad.SoftmaxCrossEntropy(), inputs, np.array([0]), 0.1)
    'The batch itself holds inf: 1 of its 2 numbers is not finite, the first in example 0. Check the data.'
    """
    model = deepcopy(model)  # batch norm moves its averages
    with np.errstate(all="ignore"):
        return next(_places(model, loss, inputs, targets, learning_rate), "")


def _places(model: Layer, loss: Loss, x: Array, targets: Any, rate: float) -> Iterator[str]:
    """A description of every place that is not finite, in the order of the step; only the first says anything new."""
    ops, parameters = model.parameters.ops, model.parameters
    found = _broken(x, ops)
    if found:
        example = np.argwhere(~np.isfinite(ops.to_numpy(x)))[0][0]
        yield f"The batch itself holds {found}, the first in example {example}. Check the data."
    for name in parameters.names:
        if found := _broken(parameters.views[name], ops):
            yield f"The parameter {name} holds {found}: by the update before, or by whoever set it. {_advice(rate)}"
    caches = []
    for name, layer in stages(model):
        y, cache = layer.forward(x, ops=ops, training=True, rng=np.random.default_rng(0))
        if found := _broken(y, ops):
            yield f"{_named(name, layer)} made {found}, of inputs up to {_size(x, ops)}{_why(layer, x, rate, ops)}"
        caches.append(cache)
        x = y
    value, loss_cache = loss.forward(x, ops.asarray(targets), ops=ops)
    if found := _broken(value, ops):
        yield f"The loss became {found}, of outputs up to {_size(x, ops)}. {_advice(rate)}"
    yield from _backward_places(model, loss.backward(loss_cache, ops=ops), caches, rate)


def _backward_places(model: Layer, dy: Array, caches: list[Any], rate: float) -> Iterator[str]:
    ops, gradients = model.parameters.ops, model.parameters.gradients()
    if found := _broken(dy, ops):
        yield f"The gradient of the loss holds {found}. {_advice(rate)}"
    for (name, layer), cache in reversed(list(zip(stages(model), caches, strict=True))):
        dx = layer.backward(dy, cache, ops=ops, grads=gradients.tree[name])
        own = {key: view for key, view in gradients.views.items() if key.startswith(dotted(name, ""))}
        for what, array in {"input": dx, **own}.items():
            if found := _broken(array, ops):
                before = f"of a gradient up to {_size(dy, ops)}"
                yield f"{_named(name, layer)} made a gradient of its {what} with {found}, {before}. {_advice(rate)}"
        dy = dx
    if not np.isfinite(np.sum(np.square(ops.to_numpy(gradients.vector)))):
        largest = _size(gradients.vector, ops)
        yield f"Every gradient is finite, up to {largest}, but the sum of their squares is not. {_advice(rate)}"


def _broken(array: Array, ops: Ops) -> str:
    """What an array holds that is not finite, and how much of it; "" if nothing."""
    values = np.atleast_1d(ops.to_numpy(array))
    wrong = ~np.isfinite(values)
    count = int(np.count_nonzero(wrong))
    if not count:
        return ""
    verb = "is" if count == 1 else "are"
    return f"{values[wrong][0]}: {count:,} of its {values.size:,} numbers {verb} not finite"


def _named(name: str, layer: Layer) -> str:
    return f"Layer {name}, {type(layer).__name__}," if name else f"The layer {type(layer).__name__}"


def _size(array: Array, ops: Ops) -> str:
    """The largest number of an array, whatever its sign."""
    values = np.abs(ops.to_numpy(array))
    return f"{np.max(values, initial=0, where=np.isfinite(values)):.3g}"


def _why(layer: Layer, x: Array, rate: float, ops: Ops) -> str:
    """What of a layer's parameters and inputs is too large."""
    own = [getattr(layer, name) for name in layer.parameter_specs()]
    weights = max((float(_size(array, ops)) for array in own), default=0.0)
    reach = f" and parameters up to {weights:.3g}" if own else ""
    if float(_size(x, ops)) > _LARGE > weights:
        return f"{reach}. Scale the inputs, or normalise between the layers."
    return f"{reach}. {_advice(rate)}"


def _advice(rate: float) -> str:
    return f"The learning rate, {rate:.3g} there, is likely too high: lower it, or clip the gradient."

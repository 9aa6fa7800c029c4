"""One example's way through a network: every array forward, every gradient backward, and the update that follows."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import ArgumentError
from handgrad.layers import Layer
from handgrad.layers.parameters import ParameterVector, dotted
from handgrad.layers.sequential import stages
from handgrad.losses import Loss
from handgrad.ops import Array, Ops
from handgrad.optimizers import Optimizer, OptimizerState

Values: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Update:
    """What an optimizer does with a gradient.

    Args:
        optimizer: with its settings.
        step: number of the update, from 1.
        slots: what the optimizer remembered before, by its name for it and the parameter's.
        slots_updated: the same afterwards.
        parameters: after the update, by name.
    """

    optimizer: Optimizer
    step: int
    slots: Mapping[str, Mapping[str, Values]]
    slots_updated: Mapping[str, Mapping[str, Values]]
    parameters: Mapping[str, Values]


@dataclass(frozen=True, eq=False)
class Trace:
    """Everything that a step on one example computes; no array has an axis for the batch.

    Args:
        model: with the weights that were used.
        layers: in the order in which they run, with their dotted names.
        loss: what is minimised.
        target: what the loss takes for one example; None if it is unknown, and then there are no gradients.
        activations: the input, and what each layer made of it.
        gradients: of the loss with respect to each of them.
        parameters: by name.
        parameter_gradients: of the loss, by name.
        loss_value: the loss.
        probabilities: the outputs, through the softmax or sigmoid that the loss contains.
        update: what the optimizer makes of the gradients.
    """

    model: Layer
    layers: tuple[tuple[str, Layer], ...]
    loss: Loss
    target: Any
    activations: tuple[Values, ...]
    gradients: tuple[Values, ...]
    parameters: Mapping[str, Values]
    parameter_gradients: Mapping[str, Values]
    loss_value: float | None
    probabilities: Values
    update: Update | None = None

    @cached_property
    def arrays(self) -> dict[str, Values]:
        """Every array by its name.

        activation.0 is the input, activation.1 what the first layer made of it, gradient.1 the gradient of that;
        parameter.NAME and parameter_gradient.NAME; updated.NAME after the update; slot.m.NAME and slot_updated.m.NAME
        what Adam remembers before and after; probabilities.
        """
        groups: list[tuple[str, Mapping[Any, Values]]] = [
            ("activation", dict(enumerate(self.activations))),
            ("gradient", dict(enumerate(self.gradients))),
            ("parameter", self.parameters),
            ("parameter_gradient", self.parameter_gradients),
        ]
        if self.update is not None:
            groups.append(("updated", self.update.parameters))
            groups += [(f"slot.{slot}", arrays) for slot, arrays in self.update.slots.items()]
            groups += [(f"slot_updated.{slot}", arrays) for slot, arrays in self.update.slots_updated.items()]
        found = {f"{kind}.{name}": array for kind, arrays in groups for name, array in arrays.items()}
        return found | {"probabilities": self.probabilities}

    def __getitem__(self, name: str) -> Values:
        """An array by its name.

        Raises:
            ArgumentError: there is none of that name; gradients need a target.
        """
        if name not in self.arrays:
            remedy = "" if self.gradients else "give a target, without which there are no gradients"
            raise ArgumentError("array", name, f"one of {', '.join(self.arrays)}", remedy)
        return self.arrays[name]

    def owner(self, parameter: str) -> int:
        """The position of the layer that a parameter belongs to."""
        return next(place for place, (name, _) in enumerate(self.layers) if parameter.startswith(dotted(name, "")))


def trace(
    model: Layer,
    loss: Loss,
    inputs: Any,
    target: Any = None,
    *,
    optimizer: Optimizer | None = None,
    updates: int = 0,
) -> Trace:
    """Follow one example forward and, if its target is known, back and into the update.

    The network runs as it predicts: nothing is dropped, batch norm uses its running averages. So the probabilities are
    those of a prediction, and the gradients those of the loss of that prediction.

    Args:
        model: initialised; it is not changed.
        loss: what it is trained on.
        inputs: of one example, as the model takes them, (1, …).
        target: as the loss takes it, (1,) or (1, C); None if it is unknown.
        optimizer: what makes the update; None makes none.
        updates: made before, on the same example.

    Raises:
        ArgumentError: an optimizer without a target.

    >>> model = handgrad.Sequential(handgrad.Linear(2, 3), handgrad.ReLU(), handgrad.Linear(3, 2))
    >>> example = model.initialize(np.random.default_rng(0)), handgrad.SoftmaxCrossEntropy(), [[1.0, 2.0]], [1]
    >>> first, sixth = (trace(*example, optimizer=handgrad.SGD(0.1), updates=count) for count in (0, 5))
    >>> [array.shape for array in first.activations], first["parameter_gradient.0.weight"].shape
    ([(2,), (3,), (3,), (2,)], (3, 2))
    >>> first.loss_value > sixth.loss_value
    True
    """
    if optimizer is None:
        return _follow(model, loss, inputs, target)[0]
    if target is None:
        raise ArgumentError("target", target, "what the loss takes", "there is no update without a gradient")
    model = deepcopy(model)
    parameters, ops = model.parameters, model.parameters.ops
    state = optimizer.start(parameters.vector, ops=ops)
    for _ in range(updates):
        optimizer.step(parameters.vector, _gradient(model, loss, inputs, target), state, ops=ops)
    found, gradient = _follow(model, loss, inputs, target)
    before, vector = _slots(parameters, state), ops.asarray(np.array(ops.to_numpy(parameters.vector)))
    optimizer.step(vector, gradient, state, ops=ops)
    after = _named(parameters, vector)
    return replace(found, update=Update(optimizer, state.step, before, _slots(parameters, state), after))


def _gradient(model: Layer, loss: Loss, inputs: Any, target: Any) -> Array:
    """The gradient of the parameters as one vector, by the network as it predicts."""
    parameters, ops = model.parameters, model.parameters.ops
    outputs, cache = model.forward(ops.asarray(inputs, parameters.dtype), ops=ops)
    _, loss_cache = loss.forward(outputs, ops.asarray(target), ops=ops)
    gradients = parameters.gradients()
    model.backward(loss.backward(loss_cache, ops=ops), cache, ops=ops, grads=gradients.tree)
    return gradients.vector


def _follow(model: Layer, loss: Loss, inputs: Any, target: Any) -> tuple[Trace, Any]:
    """Forward, loss and back; the trace, and the gradient as one vector."""
    parameters, ops = model.parameters, model.parameters.ops
    x, passed, caches = ops.asarray(inputs, parameters.dtype), tuple(stages(model)), []
    activations = [_example(x, ops)]
    for _, layer in passed:
        x, cache = layer.forward(x, ops=ops)
        caches.append(cache)
        activations.append(_example(x, ops))
    value, gradients, twin = None, [], parameters.gradients()
    if target is not None:
        loss_value, loss_cache = loss.forward(x, ops.asarray(target), ops=ops)
        value, dy = float(loss_value), loss.backward(loss_cache, ops=ops)
        gradients.append(_example(dy, ops))
        for (name, layer), cache in zip(reversed(passed), reversed(caches), strict=True):
            dy = layer.backward(dy, cache, ops=ops, grads=twin.tree[name])
            gradients.append(_example(dy, ops))
    found = Trace(
        model,
        passed,
        loss,
        target,
        tuple(activations),
        tuple(reversed(gradients)),
        _named(parameters, parameters.vector),
        _named(parameters, twin.vector) if gradients else {},
        value,
        _example(loss.probabilities(x, ops=ops), ops),
    )
    return found, twin.vector


def _example(batch: Array, ops: Ops) -> Values:
    """The only example of a batch, (1, …) → (…), as a copy that nothing overwrites."""
    return np.array(ops.to_numpy(batch)[0])


def _named(parameters: ParameterVector, vector: Array) -> dict[str, Values]:
    """Copies of the arrays that lie in a vector of the parameters' layout."""
    return {name: np.array(parameters.ops.to_numpy(view)) for name, view in parameters.named(vector).items()}


def _slots(parameters: ParameterVector, state: OptimizerState) -> dict[str, dict[str, Values]]:
    """What the optimizer remembers, a parameter at a time."""
    return {slot: _named(parameters, vector) for slot, vector in state.slots.items()}

"""A network as a function of its input and each of its parameters, and the gradients that it derives."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.errors import NonFiniteError, ShapeError
from handgrad.inspection.slopes import Values
from handgrad.layers import Layer, Sequential
from handgrad.layers.parameters import ParameterVector
from handgrad.losses import Loss
from handgrad.ops import for_device

#: How far `Probe.move` goes, in standard deviations.
_MOVE = 1e-3


@dataclass(frozen=True)
class Tensor:
    """An array and its gradient.

    Args:
        name: "input", a parameter's dotted name, or "outputs".
        array: which `value` reads, and which may be changed in place.
        analytic: the gradient, as `backward` computed it; NaN where it wrote nothing.
        value: computes the number whose slope the gradient should be.
    """

    name: str
    array: Values
    analytic: Values
    value: Callable[[], float]


class Probe:
    """A copy of a model in float64, of which everything that has a gradient can be moved.

    Its output can be computed again from any layer on, always with the same noise.

    Args:
        model: initialised.
        x: a batch of inputs.
        rng: draws the upstream gradient and the noise.

    Raises:
        NonFiniteError: from here and from `move`, when the output holds NaN or infinity.
    """

    def __init__(self, model: Layer, x: Values, rng: np.random.Generator) -> None:
        self.rng = rng
        self.model = in_float64(model)
        self.ops = self.model.parameters.ops
        self.layers = (isinstance(self.model, Sequential) and self.model.layers) or [self.model]
        self._noise = np.random.default_rng(rng.integers(2**32))  # for dropout
        self._states: list[Any] = []
        self._inputs = [x]
        self._remember()
        self._upstream: Values = np.asarray(rng.normal(size=self._inputs[-1].shape))

    def _remember(self) -> None:
        """Each layer's input, and the state of the noise before it."""
        del self._inputs[1:], self._states[:]
        for layer in self.layers:
            self._states.append(deepcopy(self._noise.bit_generator.state))
            y, _ = layer.forward(self._inputs[-1], ops=self.ops, training=True, rng=self._noise)
            self._inputs.append(np.array(y))
        if not np.all(np.isfinite(self._inputs[-1])):
            wrong = self._inputs[-1][~np.isfinite(self._inputs[-1])][0]
            raise NonFiniteError("network's output", float(wrong))

    def move(self) -> None:
        """Go a little aside with the input and every parameter."""
        self._noise.bit_generator.state = self._states[0]
        self._inputs[0] += _MOVE * self.rng.normal(size=self._inputs[0].shape)
        vector = self.model.parameters.vector
        vector += _MOVE * self.rng.normal(size=vector.shape)
        self._remember()

    def tensors(self, loss: Loss | None, y: Any) -> list[Tensor]:
        """Everything that has a gradient: the input, the parameters, and the outputs if there is a loss."""
        x, parameters = self._inputs[0], self.model.parameters
        dx, gradients = self._backward()
        found = [Tensor("input", x, dx, self._from(0))]
        for name in parameters.names:
            first = int(name.partition(".")[0]) if isinstance(self.model, Sequential) else 0
            found.append(Tensor(name, parameters.views[name], gradients[name], self._from(first)))
        if loss is not None:
            found.append(self._outputs(loss, y))
        return found

    def _from(self, first: int) -> Callable[[], float]:
        """Σ ȳ ⊙ y, computed from a layer on; those before it do not depend on what is moved."""

        def value() -> float:
            self._noise.bit_generator.state = self._states[first]
            x = self._inputs[first]
            for layer in self.layers[first:]:
                x, _ = layer.forward(x, ops=self.ops, training=True, rng=self._noise)
            return float(np.vdot(self._upstream, x))

        return value

    def _backward(self) -> tuple[Values, dict[str, Values]]:
        """Gradients with respect to the input and every parameter; NaN where `backward` wrote nothing."""
        self._noise.bit_generator.state = self._states[0]
        x, gradients = self._inputs[0], self.model.parameters.gradients()
        gradients.vector[...] = np.nan
        _, cache = self.model.forward(x, ops=self.ops, training=True, rng=self._noise)
        returned = self.model.backward(self._upstream.copy(), cache, ops=self.ops, grads=gradients.tree)
        dx: Values = np.array(returned)
        if dx.shape != x.shape:
            raise ShapeError("the gradient that backward returns", dx.shape, f"the input's shape, {x.shape}")
        return dx, dict(gradients.views)

    def _outputs(self, loss: Loss, y: Any) -> Tensor:
        """The outputs, whose gradient is the loss's."""
        outputs, targets = self._inputs[-1].copy(), np.asarray(y)
        _, cache = loss.forward(outputs, targets, ops=self.ops)
        gradient = np.array(loss.backward(cache, ops=self.ops))
        return Tensor("outputs", outputs, gradient, lambda: loss(outputs, targets, ops=self.ops))


def in_float64(model: Layer) -> Layer:
    """A copy on the CPU that computes in float64."""
    state = model.parameters.state_dict()
    twin = deepcopy(model)
    twin.parameters = ParameterVector(twin.slots(), for_device("cpu"), "float64")
    twin.parameters.load_state_dict(state)
    return twin

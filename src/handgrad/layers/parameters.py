"""One vector for all parameters of a model, and the named views into it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from handgrad.errors import ArgumentError, ShapeError
from handgrad.initializers import Initializer
from handgrad.ops import Array, Ops, Shape


@dataclass(frozen=True)
class ParameterSpec:
    """One array that a layer needs: its shape and how it is filled at the start.

    Args:
        shape: as PyTorch shapes it: linear (out, in), convolution (out, in, kh, kw).
        initializer: the law its values are drawn from.
        fan_in: inputs that one output sums over; several laws depend on it.
        fan_out: outputs that one input reaches.
        order: its axes from outermost to innermost in memory, where first to last is not the fastest to compute with.
    """

    shape: Shape
    initializer: Initializer
    fan_in: int = 1
    fan_out: int = 1
    order: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Slot:
    """A place in the vector that one layer's array will have.

    Args:
        owner: the layer, which gets a view under the last part of the name.
        spec: the array.
        trained: whether an optimizer changes it; a buffer is only kept with the parameters.
    """

    owner: object
    spec: ParameterSpec
    trained: bool


def dotted(layer: str, name: str) -> str:
    """The full name of what a layer calls by a name of its own; with an empty name, how all such names begin.

    >>> dotted("branch.0", "weight"), dotted("", "weight"), dotted("0", ""), dotted("", "")
    ('branch.0.weight', 'weight', '0.', '')
    """
    return f"{layer}.{name}" if layer else name


class ParameterTree:
    """Named arrays in the shape of the model: parameters as attributes, sublayers by name.

    >>> import numpy as np
    >>> grads = ParameterTree()
    >>> grads.insert("0.weight", np.zeros((2, 3)))
    >>> grads["0"].weight.shape
    (2, 3)
    """

    def __init__(self) -> None:
        self._sublayers: dict[str, ParameterTree] = {}

    def insert(self, name: str, array: Array) -> None:
        """Put an array where its dotted name says."""
        head, _, rest = name.partition(".")
        if rest:
            self._sublayers.setdefault(head, ParameterTree()).insert(rest, array)
        else:
            setattr(self, head, array)

    def __getitem__(self, name: str) -> "ParameterTree":
        """The arrays of the sublayer with that dotted name, "" being this one; empty for a layer without parameters."""
        head, _, rest = name.partition(".")
        return (self._sublayers.get(head) or ParameterTree())[rest] if head else self

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Array: ...


class Gradients:
    """A twin of a parameter vector: one contiguous `vector`, and `tree`, the views that `backward` fills.

    >>> import handgrad, numpy as np
    >>> model = handgrad.Linear(3, 2).initialize(np.random.default_rng(0))
    >>> gradients = model.parameters.gradients()
    >>> gradients.vector.shape, gradients.tree.weight.shape
    ((8,), (2, 3))
    """

    def __init__(self, vector: Array, views: Mapping[str, Array]) -> None:
        self.vector = vector
        self.views = views
        self.tree = ParameterTree()
        for name, view in views.items():
            self.tree.insert(name, view)


class ParameterVector:
    """All parameters of a model in one contiguous array; the layers hold views into it.

    `vector` holds what training changes, `buffers` what is only kept with it (batch norm's running statistics).
    An optimizer is one pass over `vector`, a checkpoint is one array with names.

    Args:
        slots: by dotted name, from `Layer.slots`.
        ops: the device.
        dtype: "float32" or "float64".
    """

    def __init__(self, slots: Mapping[str, Slot], ops: Ops, dtype: str) -> None:
        self.ops = ops
        self.dtype = dtype
        self._specs = {name: slot.spec for name, slot in slots.items() if slot.trained}
        buffers = {name: slot.spec for name, slot in slots.items() if not slot.trained}
        self.vector = ops.zeros((_total(self._specs),), dtype)
        self.buffers = ops.zeros((_total(buffers),), dtype)
        self.views = self._split(self.vector, self._specs) | self._split(self.buffers, buffers)
        for name, slot in slots.items():
            setattr(slot.owner, name.rpartition(".")[2], self.views[name])

    def _split(self, vector: Array, specs: Mapping[str, ParameterSpec]) -> dict[str, Array]:
        """Named, shaped views that lie one behind the other in the vector."""
        views, start = {}, 0
        for name, spec in specs.items():
            end = start + math.prod(spec.shape)
            order = spec.order or tuple(range(len(spec.shape)))
            stored = self.ops.reshape(vector[start:end], tuple(spec.shape[axis] for axis in order))
            views[name] = self.ops.permute(stored, tuple(order.index(axis) for axis in range(len(order))))
            start = end
        return views

    def gradients(self) -> Gradients:
        """A new vector of the same layout for `backward` to fill."""
        vector = self.ops.zeros((self.count,), self.dtype)
        return Gradients(vector, self._split(vector, self._specs))

    def named(self, twin: Array) -> dict[str, Array]:
        """Views into a vector of the parameters' layout, such as an optimizer's, under the parameters' names."""
        return self._split(twin, self._specs)

    @property
    def count(self) -> int:
        """Number of trainable values."""
        return int(self.vector.shape[0])

    @property
    def names(self) -> tuple[str, ...]:
        """Dotted names of the trainable arrays, in the order of the layers."""
        return tuple(self._specs)

    def assign(self, name: str, values: Any) -> None:
        """Overwrite one array, parameter or buffer, with values of its shape.

        Raises:
            ArgumentError: there is no array of that name.
            ShapeError: the values have another shape.
        """
        if name not in self.views:
            raise ArgumentError("name", name, f"one of {', '.join(self.views)}")
        view, shape = self.views[name], tuple(np.shape(values))
        if shape != tuple(view.shape):
            raise ShapeError(name, shape, f"the shape {tuple(view.shape)}")
        view[...] = self.ops.asarray(values, self.dtype)

    def state_dict(self) -> dict[str, "np.typing.NDArray[Any]"]:
        """Copies of every parameter and buffer as NumPy arrays, under PyTorch's names and in its shapes."""
        return {name: np.array(self.ops.to_numpy(view), order="C") for name, view in self.views.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Overwrite every parameter and buffer; nothing is changed unless all names and shapes fit.

        Raises:
            ArgumentError: a name is missing or unknown.
            ShapeError: an array has another shape.
        """
        missing, unknown = self.views.keys() - state.keys(), state.keys() - self.views.keys()
        if missing or unknown:
            found = f"missing {sorted(missing)}, unknown {sorted(unknown)}"
            raise ArgumentError("state", found, f"exactly the names {', '.join(self.views)}")
        for name, view in self.views.items():
            if tuple(np.shape(state[name])) != tuple(view.shape):
                raise ShapeError(name, tuple(np.shape(state[name])), f"the shape {tuple(view.shape)}")
        values = {name: self.ops.asarray(state[name], self.dtype) for name in self.views}  # fails before any change
        for name, view in self.views.items():
            view[...] = values[name]


def _total(specs: Mapping[str, ParameterSpec]) -> int:
    return sum(math.prod(spec.shape) for spec in specs.values())

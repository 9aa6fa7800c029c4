"""What a layer is: a forward function, its derivation backwards, and the parameters both of them use."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np

from handgrad.errors import ArgumentError, NotInitializedError
from handgrad.layers.parameters import ParameterSpec, ParameterTree, ParameterVector, Slot, dotted
from handgrad.ops import Array, Ops, Shape, for_device

#: Where randomness comes from, if any is needed.
Rng: TypeAlias = np.random.Generator | None


@dataclass(frozen=True)
class Formulas:
    r"""The mathematics of a layer or loss, as LaTeX, stated once for the docs, `handgrad explain` and the web page.

    Args:
        forward: the output, from the input and the parameters.
        backward: for the input and each parameter, the gradient of the loss L. A bar marks it: ȳ = ∂L/∂y.
        shapes: for every letter used, its shape.
        notes: one or two sentences that the formulas do not say.

    >>> Formulas(r"y = 2x", {"x": r"\bar x = 2 \bar y"}).backward["x"]
    '\\bar x = 2 \\bar y'
    """

    forward: str
    backward: Mapping[str, str]
    shapes: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""


class Layer(ABC):
    """A function of arrays together with its derivation.

    `forward` returns the output and a cache; `backward` takes the gradient of the loss with respect to that output,
    and the cache, and returns the gradient with respect to the input. The cache is a plain value: nothing is kept on
    the layer between the two calls. Parameters are named views into one vector that belongs to the layer on which
    `initialize` was called.

    A layer of your own needs four methods: `forward`, `backward`, `output_shape` and, where it has parameters,
    `parameter_specs`:

    >>> import numpy as np
    >>> class Scale(Layer):
    ...     def parameter_specs(self):
    ...         return {"factor": ParameterSpec((), lambda rng, shape, **fans: np.full(shape, 3.0))}
    ...     def forward(self, x, *, ops, training=False, rng=None):
    ...         return self.factor * x, x
    ...     def backward(self, dy, x, *, ops, grads):
    ...         grads.factor[...] = (dy * x).sum()
    ...         return self.factor * dy
    ...     def output_shape(self, input_shape):
    ...         return input_shape
    >>> layer = Scale().initialize(np.random.default_rng(0))
    >>> layer(np.array([1.0, 2.0], dtype=np.float32))
    array([3., 6.], dtype=float32)
    """

    formulas: ClassVar[Formulas] = Formulas(forward="", backward={})
    parameters: ParameterVector

    # -- what a layer defines ----------------------------------------------------------------------

    @abstractmethod
    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Any]:
        """Output and cache; rng is the only source of randomness, and only used in training."""

    @abstractmethod
    def backward(self, dy: Array, cache: Any, *, ops: Ops, grads: ParameterTree) -> Array:
        """Gradient with respect to the input; the parameters' gradients are written (not added) into grads."""

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of one example's output; raises ShapeError for an input that does not fit."""

    def parameter_specs(self) -> dict[str, ParameterSpec]:
        """The arrays that training changes, by attribute name."""
        return {}

    def buffer_specs(self) -> dict[str, ParameterSpec]:
        """The arrays that are kept with the parameters but are not trained, by attribute name."""
        return {}

    def sublayers(self) -> dict[str, "Layer"]:
        """The layers inside this one, by name."""
        return {}

    def flops(self, input_shape: Shape) -> int:
        """Floating-point operations of one example's forward pass; one per output element unless said otherwise."""
        return math.prod(self.output_shape(input_shape))

    @classmethod
    def example(cls) -> tuple["Layer", Shape]:
        """A small instance and an input shape (batch included), for `handgrad explain` and the tests."""
        raise NotImplementedError(f"{cls.__name__} has no example")

    # -- what every layer can do -------------------------------------------------------------------

    def initialize(self, rng: np.random.Generator, *, ops: Ops | None = None, dtype: str = "float32") -> Self:
        """Allocate one vector for all parameters, draw their first values, and return this layer.

        Args:
            rng: where the values are drawn from; the same generator state gives the same weights on every device.
            ops: the device the parameters live on; the CPU where left out.
            dtype: "float32" or "float64".

        Raises:
            ArgumentError: dtype is neither, or one layer object occurs twice.
        """
        if dtype not in ("float32", "float64"):
            raise ArgumentError("dtype", dtype, "'float32' or 'float64'")
        self.parameters = ParameterVector(self.slots(), ops or for_device("cpu"), dtype)
        for name, slot in self.slots().items():
            spec = slot.spec
            values = spec.initializer(rng, spec.shape, fan_in=spec.fan_in, fan_out=spec.fan_out)
            self.parameters.assign(name, values)
        return self

    def slots(self) -> dict[str, Slot]:
        """A slot for every parameter and buffer below here, by dotted name, in the order of the layers."""
        seen: set[int] = set()
        found: dict[str, Slot] = {}
        for prefix, layer in self.walk():
            if id(layer) in seen:
                raise ArgumentError(prefix, layer, "a layer that is used once", "make a second one of its kind")
            seen.add(id(layer))
            for trained, specs in ((True, layer.parameter_specs()), (False, layer.buffer_specs())):
                for name, spec in specs.items():
                    found[dotted(prefix, name)] = Slot(layer, spec, trained)
        return found

    def walk(self, prefix: str = "") -> Iterator[tuple[str, "Layer"]]:
        """This layer and every one inside it with its dotted name, outermost first; the outermost is called ''."""
        yield prefix, self
        for name, layer in self.sublayers().items():
            yield from layer.walk(dotted(prefix, name))

    def __call__(self, x: Any) -> Array:
        """Output for an input, as in prediction: no dropout, running statistics for batch norm."""
        parameters = self.parameters
        x = parameters.ops.asarray(x, parameters.dtype)
        return self.forward(x, ops=parameters.ops)[0]

    if not TYPE_CHECKING:  # would turn every misspelt attribute into Any

        def __getattr__(self, name: str) -> Any:
            """Explain why a parameter is missing; everything else is an ordinary AttributeError."""
            kind = type(self)
            if any(name in vars(base).get("__annotations__", {}) for base in kind.__mro__):
                raise NotInitializedError(
                    f"{kind.__name__} has no {name!r} yet; call initialize(rng) on the outermost layer first."
                )
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        """What a copy is made of, by `copy.deepcopy` or by pickle: settings, and every array under its name."""
        views = {"parameters", *self.parameter_specs(), *self.buffer_specs()}
        state = {name: value for name, value in vars(self).items() if name not in views}
        if "parameters" in vars(self):
            state["parameters"] = self.parameters.ops, self.parameters.dtype, self.parameters.state_dict()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become a model of one's own: the same values, in a vector that is not shared."""
        vars(self).update((name, value) for name, value in state.items() if name != "parameters")
        if "parameters" in state:
            ops, dtype, values = state["parameters"]
            self.parameters = ParameterVector(self.slots(), ops, dtype)
            self.parameters.load_state_dict(values)

    def __repr__(self) -> str:
        shown = (f"{k}={v!r}" for k, v in vars(self).items() if _is_setting(k, v))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        from handgrad.layers.display import model_html  # which knows the layers

        return model_html(self)


def _is_setting(name: str, value: object) -> bool:
    """Whether an attribute was given by the caller, as against arrays and layers, which a repr leaves out."""
    return not name.startswith("_") and isinstance(value, int | float | str | tuple | bool)

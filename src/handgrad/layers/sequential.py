"""Layers made of layers."""

import math
from collections.abc import Iterator
from typing import Any

from handgrad.errors import ArgumentError, ShapeError
from handgrad.layers.layer import Formulas, Layer, Rng
from handgrad.layers.linear import Linear
from handgrad.layers.parameters import ParameterTree, dotted
from handgrad.ops import Array, Ops, Shape


class Sequential(Layer):
    """Layers one after another: forward through them in order, backward in reverse.

    Parameters are named by position, as PyTorch names them: `0.weight`, `0.bias`, `2.weight`.

    Args:
        layers: the layers, first to last; an empty one passes x on.

    Raises:
        ArgumentError: an argument is not a layer.

    >>> model = Sequential(Linear(3, 4), Linear(4, 2)).initialize(np.random.default_rng(0))
    >>> model.parameters.names
    ('0.weight', '0.bias', '1.weight', '1.bias')
    """

    formulas = Formulas(
        forward=r"y = f_n(\dots f_2(f_1(x)))",
        backward={"x": r"\bar x = J_1^{\top} \cdots J_n^{\top}\, \bar y, \quad J_k \text{ the Jacobian of } f_k"},
        notes="The chain rule. Each layer applies its own transposed Jacobian; none is ever built.",
    )

    def __init__(self, *layers: Layer) -> None:
        for index, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise ArgumentError(
                    f"layers[{index}]", layer, "a Layer", "pass instances: Sequential(Linear(2, 3), ReLU())"
                )
        self.layers = list(layers)

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, list[Any]]:
        """Each layer's output is the next one's input; the cache is the list of their caches."""
        caches = []
        for layer in self.layers:
            x, cache = layer.forward(x, ops=ops, training=training, rng=rng)
            caches.append(cache)
        return x, caches

    def backward(self, dy: Array, caches: list[Any], *, ops: Ops, grads: ParameterTree) -> Array:
        """Each layer's input gradient is the output gradient of the one before it."""
        for index in reversed(range(len(self.layers))):
            dy = self.layers[index].backward(dy, caches[index], ops=ops, grads=grads[str(index)])
        return dy

    def sublayers(self) -> dict[str, Layer]:
        """The layers by position, counted from "0"."""
        return {str(index): layer for index, layer in enumerate(self.layers)}

    def output_shape(self, input_shape: Shape) -> Shape:
        """The last layer's; an error says which layer did not fit."""
        for index, layer in enumerate(self.layers):
            try:
                input_shape = layer.output_shape(input_shape)
            except ShapeError as error:
                place = f"Layer {index}, {type(layer).__name__}: {error.name}"
                raise ShapeError(place, error.value, error.expected) from error
        return input_shape

    def flops(self, input_shape: Shape) -> int:
        """The sum of the layers' operations."""
        total = 0
        for layer in self.layers:
            total += layer.flops(input_shape)
            input_shape = layer.output_shape(input_shape)
        return total

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """Two linear layers."""
        return cls(Linear(3, 2), Linear(2, 2)), (2, 3)


def stages(model: Layer, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """The layers that run one after another, with their dotted names; a Sequential inside one is opened.

    >>> [name for name, layer in stages(Sequential(Linear(2, 3), Sequential(Linear(3, 3), Flatten())))]
    ['0', '1.0', '1.1']
    """
    if not isinstance(model, Sequential):
        yield prefix, model
        return
    for name, layer in model.sublayers().items():
        yield from stages(layer, dotted(prefix, name))


class Residual(Layer):
    """Adds a branch to its input, so the branch only has to learn what to change. He et al. (2016).

    Shapes: the branch must keep its input's shape. Parameters are named `branch.…`.

    Args:
        branch: any layer that keeps the shape.

    Raises:
        ShapeError: from `output_shape` and forward, when the branch changes the shape.

    >>> layer = Residual(Linear(2, 2)).initialize(np.random.default_rng(0))
    >>> layer(np.zeros((1, 2)))
    array([[0., 0.]], dtype=float32)
    """

    formulas = Formulas(
        forward=r"y = x + f(x)",
        backward={"x": r"\bar x = \bar y + J_f^{\top}\, \bar y"},
        notes="The gradient reaches x undiminished along the first term, however deep the network.",
    )

    def __init__(self, branch: Layer) -> None:
        if not isinstance(branch, Layer):
            raise ArgumentError("branch", branch, "a Layer")
        self.branch = branch

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Any]:
        """y = x + f(x); the cache is the branch's."""
        y, cache = self.branch.forward(x, ops=ops, training=training, rng=rng)
        if tuple(y.shape) != tuple(x.shape):
            raise ShapeError("branch output", tuple(y.shape), f"the shape of its input, {tuple(x.shape)}")
        return ops.add(x, y), cache

    def backward(self, dy: Array, cache: Any, *, ops: Ops, grads: ParameterTree) -> Array:
        """x̄ = ȳ + what the branch hands back."""
        return ops.add(dy, self.branch.backward(dy, cache, ops=ops, grads=grads["branch"]))

    def sublayers(self) -> dict[str, Layer]:
        """The branch."""
        return {"branch": self.branch}

    def output_shape(self, input_shape: Shape) -> Shape:
        """The input's."""
        shape = self.branch.output_shape(input_shape)
        if shape != input_shape:
            raise ShapeError("branch output", shape, f"the shape of its input, {input_shape}")
        return shape

    def flops(self, input_shape: Shape) -> int:
        """The branch's, and one addition an element."""
        return self.branch.flops(input_shape) + math.prod(input_shape)

    def __repr__(self) -> str:
        return f"Residual({self.branch!r})"

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """Around a linear layer."""
        return cls(Linear(2, 2)), (2, 2)


class Flatten(Layer):
    """All axes of an example in one row, in row-major order: channels, then rows, then columns.

    Shapes: x (N, …) → y (N, product of the rest).

    >>> layer = Flatten().initialize(np.random.default_rng(0))
    >>> layer(np.zeros((2, 3, 4, 4))).shape
    (2, 48)
    """

    formulas = Formulas(
        forward=r"y_n = \mathrm{vec}(x_n)",
        backward={"x": r"\bar x_n = \mathrm{vec}^{-1}(\bar y_n)"},
        shapes={"x": "(N, C, H, W)", "y": "(N, CHW)"},
        notes="Nothing is computed, so the gradient only takes its old shape again. The cache is that shape.",
    )

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Rng = None) -> tuple[Array, Shape]:
        """One row an example; the cache is the input's shape."""
        shape = tuple(x.shape)
        return ops.reshape(x, (shape[0], math.prod(shape[1:]))), shape  # (N, C, H, W) → (N, C·H·W)

    def backward(self, dy: Array, shape: Shape, *, ops: Ops, grads: ParameterTree) -> Array:
        """The same numbers in the input's shape."""
        return ops.reshape(dy, shape)  # (N, C·H·W) → (N, C, H, W)

    def output_shape(self, input_shape: Shape) -> Shape:
        """One axis."""
        return (math.prod(input_shape),)

    def flops(self, input_shape: Shape) -> int:
        """None."""
        return 0

    @classmethod
    def example(cls) -> tuple[Layer, Shape]:
        """One image of two channels."""
        return cls(), (1, 2, 2, 2)

"""From layers to the nodes of an ONNX graph, in prediction mode: dropout is left out, batch norm folded."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad import layers
from handgrad.data.preprocessing import Preprocessing
from handgrad.extras import load
from handgrad.interop.errors import TranslationError
from handgrad.layers import Layer
from handgrad.layers.parameters import dotted
from handgrad.layers.sequential import stages
from handgrad.ops import Ops, Shape

onnx: Any = load("onnx", "onnx")

#: What the graph takes, what the network in it takes where preprocessing comes first.
INPUTS, PREPROCESSED = "inputs", "preprocessed"


class GraphWriter:
    """The nodes and constants of a graph, in the order in which they are computed.

    Args:
        ops: the device that the layers' arrays live on.
    """

    def __init__(self, ops: Ops) -> None:
        self.ops = ops
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, name: str, operator: str, *inputs: str, **attributes: Any) -> str:
        """One more node; the name of its output."""
        output = dotted(name, operator)
        self.nodes.append(onnx.helper.make_node(operator, list(inputs), [output], output, **attributes))
        return output

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """One more array in the file; its name."""
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is infinite in it
            self.constants.append(onnx.numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def array(self, values: Any) -> NDArray[np.float64]:
        """A layer's array in double precision."""
        with np.errstate(invalid="ignore"):  # NaN stays NaN
            return np.asarray(self.ops.to_numpy(values), np.float64)

    def finish(self, last: str, name: str) -> str:
        """Give the last node's output its name; a network that computes nothing passes its input on."""
        if last in (INPUTS, PREPROCESSED):
            self.add("last", "Identity", last)
        self.nodes[-1].output[0] = name
        return name


def write_preprocessing(graph: GraphWriter, preprocessing: Preprocessing, shape: Shape) -> str:
    """Nodes from raw inputs, already float32, to what the network takes: y = (x − shift) · factor, then the layout.

    Args:
        graph: to write into.
        preprocessing: the run's.
        shape: of one raw input: (H, W), (H, W, C) or (D,).

    Returns:
        the name of what the network takes.
    """
    x, place = INPUTS, "preprocessing"
    x = graph.add(place, "Cast", x, to=onnx.TensorProto.FLOAT)  # float32 to float32 where it is that already
    if preprocessing.shift.any():
        x = graph.add(place, "Sub", x, graph.constant(f"{place}.shift", preprocessing.shift))
    x = graph.add(place, "Mul", x, graph.constant(f"{place}.factor", preprocessing.factor))
    if preprocessing.layout == "image" and len(shape) == 3:
        x = graph.add(place, "Transpose", x, perm=[0, 3, 1, 2])  # (N, H, W, C) → (N, C, H, W)
    elif preprocessing.layout == "image":
        x = graph.add(place, "Unsqueeze", x, graph.constant(f"{place}.axes", [1], np.int64))  # (N, H, W) → (N, 1, H, W)
    else:
        x = graph.add(place, "Flatten", x, axis=1)
    if preprocessing.append_ones:  # one column after the last, of ones: (N, D) → (N, D + 1)
        amounts = graph.constant(f"{place}.pads", [0, 0, 0, 1], np.int64)
        x = graph.add(place, "Pad", x, amounts, graph.constant(f"{place}.one", 1.0))
    return graph.finish(x, PREPROCESSED)


def write_layers(graph: GraphWriter, model: Layer, x: str, shape: Shape, name: str = "") -> str:
    """Nodes of all layers of a model, one after another.

    Args:
        graph: to write into.
        model: initialised; a Sequential, or any other layer.
        x: the name of its input.
        shape: of one example of it.
        name: the model's own dotted name; the arrays have those of the model's parameters.

    Returns:
        the name of the output.

    Raises:
        TranslationError: a layer is not one of handgrad's own.
    """
    for place, layer, norms in _with_norms_folded(model, name):
        write = WRITERS.get(type(layer))  # not isinstance: a subclass may compute something else
        if write is None:
            kinds = ", ".join(kind.__name__ for kind in WRITERS)
            raise TranslationError(f"Layer {place}, {type(layer).__name__}, has no equal in ONNX; these do: {kinds}.")
        x = _write_affine(graph, layer, x, shape, place, norms) if norms else write(graph, layer, x, shape, place)
        shape = layer.output_shape(shape)
    return x


def _with_norms_folded(model: Layer, name: str) -> Iterator[tuple[str, Layer, list[layers.BatchNorm1d]]]:
    """The layers in order, each with its dotted name and the batch norms after it that can be folded into it."""
    steps = [(place, layer) for place, layer in stages(model, name) if type(layer) is not layers.Dropout]
    kinds = {layers.Linear: layers.BatchNorm1d, layers.Conv2d: layers.BatchNorm2d}
    while steps:
        place, layer = steps.pop(0)
        norms: list[Any] = []
        while steps and type(layer) in kinds and type(steps[0][1]) is kinds[type(layer)]:
            norms.append(steps.pop(0)[1])
        yield place, layer, norms


def _write_affine(
    graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str, norms: Sequence[layers.BatchNorm1d] = ()
) -> str:
    """A linear layer or a convolution: W and b, which each batch norm makes to s W and s (b − μ) + β.

    s = γ/√(σ² + ε), and all of it in double precision.
    """
    weight = graph.array(layer.weight)
    bias = graph.array(layer.bias) if layer.has_bias else None
    for norm in norms:
        scale = graph.array(norm.weight) / np.sqrt(graph.array(norm.running_var) + norm.epsilon)  # (C,)
        shift = (0.0 if bias is None else bias) - graph.array(norm.running_mean)
        weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))  # (C,) → (C, 1) or (C, 1, 1, 1)
        bias = shift * scale + graph.array(norm.bias)
    write = _write_conv if isinstance(layer, layers.Conv2d) else _write_linear
    return write(graph, layer, x, shape, name, weight, bias)


def _write_linear(
    graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str, weight: NDArray[Any], bias: NDArray[Any] | None
) -> str:
    """Gemm for rows; for more axes MatMul, which wants the weight as (in, out), and Add."""
    if len(shape) == 1:
        arrays = [graph.constant(dotted(name, "weight"), weight)]
        arrays += [] if bias is None else [graph.constant(dotted(name, "bias"), bias)]
        return graph.add(name, "Gemm", x, *arrays, transB=1)
    y = graph.add(name, "MatMul", x, graph.constant(dotted(name, "weight.transposed"), weight.T))
    return y if bias is None else graph.add(name, "Add", y, graph.constant(dotted(name, "bias"), bias))


def _write_conv(
    graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str, weight: NDArray[Any], bias: NDArray[Any] | None
) -> str:
    arrays = [graph.constant(dotted(name, "weight"), weight)]
    arrays += [] if bias is None else [graph.constant(dotted(name, "bias"), bias)]
    return graph.add(name, "Conv", x, *arrays, **_windows(layer))


def _windows(layer: Any) -> dict[str, list[int]]:
    """The window of a convolution or pooling; ONNX wants the padding as top, left, bottom, right."""
    return {
        "kernel_shape": list(layer.kernel_size),
        "strides": list(layer.stride),
        "pads": [*layer.padding, *layer.padding],
    }


def _write_batch_norm(graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str) -> str:
    attributes = ("weight", "bias", "running_mean", "running_var")
    arrays = [graph.constant(dotted(name, a), graph.array(getattr(layer, a))) for a in attributes]
    return graph.add(name, "BatchNormalization", x, *arrays, epsilon=_epsilon(layer))


def _write_layer_norm(graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str) -> str:
    arrays = [graph.constant(dotted(name, a), graph.array(getattr(layer, a))) for a in ("weight", "bias")]
    return graph.add(name, "LayerNormalization", x, *arrays, axis=-1, epsilon=_epsilon(layer))


def _epsilon(layer: Any) -> float:
    """ONNX keeps it as float32, in which it must not become 0."""
    return max(float(layer.epsilon), float(np.finfo(np.float32).tiny))


def _write_residual(graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str) -> str:
    branch = write_layers(graph, layer.branch, x, shape, dotted(name, "branch"))
    return graph.add(name, "Add", x, branch)


def _write_max_pool(graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str) -> str:
    return graph.add(name, "MaxPool", x, **_windows(layer))


def _write_avg_pool(graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str) -> str:
    return graph.add(name, "AveragePool", x, **_windows(layer), count_include_pad=1)


def _elementwise(
    operator: str, settings: Callable[[Any], dict[str, Any]] = lambda layer: {}
) -> Callable[[GraphWriter, Any, str, Shape, str], str]:
    """Writes one node without arrays."""

    def write(graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str) -> str:
        return graph.add(name, operator, x, **settings(layer))

    return write


def _pass_on(graph: GraphWriter, layer: Any, x: str, shape: Shape, name: str) -> str:
    return x


#: Writes a layer's nodes and returns the name of its output, from (graph, layer, input's name, its shape, name).
WRITERS: dict[type[Layer], Callable[[GraphWriter, Any, str, Shape, str], str]] = {
    layers.Sequential: lambda graph, layer, x, shape, name: write_layers(graph, layer, x, shape, name),
    layers.Residual: _write_residual,
    layers.Linear: _write_affine,
    layers.Conv2d: _write_affine,
    layers.MaxPool2d: _write_max_pool,
    layers.AvgPool2d: _write_avg_pool,
    layers.BatchNorm1d: _write_batch_norm,
    layers.BatchNorm2d: _write_batch_norm,
    layers.LayerNorm: _write_layer_norm,
    layers.Dropout: _pass_on,
    layers.Flatten: _elementwise("Flatten", lambda layer: {"axis": 1}),
    layers.ReLU: _elementwise("Relu"),
    layers.LeakyReLU: _elementwise("LeakyRelu", lambda layer: {"alpha": layer.negative_slope}),
    layers.Sigmoid: _elementwise("Sigmoid"),
    layers.Tanh: _elementwise("Tanh"),
    layers.GELU: _elementwise("Gelu", lambda layer: {"approximate": "tanh"}),
    layers.Softmax: _elementwise("Softmax", lambda layer: {"axis": -1}),
    layers.LogSoftmax: _elementwise("LogSoftmax", lambda layer: {"axis": -1}),
}


def canonical(nodes: Sequence[Any], constants: Sequence[Any]) -> list[Any]:
    """What a list of nodes computes, whatever its tensors are called, to compare it with another.

    Args:
        nodes: in the order in which they are computed.
        constants: the arrays that they take.
    """
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in constants}
    numbers: dict[str, int] = {}

    def known(name: str) -> Any:
        if name in arrays:
            return str(arrays[name].dtype), arrays[name].shape, arrays[name].tobytes()
        return numbers.setdefault(name, len(numbers))

    described = []
    for node in nodes:
        settings = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        described.append((node.domain, node.op_type, settings, *map(known, node.input), *map(known, node.output)))
    return described

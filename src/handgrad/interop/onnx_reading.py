"""From the ONNX files that handgrad writes back to layers.

A graph is read loosely and then written again: only if that gives the same nodes was it understood. So nothing that a
node says beyond what our layers have can be overlooked.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad import layers
from handgrad.data.preprocessing import Preprocessing
from handgrad.errors import HandgradError
from handgrad.extras import load
from handgrad.interop.errors import TranslationError
from handgrad.interop.onnx_graph import (
    INPUTS,
    PREPROCESSED,
    GraphWriter,
    canonical,
    onnx,
    write_layers,
    write_preprocessing,
)
from handgrad.interop.weights import with_values
from handgrad.layers import Layer, Sequential
from handgrad.ops import Shape, for_device

message: Any = load("google.protobuf.message", "onnx")

Arrays = dict[str, NDArray[Any]]
Found = tuple[Layer, dict[str, NDArray[Any]]]


def from_onnx(source: str | Path | bytes | Any) -> Sequential:
    """The network of an ONNX file that handgrad wrote, as a Sequential with equal outputs.

    Batch norm that was folded stays so, and dropout is gone. The network takes what the network in the file takes:
    what comes before it is `preprocessing_from_onnx`; a softmax after it is a layer.

    Args:
        source: a path, a file's content, or an `onnx.ModelProto`.

    Raises:
        TranslationError: the file is damaged, or holds something that handgrad does not write; it is named.
        OSError: it cannot be read.

    >>> from handgrad.interop.onnx import to_onnx
    >>> model = handgrad.Sequential(handgrad.Linear(3, 4), handgrad.ReLU()).initialize(np.random.default_rng(0))
    >>> twin = from_onnx(to_onnx(model, (3,)))
    >>> twin, bool((twin(np.ones((1, 3))) == model(np.ones((1, 3)))).all())
    (Sequential(Linear(in_features=3, out_features=4, has_bias=True), ReLU()), True)
    >>> from_onnx(b"no such thing")
    Traceback (most recent call last):
    ...
    handgrad.interop.errors.TranslationError: This is not an ONNX file that can be read: ...
    """
    return _understood(source)[0]


def preprocessing_from_onnx(source: str | Path | bytes | Any) -> Preprocessing | None:
    """What an ONNX file that handgrad wrote does to raw inputs before its network; None if nothing.

    Arguments and errors are those of `from_onnx`.

    >>> from handgrad.interop.onnx import to_onnx
    >>> model = handgrad.Linear(4, 1).initialize(np.random.default_rng(0))
    >>> preprocessing_from_onnx(to_onnx(model, (2, 2), preprocessing=handgrad.Preprocessing(mean=0.5)))
    Preprocessing(scale=0.00392156862745098, mean=0.5, std=1.0, layout='flat', append_ones=False)
    """
    return _understood(source)[1]


def _understood(source: Any) -> tuple[Sequential, Preprocessing | None]:
    """The network and its preprocessing, if they are all that the file says."""
    proto = _parsed(source)
    try:
        shape = _input_shape(proto.graph)
        preprocessing, front = _preprocessing(proto, shape)
        reader = _Reader(proto.graph.node, proto.graph.initializer)
        shape = preprocessing.output_shape(shape) if preprocessing else shape
        values: dict[Layer, dict[str, Any]] = {}
        start = PREPROCESSED if preprocessing else INPUTS
        model = reader.layers_between(start, proto.graph.output[0].name, shape, values)
        model.output_shape(shape)
        with_values(model, values, "float32")
        _compare(proto.graph, front, model, start, shape)
    except TranslationError:
        raise
    except (HandgradError, KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        kind = "" if isinstance(error, HandgradError) else f"{type(error).__name__}, "
        raise TranslationError(f"This ONNX file is not one that handgrad wrote: {kind}{_line(error)}.") from error
    except RecursionError as error:
        raise TranslationError("This ONNX file is not one that handgrad wrote: it is nested too deeply.") from error
    return model, preprocessing


def _parsed(source: Any) -> Any:
    """The file as a message, of which nothing is known yet."""
    if isinstance(source, onnx.ModelProto):
        return source
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        return onnx.ModelProto.FromString(content)
    except (message.DecodeError, ValueError, RecursionError) as error:
        raise TranslationError(f"This is not an ONNX file that can be read: {_line(error)}.") from error


def _line(error: Exception) -> str:
    """What an error says, in one line without the stop at its end."""
    return " ".join(str(error).split()).rstrip(".")


def _input_shape(graph: Any) -> Shape:
    """Of one input, without N."""
    (given,), (_,) = graph.input, graph.output
    if given.name != INPUTS:
        raise TranslationError(f"This ONNX file is not one that handgrad wrote: its input is called {given.name!r}.")
    return tuple(axis.dim_value for axis in given.type.tensor_type.shape.dim)[1:]


def _preprocessing(proto: Any, shape: Shape) -> tuple[Preprocessing | None, GraphWriter]:
    """What the metadata says comes first, and the nodes that this would be."""
    graph = GraphWriter(for_device("cpu"))
    texts = {entry.key: entry.value for entry in proto.metadata_props}
    if "preprocessing" not in texts:
        return None, graph
    preprocessing = Preprocessing.from_dict(json.loads(texts["preprocessing"]))
    write_preprocessing(graph, preprocessing, shape)
    return preprocessing, graph


def _compare(graph: Any, writer: GraphWriter, model: Layer, start: str, shape: Shape) -> None:
    """Write what was understood again; it must be what was read."""
    writer.finish(write_layers(writer, model, start, shape), graph.output[0].name)
    again = canonical(writer.nodes, writer.constants)
    for node, found, expected in zip(graph.node, canonical(graph.node, graph.initializer), again, strict=False):
        if found != expected:
            raise TranslationError(f"Node {node.name!r}, {node.op_type!r}, is not as handgrad writes it.")
    if len(again) != len(graph.node):
        raise TranslationError(f"The graph has {len(graph.node)} nodes, {len(again)} of which lead to its output.")


class _Reader:
    """The graph as a table: which node makes what.

    Args:
        nodes: in the order in which they are computed.
        constants: the arrays in the file.
    """

    def __init__(self, nodes: Any, constants: Any) -> None:
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in constants):
            raise TranslationError("The arrays of this ONNX file lie in other files, which handgrad does not read.")
        self.arrays: Arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in constants}
        self.makers = {node.output[0]: node for node in nodes}
        self.taken: set[str] = set()

    def layers_between(self, start: str, end: str, shape: Shape, values: dict[Layer, dict[str, Any]]) -> Sequential:
        """The layers that lead from one tensor to another, not yet initialised; their arrays go into values.

        Args:
            start: the name of the first layer's input.
            end: the name of the last layer's output.
            shape: of one example at the start.
            values: by layer, then by attribute name.
        """
        found: list[Layer] = []
        for node in reversed(list(self._backwards(start, end))):
            if node.op_type == "Identity":
                continue
            arrays = [self.arrays[name] for name in node.input if name in self.arrays]
            if node.op_type == "Add" and arrays:  # the bias of the MatMul before it, which is put into the layer
                weight = values.pop(found.pop())["weight"]
                found.append(layers.Linear(*reversed(weight.shape)))
                values[found[-1]] = {"weight": weight, "bias": arrays[0]}
                continue
            layer, values_of_layer = self._layer(node, arrays, shape, values)
            found.append(layer)
            values[layer] = values_of_layer
            shape = layer.output_shape(shape)
        return Sequential(*found)

    def _layer(self, node: Any, arrays: list[NDArray[Any]], shape: Shape, values: dict[Layer, dict[str, Any]]) -> Found:
        """What a node is: a residual layer if it adds, with all that leads to what it adds; else what it is called."""
        if node.op_type == "Add":
            return layers.Residual(self.layers_between(node.input[0], node.input[1], shape, values)), {}
        if node.op_type not in READERS:
            raise TranslationError(f"Node {node.name!r}, {node.op_type!r}, has no equal in handgrad.")
        return READERS[node.op_type](_settings(node), arrays, shape)

    def _backwards(self, start: str, end: str) -> Iterator[Any]:
        """The nodes on the way, last first; of an addition, the way that does not lead through the branch."""
        while end != start:
            if end not in self.makers or end in self.taken:
                raise TranslationError(f"{end!r} in this ONNX file is not on a way from its input to its output.")
            self.taken.add(end)
            yield self.makers[end]
            end = self.makers[end].input[0]


def _settings(node: Any) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _linear(weight: NDArray[Any], bias: NDArray[Any] | None) -> tuple[layers.Linear, dict[str, NDArray[Any]]]:
    outputs, inputs = weight.shape
    arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return layers.Linear(inputs, outputs, bias=bias is not None), arrays


def _gemm(settings: dict[str, Any], arrays: list[NDArray[Any]], shape: Shape) -> Found:
    return _linear(arrays[0], arrays[1] if len(arrays) > 1 else None)


def _conv(settings: dict[str, Any], arrays: list[NDArray[Any]], shape: Shape) -> Found:
    outputs, inputs, *_ = arrays[0].shape
    layer = layers.Conv2d(inputs, outputs, *_windows(settings), bias=len(arrays) > 1)
    return layer, dict(zip(("weight", "bias"), arrays, strict=False))


def _windows(settings: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Kernel, stride and padding; the padding is as much on both sides, or written again it will differ."""
    return tuple(settings["kernel_shape"]), tuple(settings["strides"]), tuple(settings["pads"][:2])


def _batch_norm(settings: dict[str, Any], arrays: list[NDArray[Any]], shape: Shape) -> Found:
    kind = layers.BatchNorm2d if len(shape) == 3 else layers.BatchNorm1d
    names = ("weight", "bias", "running_mean", "running_var")
    return kind(len(arrays[0]), epsilon=settings["epsilon"]), dict(zip(names, arrays, strict=True))


def _layer_norm(settings: dict[str, Any], arrays: list[NDArray[Any]], shape: Shape) -> Found:
    layer = layers.LayerNorm(len(arrays[0]), epsilon=settings["epsilon"])
    return layer, dict(zip(("weight", "bias"), arrays, strict=True))


def _without_arrays(make: Callable[[dict[str, Any]], Layer]) -> Callable[[Any, Any, Shape], Found]:
    return lambda settings, arrays, shape: (make(settings), {})


#: Makes a layer and its arrays, from a node's attributes, the arrays it takes, and the shape of an example.
READERS: dict[str, Callable[[dict[str, Any], list[NDArray[Any]], Shape], Found]] = {
    "Gemm": _gemm,
    "MatMul": lambda settings, arrays, shape: _linear(np.ascontiguousarray(arrays[0].T), None),
    "Conv": _conv,
    "MaxPool": _without_arrays(lambda settings: layers.MaxPool2d(*_windows(settings))),
    "AveragePool": _without_arrays(lambda settings: layers.AvgPool2d(*_windows(settings))),
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "Flatten": _without_arrays(lambda settings: layers.Flatten()),
    "Relu": _without_arrays(lambda settings: layers.ReLU()),
    "LeakyRelu": _without_arrays(lambda settings: layers.LeakyReLU(settings["alpha"])),
    "Sigmoid": _without_arrays(lambda settings: layers.Sigmoid()),
    "Tanh": _without_arrays(lambda settings: layers.Tanh()),
    "Gelu": _without_arrays(lambda settings: layers.GELU()),
    "Softmax": _without_arrays(lambda settings: layers.Softmax()),
    "LogSoftmax": _without_arrays(lambda settings: layers.LogSoftmax()),
}

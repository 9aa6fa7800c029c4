"""ONNX: a network as a file that every runtime computes, and back from the files written here.

The file holds the network as it predicts, in float32: dropout is gone, batch norm folded into the layer before it. If
it is asked to, it takes raw inputs and gives probabilities, so that whoever runs it needs nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from handgrad import layers, losses
from handgrad.data.preprocessing import Preprocessing
from handgrad.errors import ArgumentError
from handgrad.extras import load
from handgrad.interop.onnx_graph import INPUTS, GraphWriter, onnx, write_layers, write_preprocessing
from handgrad.interop.onnx_reading import from_onnx, preprocessing_from_onnx
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.ops import Shape

__all__ = ["IR_VERSION", "OPSET", "from_onnx", "preprocessing_from_onnx", "run_onnx", "to_onnx"]

#: The operators' version: the first with Gelu. onnxruntime reads it since 1.17.
OPSET = 20
#: The file format's version that came with it. The `onnx` package would write its own newest, which runtimes refuse.
IR_VERSION = 9

#: Protocol buffers, the format of the file, hold two gigabytes.
_LARGEST = 2**31 - 2**20

#: What a network's outputs still go through to be probabilities, by the loss it was trained on; None where nothing.
ENDS: dict[type[Loss], type[Layer] | None] = {
    losses.SoftmaxCrossEntropy: layers.Softmax,
    losses.BinaryCrossEntropy: layers.Sigmoid,
    losses.CrossEntropy: None,
}


def to_onnx(
    model: Layer,
    input_shape: Shape,
    *,
    preprocessing: Preprocessing | None = None,
    input_type: Literal["uint8", "float32"] | None = None,
    loss: Loss | None = None,
    classes: Sequence[str] | None = None,
    about: Mapping[str, str] | None = None,
) -> Any:
    """A model in prediction mode as an ONNX model, checked: `onnx.save(proto, path)` writes it.

    Its input is called "inputs", (N, *input_shape) with any N; its output "outputs", or "probabilities" with a loss
    that is about them.

    Args:
        model: an initialised model of handgrad's layers; its weights are written as float32.
        input_shape: of one input as the file takes it, without N: a raw one with preprocessing, (H, W), (H, W, C) or
            (D,), else one of the network's.
        preprocessing: to be done in the file, so that it takes raw inputs; None for the network alone.
        input_type: "uint8" or "float32"; left out, uint8 for raw images and float32 for everything else.
        loss: that the model was trained on: its softmax or sigmoid is put at the end; None for the model's outputs.
        classes: their names, kept in the metadata.
        about: more texts to keep in the metadata, such as a recipe or an accuracy.

    Returns:
        an `onnx.ModelProto`.

    Raises:
        TranslationError: a layer is not one of handgrad's own.
        ShapeError: the model does not fit the input.
        ArgumentError: input_type is unknown, or the model too large for one file.

    >>> model = handgrad.Sequential(handgrad.Linear(784, 10), handgrad.Dropout()).initialize(np.random.default_rng(0))
    >>> proto = to_onnx(model, (28, 28), preprocessing=handgrad.Preprocessing(), loss=handgrad.SoftmaxCrossEntropy())
    >>> [node.op_type for node in proto.graph.node]
    ['Cast', 'Mul', 'Flatten', 'Gemm', 'Softmax']
    """
    shape = tuple(input_shape)
    network_shape = preprocessing.output_shape(shape) if preprocessing else shape
    output_shape = model.output_shape(network_shape)
    if 4 * (model.parameters.count + len(model.parameters.buffers)) > _LARGEST:
        raise ArgumentError("model", f"a network of {model.parameters.count:,} parameters", "at most 2 GB of them")
    graph = GraphWriter(model.parameters.ops)
    x = write_preprocessing(graph, preprocessing, shape) if preprocessing else INPUTS
    x = write_layers(graph, model, x, network_shape)
    end = None if loss is None else ENDS.get(type(loss))
    if end is not None:
        x = write_layers(graph, end(), x, output_shape, "probabilities")
    graph.finish(x, "probabilities" if type(loss) in ENDS else "outputs")
    texts = {"classes": json.dumps(list(classes))} if classes is not None else {}
    texts |= {"preprocessing": json.dumps(preprocessing.to_dict())} if preprocessing else {}
    kind = _input_type(input_type, preprocessing, shape)
    return _checked(graph, kind, shape, output_shape, {**texts, **(about or {})})


def _input_type(given: str | None, preprocessing: Preprocessing | None, shape: Shape) -> int:
    """ONNX's number for the type of the inputs."""
    known = {"uint8": onnx.TensorProto.UINT8, "float32": onnx.TensorProto.FLOAT}
    kind = given or ("uint8" if preprocessing and len(shape) > 1 else "float32")
    if kind not in known or (kind == "uint8" and preprocessing is None):
        raise ArgumentError("input_type", given, "'float32', or 'uint8' with preprocessing")
    return int(known[kind])


def _checked(graph: GraphWriter, kind: int, shape: Shape, output_shape: Shape, texts: Mapping[str, str]) -> Any:
    """The graph as a model with its versions and metadata, which ONNX's own checker finds right."""
    from handgrad import __version__

    helper, name = onnx.helper, graph.nodes[-1].output[0]
    inputs = [helper.make_tensor_value_info(INPUTS, kind, ["N", *shape])]
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", *output_shape])]
    proto = helper.make_model(
        helper.make_graph(graph.nodes, "handgrad", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="handgrad",
        producer_version=__version__,
    )
    helper.set_model_props(proto, dict(texts))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def run_onnx(proto: Any, inputs: NDArray[Any]) -> NDArray[Any]:
    """The output of an ONNX model by onnxruntime, on one thread.

    Args:
        proto: an `onnx.ModelProto`, or a file's content.
        inputs: (N, …), in the type that the model takes, or one that becomes it.

    Raises:
        MissingExtraError: onnxruntime is not installed.

    >>> model = handgrad.Linear(2, 1, bias=False).initialize(np.random.default_rng(0))
    >>> model.parameters.assign("weight", [[1.0, 10.0]])
    >>> run_onnx(to_onnx(model, (2,)), np.array([[1.0, 2.0]]))
    array([[21.]], dtype=float32)
    """
    runtime = load("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    content = proto if isinstance(proto, bytes) else proto.SerializeToString()
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    dtype = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}[session.get_inputs()[0].type]
    (outputs,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(inputs, dtype)})
    return np.asarray(outputs)

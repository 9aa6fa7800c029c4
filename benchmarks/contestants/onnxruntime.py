"""ONNX Runtime: prediction only, from a model written here node by node."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.contestants import Predict
from benchmarks.workloads import Job

_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": ("Gemm", {"transB": 1}),
    "conv": ("Conv", {"pads": [1, 1, 1, 1]}),
    "pool": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "flatten": ("Flatten", {}),
}


def predictor(job: Job, variant: str) -> Predict:
    """A session with as many threads as everyone."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(_model(job).SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, {"x": inputs})[0]


def _model(job: Job) -> Any:
    nodes, value = [], "x"
    for index, (kind, *_) in enumerate(job.workload.layers):
        operator, settings = _OPERATORS[kind]
        names = [name for name in (f"{index}.weight", f"{index}.bias") if name in job.weights]
        nodes.append(helper.make_node(operator, [value, *names], [f"y{index}"], **settings))
        value = f"y{index}"
    shape = [1, 28, 28] if job.workload.kind == "cnn" else [784]
    graph = helper.make_graph(
        nodes,
        job.workload.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in job.weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9  # old enough for any onnxruntime of these years
    onnx.checker.check_model(model)
    return model

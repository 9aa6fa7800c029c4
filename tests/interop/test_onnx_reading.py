"""ONNX files that are not as handgrad writes them: one sentence, whatever is in them."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handgrad
from handgrad import layers
from handgrad.interop.errors import TranslationError

interop: Any = pytest.importorskip("handgrad.interop.onnx")
onnx: Any = pytest.importorskip("onnx")
helper: Any = onnx.helper


def written() -> Any:
    """A file with every way in which nodes hang together."""
    model = handgrad.Sequential(
        layers.Conv2d(1, 2, 3, padding=1),
        layers.BatchNorm2d(2),
        layers.Residual(layers.Sequential(layers.Conv2d(2, 2, 1), layers.ReLU())),
        layers.BatchNorm2d(2),
        layers.MaxPool2d(2),
        layers.Linear(2, 3),
        layers.LeakyReLU(0.1),
        layers.LayerNorm(3),
        layers.Flatten(),
        layers.Linear(12, 4),
    ).initialize(np.random.default_rng(0))
    return interop.to_onnx(
        model,
        (4, 4),
        preprocessing=handgrad.Preprocessing(mean=0.5, layout="image"),
        loss=handgrad.SoftmaxCrossEntropy(),
    )


def node(proto: Any, operator: str) -> Any:
    return next(node for node in proto.graph.node if node.op_type == operator)


def attribute(proto: Any, operator: str, name: str) -> Any:
    return next(entry for entry in node(proto, operator).attribute if entry.name == name)


def array(proto: Any, name: str) -> Any:
    return next(tensor for tensor in proto.graph.initializer if tensor.name == name)


def assign(name: str, **values: Any) -> Callable[[Any], None]:
    """Change fields of one of the arrays in the file."""

    def change(proto: Any) -> None:
        for field, value in values.items():
            setattr(array(proto, name), field, value)

    return change


def add_attribute(operator: str, **settings: Any) -> Callable[[Any], None]:
    return lambda proto: node(proto, operator).attribute.extend(
        helper.make_attribute(name, value) for name, value in settings.items()
    )


def set_integers(operator: str, name: str, values: list[int]) -> Callable[[Any], None]:
    def change(proto: Any) -> None:
        attribute(proto, operator, name).ints[:] = values

    return change


CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "another operator": (lambda p: setattr(node(p, "Relu"), "op_type", "Selu"), "'Selu', has no equal in handgrad"),
    "another domain": (lambda p: setattr(node(p, "Relu"), "domain", "com.example"), "is not as handgrad writes it"),
    "groups": (add_attribute("Conv", group=2), "'Conv', is not as handgrad writes it"),
    "padding of one side": (set_integers("Conv", "pads", [1, 1, 0, 1]), "'Conv', is not as handgrad writes it"),
    "no kernel": (lambda p: node(p, "MaxPool").attribute.pop(), "not one that handgrad wrote"),
    "a huge kernel": (set_integers("MaxPool", "kernel_shape", [10**9, 10**9]), "not one that handgrad wrote"),
    "a negative stride": (set_integers("MaxPool", "strides", [-1, 2]), "stride is (-1, 2)"),
    "another axis": (
        lambda p: setattr(attribute(p, "Softmax", "axis"), "i", 0),
        "'Softmax', is not as handgrad writes",
    ),
    "no epsilon": (lambda p: setattr(attribute(p, "LayerNormalization", "epsilon"), "f", 0.0), "epsilon is 0"),
    "no transposition": (
        lambda p: setattr(attribute(p, "Gemm", "transB"), "i", 0),
        "'Gemm', is not as handgrad writes it",
    ),
    "a scaled product": (add_attribute("Gemm", alpha=2.0), "'Gemm', is not as handgrad writes it"),
    "another shift": (
        lambda p: array(p, "preprocessing.shift").CopyFrom(
            onnx.numpy_helper.from_array(np.float32(3), "preprocessing.shift")
        ),
        "'Sub', is not as handgrad writes it",
    ),
    "preprocessing that is none": (lambda p: setattr(p.metadata_props[0], "value", "{}"), "exactly the keys"),
    "preprocessing that is no JSON": (
        lambda p: setattr(p.metadata_props[0], "value", "{"),
        "not one that handgrad wrote",
    ),
    "no preprocessing": (lambda p: p.metadata_props.pop(), "'Cast', has no equal in handgrad"),
    "an array too short": (assign("0.weight", raw_data=b"1234"), "not one that handgrad wrote"),
    "an array too large for any memory": (
        lambda p: array(p, "0.weight").dims.append(10**15),
        "not one that handgrad wrote",
    ),
    "an array in another file": (assign("0.weight", data_location=1), "lie in other files"),
    "an array that is not there": (lambda p: array(p, "9.weight").Clear(), "not one that handgrad wrote"),
    "another width": (
        lambda p: setattr(p.graph.input[0].type.tensor_type.shape.dim[2], "dim_value", 7),
        "handgrad wrote",
    ),
    "another name": (lambda p: setattr(p.graph.input[0], "name", "x"), "its input is called 'x'"),
    "two outputs": (lambda p: p.graph.output.append(p.graph.output[0]), "not one that handgrad wrote"),
    "no outputs": (lambda p: p.graph.ClearField("output"), "not one that handgrad wrote"),
    "nothing at all": (lambda p: p.ClearField("graph"), "not one that handgrad wrote"),
    "a circle": (lambda p: node(p, "Relu").input.__setitem__(0, node(p, "Relu").output[0]), "not on a way"),
    "a node for nothing": (
        lambda p: p.graph.node.append(helper.make_node("Relu", [p.graph.output[0].name], ["more"])),
        "of which lead to its output",
    ),
}


def test_the_file_is_read_when_it_is_whole() -> None:
    assert len(interop.from_onnx(written()).layers) == 10


@pytest.mark.parametrize("name", CHANGES)
def test_what_handgrad_does_not_write_is_one_sentence(name: str) -> None:
    proto = written()
    change, message = CHANGES[name]
    change(proto)
    with pytest.raises(TranslationError) as caught:
        interop.from_onnx(proto)
    assert message in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_graph_nested_without_end_is_one_sentence() -> None:
    nodes, x = [], "inputs"
    for depth in range(3000):
        nodes.append(helper.make_node("Add", ["inputs", x], [f"y{depth}"]))
        x = f"y{depth}"
    shape = helper.make_tensor_value_info("inputs", onnx.TensorProto.FLOAT, ["N", 3])
    result = helper.make_tensor_value_info(x, onnx.TensorProto.FLOAT, ["N", 3])
    proto = helper.make_model(helper.make_graph(nodes, "deep", [shape], [result]))
    with pytest.raises(TranslationError, match="nested too deeply"):
        interop.from_onnx(proto)


def test_a_path_a_files_content_and_a_message_are_read_alike(tmp_path: Path) -> None:
    proto = written()
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    states = [interop.from_onnx(s).parameters.state_dict() for s in (path, str(path), path.read_bytes(), proto)]
    assert all(state[name].tobytes() == array.tobytes() for state in states for name, array in states[0].items())
    with pytest.raises(FileNotFoundError):
        interop.from_onnx(tmp_path / "nothing.onnx")


def test_damage_anywhere_is_one_sentence_or_harmless() -> None:
    content = written().SerializeToString()
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(600):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), int(rng.integers(1, 4))).tolist():
            damaged[place] = int(rng.integers(256))
        cut = bytes(damaged[: int(rng.integers(1, len(content)))] if rng.random() < 0.3 else damaged)
        with suppress(TranslationError):
            interop.from_onnx(cut)
            continue
        refused += 1
    assert refused > 200

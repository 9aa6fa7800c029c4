"""ONNX files: what onnxruntime computes from them, what they say of themselves, and what is read back."""

import json
from typing import Any

import numpy as np
import pytest
from architectures import COUNT, architecture, difference
from cases import LAYER_CASES, LayerCase
from discovery import LAYER_KINDS, LOSS_KINDS
from expect import rejected
from prepare import CPU, prepare

import handgrad
from handgrad import layers, losses
from handgrad.errors import ShapeError
from handgrad.interop.errors import TranslationError
from handgrad.layers import Layer, Sequential
from handgrad.losses import Loss

pytest.importorskip("onnxruntime")
interop: Any = pytest.importorskip("handgrad.interop.onnx")
onnx: Any = pytest.importorskip("onnx")

TOLERANCE = 1e-5


def started(*inner: Layer) -> Sequential:
    """A network with weights and running averages that are not special."""
    model = Sequential(*inner).initialize(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for name, view in model.parameters.views.items():
        if view.ndim == 1:
            model.parameters.assign(name, rng.uniform(0.5, 1.5, view.shape))
    return model


def operators(proto: Any) -> list[str]:
    return [node.op_type for node in proto.graph.node]


@pytest.mark.parametrize("kind", LAYER_KINDS, ids=lambda kind: kind.__name__)
def test_every_layer_has_an_equal(kind: type[Layer]) -> None:
    from handgrad.interop.onnx_graph import WRITERS

    assert kind in WRITERS, f"{kind.__name__} has no equal in onnx_graph.WRITERS"


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_a_layer_computes_the_same_in_onnxruntime_and_read_back(case: LayerCase) -> None:
    run = prepare(case, dtype="float32")
    proto = interop.to_onnx(run.layer, case.shape[1:])
    ours = np.asarray(run.layer(run.x))
    assert difference(interop.run_onnx(proto, np.asarray(run.x)), ours) <= TOLERANCE
    back = interop.from_onnx(proto)
    assert back.parameters.dtype == "float32"
    assert difference(np.asarray(back(run.x)), ours) <= TOLERANCE


@pytest.mark.parametrize("number", range(COUNT))
def test_random_architectures(number: int) -> None:
    case = architecture(number)
    proto = interop.to_onnx(case.model, case.input_shape)
    ours = case.model(case.x)
    assert difference(interop.run_onnx(proto, case.x), ours) <= TOLERANCE
    back = interop.from_onnx(proto.SerializeToString())
    assert difference(back(case.x), ours) <= TOLERANCE
    again = interop.to_onnx(back, case.input_shape)
    assert operators(again) == operators(proto)
    assert interop.from_onnx(again)(case.x).tobytes() == back(case.x).tobytes()


def test_what_is_read_back_is_bit_equal_where_nothing_was_folded() -> None:
    model = started(layers.Linear(4, 5), layers.LeakyReLU(0.1), layers.LayerNorm(5), layers.Residual(layers.GELU()))
    x = np.random.default_rng(2).normal(size=(7, 4)).astype(np.float32)
    assert interop.from_onnx(interop.to_onnx(model, (4,)))(x).tobytes() == model(x).tobytes()


def test_dropout_is_gone_and_batch_norm_folded_into_the_layer_before_it() -> None:
    model = started(
        layers.Conv2d(1, 2, 3, bias=False),
        Sequential(layers.BatchNorm2d(2), layers.ReLU(), layers.Dropout()),
        layers.Flatten(),
        layers.Linear(8, 3),
        layers.Dropout(),
        layers.BatchNorm1d(3),
        layers.BatchNorm1d(3),
        layers.ReLU(),
        layers.BatchNorm1d(3),
    )
    proto = interop.to_onnx(model, (1, 4, 4))
    assert operators(proto) == ["Conv", "Relu", "Flatten", "Gemm", "Relu", "BatchNormalization"]
    x = np.random.default_rng(2).normal(size=(3, 1, 4, 4)).astype(np.float32)
    assert difference(interop.run_onnx(proto, x), model(x)) <= TOLERANCE


def test_a_batch_norm_whose_layer_is_in_a_branch_is_not_folded_out_of_it() -> None:
    model = started(layers.Residual(layers.Linear(3, 3)), layers.BatchNorm1d(3))
    proto = interop.to_onnx(model, (3,))
    assert operators(proto) == ["Gemm", "Add", "BatchNormalization"]


def test_the_file_takes_batches_of_any_size() -> None:
    model = started(layers.Flatten(), layers.Linear(12, 3))
    proto = interop.to_onnx(model, (3, 2, 2))
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    for count in (1, 2, 65):
        assert interop.run_onnx(proto, np.ones((count, 3, 2, 2))).shape == (count, 3)


def test_versions_are_pinned_and_the_metadata_kept() -> None:
    preprocessing = handgrad.Preprocessing(mean=0.5)
    proto = interop.to_onnx(
        started(layers.Linear(4, 2)),
        (2, 2),
        preprocessing=preprocessing,
        classes=["cat", "dog"],
        about={"recipe": "{}", "test_accuracy": "0.5"},
    )
    assert (proto.ir_version, [(entry.domain, entry.version) for entry in proto.opset_import]) == (9, [("", 20)])
    assert (proto.producer_name, proto.producer_version) == ("handgrad", handgrad.__version__)
    texts = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(texts.pop("classes")) == ["cat", "dog"]
    assert json.loads(texts.pop("preprocessing")) == preprocessing.to_dict()
    assert texts == {"recipe": "{}", "test_accuracy": "0.5"}


PREPROCESSINGS = [
    ((28, 28), handgrad.Preprocessing()),
    ((5, 3), handgrad.Preprocessing(mean=0.13, std=0.31)),
    ((5, 3, 2), handgrad.Preprocessing(mean=0.13, append_ones=True)),
    ((5, 3), handgrad.Preprocessing(mean=0.13, std=0.31, layout="image")),
    ((5, 3, 2), handgrad.Preprocessing(scale=1.0, layout="image")),
    ((7,), handgrad.Preprocessing(scale=2.0, mean=-3.0, std=5.0)),
    ((7,), handgrad.Preprocessing(scale=1.0, append_ones=True)),
]


@pytest.mark.parametrize(("raw", "preprocessing"), PREPROCESSINGS, ids=str)
@pytest.mark.parametrize("input_type", ["uint8", "float32"])
def test_preprocessing_is_done_in_the_file(raw: Any, preprocessing: handgrad.Preprocessing, input_type: Any) -> None:
    shape = preprocessing.output_shape(raw)
    model = started(layers.Conv2d(shape[0], 2, 2), layers.Flatten()) if len(shape) == 3 else started()
    proto = interop.to_onnx(model, raw, preprocessing=preprocessing, input_type=input_type)
    inputs = np.random.default_rng(0).integers(0, 256, (3, *raw)).astype(input_type)
    assert difference(interop.run_onnx(proto, inputs), model(preprocessing(inputs))) <= TOLERANCE
    assert interop.preprocessing_from_onnx(proto) == preprocessing
    assert difference(interop.from_onnx(proto)(preprocessing(inputs)), model(preprocessing(inputs))) <= TOLERANCE


@pytest.mark.parametrize("kind", LOSS_KINDS, ids=lambda kind: kind.__name__)
def test_the_end_of_the_file_is_what_the_loss_makes_of_the_outputs(kind: type[Loss]) -> None:
    model, loss = started(layers.Linear(3, 4), layers.Sigmoid()), kind()
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    proto = interop.to_onnx(model, (3,), loss=loss)
    expected = CPU.to_numpy(loss.probabilities(model(x), ops=CPU))
    assert difference(interop.run_onnx(proto, x), expected) <= TOLERANCE
    said = proto.graph.output[0].name
    assert said == ("outputs" if isinstance(loss, losses.MeanSquaredError) else "probabilities")
    assert interop.to_onnx(model, (3,)).graph.output[0].name == "outputs"


@pytest.mark.parametrize("preprocessing", [None, handgrad.Preprocessing(scale=1.0)])
def test_a_network_that_computes_nothing_passes_its_input_on(preprocessing: Any) -> None:
    proto = interop.to_onnx(started(layers.Dropout()), (3,), preprocessing=preprocessing)
    assert interop.run_onnx(proto, np.arange(3.0)[None]).tolist() == [[0.0, 1.0, 2.0]]
    assert interop.from_onnx(proto).layers == []


def test_weights_of_float64_become_float32() -> None:
    model = layers.Linear(2, 2).initialize(np.random.default_rng(0), dtype="float64")
    proto = interop.to_onnx(model, (2,))
    assert {tensor.data_type for tensor in proto.graph.initializer} == {onnx.TensorProto.FLOAT}
    assert interop.run_onnx(proto, np.ones((1, 2))).dtype == np.float32


def test_weights_that_are_no_numbers_are_written_as_they_are() -> None:
    model = layers.Linear(2, 2, bias=False).initialize(np.random.default_rng(0), dtype="float64")
    model.parameters.assign("weight", [[np.nan, 1.0], [1e300, -np.inf]])
    weight = interop.from_onnx(interop.to_onnx(model, (2,))).parameters.state_dict()["0.weight"]
    np.testing.assert_array_equal(weight, np.array([[np.nan, 1.0], [np.inf, -np.inf]], np.float32))


def test_an_epsilon_that_float32_lacks_does_not_become_zero() -> None:
    model = started(layers.LayerNorm(3, epsilon=1e-60))
    proto = interop.to_onnx(model, (3,))
    x = np.array([[1, 2, 4]], np.float32)
    assert difference(interop.run_onnx(proto, x), model(x)) <= TOLERANCE
    assert difference(interop.from_onnx(proto)(x), model(x)) <= TOLERANCE


def test_what_cannot_be_written_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(layers.ReLU):
        pass

    model = started(layers.Linear(3, 2))
    with pytest.raises(TranslationError, match=r"Layer 1.branch, Own, has no equal in ONNX"):
        interop.to_onnx(started(layers.ReLU(), layers.Residual(Own())), (3,))
    with pytest.raises(ShapeError, match="Layer 0, Linear"):
        interop.to_onnx(model, (4,))
    with rejected("input_type", "uint8"):
        interop.to_onnx(model, (3,), input_type="uint8")
    with rejected("input_type", "int4"):
        interop.to_onnx(model, (3,), preprocessing=handgrad.Preprocessing(), input_type="int4")
    monkeypatch.setattr("handgrad.interop.onnx._LARGEST", 31)  # one byte less than eight numbers
    with rejected("model", "a network of 8 parameters"):
        interop.to_onnx(model, (3,))

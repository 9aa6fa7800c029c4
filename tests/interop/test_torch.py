"""Networks on their way to PyTorch and back: the same names, the same bits, the same outputs."""

import subprocess
import sys
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from architectures import COUNT, architecture, difference
from cases import LAYER_CASES, LayerCase
from discovery import LAYER_KINDS
from expect import assert_agree
from prepare import CPU, prepare

from handgrad import layers
from handgrad.errors import ArgumentError, HandgradError, ShapeError
from handgrad.extras import load
from handgrad.interop.errors import TranslationError
from handgrad.layers import Layer

interop: Any = pytest.importorskip("handgrad.interop.torch")
torch: Any = pytest.importorskip("torch")
nn = torch.nn


def outputs(module: Any, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(module(torch.from_numpy(x)).detach().numpy())


def assert_same_bits(ours: Layer, theirs: Layer) -> None:
    assert repr(ours) == repr(theirs)
    assert ours.parameters.dtype == theirs.parameters.dtype
    expected = ours.parameters.state_dict()
    found = theirs.parameters.state_dict()
    assert list(expected) == list(found)
    assert {n: a.tobytes() for n, a in expected.items()} == {n: a.tobytes() for n, a in found.items()}


@pytest.mark.parametrize("kind", LAYER_KINDS, ids=lambda kind: kind.__name__)
def test_every_layer_has_an_equal_module_and_every_such_module_a_layer(kind: type[Layer]) -> None:
    from handgrad.interop.torch_modules import LAYERS, MODULES

    assert kind in MODULES, f"{kind.__name__} has no equal in torch_modules.MODULES"
    layer, shape = kind.example()
    module = interop.to_torch(layer.initialize(np.random.default_rng(0)))
    assert type(module) in {*LAYERS, nn.Sequential, interop.Residual}
    assert type(interop.from_torch(module, shape[1:])) is kind


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_a_layer_there_and_back_computes_the_same_and_keeps_every_bit(case: LayerCase) -> None:
    run = prepare(case)
    module = interop.to_torch(run.layer, training=case.training)
    assert all(inner.training == case.training for inner in module.modules())
    names = [name for name in module.state_dict() if not name.endswith("num_batches_tracked")]
    assert sorted(names) == sorted(run.layer.parameters.state_dict())
    back = interop.from_torch(module, case.shape[1:], dtype="float64")
    assert_same_bits(run.layer, back)
    if not (case.training and any(type(inner) is layers.Dropout for _, inner in run.layer.walk())):
        y = run.layer.forward(run.x, ops=CPU, training=case.training)[0]
        assert_agree({"y": np.asarray(y)}, {"y": outputs(module, np.asarray(run.x))}, 1e-10)
        interop.load_state_dict(back, module.state_dict())  # with the running averages, if that pass moved them
        assert_agree(run.layer.parameters.state_dict(), back.parameters.state_dict(), 1e-10)


@pytest.mark.parametrize("number", range(COUNT))
def test_random_architectures(number: int) -> None:
    case = architecture(number)
    module = interop.to_torch(case.model)
    back = interop.from_torch(module, case.input_shape)
    ours = case.model(case.x)
    assert_same_bits(case.model, back)
    assert back(case.x).tobytes() == ours.tobytes()
    theirs = outputs(module, case.x)
    assert difference(theirs, ours) <= 1e-5  # two roundings in float32, of which each may be off by some 1e-6
    exact = interop.from_torch(module.double(), case.input_shape, dtype="float64")(case.x)
    assert difference(outputs(module, case.x.astype("float64")), exact) <= 1e-12
    assert difference(theirs.astype("float64"), exact) <= 1e-6


def test_a_sequential_becomes_an_nn_sequential_in_evaluation_mode() -> None:
    model = layers.Sequential(layers.Linear(2, 3), layers.Sequential(layers.Dropout(0.9))).initialize(
        np.random.default_rng(0)
    )
    module = interop.to_torch(model)
    assert type(module) is type(module[1]) is nn.Sequential
    assert not module.training
    assert interop.to_torch(model, training=True)[1][0].training


def test_weights_are_copies_that_can_be_trained() -> None:
    model = layers.Linear(2, 3).initialize(np.random.default_rng(0))
    module = interop.to_torch(model)
    before = model.parameters.state_dict()
    with torch.no_grad():
        module.weight += 1.0
    assert (model.parameters.state_dict()["weight"] == before["weight"]).all()
    assert module.weight.requires_grad
    assert isinstance(module.weight, nn.Parameter)


def test_nothing_is_drawn_from_pytorchs_random_numbers() -> None:
    before = torch.get_rng_state()
    interop.to_torch(layers.Linear(2, 2).initialize(np.random.default_rng(0)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_is_kept_both_ways(dtype: str) -> None:
    model = layers.Sequential(layers.Linear(2, 2), layers.BatchNorm1d(2)).initialize(
        np.random.default_rng(0), dtype=dtype
    )
    module = interop.to_torch(model)
    assert {tensor.dtype for tensor in module.parameters()} == {getattr(torch, dtype)}
    assert interop.from_torch(module, (2,)).parameters.dtype == dtype


def test_modules_with_names_of_their_own_are_named_by_position() -> None:
    module = nn.Sequential(OrderedDict(fc=nn.Linear(2, 3), act=nn.Tanh(), out=nn.Linear(3, 1, bias=False)))
    model = interop.from_torch(module, (2,))
    assert model.parameters.names == ("0.weight", "0.bias", "2.weight")
    x = np.ones((4, 2), np.float32)
    assert difference(outputs(module, x), model(x)) <= 1e-6


def test_settings_that_have_two_spellings_are_understood() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding="valid"), nn.MaxPool2d(2), nn.Flatten(1, 3), nn.Linear(8, 4), nn.Softmax(dim=1)
    )
    x = np.random.default_rng(0).normal(size=(2, 1, 6, 6)).astype(np.float32)
    assert difference(outputs(module, x), interop.from_torch(module, (1, 6, 6))(x)) <= 1e-6


REFUSED = [
    (nn.Sequential(nn.Linear(4, 4), nn.Softplus()), (4,), "Module 1, Softplus, has no equal in handgrad."),
    (interop.Residual(nn.Sequential(nn.SELU())), (4,), "Module branch.0, SELU,"),
    (nn.LSTM(4, 4), (3, 4), "The module, LSTM,"),
    (nn.Conv2d(4, 4, 1, groups=2), (4, 2, 2), "groups is 2, and handgrad's has only 1"),
    (nn.Conv2d(1, 1, 1, dilation=2), (1, 2, 2), "dilation is (2, 2)"),
    (nn.Conv2d(1, 1, 1, padding_mode="circular"), (1, 2, 2), "padding_mode is 'circular'"),
    (nn.Conv2d(1, 1, 3, padding="same"), (1, 4, 4), "padding is 'same'"),
    (nn.MaxPool2d(2, dilation=2), (1, 4, 4), "dilation is 2"),
    (nn.MaxPool2d(2, ceil_mode=True), (1, 4, 4), "ceil_mode is True"),
    (nn.MaxPool2d(2, return_indices=True), (1, 4, 4), "return_indices is True"),
    (nn.AvgPool2d(2, ceil_mode=True), (1, 4, 4), "ceil_mode is True"),
    (nn.AvgPool2d(3, padding=1, count_include_pad=False), (1, 4, 4), "count_include_pad is False"),
    (nn.AvgPool2d(2, divisor_override=3), (1, 4, 4), "divisor_override is 3"),
    (nn.BatchNorm1d(4, affine=False), (4,), "affine is False"),
    (nn.BatchNorm1d(4, track_running_stats=False), (4,), "track_running_stats is False"),
    (nn.BatchNorm2d(4, momentum=None), (4, 2, 2), "momentum is None"),
    (nn.BatchNorm1d(4), (4, 3), "does not fit its input"),
    (nn.LayerNorm((2, 3)), (2, 3), "one axis, the last"),
    (nn.LayerNorm(3, elementwise_affine=False), (3,), "with a weight and a bias"),
    (nn.LayerNorm(3, bias=False), (3,), "with a weight and a bias"),
    (nn.Dropout(1.0), (4,), "p is 1.0"),
    (nn.Flatten(0), (4,), "start_dim is 0"),
    (nn.Flatten(1, 2), (4, 2, 2), "end_dim is 2"),
    (nn.GELU(), (4,), "approximate is 'none', and handgrad's has only 'tanh'"),
    (nn.Softmax(dim=1), (4, 2), "dim is 1, and handgrad's has only -1 or 2"),
    (nn.LogSoftmax(dim=0), (4,), "dim is 0"),
    (nn.Linear(4, 4), (5,), "The module, Linear, does not fit its input: "),
    (nn.Linear(4, 4).half(), (4,), "torch.float16, expected all float32"),
    (nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4).double()), (4,), "torch.float32, torch.float64"),
    (nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), (4,), "ParametrizedLinear"),
]


@pytest.mark.parametrize(("module", "shape", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_what_has_no_equal_is_named(module: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(TranslationError) as caught:
        interop.from_torch(module, shape)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_weights_that_modules_share_are_refused() -> None:
    twice = nn.Linear(3, 3)
    with pytest.raises(TranslationError, match=r"0.weight and 2.weight are one array"):
        interop.from_torch(nn.Sequential(twice, nn.ReLU(), twice), (3,))


def test_a_module_with_other_arrays_than_its_layer_is_refused() -> None:
    module = nn.Linear(3, 3)
    module.register_buffer("mask", torch.ones(3, 3))  # as pruning does
    with pytest.raises(TranslationError, match="has the arrays"):
        interop.from_torch(module, (3,))


def test_a_residual_whose_branch_changes_the_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="branch output"):
        interop.from_torch(nn.Sequential(interop.Residual(nn.Linear(3, 2))), (3,))


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"expected a torch.nn.Module"):
        interop.from_torch([nn.ReLU()], (3,))


def test_a_layer_of_ones_own_is_named_even_where_its_base_is_known() -> None:
    class Own(layers.ReLU):
        pass

    with pytest.raises(TranslationError, match="Own has no equal in PyTorch"):
        interop.to_torch(layers.Sequential(Own()).initialize(np.random.default_rng(0)))


def test_a_model_without_parameters_yet_is_refused() -> None:
    with pytest.raises(HandgradError, match="initialize"):
        interop.to_torch(layers.Linear(2, 2))


def test_weights_of_half_precision_and_from_a_file_are_taken(tmp_path: Any) -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).half()
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    model = layers.Sequential(layers.Linear(2, 2), layers.BatchNorm1d(2)).initialize(np.random.default_rng(0))
    interop.load_state_dict(model, torch.load(tmp_path / "weights.pt", weights_only=True))
    x = np.ones((1, 2), np.float32)
    assert difference(outputs(module.float().eval(), x), model(x)) <= 1e-6


def test_weights_that_do_not_fit_change_nothing() -> None:
    model = layers.Linear(2, 2).initialize(np.random.default_rng(0))
    before = model.parameters.vector.copy()
    with pytest.raises(ArgumentError, match="missing"):
        interop.load_state_dict(model, {"weight": torch.zeros(2, 2)})
    with pytest.raises(ShapeError):
        interop.load_state_dict(model, {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)})
    assert (model.parameters.vector == before).all()


def test_our_weights_load_strictly_into_a_module_with_batch_norm() -> None:
    model = layers.Sequential(layers.Linear(2, 2), layers.BatchNorm1d(2)).initialize(np.random.default_rng(0))
    result = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).load_state_dict(interop.state_dict(model), strict=True)
    assert not result.missing_keys
    assert not result.unexpected_keys


@pytest.mark.parametrize(("package", "extra"), [("torch", "torch"), ("onnx", "onnx")])
def test_a_missing_extra_is_named(package: str, extra: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; import handgrad.interop.{package}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = result.stderr.strip().splitlines()[-1]
    assert last.endswith(f'This needs {package}, not installed here: python -m pip install "handgrad[{extra}]".')


def test_a_package_that_is_installed_but_broken_is_not_called_missing(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package") as caught:
        load("half_installed", "torch")
    assert not isinstance(caught.value, HandgradError)

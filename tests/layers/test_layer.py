"""What every layer promises, whatever it computes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase
from discovery import LAYER_KINDS
from expect import assert_agree, rejected
from prepare import CPU, prepare

from handgrad import initializers, layers
from handgrad.errors import HandgradError, ShapeError
from handgrad.layers import BatchNorm1d, Conv2d, Dropout, Layer, Linear, ReLU, Residual, Sequential


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_output_shape_is_the_shape_that_forward_gives(case: LayerCase) -> None:
    run = prepare(case)
    y, _ = run.forward()
    assert y.shape == (case.shape[0], *run.layer.output_shape(case.shape[1:]))


@pytest.mark.parametrize("kind", LAYER_KINDS, ids=lambda kind: kind.__name__)
def test_every_layer_has_an_example_that_runs(kind: type[Layer]) -> None:
    layer, shape = kind.example()
    y = layer.initialize(np.random.default_rng(0))(np.ones(shape))
    assert type(layer) is kind
    assert y.shape == (shape[0], *layer.output_shape(shape[1:]))


@pytest.mark.parametrize("kind", LAYER_KINDS, ids=lambda kind: kind.__name__)
def test_every_layer_states_a_formula_for_its_input_and_each_parameter(kind: type[Layer]) -> None:
    layer, _ = kind.example()
    own = {"x"} | (set() if layer.sublayers() else set(layer.parameter_specs()))
    assert kind.formulas.backward.keys() == own
    assert kind.formulas.forward


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_no_pass_changes_the_precision(case: LayerCase, dtype: str) -> None:
    run = prepare(case, dtype=dtype)
    y, cache = run.forward()
    dx, gradients = run.backward(cache)
    floating = [array for array in arrays_in((y, cache, dx, gradients.vector)) if array.dtype.kind == "f"]
    assert {str(array.dtype) for array in floating} == {dtype}
    assert y.dtype == dx.dtype == dtype


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_single_precision_agrees_with_double(case: LayerCase) -> None:
    """To 10⁻⁴: below batch norm a bias has gradient 0, of which sums of dozens of float32 leave up to 10⁻⁶."""
    assert_agree(prepare(case, dtype="float32").results(), prepare(case).results(), 1e-4)


PASSING_ON = (layers.Flatten, Dropout, Sequential)


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if not isinstance(case.layer, PASSING_ON)], ids=str)
def test_the_output_is_a_new_array(case: LayerCase) -> None:
    run = prepare(case)
    y, _ = run.forward()
    assert not np.shares_memory(y, run.x)
    assert not np.shares_memory(y, run.layer.parameters.vector)


def arrays_in(value: Any) -> list[Any]:
    """Every array in nested lists and tuples."""
    if isinstance(value, list | tuple):
        return [array for item in value for array in arrays_in(item)]
    return [value] if isinstance(value, np.ndarray) else []


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_nothing_is_kept_on_the_layer_between_the_passes(case: LayerCase) -> None:
    run = prepare(case)
    attributes = [dict(vars(layer)) for _, layer in run.layer.walk()]
    run.results()
    for (_, layer), before in zip(run.layer.walk(), attributes, strict=True):
        assert vars(layer).keys() == before.keys()
        assert all(vars(layer)[name] is value for name, value in before.items())


def test_two_threads_running_one_model_get_what_one_gets() -> None:
    images = Sequential(
        Conv2d(2, 4, 3, padding=1), layers.BatchNorm2d(4), ReLU(), layers.MaxPool2d(2), layers.Flatten(), Linear(16, 3)
    )
    run = prepare(LayerCase(images, (3, 2, 4, 4), training=False))
    inputs = [run.x, -run.x, 2.0 * run.x, run.x + 1.0] * 25

    def passes(x: Any) -> tuple[Any, Any, Any]:
        y, cache = run.layer.forward(x, ops=CPU)
        dx, gradients = run.backward(cache)
        return y, dx, gradients.vector

    alone = [passes(x) for x in inputs]
    with ThreadPoolExecutor(2) as pool:
        for together, expected in zip(pool.map(passes, inputs), alone, strict=True):
            for one, other in zip(together, expected, strict=True):
                np.testing.assert_array_equal(one, other)


# -- initialize ----------------------------------------------------------------------------------------


def model() -> Sequential:
    return Sequential(Linear(3, 4), ReLU(), Linear(4, 2))


def weights(seed: int, dtype: str = "float32") -> Any:
    return model().initialize(np.random.default_rng(seed), dtype=dtype).parameters.vector


def test_the_same_seed_gives_the_same_weights() -> None:
    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_both_precisions_start_from_the_same_weights() -> None:
    double = weights(1, "float64")
    assert double.dtype == np.float64
    np.testing.assert_array_equal(weights(1), double.astype(np.float32))


def test_weights_follow_the_laws_that_the_layer_was_given() -> None:
    constants: dict[str, Any] = {"weight_init": initializers.Constant(2.0), "bias_init": initializers.Constant(-1.0)}
    for layer in (Linear(3, 2, **constants), Conv2d(1, 2, 3, **constants)):
        layer.initialize(np.random.default_rng(0))
        assert set(layer.weight.flat) == {2.0}
        assert layer.bias is not None
        assert set(layer.bias.flat) == {-1.0}


def test_each_law_is_told_the_fans_of_its_layer() -> None:
    asked = []

    def law(rng: np.random.Generator, shape: tuple[int, ...], *, fan_in: int, fan_out: int) -> initializers.Values:
        asked.append((shape, fan_in, fan_out))
        return np.zeros(shape)

    laws: dict[str, Any] = {"weight_init": law, "bias_init": law}
    Sequential(Linear(3, 2, **laws), Conv2d(4, 5, (2, 3), **laws)).initialize(np.random.default_rng(0))
    assert asked == [((2, 3), 3, 2), ((2,), 3, 2), ((5, 4, 2, 3), 24, 30), ((5,), 24, 30)]


def test_an_unknown_precision_is_refused() -> None:
    with rejected("dtype", "float16"):
        model().initialize(np.random.default_rng(0), dtype="float16")


@pytest.mark.parametrize("wrap", [lambda layer: layer, Residual, lambda layer: Sequential(ReLU(), layer)])
def test_one_layer_object_in_two_places_is_refused(wrap: Callable[[Layer], Layer]) -> None:
    twice = Linear(2, 2)
    with pytest.raises(HandgradError, match="expected a layer that is used once; make a second one"):
        Sequential(twice, ReLU(), wrap(twice)).initialize(np.random.default_rng(0))


@pytest.mark.parametrize("name", ["weight", "bias", "parameters"])
def test_a_parameter_asked_for_too_early_says_to_initialize(name: str) -> None:
    with pytest.raises(HandgradError, match=rf"Linear has no '{name}' yet; call initialize\(rng\)"):
        getattr(Linear(2, 3), name)


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if case.layer.slots()], ids=str)
def test_forward_before_initialize_says_to_initialize(case: LayerCase) -> None:
    with pytest.raises(HandgradError, match=r"call initialize\(rng\) on the outermost layer first"):
        case.layer.forward(np.zeros(case.shape), ops=CPU)


def test_a_misspelt_attribute_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'"):
        _ = Linear(2, 3).wieght  # type: ignore[attr-defined]


# -- calling and showing -------------------------------------------------------------------------------


def test_calling_a_layer_predicts_in_its_own_precision() -> None:
    y = Sequential(Dropout(0.9), layers.BatchNorm1d(2)).initialize(np.random.default_rng(0))([[1, 2], [3, 4]])
    np.testing.assert_allclose(y, [[1, 2], [3, 4]], rtol=1e-5)  # running mean 0, variance 1 + ε
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Linear(2, 3), "Linear(in_features=2, out_features=3, has_bias=True)"),
        (Dropout(0.25), "Dropout(p=0.25)"),
        (Sequential(ReLU(), Residual(layers.Tanh())), "Sequential(ReLU(), Residual(Tanh()))"),
    ],
)
def test_a_layer_shows_its_settings(layer: Layer, text: str) -> None:
    assert repr(layer) == text
    layer.initialize(np.random.default_rng(0))
    assert repr(layer) == text


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda: Linear(0, 1), "in_features", 0),
        (lambda: Linear(1, -1), "out_features", -1),
        (lambda: Conv2d(0, 1, 1), "in_channels", 0),
        (lambda: Conv2d(1, 0, 1), "out_channels", 0),
        (lambda: Conv2d(1, 1, 0), "kernel_size", 0),
        (lambda: Conv2d(1, 1, (3, 3, 3)), "kernel_size", (3, 3, 3)),  # type: ignore[arg-type]
        (lambda: Conv2d(1, 1, 2.5), "kernel_size", 2.5),  # type: ignore[arg-type]
        (lambda: Conv2d(1, 1, 3, stride=(1, 0)), "stride", (1, 0)),
        (lambda: Conv2d(1, 1, 3, padding=-1), "padding", -1),
        (lambda: layers.MaxPool2d(0), "kernel_size", 0),
        (lambda: layers.MaxPool2d(2, stride=0), "stride", 0),
        (lambda: layers.MaxPool2d(3, padding=2), "padding", 2),
        (lambda: layers.AvgPool2d((4, 2), padding=2), "padding", 2),
        (lambda: layers.BatchNorm1d(0), "num_features", 0),
        (lambda: layers.BatchNorm2d(1, momentum=1.5), "momentum", 1.5),
        (lambda: layers.BatchNorm1d(1, epsilon=0.0), "epsilon", 0.0),
        (lambda: layers.LayerNorm(0), "num_features", 0),
        (lambda: layers.LayerNorm(1, epsilon=-1.0), "epsilon", -1.0),
        (lambda: Dropout(1.0), "p", 1.0),
        (lambda: Dropout(-0.1), "p", -0.1),
        (lambda: layers.LeakyReLU(float("inf")), "negative_slope", float("inf")),
        (lambda: Sequential(ReLU(), "ReLU"), "layers[1]", "ReLU"),  # type: ignore[arg-type]
        (lambda: Residual(ReLU), "branch", ReLU),  # type: ignore[arg-type]
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(make: Callable[[], Layer], name: str, value: object) -> None:
    with rejected(name, value):
        make()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Linear(3, 2), (4, 2)),
        (Conv2d(3, 1, 1), (2, 1, 4, 4)),
        (Conv2d(3, 1, 1), (2, 3)),
        (Conv2d(1, 1, (2, 5)), (2, 1, 4, 4)),
        (layers.MaxPool2d(5, padding=1), (2, 1, 4, 2)),
        (layers.AvgPool2d(2), (4, 4)),
        (layers.BatchNorm1d(3), (2, 4)),
        (layers.BatchNorm1d(3), (2, 3, 1, 1)),
        (layers.BatchNorm2d(3), (2, 3)),
        (layers.BatchNorm2d(3), (2, 4, 3, 3)),
        (layers.LayerNorm(3), (3, 4)),
    ],
)
def test_an_input_that_does_not_fit_is_refused_by_forward_and_output_shape(
    layer: Layer, shape: tuple[int, ...]
) -> None:
    layer.initialize(np.random.default_rng(0))
    with pytest.raises(ShapeError, match="expected"):
        layer.forward(np.zeros(shape, np.float32), ops=CPU)
    with pytest.raises(ShapeError, match="expected"):
        layer.output_shape(shape[1:])


def test_a_copy_is_a_model_of_its_own() -> None:
    model = Sequential(Linear(3, 4), Residual(Linear(4, 4, bias=False)), BatchNorm1d(4))
    model.initialize(np.random.default_rng(0))
    twin = deepcopy(model)
    assert twin.parameters.names == model.parameters.names
    assert np.array_equal(twin.parameters.vector, model.parameters.vector)
    twin.parameters.vector[...] = 0
    assert not twin(np.ones((1, 3))).any()  # its layers look into its own vector
    assert model(np.ones((1, 3))).any()


def test_a_copy_of_what_has_no_values_yet_can_be_initialised() -> None:
    twin = deepcopy(Sequential(Linear(3, 4)))
    assert twin.initialize(np.random.default_rng(0)).parameters.count == 16

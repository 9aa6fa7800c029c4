"""The check passes what is right, on any layer, and finds what is wrong, wherever it hides."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase
from expect import rejected
from networks import DIGITS, NETWORKS, PIXELS, Network
from prepare import prepare

from handgrad.errors import NonFiniteError, ShapeError
from handgrad.inspection.gradcheck import GradientCheck, gradcheck
from handgrad.layers import (
    BatchNorm1d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Softmax,
    Tanh,
)
from handgrad.losses import SoftmaxCrossEntropy
from handgrad.ops import Shape


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def of_layer(layer: Layer, x: Any) -> GradientCheck:
    return gradcheck(layer.initialize(rng(), dtype="float64"), None, x)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_networks_as_they_start_pass_at_every_element(network: Network) -> None:
    model = deepcopy(network.model).initialize(rng())
    check = gradcheck(model, network.loss, network.x, network.targets, tolerance=1e-7)
    assert check.passed, str(check)
    assert [tensor.name for tensor in check.tensors] == ["input", *model.parameters.names, "outputs"]
    assert sum(t.compared for t in check.tensors[1:-1]) == model.parameters.count
    assert check.tensors[0].compared == network.x.size


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if case.training], ids=str)
def test_every_layer_passes_by_itself(case: LayerCase) -> None:
    run = prepare(case)
    check = gradcheck(run.layer, None, run.x)
    assert check.passed, str(check)
    assert sum(tensor.compared for tensor in check.tensors) == run.x.size + run.layer.parameters.count


def test_the_model_and_its_running_averages_stay_as_they_were() -> None:
    model = Sequential(Linear(3, 4), BatchNorm1d(4), Dropout(0.5), Linear(4, 2)).initialize(rng())
    before = model.parameters.state_dict()
    assert gradcheck(model, SoftmaxCrossEntropy(), PIXELS[:5, :3], DIGITS[:5] % 2).passed
    for name, array in model.parameters.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert model.parameters.dtype == "float32"


# -- what is wrong is found ----------------------------------------------------------------------------


class Slanted(Layer):
    """y = a x + b, with a backward pass that a test replaces."""

    mistake: Callable[..., Any]

    def __init__(self, mistake: Callable[..., Any]) -> None:
        self.mistake = mistake

    def parameter_specs(self) -> Any:
        return Linear(3, 3).parameter_specs()

    def forward(self, x: Any, *, ops: Any, training: bool = False, rng: Any = None) -> Any:
        return ops.linear(x, self.weight, self.bias), x  # type: ignore[attr-defined]

    def backward(self, dy: Any, x: Any, *, ops: Any, grads: Any) -> Any:
        grads.weight[...], grads.bias[...] = dy.T @ x, dy.sum(axis=0)
        return self.mistake(dy @ self.weight, grads)  # type: ignore[attr-defined]

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def scaled(name: str, factor: float) -> Callable[..., Any]:
    def mistake(dx: Any, grads: Any) -> Any:
        getattr(grads, name)[...] *= factor
        return dx

    return mistake


def transposed(dx: Any, grads: Any) -> Any:
    grads.weight[...] = grads.weight.T.copy()
    return dx


def forgotten(dx: Any, grads: Any) -> Any:
    grads.bias[...] = math.nan
    return dx


def spoilt_at_one_place(dx: Any, grads: Any) -> Any:
    dx[2, 1] *= 1 + 1e-3
    return dx


@pytest.mark.parametrize(
    ("mistake", "name", "hint"),
    [
        (scaled("weight", -1), "weight", "it has the opposite sign"),
        (scaled("weight", 0.25), "weight", "it is 0.25 times the slope everywhere"),
        (scaled("bias", 0), "bias", "it is 0 everywhere"),
        (transposed, "weight", "it is transposed"),
        (forgotten, "bias", "backward writes nothing there, or NaN"),
        (spoilt_at_one_place, "input", "1 of 12 elements are far off"),
    ],
)
def test_a_mistake_is_found_where_it_is_and_nowhere_else(mistake: Any, name: str, hint: str) -> None:
    check = of_layer(Slanted(mistake), rng().normal(size=(4, 3)))
    assert not check.passed
    (wrong,) = [tensor for tensor in check.tensors if not tensor.passed]
    assert (wrong.name, wrong.hint[: len(hint)]) == (name, hint)
    assert f"{name} {wrong.shape}: WRONG: {hint}" in str(check)


def test_a_small_mistake_is_wrong_without_a_hint() -> None:
    wrong = of_layer(Slanted(lambda dx, grads: 1.00001 * dx), rng().normal(size=(4, 3))).tensors[0]
    assert (wrong.passed, wrong.hint) == (False, "")
    assert "(4, 3): WRONG; largest relative error 1.0e-05" in str(wrong)


def test_it_names_the_worst_element_with_both_its_numbers() -> None:
    x = rng().normal(size=(4, 3))
    right = of_layer(Slanted(lambda dx, grads: dx), x).tensors[0]
    wrong = of_layer(Slanted(spoilt_at_one_place), x).tensors[0]
    assert right.passed
    assert wrong.index == (2, 1)
    assert wrong.analytic == pytest.approx(1.001 * wrong.numeric, rel=1e-8)


def test_a_gradient_that_backward_never_writes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Linear, "backward", lambda self, dy, x, *, ops, grads: dy @ self.weight)
    check = of_layer(Linear(3, 2), rng().normal(size=(4, 3)))
    assert [t.hint for t in check.tensors] == ["", *["backward writes nothing there, or NaN"] * 2]


def test_a_wrong_loss_is_found_at_the_outputs() -> None:
    class Doubled(SoftmaxCrossEntropy):
        def backward(self, cache: Any, *, ops: Any) -> Any:
            return 2 * super().backward(cache, ops=ops)

    model = Linear(12, 10).initialize(rng())
    check = gradcheck(model, Doubled(), PIXELS, DIGITS)
    assert [tensor.name for tensor in check.tensors if not tensor.passed] == ["outputs"]
    assert check.tensors[-1].hint.startswith("it is 2 times the slope")


def test_a_wrong_softmax_is_found_though_its_outputs_sum_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ones as upstream gradient, 0 would be right."""
    monkeypatch.setattr(Softmax, "backward", lambda self, dy, y, *, ops, grads: np.zeros_like(dy))
    assert of_layer(Softmax(), rng().normal(size=(2, 3))).tensors[0].hint == "it is 0 everywhere"


def test_a_mistake_below_a_kink_is_still_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elements that disagree are measured again beside the kink; that must not excuse what is wrong."""
    monkeypatch.setattr(ReLU, "backward", lambda self, dy, x, *, ops, grads: dy)
    check = of_layer(Sequential(Linear(3, 8), ReLU(), Linear(8, 2)), rng().normal(size=(6, 3)))
    assert {tensor.name for tensor in check.tensors if not tensor.passed} == {"input", "0.weight", "0.bias"}


# -- kinks ---------------------------------------------------------------------------------------------


def test_a_point_on_a_kink_is_left_for_one_beside_it() -> None:
    x = rng().normal(size=(4, 3))
    assert not of_layer(ReLU(), x).moved
    x[1, 1] = 0
    check = of_layer(ReLU(), x)
    assert check.moved
    assert check.passed
    assert check.tensors[0].compared == 12


def test_ties_of_a_maximum_are_left_too() -> None:
    images = np.zeros((2, 1, 6, 6))
    images[0, 0, 2:4, 2:4] = 1  # the rest ties, as blank paper does
    check = of_layer(Sequential(Conv2d(1, 2, 3), MaxPool2d(2), Flatten(), Linear(8, 3)), images)
    assert (check.moved, check.passed) == (True, True)


def test_a_unit_that_is_0_whatever_the_input_is_moved_by_its_parameters() -> None:
    """Its inputs are all dead and its bias is 0, so no change of x takes it off its kink."""
    model = Sequential(Linear(3, 4), ReLU(), Linear(4, 2), ReLU()).initialize(rng(), dtype="float64")
    model.parameters.assign("0.bias", np.full(4, -9.0))
    check = gradcheck(model, None, rng().normal(size=(2, 3)))
    assert (check.moved, check.passed) == (True, True)
    assert not any(tensor.kinks for tensor in check.tensors)


def test_dead_units_below_a_maximum_are_no_kink() -> None:
    check = of_layer(Sequential(ReLU(), MaxPool2d(2)), -1 - rng().uniform(size=(1, 1, 4, 4)))
    assert (check.moved, check.passed) == (False, True)
    assert check.tensors[0].analytic == check.tensors[0].numeric == 0


@pytest.mark.parametrize("distance", [3e-4, 7e-6, 2e-6, 4e-7])
def test_a_kink_within_reach_is_measured_from_the_other_side(distance: float) -> None:
    check = of_layer(Sequential(Tanh(), ReLU()), np.array([[math.atanh(distance), -1.0], [-distance, 0.3]]))
    assert (check.moved, check.passed) == (False, True), str(check)


def test_what_is_never_off_a_kink_does_not_pass() -> None:
    class Rough(ReLU):
        def forward(self, x: Any, *, ops: Any, training: bool = False, rng: Any = None) -> Any:
            return np.abs(np.sin(x * 1e7)), x

    assert not of_layer(Rough(), rng().normal(size=(2, 2))).passed


# -- how it is called ----------------------------------------------------------------------------------


def test_a_sample_compares_so_many_of_each_array() -> None:
    model = Linear(12, 10).initialize(rng())
    reports: list[tuple[int, int]] = []
    check = gradcheck(model, SoftmaxCrossEntropy(), PIXELS, DIGITS, sample=15, report=lambda *r: reports.append(r))
    assert [tensor.compared for tensor in check.tensors] == [15, 15, 10, 15]
    assert reports == [(done, 55) for done in range(1, 56)]
    again = gradcheck(model, SoftmaxCrossEntropy(), PIXELS, DIGITS, sample=15, rng=np.random.default_rng(0))
    assert str(again) == str(check)
    other = gradcheck(model, SoftmaxCrossEntropy(), PIXELS, DIGITS, sample=15, rng=np.random.default_rng(1))
    assert str(other) != str(check)


def test_what_cannot_be_checked_is_refused() -> None:
    model = Linear(12, 10).initialize(rng())
    with rejected("y", None):
        gradcheck(model, SoftmaxCrossEntropy(), PIXELS)
    with rejected("y", 3):
        gradcheck(model, None, PIXELS, 3)
    with rejected("tolerance", 0):
        gradcheck(model, None, PIXELS, tolerance=0)
    with rejected("sample", 0):
        gradcheck(model, None, PIXELS, sample=0)
    with pytest.raises(NonFiniteError, match="network's output is nan"):
        gradcheck(model, None, math.nan * PIXELS)
    with rejected("the gradient that backward returns", (3,), ShapeError):
        of_layer(Slanted(lambda dx, grads: dx[0]), rng().normal(size=(4, 3)))


def test_a_number_as_a_parameter_is_one_element() -> None:
    from handgrad.initializers import Constant
    from handgrad.layers.parameters import ParameterSpec

    class Scale(Layer):
        factor: Any

        def parameter_specs(self) -> Any:
            return {"factor": ParameterSpec((), Constant(3.0))}

        def forward(self, x: Any, *, ops: Any, training: bool = False, rng: Any = None) -> Any:
            return self.factor * x, x

        def backward(self, dy: Any, x: Any, *, ops: Any, grads: Any) -> Any:
            grads.factor[...] = (dy * x).sum()
            return self.factor * dy

        def output_shape(self, input_shape: Shape) -> Shape:
            return input_shape

    check = of_layer(Scale(), rng().normal(size=(2, 2)))
    assert check.passed
    assert (check.tensors[1].shape, check.tensors[1].index, check.tensors[1].compared) == ((), (), 1)

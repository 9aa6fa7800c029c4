"""One vector for all parameters: the views into it, and going in and out of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from expect import rejected

from handgrad.errors import ArgumentError, ShapeError
from handgrad.layers import BatchNorm1d, Linear, ReLU, Residual, Sequential

State = dict[str, np.ndarray[Any, Any]]
NAMES = ("0.weight", "0.bias", "1.weight", "1.bias", "3.branch.weight")


@pytest.fixture
def model() -> Sequential:
    layers = (Linear(2, 3), BatchNorm1d(3), ReLU(), Residual(Linear(3, 3, bias=False)))
    return Sequential(*layers).initialize(np.random.default_rng(0))


def other_values(model: Sequential) -> State:
    """A state that fits the model and differs from it everywhere."""
    return {name: values + 1.0 for name, values in model.parameters.state_dict().items()}


def test_names_and_shapes_are_those_of_pytorch(model: Sequential) -> None:
    assert model.parameters.names == NAMES
    assert [model.parameters.views[name].shape for name in NAMES] == [(3, 2), (3,), (3,), (3,), (3, 3)]
    assert model.parameters.count == 6 + 3 + 3 + 3 + 9


def test_layers_hold_views_into_one_contiguous_vector(model: Sequential) -> None:
    vector = model.parameters.vector
    assert vector.shape == (24,)
    assert vector.flags.c_contiguous
    vector[...] = np.arange(24)
    first, norm, _, residual = model.layers
    assert isinstance(first, Linear)
    assert isinstance(norm, BatchNorm1d)
    assert isinstance(residual, Residual)
    assert first.weight.tolist() == [[0, 3], [1, 4], [2, 5]]  # (out, in), in memory (in, out)
    assert norm.bias.tolist() == [12, 13, 14]
    assert residual.branch.weight.tolist() == [[15, 18, 21], [16, 19, 22], [17, 20, 23]]  # type: ignore[attr-defined]


def test_a_state_dict_is_in_row_major_order_whatever_the_memory(model: Sequential) -> None:
    assert all(array.flags.c_contiguous for array in model.parameters.state_dict().values())


def test_writing_to_a_layer_writes_to_the_vector(model: Sequential) -> None:
    first = model[0]
    assert isinstance(first, Linear)
    first.weight[...] = 5.0
    assert model.parameters.vector[:6].tolist() == [5.0] * 6


def test_buffers_lie_apart_from_what_is_trained(model: Sequential) -> None:
    assert model.parameters.buffers.tolist() == [0, 0, 0, 1, 1, 1]
    assert not np.shares_memory(model.parameters.buffers, model.parameters.vector)
    assert set(model.parameters.views) - set(NAMES) == {"1.running_mean", "1.running_var"}


def test_gradients_have_the_layout_of_the_parameters(model: Sequential) -> None:
    gradients = model.parameters.gradients()
    assert tuple(gradients.views) == NAMES
    for name, view in gradients.views.items():
        assert view.shape == model.parameters.views[name].shape
    gradients.tree["3"]["branch"].weight[...] = 2.0
    assert gradients.vector.tolist() == [0.0] * 15 + [2.0] * 9


def test_a_layer_without_parameters_has_no_gradients_to_fill(model: Sequential) -> None:
    assert vars(model.parameters.gradients().tree["2"]) == {"_sublayers": {}}


def test_two_sets_of_gradients_share_nothing(model: Sequential) -> None:
    one, other = model.parameters.gradients(), model.parameters.gradients()
    assert not np.shares_memory(one.vector, other.vector)


def test_a_state_goes_into_another_model_and_makes_it_equal(model: Sequential) -> None:
    other = Sequential(Linear(2, 3), BatchNorm1d(3), ReLU(), Residual(Linear(3, 3, bias=False)))
    other.initialize(np.random.default_rng(1))
    model.parameters.load_state_dict(other_values(model))
    x = np.random.default_rng(2).normal(size=(4, 2))
    assert not np.array_equal(other(x), model(x))
    other.parameters.load_state_dict(model.parameters.state_dict())
    np.testing.assert_array_equal(other(x), model(x))


def test_a_state_is_a_copy(model: Sequential) -> None:
    state = model.parameters.state_dict()
    model.parameters.vector[...] = 7.0
    assert not any(np.any(state[name] == 7.0) for name in NAMES)


def test_loading_copies_and_keeps_the_views(model: Sequential) -> None:
    state = other_values(model)
    model.parameters.load_state_dict(state)
    expected = state["0.weight"].copy()
    state["0.weight"][...] = -1.0
    first = model[0]
    assert isinstance(first, Linear)
    np.testing.assert_array_equal(first.weight, expected)
    assert np.shares_memory(first.weight, model.parameters.vector)


def without_the_last(state: State) -> State:
    return {name: values for name, values in state.items() if name != "3.branch.weight"}


def with_an_unknown(state: State) -> State:
    return state | {"4.weight": np.zeros((1, 1))}


def with_a_wrong_shape(state: State) -> State:
    return state | {"3.branch.weight": np.zeros((3, 4))}


def with_words(state: State) -> State:
    return state | {"3.branch.weight": np.full((3, 3), "many")}


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (without_the_last, ArgumentError, r"missing \['3.branch.weight'\], unknown \[\]"),
        (with_an_unknown, ArgumentError, r"missing \[\], unknown \['4.weight'\]"),
        (with_a_wrong_shape, ShapeError, r"3.branch.weight is \(3, 4\), expected the shape \(3, 3\)"),
        (with_words, ValueError, "many"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(
    model: Sequential, spoil: Callable[[State], State], error: type[Exception], message: str
) -> None:
    before = model.parameters.state_dict()
    with pytest.raises(error, match=message):
        model.parameters.load_state_dict(spoil(other_values(model)))
    for name, values in model.parameters.state_dict().items():
        np.testing.assert_array_equal(values, before[name])


def test_assign_changes_one_array_only(model: Sequential) -> None:
    before = model.parameters.state_dict()
    model.parameters.assign("1.running_var", [4.0, 5.0, 6.0])
    after = model.parameters.state_dict()
    assert after["1.running_var"].tolist() == [4.0, 5.0, 6.0]
    assert [name for name in before if not np.array_equal(before[name], after[name])] == ["1.running_var"]


def test_assign_refuses_an_unknown_name_and_a_wrong_shape(model: Sequential) -> None:
    with rejected("name", "2.weight"):
        model.parameters.assign("2.weight", 0.0)
    with rejected("0.weight", (2, 3), ShapeError):
        model.parameters.assign("0.weight", np.zeros((2, 3)))


def test_a_layer_without_parameters_has_an_empty_vector() -> None:
    parameters = ReLU().initialize(np.random.default_rng(0)).parameters
    assert parameters.count == 0
    assert parameters.state_dict() == {}

"""Layers made of layers: names, order, and errors that say which layer it was."""

from collections.abc import Callable

import numpy as np
import pytest
from prepare import CPU

from handgrad.errors import HandgradError, ShapeError
from handgrad.layers import Conv2d, Dropout, Flatten, Layer, Linear, ReLU, Residual, Sequential, Tanh


def initialized(*layers: Linear) -> Sequential:
    return Sequential(*layers).initialize(np.random.default_rng(0), dtype="float64")


def test_layers_run_first_to_last() -> None:
    model = initialized(Linear(1, 1), Linear(1, 1))
    model.parameters.vector[...] = [2.0, 1.0, 3.0, -1.0]
    assert model([[5.0]]).tolist() == [[(5.0 * 2.0 + 1.0) * 3.0 - 1.0]]


def test_an_empty_sequence_passes_its_input_on() -> None:
    x, dy = np.ones((2, 3)), np.zeros((2, 3))
    model = initialized()
    y, caches = model.forward(x, ops=CPU)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(model.backward(dy, caches, ops=CPU, grads=model.parameters.gradients().tree), dy)


def test_a_sequence_counts_and_indexes_its_layers() -> None:
    layers = (Linear(1, 2), Linear(2, 1))
    model = Sequential(*layers)
    assert len(model) == 2
    assert (model[0], model[-1]) == layers


@pytest.mark.parametrize("wrap", [Sequential, Residual])
def test_layers_inside_learn_whether_it_is_training_and_where_chance_comes_from(wrap: Callable[[Layer], Layer]) -> None:
    rng, same = np.random.default_rng(1), np.random.default_rng(1)
    x = np.ones((4, 5))
    inner, _ = Dropout(0.5).forward(x, ops=CPU, training=True, rng=same)
    y, _ = wrap(Dropout(0.5)).forward(x, ops=CPU, training=True, rng=rng)
    np.testing.assert_array_equal(y, inner + x if wrap is Residual else inner)
    assert 0.0 in inner


def test_nested_layers_are_named_by_their_path() -> None:
    model = Sequential(Linear(2, 2), Residual(Sequential(Tanh(), Linear(2, 2))), Sequential(Sequential(Linear(2, 1))))
    assert list(model.slots()) == [
        "0.weight",
        "0.bias",
        "1.branch.1.weight",
        "1.branch.1.bias",
        "2.0.0.weight",
        "2.0.0.bias",
    ]
    assert [name for name, _ in model.walk()][:4] == ["", "0", "1", "1.branch"]


@pytest.mark.parametrize(
    ("model", "where"),
    [
        (Sequential(Linear(3, 4), ReLU(), Linear(5, 2)), r"^Layer 2, Linear: .*\(4,\).*in_features = 5"),
        (
            Sequential(ReLU(), Sequential(Linear(3, 4), Linear(5, 2))),
            r"^Layer 1, Sequential: Layer 1, Linear: .*\(4,\).*in_features = 5",
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_named_by_its_place(model: Sequential, where: str) -> None:
    with pytest.raises(HandgradError, match=where):
        model.output_shape((3,))


def test_operations_add_up_along_the_layers() -> None:
    model = Sequential(Conv2d(1, 2, 3, padding=1), ReLU(), Flatten(), Linear(32, 5))
    assert model.flops((1, 4, 4)) == 2 * 9 * 32 + 32 + 0 + 2 * 32 * 5


def test_a_residual_adds_its_branch_to_its_input() -> None:
    layer = Residual(Linear(2, 2)).initialize(np.random.default_rng(0), dtype="float64")
    layer.parameters.vector[...] = [0.0, 1.0, 1.0, 0.0, 10.0, 20.0]
    assert layer([[1.0, 2.0]]).tolist() == [[1.0 + 2.0 + 10.0, 2.0 + 1.0 + 20.0]]
    assert layer.flops((2,)) == 8 + 2


def test_a_residual_refuses_a_branch_that_changes_the_shape() -> None:
    layer = Residual(Linear(2, 1)).initialize(np.random.default_rng(0))
    with pytest.raises(ShapeError, match="branch output"):
        layer.output_shape((2,))
    with pytest.raises(ShapeError, match="branch output"):  # where (2, 1) would broadcast silently
        layer(np.zeros((2, 2)))


def test_flatten_keeps_channels_before_rows_before_columns() -> None:
    x = np.arange(24.0).reshape(2, 2, 2, 3)
    y, cache = Flatten().forward(x, ops=CPU)
    np.testing.assert_array_equal(y, np.arange(24.0).reshape(2, 12))
    np.testing.assert_array_equal(
        Flatten().backward(y, cache, ops=CPU, grads=initialized().parameters.gradients().tree), x
    )
    assert Flatten().flops((2, 2, 3)) == 0


def test_a_misfit_is_a_shape_error_as_every_layer_promises() -> None:
    with pytest.raises(ShapeError, match=r"Layer 1, Linear: input_shape is \(3,\)"):
        Sequential(Linear(2, 3), Linear(4, 5)).output_shape((2,))

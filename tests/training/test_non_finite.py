"""Where NaN and infinity come from is named: the data, a layer forward, the loss, a layer backward."""

import math
from typing import Any

import numpy as np
import pytest

import handgrad as hg
from handgrad.data import Dataset
from handgrad.training import Trainer, TrainingError
from handgrad.training.non_finite import origin_of_non_finite

ONES = np.ones((4, 3), np.float32)
LABELS = np.array([0, 1, 0, 1])


def network(*layers: hg.Layer) -> hg.Sequential:
    return hg.Sequential(*layers).initialize(np.random.default_rng(0))


def said(model: hg.Layer, inputs: Any = ONES, loss: Any = None, rate: float = 0.5) -> str:
    return origin_of_non_finite(model, loss or hg.SoftmaxCrossEntropy(), inputs, LABELS, rate)


def test_nothing_is_said_of_a_healthy_step() -> None:
    assert said(network(hg.Linear(3, 2))) == ""


def test_gradients_whose_squares_are_too_large_are_named_last() -> None:
    model = network(hg.Linear(3, 2))
    assert said(model, 1e25 * np.sign(ONES - 2)).startswith("Every gradient is finite, up to 5e+24, but the sum")


def test_the_data_comes_first() -> None:
    inputs = ONES.copy()
    inputs[2, 1] = np.nan
    sentence = said(network(hg.Linear(3, 2)), inputs)
    assert sentence == (
        "The batch itself holds nan: 1 of its 12 numbers is not finite, the first in example 2. Check the data."
    )


def test_then_the_parameters() -> None:
    model = network(hg.Linear(3, 4), hg.ReLU(), hg.Linear(4, 2))
    model.parameters.views["2.bias"][1] = -np.inf
    assert said(model).startswith("The parameter 2.bias holds -inf: 1 of its 2 numbers is not finite")


def test_then_the_first_layer_whose_output_is_not_finite() -> None:
    model = network(hg.Linear(3, 4), hg.Sequential(hg.ReLU(), hg.Linear(4, 4)), hg.Linear(4, 2))
    model.parameters.assign("0.weight", np.full((4, 3), 1e20))
    model.parameters.assign("1.1.weight", np.full((4, 4), 2e20))
    assert said(model) == (
        "Layer 1.1, Linear, made inf: 16 of its 16 numbers are not finite, of inputs up to 3e+20 and parameters up to "
        "2e+20. The learning rate, 0.5 there, is likely too high: lower it, or clip the gradient."
    )


def test_inputs_that_are_not_scaled_are_blamed_before_the_learning_rate() -> None:
    model = network(hg.Linear(3, 2, weight_init=hg.initializers.Constant(50.0)))
    assert said(model, 1e38 * ONES).endswith("parameters up to 50. Scale the inputs, or normalise between the layers.")


def test_then_the_loss() -> None:
    model = network(hg.Linear(3, 2, weight_init=hg.initializers.Constant(1e25)))
    one_hot = np.eye(2, dtype=np.float32)[LABELS]
    sentence = origin_of_non_finite(model, hg.MeanSquaredError(), ONES, one_hot, 0.5)
    assert sentence.startswith("The loss became inf: 1 of its 1 numbers is not finite, of outputs up to 3e+25.")


def test_then_the_last_layer_whose_gradient_is_not_finite() -> None:
    class Exploding(hg.ReLU):
        def backward(self, dy: Any, cache: Any, *, ops: Any, grads: Any) -> Any:
            return dy * np.float32(np.inf)

    model = network(hg.Linear(3, 4), Exploding(), hg.Linear(4, 2))
    assert said(model).startswith("Layer 1, Exploding, made a gradient of its input with ")
    assert said(Exploding().initialize(np.random.default_rng(0))).startswith("The layer Exploding made a gradient")


def test_a_parameters_gradient_is_named_too() -> None:
    model = network(hg.Linear(3, 4), hg.Tanh(), hg.Linear(4, 2))
    model.parameters.assign("0.weight", np.zeros((4, 3)))
    model.parameters.assign("2.weight", np.array([[1e38] * 4, [-1e38] * 4]))
    inputs = ONES * 1e30
    assert said(model, inputs).startswith("Layer 0, Linear, made a gradient of its 0.weight with ")


def test_the_model_is_not_touched() -> None:
    model = network(hg.Linear(3, 4), hg.BatchNorm1d(4), hg.Linear(4, 2))
    before = model.parameters.state_dict()
    said(model, np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 4.0], [0, 0, np.inf], [1, 1, 1]], np.float32))
    said(model, np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    for name, array in model.parameters.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


# -- in a trainer --------------------------------------------------------------------------------------


def trainer(inputs: Any, model: hg.Layer, rate: float = 0.1) -> Trainer:
    data = Dataset(inputs, np.arange(len(inputs)) % 2, "given", 2)
    loader = hg.Loader(data, 8, preprocessing=hg.Preprocessing(scale=1.0))
    return Trainer(model, hg.SoftmaxCrossEntropy(), hg.SGD(rate), train=loader)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_running_averages_are_those_before_the_step_as_well(dtype: Any) -> None:
    inputs = np.random.default_rng(0).normal(size=(32, 3)).astype(dtype)
    inputs[20] = np.nan  # in the third batch
    model = network(hg.Linear(3, 4), hg.BatchNorm1d(4), hg.Linear(4, 2))
    training = trainer(inputs, model)
    with pytest.raises(TrainingError, match=r"nan at step 3\. The batch itself holds nan: 3 of its 24 numbers"):
        list(training.run(1))
    healthy = trainer(inputs[:16], network(hg.Linear(3, 4), hg.BatchNorm1d(4), hg.Linear(4, 2)))
    list(healthy.run(1))
    for name, array in model.parameters.state_dict().items():
        np.testing.assert_array_equal(array, healthy.model.parameters.state_dict()[name])


@pytest.mark.parametrize(("rate", "cause"), [(1e30, "The learning rate, 1e+30 there, is likely too high")])
def test_a_rate_that_drives_the_weights_away_is_blamed(rate: float, cause: str) -> None:
    inputs = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    model = network(hg.Linear(3, 8), hg.ReLU(), hg.Linear(8, 8), hg.ReLU(), hg.Linear(8, 2))
    with pytest.raises(TrainingError) as caught:
        list(trainer(inputs, model, rate).run(3))
    assert cause in str(caught.value)
    assert "The parameters are those before it." in str(caught.value)
    assert all(math.isfinite(float(value)) for value in model.parameters.vector)

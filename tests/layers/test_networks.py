"""Whole networks with their losses: every gradient against the slope of the loss."""

import numpy as np
import pytest
from networks import NETWORKS, Network, started
from prepare import CPU, Values, has_kinks

from handgrad.inspection.slopes import numerical_gradient, relative_error
from handgrad.layers import Gradients, Sequential


def gradients_of(network: Network, model: Sequential, x: Values) -> tuple[Values, Gradients]:
    """Gradient of the loss with respect to the batch, and to every parameter."""
    y, caches = model.forward(x, ops=CPU, training=True)
    _, loss_cache = network.loss.forward(y, network.targets, ops=CPU)
    gradients = model.parameters.gradients()
    dx = model.backward(network.loss.backward(loss_cache, ops=CPU), caches, ops=CPU, grads=gradients.tree)
    return dx, gradients


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_every_gradient_of_a_network_is_the_slope_of_its_loss(network: Network) -> None:
    model, x = started(network), network.x.copy()
    dx, gradients = gradients_of(network, model, x)

    def loss() -> float:
        return network.loss(model.forward(x, ops=CPU, training=True)[0], network.targets, ops=CPU)

    arrays = {name: model.parameters.views[name] for name in model.parameters.names} | {"input": x}
    derived = {**gradients.views, "input": dx}
    errors = {name: relative_error(derived[name], numerical_gradient(loss, arrays[name])) for name in arrays}
    tolerance = 1e-5 if has_kinks(model) else 1e-7
    assert {name: error for name, error in errors.items() if not error <= tolerance} == {}


def test_softmax_fused_with_the_loss_and_apart_from_it_give_one_gradient() -> None:
    fused, apart = (next(n for n in NETWORKS if n.name == name) for name in ("points", "points with softmax apart"))
    (dx_fused, one), (dx_apart, other) = (gradients_of(n, started(n), n.x) for n in (fused, apart))
    np.testing.assert_allclose(one.vector, other.vector, rtol=0, atol=1e-14)
    np.testing.assert_allclose(dx_fused, dx_apart, rtol=0, atol=1e-14)
    assert np.abs(one.vector).max() > 0.1

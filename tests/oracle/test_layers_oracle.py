"""Every layer case forward and backward against PyTorch's autograd, in double precision."""

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase
from expect import assert_agree
from networks import NETWORKS, Network, started
from prepare import CPU, SEED, Prepared, Values, prepare
from twins import loss_of, torch, twin_of

from handgrad.layers import BatchNorm1d, BatchNorm2d


def oracle_results(run: Prepared) -> dict[str, Values]:
    """What `Prepared.results` gives, computed by PyTorch."""
    module = twin_of(run.layer, np.random.default_rng(SEED)).train(run.training)
    x = torch.tensor(run.x, requires_grad=True)
    y = module(x)
    y.backward(torch.tensor(run.dy))
    computed = {"y": y.detach(), "dx": x.grad}
    computed |= {name: parameter.grad for name, parameter in module.named_parameters()}
    computed |= {n: buffer for n, buffer in module.named_buffers() if not n.endswith("num_batches_tracked")}
    return {name: tensor.numpy() for name, tensor in computed.items()}


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_both_passes_equal_pytorch(case: LayerCase) -> None:
    run = prepare(case)
    expected = oracle_results(run)  # first, for a training pass of ours moves the running averages
    assert_agree(run.results(), expected, 1e-10)


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_the_loss_and_gradients_of_a_network_equal_pytorch(network: Network) -> None:
    model = started(network)
    y, caches = model.forward(network.x, ops=CPU)
    loss, loss_cache = network.loss.forward(y, network.targets, ops=CPU)
    gradients = model.parameters.gradients()
    model.backward(network.loss.backward(loss_cache, ops=CPU), caches, ops=CPU, grads=gradients.tree)
    module = twin_of(model, np.random.default_rng(SEED))
    expected = loss_of(network.loss, module(torch.tensor(network.x)), torch.tensor(network.targets), None)
    expected.backward()
    theirs = {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}
    assert_agree({**gradients.views, "loss": loss}, theirs | {"loss": expected.detach().numpy()}, 1e-10)


@pytest.mark.parametrize(
    "case",
    [LayerCase(BatchNorm1d(3, momentum=0.3), (5, 3)), LayerCase(BatchNorm2d(2, epsilon=0.01), (3, 2, 4, 3))],
    ids=str,
)
def test_running_averages_after_several_batches_equal_pytorch(case: LayerCase) -> None:
    run = prepare(case)
    module = twin_of(run.layer, np.random.default_rng(SEED))
    for scale in (1.0, 3.0, -0.5, 10.0):
        batch = scale * run.x + scale
        run.layer.forward(batch, ops=CPU, training=True)
        module(torch.tensor(batch))
    theirs = {name: tensor.numpy() for name, tensor in module.state_dict().items() if "num_batches" not in name}
    assert_agree(run.layer.parameters.state_dict(), theirs, 1e-10)
    assert_agree({"y": run.layer(run.x)}, {"y": module.eval()(torch.tensor(run.x)).detach().numpy()}, 1e-10)

"""One source, every array library: NumPy, the strict reading of the standard, and PyTorch give the same numbers."""

from collections.abc import Callable

import array_api_strict
import numpy as np
import pytest
from cases import LAYER_CASES, LOSS_CASES, OPTIMIZERS, LayerCase, LossCase
from expect import assert_agree
from prepare import CPU, Values, prepare

from handgrad.layers import Linear
from handgrad.ops import Ops, ReferenceOps, for_device
from handgrad.optimizers import Optimizer, clip_by_global_norm


def strict() -> Ops:
    return ReferenceOps(array_api_strict)


def torch() -> Ops:
    pytest.importorskip("torch")
    return for_device("torch:cpu")


@pytest.fixture(params=[strict, torch], ids=["strict", "torch"])
def ops(request: pytest.FixtureRequest) -> Ops:
    make: Callable[[], Ops] = request.param
    return make()


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_layers_agree(case: LayerCase, ops: Ops) -> None:
    assert_agree(prepare(case, ops=ops).results(), prepare(case).results(), 1e-12)


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if len(case.shape) == 4], ids=str)
def test_single_precision_stays_single(case: LayerCase, ops: Ops) -> None:
    run = prepare(case, ops=ops, dtype="float32")
    assert {str(array.dtype) for array in run.results().values()} == {"float32"}


def loss_results(case: LossCase, ops: Ops) -> dict[str, Values]:
    """Loss and gradient, the targets and weights given as NumPy arrays, as a loader does."""
    outputs = ops.asarray(case.outputs)
    loss, cache = case.loss.forward(outputs, case.targets, ops=ops, sample_weight=case.sample_weight)
    dx = case.loss.backward(cache, ops=ops)
    return {"loss": ops.to_numpy(loss), "dx": ops.to_numpy(dx)}


@pytest.mark.parametrize("case", LOSS_CASES, ids=str)
def test_losses_agree(case: LossCase, ops: Ops) -> None:
    assert_agree(loss_results(case, ops), loss_results(case, CPU), 1e-12)


def trajectory(optimizer: Optimizer, ops: Ops) -> dict[str, Values]:
    """Weights and state after five clipped steps."""
    rng = np.random.default_rng(3)
    w = ops.asarray(rng.normal(size=9))
    state = optimizer.start(w, ops=ops)
    for _ in range(5):
        gradient = ops.asarray(rng.normal(size=9))
        clip_by_global_norm(gradient, 2.5, ops=ops)
        optimizer.step(w, gradient, state, ops=ops)
    return {name: ops.to_numpy(array) for name, array in ({"w": w} | state.slots).items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizers_agree(optimizer: Optimizer, ops: Ops) -> None:
    assert_agree(trajectory(optimizer, ops), trajectory(optimizer, CPU), 1e-12)


@pytest.mark.parametrize("labels", ["uint8", "int8", "int64"])
def test_labels_of_any_integer_type_become_one_hot_rows(labels: str, ops: Ops) -> None:
    """300 classes are more than a byte can count, so the labels' own type must not be counted in."""
    for each in (ops, CPU):
        rows = each.one_hot(each.asarray(np.array([3, 44, 0], dtype=labels)), 300, like=each.asarray([0.0]))
        np.testing.assert_array_equal(each.to_numpy(rows), np.eye(300)[[3, 44, 0]])


def test_pytorch_copies_memory_that_may_only_be_read() -> None:
    """It would warn otherwise, once, and then write to it all the same."""
    pixels = np.arange(6.0)
    pixels.flags.writeable = False
    ops = torch()
    taken = ops.to_numpy(ops.asarray(pixels))
    assert taken.tolist() == pixels.tolist()
    assert not np.shares_memory(taken, pixels)


def test_the_same_seed_gives_the_same_weights_on_every_device(ops: Ops) -> None:
    one, other = (Linear(3, 2).initialize(np.random.default_rng(0), ops=each) for each in (ops, CPU))
    assert one.parameters.state_dict().keys() == other.parameters.state_dict().keys()
    for name, values in one.parameters.state_dict().items():
        np.testing.assert_array_equal(values, other.parameters.state_dict()[name])

"""Optimizers, clipping and schedules step by step against PyTorch's."""

import numpy as np
import pytest
from cases import OPTIMIZERS, SCHEDULES
from expect import assert_agree
from prepare import CPU
from twins import optimizer_of, schedule_of, torch

from handgrad.optimizers import Optimizer, clip_by_global_norm
from handgrad.schedules import Schedule

STEPS = 50
GRADIENTS = np.random.default_rng(4).normal(size=(STEPS, 9)) * np.logspace(-3, 1, 9)
START = np.random.default_rng(5).normal(size=9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("decline", [1.0, 0.95], ids=["constant rate", "falling rate"])
def test_fifty_steps_equal_pytorch(optimizer: Optimizer, decline: float) -> None:
    ours, theirs = START.copy(), torch.tensor(START)
    state, stepper = optimizer.start(ours, ops=CPU), optimizer_of(optimizer, theirs)
    for step, gradient in enumerate(GRADIENTS):
        rate = optimizer.learning_rate * decline**step
        optimizer.step(ours, gradient, state, ops=CPU, learning_rate=rate)
        stepper.param_groups[0]["lr"] = rate
        theirs.grad = torch.tensor(gradient)
        stepper.step()
        assert_agree({"w": ours}, {"w": theirs.numpy()}, 1e-10)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_schedule_equals_pytorch_at_every_step(schedule: Schedule) -> None:
    stepper = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    oracle = schedule_of(schedule, stepper)
    theirs = []
    for step in range(40):
        if step:
            stepper.step()
            oracle.step()
        theirs.append(stepper.param_groups[0]["lr"])
    ours = np.array([schedule(step) for step in range(40)])
    np.testing.assert_allclose(ours, np.array(theirs), rtol=0, atol=1e-10)


@pytest.mark.parametrize("max_norm", [0.5, 5.0, 1e6])
def test_clipping_equals_pytorch(max_norm: float) -> None:
    ours, theirs = GRADIENTS[0].copy(), torch.zeros(9, dtype=torch.float64)
    theirs.grad = torch.tensor(GRADIENTS[0])
    norm = clip_by_global_norm(ours, max_norm, ops=CPU)
    expected = torch.nn.utils.clip_grad_norm_([theirs], max_norm)
    assert norm == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-12)

"""Every loss case and its gradient against PyTorch's autograd, in double precision."""

import pytest
from cases import LOSS_CASES, LossCase
from expect import assert_agree
from prepare import CPU
from twins import loss_of, torch


@pytest.mark.parametrize("case", LOSS_CASES, ids=str)
def test_loss_and_gradient_equal_pytorch(case: LossCase) -> None:
    loss, cache = case.loss.forward(case.outputs, case.targets, ops=CPU, sample_weight=case.sample_weight)
    dx = case.loss.backward(cache, ops=CPU)
    outputs = torch.tensor(case.outputs, requires_grad=True)
    weight = None if case.sample_weight is None else torch.tensor(case.sample_weight)
    expected = loss_of(case.loss, outputs, torch.tensor(case.targets), weight)
    expected.backward()
    assert_agree({"loss": loss, "dx": dx}, {"loss": expected.detach().numpy(), "dx": outputs.grad.numpy()}, 1e-10)

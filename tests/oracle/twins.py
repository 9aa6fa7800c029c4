"""PyTorch's counterpart of each layer, loss, optimizer and schedule.

Importing it skips the importing test module where PyTorch is not installed.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from handgrad import layers, losses, schedules
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.optimizers import Optimizer
from handgrad.schedules import Schedule

torch: Any = pytest.importorskip("torch", reason="the oracle is PyTorch: pip install handgrad[oracle]")
nn, functional, optim = torch.nn, torch.nn.functional, torch.optim
modules: Any = pytest.importorskip("handgrad.interop.torch_modules")
steppers: Any = pytest.importorskip("handgrad.interop.torch_optimizers")


class DropoutTwin(torch.nn.Module):  # type: ignore[misc]
    """Dropout by PyTorch's rule, its coin tossed by NumPy."""

    def __init__(self, p: float, rng: np.random.Generator) -> None:
        super().__init__()
        self.p, self.rng = p, rng

    def forward(self, x: Any) -> Any:
        if not self.training or self.p == 0:
            return x
        dropped = torch.from_numpy(self.rng.random(tuple(x.shape), dtype=np.float32) < self.p)
        return torch.where(dropped, torch.zeros_like(x), x / (1 - self.p))


def _structure(layer: Layer, rng: np.random.Generator) -> Any:
    if isinstance(layer, layers.Sequential):
        return nn.Sequential(*(_structure(inner, rng) for inner in layer.layers))
    if isinstance(layer, layers.Residual):
        return modules.Residual(_structure(layer.branch, rng))
    if isinstance(layer, layers.Dropout):
        return DropoutTwin(layer.p, rng)
    return modules.MODULES[type(layer)](layer)


def twin_of(layer: Layer, rng: np.random.Generator) -> Any:
    """A PyTorch module with the same parameters and buffers under the same names, in double precision."""
    module = _structure(layer, rng).double()
    state = {name: torch.from_numpy(values) for name, values in layer.parameters.state_dict().items()}
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return module


# -- losses --------------------------------------------------------------------------------------------


def _cross_entropy(loss: Any, probabilities: Any, targets: Any, reduction: str) -> Any:
    """PyTorch has it on logarithms of probabilities for labels, and not at all for rows."""
    logarithms = torch.log(probabilities)
    if targets.ndim == 1:
        return functional.nll_loss(logarithms, targets, reduction=reduction)
    each = -(targets * logarithms).sum(dim=1)  # (N, C) → (N,)
    return each if reduction == "none" else getattr(each, reduction)()


def _softmax_cross_entropy(loss: Any, logits: Any, targets: Any, reduction: str) -> Any:
    return functional.cross_entropy(logits, targets, reduction=reduction, label_smoothing=loss.label_smoothing)


LOSSES: dict[type[Loss], Callable[[Any, Any, Any, str], Any]] = {
    losses.SoftmaxCrossEntropy: _softmax_cross_entropy,
    losses.CrossEntropy: _cross_entropy,
    losses.MeanSquaredError: lambda loss, y, t, reduction: functional.mse_loss(y, t, reduction=reduction),
    losses.BinaryCrossEntropy: lambda loss, x, t, reduction: functional.binary_cross_entropy_with_logits(
        x, t.double(), reduction=reduction
    ),
}


def loss_of(loss: Loss, outputs: Any, targets: Any, sample_weight: Any) -> Any:
    """The same loss by PyTorch, which has no sample weights: those are applied to its unreduced losses."""
    twin = LOSSES[type(loss)]
    halves = 0.5 if loss.reduction == "half_sum" else 1.0
    reduction = "sum" if loss.reduction == "half_sum" else loss.reduction
    if sample_weight is None:
        return halves * twin(loss, outputs, targets, reduction)
    each = twin(loss, outputs, targets, "none").reshape(len(outputs), -1)  # (N,) or (N, C) → (N, 1 or C)
    if reduction == "mean":
        return (sample_weight * each.mean(dim=1)).mean()
    return halves * (sample_weight * each.sum(dim=1)).sum()


# -- optimizers and schedules --------------------------------------------------------------------------


def optimizer_of(optimizer: Optimizer, parameter: Any) -> Any:
    twin, shared = (
        steppers.TWINS[type(optimizer)],
        {"lr": optimizer.learning_rate, "weight_decay": optimizer.weight_decay},
    )
    return twin.kind([parameter], **shared, **twin.settings(optimizer))


def _one_cycle(schedule: Any, stepper: Any) -> Any:
    return optim.lr_scheduler.OneCycleLR(
        stepper,
        max_lr=1.0,
        total_steps=schedule.steps,
        pct_start=schedule.warmup,
        div_factor=schedule.div,
        final_div_factor=schedule.final_div,
        cycle_momentum=False,
    )


def _warm_up(schedule: Any, stepper: Any) -> Any:
    line = optim.lr_scheduler.LinearLR(stepper, schedule.start, 1.0, total_iters=schedule.steps)
    behind = schedule_of(schedule.schedule, stepper)
    return optim.lr_scheduler.SequentialLR(stepper, [line, behind], milestones=[schedule.steps])


SCHEDULES: dict[type[Schedule], Callable[[Any, Any], Any]] = {
    schedules.ConstantSchedule: lambda s, o: optim.lr_scheduler.ConstantLR(o, factor=1.0),
    schedules.StepSchedule: lambda s, o: optim.lr_scheduler.StepLR(o, s.every, s.factor),
    schedules.ExponentialSchedule: lambda s, o: optim.lr_scheduler.ExponentialLR(o, math.pow(s.factor, 1 / s.every)),
    schedules.CosineSchedule: lambda s, o: optim.lr_scheduler.CosineAnnealingLR(o, s.steps, s.floor),
    schedules.OneCycleSchedule: _one_cycle,
    schedules.WarmUp: _warm_up,
}


def schedule_of(schedule: Schedule, stepper: Any) -> Any:
    """PyTorch's schedule over an optimizer whose learning rate is 1."""
    return SCHEDULES[type(schedule)](schedule, stepper)

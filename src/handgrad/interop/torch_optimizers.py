"""Optimizers on their way to PyTorch and back, with everything that they remember."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handgrad import optimizers
from handgrad.interop.errors import TranslationError
from handgrad.interop.torch_modules import torch
from handgrad.layers import Layer
from handgrad.optimizers import Optimizer, OptimizerState

optim: Any = torch.optim


@dataclass(frozen=True)
class Twin:
    """What an optimizer is in PyTorch.

    Args:
        kind: its class there.
        settings: from an optimizer of ours, the settings that only this kind has.
        ours: from a parameter group of PyTorch's, the same settings back.
        slots: what ours remembers, and what PyTorch calls it.
        counts: whether PyTorch's remembers the number of steps.
        only: settings that ours lacks, with the value that leaves them out.
    """

    kind: Any
    settings: Callable[[Any], dict[str, Any]]
    ours: Callable[[Mapping[str, Any]], dict[str, Any]]
    slots: Mapping[str, str]
    counts: bool = True
    only: Mapping[str, Any] = field(default_factory=dict)


def _adam(kind: Any, *, decoupled: bool) -> Twin:
    return Twin(
        kind,
        lambda o: {"betas": (o.beta1, o.beta2), "eps": o.epsilon},
        lambda group: {"beta1": group["betas"][0], "beta2": group["betas"][1], "epsilon": group["eps"]},
        {"m": "exp_avg", "v": "exp_avg_sq"},
        only={"amsgrad": False, "maximize": False, "decoupled_weight_decay": decoupled},
    )


TWINS: dict[type[Optimizer], Twin] = {
    optimizers.SGD: Twin(
        optim.SGD,
        lambda o: {"momentum": o.momentum, "nesterov": o.nesterov},
        lambda group: {"momentum": group["momentum"], "nesterov": group["nesterov"]},
        {"velocity": "momentum_buffer"},
        counts=False,
        only={"dampening": 0, "maximize": False},
    ),
    optimizers.RMSProp: Twin(
        optim.RMSprop,
        lambda o: {"alpha": o.alpha, "eps": o.epsilon},
        lambda group: {"alpha": group["alpha"], "epsilon": group["eps"]},
        {"v": "square_avg"},
        only={"momentum": 0, "centered": False, "maximize": False},
    ),
    optimizers.Adam: _adam(optim.Adam, decoupled=False),
    optimizers.AdamW: _adam(optim.AdamW, decoupled=True),
}


def optimizer_to_torch(optimizer: Optimizer, state: OptimizerState, model: Layer, module: Any) -> Any:
    """The PyTorch optimizer that goes on where one of handgrad's stands.

    Args:
        optimizer: its settings; its learning rate is that of every step there, whatever a schedule made of it here.
        state: what it remembers, such as `trainer.state`.
        model: whose parameters it moved.
        module: `to_torch(model)`, whose parameters PyTorch's will move.

    Returns:
        a `torch.optim.Optimizer` over the module's parameters.

    Raises:
        TranslationError: the optimizer is not one of handgrad's own, or the module is not the model's.

    >>> from handgrad.interop.torch import to_torch
    >>> model = handgrad.Linear(2, 1).initialize(np.random.default_rng(0))
    >>> adam, ops = handgrad.Adam(0.01), model.parameters.ops
    >>> state = adam.start(model.parameters.vector, ops=ops)
    >>> adam.step(model.parameters.vector, np.ones(3, np.float32), state, ops=ops)
    >>> stepper = optimizer_to_torch(adam, state, model, module := to_torch(model))
    >>> stepper.state[module.bias]["step"].item()
    1.0
    """
    twin = TWINS.get(type(optimizer))
    if twin is None:
        raise TranslationError(f"{type(optimizer).__name__} has no equal in PyTorch that handgrad knows of.")
    pairs = _pairs(model, module)
    shared = {"lr": optimizer.learning_rate, "weight_decay": optimizer.weight_decay}
    stepper = twin.kind(list(pairs.values()), **shared, **twin.settings(optimizer))
    if state.step == 0:
        return stepper  # before its first step, PyTorch's remembers nothing
    views = {slot: model.parameters.named(vector) for slot, vector in state.slots.items()}
    for name, parameter in pairs.items():
        kept = {twin.slots[slot]: _tensor(model, named[name], parameter) for slot, named in views.items()}
        stepper.state[parameter] = kept | ({"step": torch.tensor(float(state.step))} if twin.counts else {})
    return stepper


def optimizer_from_torch(stepper: Any, module: Any, model: Layer, *, step: int = 0) -> tuple[Optimizer, OptimizerState]:
    """The optimizer of handgrad that goes on where one of PyTorch's stands.

    A `Trainer` goes on from there once its own state is overwritten, in place:
    `trainer.state.step = state.step`, and `trainer.state.slots[name][...] = slot` for each slot.

    Args:
        stepper: SGD, RMSprop, Adam or AdamW, with the same settings for all parameters.
        module: whose parameters it moved.
        model: `from_torch(module, …)`, whose parameters ours will move.
        step: the number of steps taken, where PyTorch's does not count them, as in SGD; a schedule depends on it.

    Returns:
        the optimizer with its settings, and what it remembers.

    Raises:
        TranslationError: it is another optimizer, has a setting that ours lacks, or has moved some parameters only.

    >>> from handgrad.interop.torch import from_torch
    >>> module = torch.nn.Linear(2, 1)
    >>> stepper = optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    >>> optimizer_from_torch(stepper, module, from_torch(module, (2,)))[0]
    SGD(learning_rate=0.1, weight_decay=0, momentum=0.9, nesterov=False)
    """
    kind, twin = next(((k, t) for k, t in TWINS.items() if t.kind is type(stepper)), (None, None))
    if kind is None or twin is None:
        known = ", ".join(t.kind.__name__ for t in TWINS.values())
        raise TranslationError(f"{type(stepper).__name__} has no equal in handgrad; {known} have.")
    pairs = _pairs(model, module)
    group = _settings(stepper, twin, pairs)
    optimizer = kind(learning_rate=float(group["lr"]), weight_decay=group["weight_decay"], **twin.ours(group))
    state = optimizer.start(model.parameters.vector, ops=model.parameters.ops)
    kept = [stepper.state.get(parameter) or {} for parameter in pairs.values()]
    if not any(kept):
        state.step = step
        return optimizer, state
    names = [twin.slots[slot] for slot in state.slots]
    if not all(entry.get(name) is not None for entry in kept for name in names):
        raise TranslationError(f"{type(stepper).__name__} has moved some of the parameters only; ours moves all.")
    state.step = _steps(kept) if twin.counts else step
    for slot, vector in state.slots.items():
        for view, entry in zip(model.parameters.named(vector).values(), kept, strict=True):
            values = entry[twin.slots[slot]].detach().cpu().numpy()
            view[...] = model.parameters.ops.asarray(values, model.parameters.dtype)
    return optimizer, state


def _pairs(model: Layer, module: Any) -> dict[str, Any]:
    """For the name of each parameter of a model, the module's parameter; both have them in the same order."""
    names, parameters = model.parameters.names, list(module.parameters())
    ours = [tuple(model.parameters.views[name].shape) for name in names]
    theirs = [tuple(parameter.shape) for parameter in parameters]
    if ours != theirs:
        raise TranslationError(f"The module has parameters of the shapes {theirs}, and the model {ours}.")
    return dict(zip(names, parameters, strict=True))


def _tensor(model: Layer, view: Any, parameter: Any) -> Any:
    """A copy of one of our arrays, where the parameter lives and in its dtype."""
    values = torch.tensor(model.parameters.ops.to_numpy(view))
    return values.to(dtype=parameter.dtype, device=parameter.device).contiguous()


def _settings(stepper: Any, twin: Twin, pairs: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that all parameters share."""
    groups = [{k: v for k, v in group.items() if k != "params"} for group in stepper.param_groups]
    moved = {id(parameter) for group in stepper.param_groups for parameter in group["params"]}
    if moved != {id(parameter) for parameter in pairs.values()}:
        raise TranslationError(f"{type(stepper).__name__} does not move exactly the module's parameters.")
    if any(group != groups[0] for group in groups):
        raise TranslationError(f"{type(stepper).__name__} has several groups of settings, and ours has one.")
    for name, value in twin.only.items():
        if groups[0].get(name, value) != value:
            raise TranslationError(f"{name} is {groups[0][name]!r}, and handgrad's has only {value!r}.")
    return dict(groups[0])


def _steps(kept: list[Any]) -> int:
    """The number of steps, the same for every parameter."""
    counts = {int(entry["step"]) for entry in kept}
    if len(counts) != 1:
        raise TranslationError(f"Parameters have taken {sorted(counts)} steps each, and ours all take as many.")
    return counts.pop()

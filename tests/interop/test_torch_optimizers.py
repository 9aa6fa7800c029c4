"""Training begun in one library and gone on with in the other, and what an optimizer remembers on the way."""

import functools
from typing import Any

import numpy as np
import pytest
from cases import OPTIMIZERS
from discovery import OPTIMIZER_KINDS
from prepare import CPU, fill

import handgrad
from handgrad import layers, losses, optimizers
from handgrad.interop.errors import TranslationError
from handgrad.layers import Layer
from handgrad.optimizers import Optimizer, OptimizerState

interop: Any = pytest.importorskip("handgrad.interop.torch")
torch: Any = pytest.importorskip("torch")
nn, optim = torch.nn, torch.optim

SHAPE = (1, 6, 5)
HALF = 20
RNG = np.random.default_rng(11)
X = RNG.normal(size=(2 * HALF, 8, *SHAPE))
LABELS = RNG.integers(0, 3, (2 * HALF, 8))


def network() -> Layer:
    model = layers.Sequential(
        layers.Conv2d(1, 2, 3),
        layers.BatchNorm2d(2),
        layers.Tanh(),
        layers.Flatten(),
        layers.Residual(layers.Linear(24, 24)),
        layers.LayerNorm(24),
        layers.Linear(24, 3, bias=False),
    ).initialize(np.random.default_rng(3), dtype="float64")
    fill(model, np.random.default_rng(4))
    return model


def train_here(model: Layer, optimizer: Optimizer, state: OptimizerState, steps: range) -> None:
    loss, gradients = losses.SoftmaxCrossEntropy(), model.parameters.gradients()
    for step in steps:
        y, caches = model.forward(X[step], ops=CPU, training=True)
        _, cache = loss.forward(y, LABELS[step], ops=CPU)
        model.backward(loss.backward(cache, ops=CPU), caches, ops=CPU, grads=gradients.tree)
        optimizer.step(model.parameters.vector, gradients.vector, state, ops=CPU)


def train_there(module: Any, stepper: Any, steps: range) -> None:
    module.train()
    for step in steps:
        stepper.zero_grad()
        outputs = module(torch.tensor(X[step]))
        nn.functional.cross_entropy(outputs, torch.tensor(LABELS[step])).backward()
        stepper.step()


@functools.cache
def forty_steps_here(optimizer: Optimizer) -> dict[str, np.ndarray[Any, Any]]:
    model = network()
    train_here(model, optimizer, optimizer.start(model.parameters.vector, ops=CPU), range(2 * HALF))
    return model.parameters.state_dict()


def greatest_difference(ours: Any, theirs: Any) -> float:
    assert ours.keys() == theirs.keys()
    return max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)


@pytest.mark.parametrize("kind", OPTIMIZER_KINDS, ids=lambda kind: kind.__name__)
def test_every_optimizer_has_a_twin(kind: type[Optimizer]) -> None:
    from handgrad.interop.torch_optimizers import TWINS

    assert kind in TWINS, f"{kind.__name__} has no equal in torch_optimizers.TWINS"


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_twenty_steps_here_and_twenty_there_are_forty_here(optimizer: Optimizer) -> None:
    model = network()
    state = optimizer.start(model.parameters.vector, ops=CPU)
    train_here(model, optimizer, state, range(HALF))
    module = interop.to_torch(model, training=True)
    train_there(module, interop.optimizer_to_torch(optimizer, state, model, module), range(HALF, 2 * HALF))
    ended = interop.from_torch(module, SHAPE).parameters.state_dict()
    assert greatest_difference(forty_steps_here(optimizer), ended) <= 1e-6


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_twenty_steps_there_and_twenty_here_are_forty_here(optimizer: Optimizer) -> None:
    begun = network()
    module = interop.to_torch(begun, training=True)
    started = optimizer.start(begun.parameters.vector, ops=CPU)
    stepper = interop.optimizer_to_torch(optimizer, started, begun, module)
    train_there(module, stepper, range(HALF))
    model = interop.from_torch(module, SHAPE)
    ours, state = interop.optimizer_from_torch(stepper, module, model, step=HALF)
    assert ours == optimizer
    assert state.step == HALF
    train_here(model, ours, state, range(HALF, 2 * HALF))
    assert greatest_difference(forty_steps_here(optimizer), model.parameters.state_dict()) <= 1e-6


def test_a_trainer_goes_on_from_pytorch() -> None:
    splits = handgrad.datasets.load("points")
    scale = handgrad.Preprocessing.for_dataset(splits.train, "standard")

    def trainer(model: Layer, optimizer: Optimizer) -> handgrad.Trainer:
        loader = handgrad.Loader(splits.train, len(splits.train), preprocessing=scale)
        return handgrad.Trainer(model, losses.SoftmaxCrossEntropy(), optimizer, train=loader)

    begun = layers.Linear(2, 2).initialize(np.random.default_rng(0))
    whole = trainer(layers.Linear(2, 2).initialize(np.random.default_rng(0)), optimizers.Adam(0.1))
    list(whole.run(10))
    module = interop.to_torch(begun, training=True)
    stepper = optim.Adam(module.parameters(), lr=0.1)
    x, labels = torch.tensor(scale(splits.train.inputs)), torch.tensor(splits.train.labels).long()
    for _ in range(5):
        stepper.zero_grad()
        nn.functional.cross_entropy(module(x), labels).backward()
        stepper.step()
    model = interop.from_torch(module, (2,))
    optimizer, state = interop.optimizer_from_torch(stepper, module, model)
    rest = trainer(model, optimizer)
    rest.state.step = state.step
    for name, slot in state.slots.items():
        rest.state.slots[name][...] = slot
    list(rest.run(5))
    assert greatest_difference(whole.model.parameters.state_dict(), model.parameters.state_dict()) <= 1e-5


def refused(stepper: Any, module: Any) -> str:
    with pytest.raises(TranslationError) as caught:
        interop.optimizer_from_torch(stepper, module, interop.from_torch(module, (2,)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (optim.Adagrad, {}, "Adagrad has no equal in handgrad; SGD, RMSprop, Adam, AdamW have"),
        (optim.SGD, {"momentum": 0.9, "dampening": 0.5}, "dampening is 0.5, and handgrad's has only 0"),
        (optim.SGD, {"maximize": True}, "maximize is True"),
        (optim.RMSprop, {"momentum": 0.9}, "momentum is 0.9"),
        (optim.RMSprop, {"centered": True}, "centered is True"),
        (optim.Adam, {"amsgrad": True}, "amsgrad is True"),
        (optim.AdamW, {"maximize": True}, "maximize is True"),
    ],
)
def test_a_setting_that_ours_lacks_is_named(kind: Any, settings: dict[str, Any], message: str) -> None:
    module = nn.Linear(2, 2)
    assert message in refused(kind(module.parameters(), lr=0.1, **settings), module)


def test_adam_with_decoupled_weight_decay_is_not_adam() -> None:
    module = nn.Linear(2, 2)
    stepper = optim.Adam(module.parameters())
    stepper.param_groups[0]["decoupled_weight_decay"] = True
    assert "decoupled_weight_decay is True" in refused(stepper, module)


def test_groups_of_settings_are_refused_unless_they_are_equal() -> None:
    module = nn.Linear(2, 2)
    groups = [{"params": [module.weight], "weight_decay": 0.1}, {"params": [module.bias], "weight_decay": 0.0}]
    assert "several groups" in refused(optim.AdamW(groups, lr=0.1), module)
    groups[1]["weight_decay"] = 0.1
    ours, _ = interop.optimizer_from_torch(optim.AdamW(groups, lr=0.1), module, interop.from_torch(module, (2,)))
    assert ours == optimizers.AdamW(0.1, weight_decay=0.1)


def test_an_optimizer_of_other_or_only_some_parameters_is_refused() -> None:
    module = nn.Linear(2, 2)
    assert "exactly the module's parameters" in refused(optim.SGD(nn.Linear(2, 2).parameters()), module)
    stepper = optim.Adam(module.parameters())
    module.weight.sum().backward()
    stepper.step()
    assert "some of the parameters only" in refused(stepper, module)


def test_parameters_that_have_taken_different_numbers_of_steps_are_refused() -> None:
    module = nn.Linear(2, 2)
    stepper = optim.Adam(module.parameters())
    for parts in ([module.weight, module.bias], [module.weight]):
        stepper.zero_grad()
        sum(part.sum() for part in parts).backward()
        stepper.step()
    assert "[1, 2] steps" in refused(stepper, module)


def test_an_optimizer_of_ones_own_and_another_models_module_are_refused() -> None:
    class Own(optimizers.SGD):
        pass

    model = layers.Linear(2, 2).initialize(np.random.default_rng(0))
    state = OptimizerState(0, {})
    with pytest.raises(TranslationError, match="Own has no equal in PyTorch"):
        interop.optimizer_to_torch(Own(0.1), state, model, interop.to_torch(model))
    with pytest.raises(TranslationError, match=r"shapes \[\(3, 2\), \(3,\)\], and the model \[\(2, 2\), \(2,\)\]"):
        interop.optimizer_to_torch(optimizers.SGD(0.1), state, model, nn.Linear(2, 3))

"""The doctor names what is wrong with every network that is broken on purpose, and nothing about its healthy twin."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

import handgrad as hg
from handgrad.data import Dataset
from handgrad.initializers import Constant, HeNormal, Normal, XavierNormal
from handgrad.inspection.doctor import CHECKS, Finding, Patient, doctor
from handgrad.layers import Layer, Linear, ReLU, Sequential, Sigmoid, Softmax, Tanh
from handgrad.ops import Shape
from handgrad.training import Epoch, History, Recipe, Scores, Trainer
from handgrad.training.recipe import recipe_names

WIDTH, CLASSES = 12, 3


def clouds(count: int = 600, shares: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3), seed: int = 0) -> Dataset:
    """A cloud of points for each class."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(CLASSES, count, p=shares)
    labels[:CLASSES] = range(CLASSES)
    centres = np.random.default_rng(99).normal(size=(CLASSES, WIDTH))
    return Dataset(
        (centres[labels] + 0.3 * rng.normal(size=(count, WIDTH))).astype(np.float32), labels, "clouds", CLASSES
    )


@dataclass
class Setting:
    """A training; every part of it can be broken."""

    train: Dataset = field(default_factory=clouds)
    test: Dataset | None = field(default_factory=lambda: clouds(100, seed=1))
    layers: tuple[Layer, ...] = (Linear(WIDTH, 16), ReLU(), Linear(16, CLASSES))
    loss: Any = field(default_factory=hg.SoftmaxCrossEntropy)
    optimizer: Any = field(default_factory=lambda: hg.SGD(0.1))
    trained: Any = None
    history: History | None = None

    def trainer(self) -> Trainer:
        model = Sequential(*deepcopy(self.layers)).initialize(np.random.default_rng(5))
        rng = np.random.default_rng(6)
        loader = hg.Loader(self.train, 32, preprocessing=hg.Preprocessing(scale=1.0), rng=rng)
        return Trainer(model, self.loss, self.optimizer, train=loader, rng=np.random.default_rng(7))

    def findings(self) -> list[Finding]:
        return doctor(self.trainer(), test=self.test, trained=self.trained, history=self.history)


def deep(law: Any, activation: type[Layer], depth: int = 10, width: int = 24, bias: Any = None) -> tuple[Layer, ...]:
    """Many layers whose first weights follow one law."""
    hidden = [
        Linear(WIDTH if k == 0 else width, width, weight_init=law, bias_init=bias or Constant(0.0))
        for k in range(depth)
    ]
    parts = [part for layer in hidden for part in (layer, activation())]
    return (*parts, Linear(width, CLASSES))


class Forgetful(ReLU):
    """A layer that passes nothing on."""

    def forward(self, x: Any, *, ops: Any, training: bool = False, rng: Any = None) -> Any:
        return ops.affine(x, 0.0, 0.5), x

    def backward(self, dy: Any, cache: Any, *, ops: Any, grads: Any) -> Any:
        return ops.affine(dy, 0.0, 0.0)

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def times(dataset: Dataset, factor: float, shift: float = 0.0) -> Dataset:
    return Dataset((dataset.inputs * factor + shift).astype(np.float32), dataset.labels, dataset.name, dataset.classes)


def mostly_constant() -> Dataset:
    data = clouds()
    inputs = data.inputs.copy()
    inputs[:, 4:] = 1
    return Dataset(inputs, data.labels, "constant", CLASSES)


def with_validation(*losses: tuple[float, float]) -> History:
    """A history of training and validation losses."""
    epochs = [
        Epoch(k, train, {"validation": Scores(validation, 0.9, 100)}, 0.1, 1.0, 1.0)
        for k, (train, validation) in enumerate(losses, start=1)
    ]
    return History([], epochs)


def without_reason() -> Dataset:
    """Labels that have nothing to do with the inputs."""
    data = clouds()
    return Dataset(data.inputs, np.random.default_rng(8).permutation(data.labels), "chance", CLASSES)


def two_inputs() -> Dataset:
    """Many examples of two kinds, with labels that have nothing to do with them."""
    rng, kind = np.random.default_rng(9), np.random.default_rng(10).choice([-1.0, 1.0], 600)
    return Dataset(np.repeat(kind[:, None], WIDTH, axis=1).astype(np.float32), rng.integers(0, 3, 600), "coin", CLASSES)


def guessing(optimizer: Any) -> Setting:
    """Where there is little to learn, an optimizer that is let loose wanders."""
    return Setting(train=without_reason(), layers=(Linear(WIDTH, CLASSES, weight_init=SMALL),), optimizer=optimizer)


def with_a_gap(example: int) -> Dataset:
    data = clouds()
    data.inputs[example, 3] = np.nan
    return data


class Broken(ReLU):
    """A layer that makes NaN of finite numbers."""

    def forward(self, x: Any, *, ops: Any, training: bool = False, rng: Any = None) -> Any:
        return ops.affine(x, 0.0, float("nan")), x


ZEROS = (Linear(24, CLASSES, weight_init=Constant(0.0)),)
SMALL = Normal(0.05)
BROKEN: list[tuple[str, Callable[[], Setting], Callable[[], Setting]]] = [
    ("Inputs not scaled", lambda: Setting(train=times(clouds(), 255)), Setting),
    ("Inputs not scaled", lambda: Setting(train=times(clouds(), 1e-4)), Setting),
    ("Data not finite", lambda: Setting(train=with_a_gap(500)), Setting),
    ("Data not finite", lambda: Setting(train=with_a_gap(5)), Setting),
    ("Training breaks down", lambda: Setting(layers=(Linear(WIDTH, 16), Broken(), Linear(16, CLASSES))), Setting),
    ("Weights all 0", lambda: Setting(layers=deep(Constant(0.0), ReLU, 1)[:-1] + ZEROS), Setting),
    (
        "Labels do not fit the outputs",
        lambda: Setting(train=Dataset(clouds().inputs, clouds().labels + 1, "from 1", CLASSES + 1)),
        Setting,
    ),
    ("Test data in the training data", lambda: Setting(test=clouds()), Setting),
    ("Constant inputs", lambda: Setting(train=mostly_constant()), Setting),
    (
        "Labels do not fit the outputs",
        lambda: Setting(train=Dataset(clouds().inputs, clouds().labels, "ten", 10), layers=(Linear(WIDTH, 10),)),
        lambda: Setting(layers=(Linear(WIDTH, CLASSES),)),
    ),
    (
        "Unequal classes",
        lambda: Setting(train=clouds(shares=(0.94, 0.03, 0.03))),
        lambda: Setting(train=clouds(shares=(0.6, 0.2, 0.2))),
    ),
    ("Test data in the training data", lambda: Setting(test=clouds()[50:80]), Setting),
    (
        "Softmax twice",
        lambda: Setting(layers=(Linear(WIDTH, CLASSES), Softmax())),
        lambda: Setting(layers=(Linear(WIDTH, CLASSES),)),
    ),
    (
        "Softmax missing",
        lambda: Setting(layers=(Linear(WIDTH, CLASSES),), loss=hg.CrossEntropy()),
        lambda: Setting(layers=(Linear(WIDTH, CLASSES), Softmax()), loss=hg.CrossEntropy()),
    ),
    (
        "First loss too high",
        lambda: Setting(layers=(Linear(WIDTH, CLASSES, weight_init=Normal(8.0)),)),
        lambda: Setting(layers=(Linear(WIDTH, CLASSES, weight_init=Normal(0.1)),)),
    ),
    (
        "Activations vanish",
        lambda: Setting(layers=deep(SMALL, Tanh)),
        lambda: Setting(layers=deep(XavierNormal(), Tanh, depth=4)),
    ),
    (
        "Activations explode",
        lambda: Setting(layers=deep(Normal(3.0), ReLU), optimizer=hg.SGD(1e-12)),
        lambda: Setting(layers=deep(HeNormal(), ReLU, depth=4), optimizer=hg.SGD(0.03)),
    ),
    (
        "Gradients vanish",
        lambda: Setting(layers=deep(XavierNormal(), Sigmoid)),
        lambda: Setting(layers=deep(HeNormal(), ReLU, depth=4), optimizer=hg.SGD(0.03)),
    ),
    (
        "Saturated units",
        lambda: Setting(
            layers=(Linear(WIDTH, 16, weight_init=Normal(40.0)), Tanh(), Linear(16, CLASSES, weight_init=SMALL))
        ),
        lambda: Setting(layers=(Linear(WIDTH, 16), Tanh(), Linear(16, CLASSES))),
    ),
    (
        "Dead units",
        lambda: Setting(layers=(Linear(WIDTH, 16, bias_init=Constant(-4.0)), ReLU(), Linear(16, CLASSES))),
        Setting,
    ),
    ("Gradients vanish", lambda: Setting(layers=(Linear(WIDTH, 16), Forgetful(), Linear(16, CLASSES))), Setting),
    (
        "Cannot learn 20 examples by heart",
        lambda: Setting(train=two_inputs()),
        lambda: Setting(train=without_reason(), layers=(Linear(WIDTH, 64), ReLU(), Linear(64, CLASSES))),
    ),
    ("Learning rate too high", lambda: Setting(optimizer=hg.SGD(30.0)), Setting),
    ("Learning rate too low", lambda: Setting(layers=(Linear(WIDTH, CLASSES),), optimizer=hg.SGD(1e-4)), Setting),
    ("Updates too large", lambda: guessing(hg.Adam(0.3)), lambda: guessing(hg.Adam(0.003))),
    ("Updates too small", lambda: Setting(optimizer=hg.SGD(1e-7)), Setting),
    (
        "Overfitting",
        lambda: Setting(history=with_validation((0.9, 0.8), (0.4, 0.5), (0.1, 0.9))),
        lambda: Setting(history=with_validation((0.9, 0.8), (0.4, 0.5), (0.3, 0.52))),
    ),
]


@pytest.mark.parametrize(("name", "broken", "healthy"), BROKEN, ids=[f"{k}-{case[0]}" for k, case in enumerate(BROKEN)])
def test_the_cause_is_named_first_and_the_healthy_twin_has_none(name: str, broken: Any, healthy: Any) -> None:
    findings = broken().findings()
    assert [finding.name for finding in findings][:1] == [name], "\n".join(map(str, findings))
    assert healthy().findings() == []


def test_every_kind_of_finding_has_a_network_that_shows_it() -> None:
    import inspect
    import re

    from handgrad.inspection import doctor as package

    sources = [inspect.getsource(module) for module in (package.data, package.start, package.training, package.history)]
    named = {name for source in sources for name in re.findall(r'Finding\(\n\s+f?"([^"]+)"', source)}
    patterns = {re.sub(r"\{.*?\}", ".*", name) for name in named}
    assert len(patterns) >= len(CHECKS) - 1  # two look at the labels
    for pattern in patterns:
        assert any(re.fullmatch(pattern, case[0]) for case in BROKEN), pattern


@pytest.mark.slow
@pytest.mark.parametrize("recipe", recipe_names())
def test_recipes_are_healthy(recipe: str) -> None:
    chosen = Recipe.load(recipe)
    experiment = hg.Experiment.prepare(chosen)
    assert doctor(experiment.trainer, test=experiment.test.dataset, epochs=chosen.train.epochs) == []


def test_nothing_that_is_handed_in_is_changed() -> None:
    trainer = Setting(
        layers=(Linear(WIDTH, 8), hg.BatchNorm1d(8), ReLU(), hg.Dropout(0.5), Linear(8, CLASSES))
    ).trainer()
    weights = trainer.model.parameters.state_dict()
    states = [deepcopy(rng.bit_generator.state) for rng in (trainer.train.rng, trainer.rng) if rng]
    doctor(trainer)
    for name, array in trainer.model.parameters.state_dict().items():
        np.testing.assert_array_equal(array, weights[name])
    assert [rng.bit_generator.state for rng in (trainer.train.rng, trainer.rng) if rng] == states
    assert not trainer.history.steps


def test_numbers_as_targets_are_examined_too() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, WIDTH)).astype(np.float32)
    targets = (inputs[:, :1] > 0).astype(np.float32)
    setting = Setting(
        train=Dataset(inputs, targets, "numbers", None),
        test=None,
        layers=(Linear(WIDTH, 8), Tanh(), Linear(8, 1), Sigmoid()),
        loss=hg.MeanSquaredError(),
        optimizer=hg.Adam(0.01),
    )
    assert setting.findings() == []
    assert [f.name for f in replace(setting, optimizer=hg.Adam(1e-8)).findings()][:1] == ["Updates too small"]


def test_a_trained_network_is_looked_at_as_it_is() -> None:
    trainer = Setting().trainer()
    trained = deepcopy(trainer.model)
    trained.parameters.assign("0.bias", np.full(16, -9.0))
    findings = doctor(trainer, trained=trained)
    assert [finding.name for finding in findings] == ["Dead units"]
    assert findings[0].measured == "16 of 16 units of layer 1 (ReLU) are 0 for all of 256 examples, after training."


def test_short_trainings_repeat_themselves() -> None:
    patient = Patient(Setting().trainer())
    assert patient.train_briefly(0.1).losses == patient.train_briefly(0.1).losses
    assert len(patient.train_briefly(0.1).losses) == 60
    broken_down = patient.train_briefly(1e30)
    assert broken_down.final_loss == np.inf


@pytest.mark.parametrize(
    "setting",
    [
        lambda: Setting(layers=(Linear(WIDTH, 24), ReLU(), *ZEROS)),  # a last layer of zeros is a good beginning
        lambda: Setting(optimizer=hg.Adam(1e-3)),
        lambda: Setting(optimizer=hg.SGD(0.01, momentum=0.9)),
        lambda: Setting(train=clouds()[np.argsort(clouds().labels, kind="stable")]),  # sorted by class
        lambda: Setting(
            test=Dataset(clouds(9, seed=4).inputs.astype(np.float64), clouds(9, seed=4).labels, "64", CLASSES)
        ),
    ],
)
def test_what_is_usual_is_left_alone(setting: Callable[[], Setting]) -> None:
    assert setting().findings() == []


def test_a_short_last_batch_does_not_stop_the_doctor() -> None:
    """Of 600 examples, 599 make whole batches of one less; the last one alone would be too few for batch norm."""
    setting = Setting(layers=(Linear(WIDTH, 16), hg.BatchNorm1d(16), ReLU(), Linear(16, CLASSES)))
    data = clouds(32 * 18 + 1)
    trainer = replace(setting, train=data).trainer()
    assert doctor(trainer) == []

"""Training with compiled steps: what eager steps give, the same bits every time, and no array made on the way."""

import itertools
import math
import tracemalloc
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from cases import LAYER_CASES, LOSSES, OPTIMIZERS, LayerCase
from compare import REFERENCE, Numbers, programs, share_everything
from discovery import LAYER_KINDS, LOSS_KINDS, OPTIMIZER_KINDS
from expect import assert_agree

from handgrad import layers, losses, optimizers
from handgrad.data import Dataset, Loader, Preprocessing
from handgrad.layers import Layer, Linear, ParameterSpec, ReLU, Sequential
from handgrad.losses import Loss
from handgrad.ops import Array, Ops, Shape, for_device
from handgrad.ops.cores import use_threads
from handgrad.optimizers import Optimizer
from handgrad.training import Trainer, TrainingError
from handgrad.training.evaluation import evaluate, predict

TOLERANCE = 1e-5
AS_IT_IS = Preprocessing(scale=1.0)
SGD = optimizers.SGD(0.01)
SMOOTH = losses.MeanSquaredError()
TARGETS = np.random.default_rng(5).normal(size=(21, 5))
#: Kernels do not know rows that do not lie together: these are left to the reference.
NOT_COMPILED = {"Softmax-plain-2x2x3x3", "LogSoftmax-plain-2x2x3x3"}


class Reshape(Layer):
    """Rows as arrays of any shape."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Any = None) -> tuple[Array, Shape]:
        return ops.reshape(x, (x.shape[0], *self.shape)), tuple(x.shape)

    def backward(self, dy: Array, shape: Shape, *, ops: Ops, grads: Any) -> Array:
        return ops.reshape(dy, shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.shape


@dataclass(frozen=True)
class Task:
    """What is trained."""

    model: Layer
    loader: Callable[[], Loader]
    loss: Loss = SMOOTH
    optimizer: Optimizer = SGD
    clip_norm: float | None = None


def rows_loader(width: int, targets: Numbers, classes: int | None = None, batch: int = 8) -> Callable[[], Loader]:
    """Random rows in batches, the last one short."""
    inputs = np.random.default_rng(1).normal(size=(len(targets), width)).astype(np.float32)
    dataset = Dataset(inputs, targets, "rows", classes)
    return lambda: Loader(dataset, batch, preprocessing=AS_IT_IS, rng=np.random.default_rng(2))


def layer_task(case: LayerCase) -> Task:
    """The layer above a linear one; squared error of all its outputs."""
    width = math.prod(case.shape[1:])
    model = Sequential(Linear(width, width), Reshape(*case.shape[1:]), case.layer, layers.Flatten())
    batch = case.shape[0] + 3
    targets = np.random.default_rng(3).normal(size=(2 * batch + 2, *model.output_shape((width,))))
    return Task(model, rows_loader(width, targets, batch=batch))


def loss_task(loss: Loss) -> Task:
    """A small network of tanh, below a softmax where the loss is of probabilities."""
    rng = np.random.default_rng(4)
    model = Sequential(Linear(7, 9), layers.Tanh(), Linear(9, 5))
    if isinstance(loss, losses.CrossEntropy):
        model = Sequential(*model.layers, layers.Softmax())
    if isinstance(loss, losses.ClassificationLoss):
        return Task(model, rows_loader(7, rng.integers(0, 5, 21), 5), loss)
    return Task(model, rows_loader(7, rng.integers(0, 2, (21, 5)).astype(np.float64)), loss)


def optimizer_task(optimizer: Optimizer, clip_norm: float | None = None) -> Task:
    return Task(
        Sequential(Linear(7, 33), layers.Tanh(), Linear(33, 5)), rows_loader(7, TARGETS), SMOOTH, optimizer, clip_norm
    )


IMAGES = Dataset(
    np.random.default_rng(6).integers(0, 256, (43, 10, 9)).astype(np.uint8), np.arange(43) % 10, "images", 10
)


def image_task() -> Task:
    """Everything at once: images of bytes, convolution, batch normalization, pooling, dropout."""
    model = Sequential(
        layers.Conv2d(1, 6, 3, padding=1),
        layers.BatchNorm2d(6),
        ReLU(),
        layers.MaxPool2d(2),
        layers.Dropout(0.2),
        layers.Conv2d(6, 17, 3),
        ReLU(),
        layers.Flatten(),
        Linear(17 * 3 * 2, 20),
        layers.LayerNorm(20),
        layers.Dropout(0.5),
        Linear(20, 10),
    )
    preprocessing = Preprocessing(mean=0.1, std=0.3, layout="image")
    loader = lambda: Loader(IMAGES, 16, preprocessing=preprocessing, rng=np.random.default_rng(2))  # noqa: E731
    return Task(model, loader, losses.SoftmaxCrossEntropy(label_smoothing=0.1), optimizers.SGD(0.02, momentum=0.9))


def bytes_task() -> Task:
    """Rows of bytes with a one at their end."""
    model = Sequential(Linear(91, 33, bias=False), ReLU(), Linear(33, 10))
    preprocessing = Preprocessing(append_ones=True)
    loader = lambda: Loader(IMAGES, 16, preprocessing=preprocessing, rng=np.random.default_rng(2))  # noqa: E731
    return Task(model, loader, losses.SoftmaxCrossEntropy())


def long_task(optimizer: Optimizer | None = None) -> Task:
    """Rows so long that their products are summed in parts, and products both small and large."""
    model = Sequential(Linear(300, 140), ReLU(), Linear(140, 10))
    images = np.random.default_rng(9).integers(0, 256, (600, 20, 15)).astype(np.uint8)
    data = Dataset(images, np.arange(len(images)) % 10, "long rows", 10)
    loader = lambda: Loader(data, 256, preprocessing=Preprocessing())  # noqa: E731
    return Task(model, loader, losses.SoftmaxCrossEntropy(), optimizer or optimizers.SGD(0.02))


def trainer_of(task: Task, ops: Ops | None = None) -> Trainer:
    """Ready to run, from the same first weights and the same random numbers every time."""
    model = deepcopy(task.model).initialize(np.random.default_rng(7), ops=ops)
    rng = np.random.default_rng(8)
    return Trainer(model, task.loss, task.optimizer, train=task.loader(), clip_norm=task.clip_norm, rng=rng)


def trained(task: Task, ops: Ops | None = None, epochs: int = 3) -> Trainer:
    trainer = trainer_of(task, ops)
    list(trainer.run(epochs))
    return trainer


def numbers_of(trainer: Trainer) -> dict[str, Numbers]:
    """Everything that a run leaves behind."""
    parameters, history = trainer.model.parameters, trainer.history.steps
    losses, norms = (np.array([getattr(step, name) for step in history]) for name in ("loss", "gradient_norm"))
    arrays = {"parameters": parameters.vector, "buffers": parameters.buffers, **trainer.state.slots}
    return {"losses": losses, "norms": norms, **{name: array.copy() for name, array in arrays.items()}}


def assert_same_bits(one: Trainer, other: Trainer) -> None:
    ours, theirs = numbers_of(one), numbers_of(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name].tobytes() == theirs[name].tobytes(), name


def not_compiled(trainer: Trainer) -> bool:
    """Whether every step was left to the reference."""
    step: Any = trainer._compiled_step
    return set(step._programs.values()) == {None}


def compare_with_eager(task: Task, monkeypatch: pytest.MonkeyPatch, is_compiled: bool = True) -> None:
    """Compiled as eager to 1e-5, and compiled for two threads as for one to the last bit."""
    with use_threads(1):
        one = trained(task)
    if is_compiled:
        assert len(programs(one._compiled_step)) == 2  # one for the short last batch
    else:
        assert not_compiled(one)
    assert_agree(numbers_of(one), numbers_of(trained(task, REFERENCE)), TOLERANCE)
    share_everything(monkeypatch)
    with use_threads(2):
        assert_same_bits(one, trained(task))


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if case.training], ids=str)
def test_every_layer_trains_compiled_as_it_does_eagerly(case: LayerCase, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_eager(layer_task(case), monkeypatch, str(case) not in NOT_COMPILED)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: f"{type(loss).__name__}-{loss.reduction}")
def test_every_loss_does(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_eager(loss_task(loss), monkeypatch)


@pytest.mark.parametrize("clip_norm", [None, 0.05, 100.0])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_optimizer_does(optimizer: Optimizer, clip_norm: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_eager(optimizer_task(optimizer, clip_norm), monkeypatch)


@pytest.mark.parametrize("task", [image_task, bytes_task, long_task, lambda: long_task(optimizers.Adam(0.001))])
def test_whole_networks_do(task: Callable[[], Task], monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_eager(task(), monkeypatch)


@pytest.mark.parametrize(("width", "column"), [(20, 3), (300, 0), (300, 299)])
@pytest.mark.parametrize("number", [np.inf, np.nan, 1e30])
def test_a_gradient_that_could_overflow_changes_no_weight(width: int, column: int, number: float) -> None:
    """Plain gradient descent takes its step inside the product, before the gradient's norm is known."""
    inputs = np.random.default_rng(1).normal(size=(64, width)).astype(np.float32)
    inputs[-1, column] = number
    model = Sequential(Linear(width, 140), layers.Tanh(), Linear(140, 10))
    data = Dataset(inputs, np.arange(64) % 10, "one of them is huge", 10)
    loader = lambda: Loader(data, 32, preprocessing=Preprocessing(scale=1.0))  # noqa: E731
    trainer = trainer_of(Task(model, loader, losses.SoftmaxCrossEntropy()))
    steps = trainer.run(1)
    next(steps)
    before = trainer.model.parameters.vector.copy()
    with pytest.raises(TrainingError):
        next(steps)
    assert programs(trainer._compiled_step)
    np.testing.assert_array_equal(trainer.model.parameters.vector, before)


@pytest.mark.parametrize(("height", "width"), [(4, 5), (20, 15)])
@pytest.mark.parametrize("preprocessing", [Preprocessing(scale=1e30), Preprocessing(mean=1e30)])
def test_nor_does_one_of_bytes(height: int, width: int, preprocessing: Preprocessing) -> None:
    """Of bytes the bound is known beforehand: they are not looked at."""
    images = np.random.default_rng(1).integers(0, 256, (64, height, width)).astype(np.uint8)
    model = Sequential(Linear(height * width, 10))
    data = Dataset(images, np.arange(64) % 10, "made huge", 10)
    trainer = trainer_of(
        Task(model, lambda: Loader(data, 32, preprocessing=preprocessing), losses.SoftmaxCrossEntropy())
    )
    before = trainer.model.parameters.vector.copy()
    with pytest.raises(TrainingError, match="gradient's norm"):
        next(trainer.run(1))
    assert programs(trainer._compiled_step)
    np.testing.assert_array_equal(trainer.model.parameters.vector, before)


def test_every_class_that_was_discovered_is_among_them() -> None:
    assert set(LAYER_KINDS) - {type(case.layer) for case in LAYER_CASES if case.training} == set()
    assert set(LOSS_KINDS) - {type(loss) for loss in LOSSES} == set()
    assert set(OPTIMIZER_KINDS) - {type(optimizer) for optimizer in OPTIMIZERS} == set()


def test_only_the_layers_that_are_named_here_are_not_compiled() -> None:
    assert set(map(str, LAYER_CASES)) >= NOT_COMPILED


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_every_layer_predicts_compiled_as_it_does_eagerly(case: LayerCase) -> None:
    task = layer_task(case)
    ours, theirs = (trainer_of(task, ops) for ops in (None, REFERENCE))
    for trainer in (ours, theirs):
        trainer.model.parameters.buffers[...] = np.linspace(0.5, 1.5, trainer.model.parameters.buffers.size)
    assert_agree({"y": predict(ours.model, task.loader())}, {"y": predict(theirs.model, task.loader())}, TOLERANCE)
    scores = [evaluate(trainer.model, task.loss, task.loader()) for trainer in (ours, theirs)]
    assert scores[0].loss == pytest.approx(scores[1].loss, rel=TOLERANCE)


@pytest.mark.parametrize("make", [image_task, bytes_task, lambda: loss_task(losses.SoftmaxCrossEntropy())])
def test_the_same_seed_twice_gives_the_same_bits(make: Callable[[], Task]) -> None:
    assert_same_bits(trained(make()), trained(make()))


# -- a step makes no arrays --------------------------------------------------------------------------------


def wide_task() -> Task:
    """Whose smallest array that a step may not make has 64 × 32 numbers, 8192 bytes."""
    model = Sequential(Linear(90, 128), ReLU(), Linear(128, 32), layers.Tanh(), Linear(32, 10))
    images = Dataset(np.resize(IMAGES.inputs, (640, 10, 9)), np.arange(640) % 10, "many images", 10)
    return Task(model, lambda: Loader(images, 64, preprocessing=Preprocessing()), losses.SoftmaxCrossEntropy())


def traced(steps: int, act: Callable[[], Any]) -> tuple[int, int]:
    """Bytes of arrays that are more after that many calls than before, and of anything at any moment between."""
    arrays, (before, _) = _bytes_of_arrays(), tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(steps):
        act()
    peak = tracemalloc.get_traced_memory()[1] - before
    return _bytes_of_arrays() - arrays, peak


def _bytes_of_arrays() -> int:
    """NumPy's alone: Python keeps up to 2000 freed tuples of a length, which look like growth for as many steps."""
    arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    snapshot = tracemalloc.take_snapshot().filter_traces([arrays])
    return sum(trace.size for trace in snapshot.traces)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_step_makes_no_array(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps 11 to 100 leave no array behind, and need less at any moment than the smallest activation."""
    share_everything(monkeypatch)
    with use_threads(threads):
        trainer = trainer_of(wide_task())
        given, targets = next(iter(trainer._examples))
        counter = itertools.count(1)

        def step() -> None:
            trainer._compiled_step(1e-3, next(counter), targets, *given)

        tracemalloc.start()
        try:
            traced(10, step)
            growth, peak = traced(90, step)
        finally:
            tracemalloc.stop()
        assert programs(trainer._compiled_step)
    assert growth == 0
    assert peak < 64 * 32 * 4


def test_this_way_of_counting_sees_the_arrays_of_an_eager_step() -> None:
    trainer = trainer_of(wide_task(), REFERENCE)
    given, targets = next(iter(trainer._examples))
    kept: list[Any] = []
    tracemalloc.start()
    try:
        _, peak = traced(3, lambda: trainer._compiled_step(1e-3, 1, targets, *given))
        growth, _ = traced(3, lambda: kept.append(np.zeros(1000)))
    finally:
        tracemalloc.stop()
    assert peak > 64 * 128 * 4
    assert growth == 3 * 8000


def test_whole_epochs_leave_no_array_behind() -> None:
    """Batches are row numbers, and of a step only its record is kept; the order of the rows is made once an epoch."""
    trainer = trainer_of(wide_task())
    list(trainer.run(1))
    tracemalloc.start()
    try:
        traced(1, lambda: [None for _ in trainer.run(1)])
        growth, peak = traced(1, lambda: [None for _ in trainer.run(8)])  # 80 steps
    finally:
        tracemalloc.stop()
    assert growth == 0
    assert peak < 80 * 500 + 8 * 640 + 64 * 32 * 4  # records, the order of the rows, less than an activation


# -- layers of one's own -----------------------------------------------------------------------------------


class NumpyScale(Layer):
    """Computes past the operations, with NumPy."""

    factor: Array

    def parameter_specs(self) -> dict[str, ParameterSpec]:
        return {"factor": ParameterSpec((), lambda rng, shape, **fans: np.full(shape, 1.5))}

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Any = None) -> tuple[Array, Array]:
        return self.factor * np.sin(x), x

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: Any) -> Array:
        grads.factor[...] = np.sum(dy * np.sin(x))
        return self.factor * np.cos(x) * dy

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class Slope(Layer):
    """Reads a parameter as a number, so that what it does changes as the parameter does."""

    slope: Array

    def parameter_specs(self) -> dict[str, ParameterSpec]:
        return {"slope": ParameterSpec((), lambda rng, shape, **fans: np.full(shape, 0.5))}

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Any = None) -> tuple[Array, Array]:
        return ops.relu(x, float(self.slope)), x

    def backward(self, dy: Array, x: Array, *, ops: Ops, grads: Any) -> Array:
        below = ops.affine(ops.relu(ops.affine(x, -1.0, 0.0)), -1.0, 0.0)  # min(x, 0)
        single, size = (math.prod(dy.shape), 1), (1, 1)
        out = (ops.reshape(grads.slope, size), None)
        ops.linear_grads(ops.reshape(dy, single), ops.reshape(below, single), out=out)
        return ops.relu_dx(dy, x, float(self.slope))

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class Lucky(Layer):
    """Draws a number of its own, and passes x on or not."""

    def forward(self, x: Array, *, ops: Ops, training: bool = False, rng: Any = None) -> tuple[Array, float]:
        factor = 1.0 if not training or rng.random() < 0.5 else -1.0
        return ops.affine(x, factor, 0.0), factor

    def backward(self, dy: Array, factor: float, *, ops: Ops, grads: Any) -> Array:
        return ops.affine(dy, factor, 0.0)

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


def own_task(layer: Layer) -> Task:
    return Task(Sequential(Linear(7, 9), layer, Linear(9, 5)), rows_loader(7, TARGETS))


@pytest.mark.parametrize("layer", [NumpyScale(), Slope()], ids=["numpy", "a parameter as a number"])
def test_a_layer_that_cannot_be_recorded_trains_eagerly(layer: Layer) -> None:
    trainer = trained(own_task(layer))
    assert not_compiled(trainer)
    assert_same_bits(trainer, trained(own_task(layer), REFERENCE))


def test_a_layer_that_draws_numbers_of_its_own_draws_new_ones_at_every_step() -> None:
    trainer = trained(own_task(Lucky()))
    assert not_compiled(trainer)  # the stand-in from `ops.randomness` cannot be drawn from
    assert_same_bits(trainer, trained(own_task(Lucky()), REFERENCE))


def test_a_layer_of_ones_own_that_keeps_to_the_operations_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_eager(own_task(Sequential(Reshape(3, 3), ReLU(), Reshape(9))), monkeypatch)


def test_double_precision_trains_eagerly() -> None:
    task = loss_task(losses.MeanSquaredError())
    model = deepcopy(task.model).initialize(np.random.default_rng(7), dtype="float64", ops=for_device("cpu"))
    trainer = Trainer(model, task.loss, task.optimizer, train=task.loader())
    list(trainer.run(1))
    assert model.parameters.vector.dtype == np.float64
    assert not hasattr(trainer._compiled_step, "_programs")

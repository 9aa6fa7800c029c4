import json
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import OPTIMIZERS

import handgrad as hg
from handgrad.data import Dataset
from handgrad.errors import RunError
from handgrad.optimizers import Optimizer
from handgrad.training import Epoch, Recipe, Scores, Step, Trainer
from handgrad.training.checkpoint import Checkpoint, _checksum
from handgrad.training.experiment import Experiment

#: Everything that draws or remembers: order, distortions, dropout, averages, Adam, a schedule, the best weights.
FULL: dict[str, Any] = {
    "augment": {"rotation": 5.0, "elastic_alpha": 0.3},
    "data.validation": 40,
    "model.hidden": (7, 6),
    "model.dropout": 0.3,
    "model.features": (
        {"name": "Conv2d", "out_channels": 3, "kernel_size": 3},
        {"name": "BatchNorm2d"},
        {"name": "Flatten"},
    ),
    "data.layout": "image",
    "optimizer": {"name": "adamw", "learning_rate": 0.02, "weight_decay": 0.01},
    "schedule": {"name": "one_cycle"},
    "train.epochs": 3,
    "train.batch_size": 30,
    "train.keep_best": True,
    "train.patience": 2,
    "train.clip_norm": 1.0,
}


def full(tiny: Path) -> Trainer:
    return Experiment.prepare(Recipe.load("mlp").override({"data.dataset": str(tiny)} | FULL)).trainer


def points(**settings: Any) -> Trainer:
    """A small network on points, that anything may be replaced in."""
    rng = np.random.default_rng(0)
    data = Dataset(rng.normal(size=(20, 2)), np.arange(20) % 2, "clouds", 2)
    preprocessing = hg.Preprocessing(scale=1.0)
    model = hg.Sequential(hg.Linear(2, 5), hg.ReLU(), hg.Dropout(0.5), hg.Linear(5, 2))
    model.initialize(np.random.default_rng(1), dtype=settings.pop("dtype", "float32"))
    kind = settings.pop("generator", np.random.PCG64)
    loader = hg.Loader(data, 6, preprocessing=preprocessing, rng=np.random.Generator(kind(3)))
    optimizer = settings.pop("optimizer", hg.Adam(0.05))
    rng = np.random.Generator(kind(4))
    return Trainer(model, hg.SoftmaxCrossEntropy(), optimizer, train=loader, rng=rng, **settings)


def without_seconds(trainer: Trainer) -> tuple[list[Step], list[Epoch]]:
    return trainer.history.steps, [epoch._replace(seconds=0.0) for epoch in trainer.history.epochs]


def assert_same(resumed: Trainer, whole: Trainer) -> None:
    first, second = Checkpoint.of(resumed), Checkpoint.of(whole)
    assert first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        assert array.tobytes() == second.arrays[name].tobytes(), name
    assert without_seconds(resumed) == without_seconds(whole)


def interrupted(make: Callable[[], Trainer], events: int, epochs: int, path: Path) -> Trainer:
    """Train until so many events have come, then in a new trainer from the file."""
    first = make()
    for _ in islice(first.run_to(epochs), events):
        pass
    Checkpoint.of(first).save(path)
    second = make()
    Checkpoint.load(path).restore(second)
    list(second.run_to(epochs))
    return second


@pytest.fixture(scope="module")
def whole(tiny: Path) -> Trainer:
    trainer = full(tiny)
    list(trainer.run(3))
    return trainer


# 200 examples in batches of 30 make 7 steps and an epoch: before the first, within, at the last step, after the epoch
@pytest.mark.parametrize("events", [0, 1, 5, 7, 8, 12, 15, 16, 20, 23, 24])
def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(
    events: int, whole: Trainer, tiny: Path, tmp_path: Path
) -> None:
    assert_same(interrupted(lambda: full(tiny), events, 3, tmp_path / "x"), whole)


def test_interrupting_again_and_again_changes_nothing(whole: Trainer, tiny: Path, tmp_path: Path) -> None:
    for _ in range(30):
        trainer = full(tiny)
        if (tmp_path / "x").exists():
            Checkpoint.load(tmp_path / "x").restore(trainer)
        for _ in islice(trainer.run_to(3), 1):
            pass
        Checkpoint.of(trainer).save(tmp_path / "x")
    list(trainer.run_to(3))
    assert_same(trainer, whole)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_every_optimizer_goes_on_with_what_it_remembers(optimizer: Optimizer, tmp_path: Path) -> None:
    def make() -> Trainer:
        return points(optimizer=optimizer)

    straight = make()
    list(straight.run(4))
    assert_same(interrupted(make, 7, 4, tmp_path / "x"), straight)


@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_every_kind_of_generator_goes_on(name: str, tmp_path: Path) -> None:
    def make() -> Trainer:
        return points(generator=getattr(np.random, name))

    straight = make()
    list(straight.run(3))
    assert_same(interrupted(make, 6, 3, tmp_path / "x"), straight)


def test_float64_is_kept_to_its_last_bit(tmp_path: Path) -> None:
    def make() -> Trainer:
        return points(dtype="float64")

    straight = make()
    list(straight.run(3))
    resumed = interrupted(make, 6, 3, tmp_path / "x")
    assert resumed.model.parameters.vector.dtype == np.float64
    assert_same(resumed, straight)


def test_weights_stand_under_pytorchs_names(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    trainer = points()
    list(trainer.run(1))
    Checkpoint.of(trainer).save(tmp_path / "x")
    arrays = load_file(tmp_path / "x")
    assert arrays["0.weight"].shape == (5, 2)
    assert arrays["optimizer/m/3.weight"].shape == (2, 5)
    assert arrays["history/loss"].tolist() == [step.loss for step in trainer.history.steps]


def test_what_the_caller_keeps_with_it_comes_back(tmp_path: Path) -> None:
    Checkpoint.of(points(), {"recipe": {"a": [1, 2]}}).save(tmp_path / "x")
    assert Checkpoint.load(tmp_path / "x").about == {"recipe": {"a": [1, 2]}}


def other_width() -> Trainer:
    trainer = points()
    model = hg.Sequential(hg.Linear(2, 4), hg.ReLU(), hg.Dropout(0.5), hg.Linear(4, 2))
    model.initialize(np.random.default_rng(1))
    return Trainer(model, trainer.loss, trainer.optimizer, train=trainer.train, rng=trainer.rng)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (other_width, r"0.weight is float32 \(5, 2\) in it, expected float32 \(4, 2\)"),
        (lambda: points(optimizer=hg.SGD(0.1)), "optimizer/m/0.weight is float32"),
        (lambda: points(generator=np.random.MT19937), "does not fit this training"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(other: Callable[[], Trainer], message: str) -> None:
    checkpoint = Checkpoint.of(points())
    with pytest.raises(RunError, match=message):
        checkpoint.restore(other())


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("position.batch", 5, "position.batch is not as expected, 0 to 4"),
        ("position.batch", 1.0, "position.batch is 1.0, expected an integer"),
        ("position.batch", -1, "position.batch"),
        ("position.examples", 0, "position.examples"),
        ("position.loss", None, "position.loss is None, expected a number"),
        ("position.loss", float("nan"), "finite"),
        ("position.seconds", "x", "position.seconds"),
        ("position.epoch", 7, "position.epoch"),
        ("position.speed", 7, "position.speed is unknown"),
        ("step", -1, "step is not as expected"),
        ("step", 10**400, "step is not as expected"),
        ("step", True, "step is not as expected"),
        ("every", 0, "every is not as expected"),
        ("epochs.0.number", "1", "number"),
        ("epochs.0.number", 2, "numbers from 1 on"),
        ("epochs.0.is_best", 1, "is_best"),
        ("random.train.order", 3, "does not fit"),
        ("random.dropout", {}, "does not fit"),
        ("random", [], "does not fit"),
        ("best", {"loss": 1.0}, "does not fit"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(place: str, value: object, message: str, tmp_path: Path) -> None:
    trainer = points()
    for _ in islice(trainer.run_to(2), 6):
        pass
    Checkpoint.of(trainer).save(tmp_path / "x")
    checkpoint = Checkpoint.load(tmp_path / "x")
    *parents, key = place.split(".")
    table: Any = checkpoint.values
    for parent in parents:
        table = table[int(parent) if parent.isdigit() else parent]
    table[key] = value
    with pytest.raises(RunError, match=message):
        checkpoint.restore(points())


@pytest.mark.parametrize("name", ["0.weight", "history/loss"])
def test_an_array_of_the_wrong_kind_is_refused(name: str) -> None:
    checkpoint = Checkpoint.of(points())
    checkpoint.arrays[name] = checkpoint.arrays[name].astype(np.float16)
    with pytest.raises(RunError, match=name):
        checkpoint.restore(points())


def test_numbers_that_are_none_are_refused() -> None:
    checkpoint = Checkpoint.of(points())
    checkpoint.arrays["0.bias"][1] = np.nan
    assert checkpoint.not_finite == "0.bias"
    with pytest.raises(RunError, match=r"0\.bias holds NaN"):
        checkpoint.restore(points())


def test_a_long_run_has_a_small_header(tmp_path: Path) -> None:
    path, trainer = tmp_path / "x", points()
    scores = {"validation": Scores(0.5, 0.25, 10)}
    trainer.history.epochs = [Epoch(n, n / 7, scores, 0.1, 1.0, 0.01, n == 5) for n in range(1, 3001)]
    Checkpoint.of(trainer).save(path)
    (header,) = struct.unpack("<Q", path.read_bytes()[:8])
    assert header < 10_000
    Checkpoint.load(path).restore(resumed := points())
    assert resumed.history.epochs == trainer.history.epochs


def test_a_file_of_the_first_format_goes_on_too(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    whole, half, resumed = points(), points(), points()
    list(whole.run(2))
    list(half.run(1))
    checkpoint = Checkpoint.of(half)
    text = json.dumps({**checkpoint.values, "format": 1})  # with every epoch
    metadata = {"handgrad": text, "crc32": str(_checksum(text, checkpoint.arrays))}
    save_file(checkpoint.arrays, tmp_path / "x", metadata)
    Checkpoint.load(tmp_path / "x").save(tmp_path / "y")  # as one of today
    Checkpoint.load(tmp_path / "y").restore(resumed)
    list(resumed.run(1))
    assert_same(resumed, whole)


def test_what_is_too_large_for_the_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="header too large"):
        Checkpoint.of(points(), {"note": "a" * 100_000_000}).save(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def damaged(path: Path) -> Iterator[tuple[bytes, str]]:
    healthy = path.read_bytes()
    yield b"", "header too small"
    yield healthy[:-1], "not a checkpoint that can be read"
    yield healthy.replace(b"handgrad", b"handgraf", 1), "handgrad"
    yield healthy.replace(b'{\\"format\\": 2', b'{\\"format\\": 9', 1), "format 9 is not as expected, at most 2"
    yield healthy.replace(b'\\"every\\": 1', b'\\"every\\": 3', 1), "crc32"
    yield healthy[:-1] + bytes([healthy[-1] ^ 1]), "crc32"


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x"
    trainer = points()
    list(trainer.run(1))  # the last byte of the file is of the epochs
    Checkpoint.of(trainer).save(path)
    for content, message in damaged(path):
        path.write_bytes(content)
        with pytest.raises(RunError, match=message):
            Checkpoint.load(path)
    path.unlink()
    with pytest.raises(RunError, match="No such file"):
        Checkpoint.load(path)


def test_a_run_that_ran_out_of_patience_stays_ended_until_it_has_more() -> None:
    validation = hg.Loader(points().train.dataset, None, preprocessing=hg.Preprocessing(scale=1.0))

    def impatient(patience: int) -> Trainer:
        return points(patience=patience, optimizer=hg.SGD(1e-30), monitors={"validation": validation})

    first = impatient(2)
    assert len([event for event in first.run_to(9) if isinstance(event, Epoch)]) == 3
    checkpoint = Checkpoint.of(first)
    resumed, patient = impatient(2), impatient(4)
    for trainer in (resumed, patient):
        checkpoint.restore(trainer)
        list(trainer.run_to(9))
    assert (len(resumed.history.epochs), resumed.stopped_by) == (3, "patience")
    assert (len(patient.history.epochs), patient.stopped_by) == (5, "patience")


# Of a run of three epochs of four steps, after every event.
@pytest.mark.parametrize("events", range(16))
def test_one_generator_for_everything_goes_on_too(events: int, tmp_path: Path) -> None:
    def make() -> Trainer:
        trainer = points(keep_best=True, monitors={"validation": points().train})
        rng = np.random.default_rng(8)
        trainer.rng = trainer.train.rng = trainer.monitors["validation"].rng = rng
        return trainer

    straight = make()
    list(straight.run(3))
    assert_same(interrupted(make, events, 3, tmp_path / "x"), straight)


def test_the_order_of_a_shuffled_monitor_goes_on() -> None:
    def make() -> Trainer:
        return points(monitors={"validation": points().train})

    straight, half, resumed = make(), make(), make()
    list(straight.run(3))
    list(half.run(2))
    Checkpoint.of(half).restore(resumed)
    list(resumed.run(1))
    assert Checkpoint.of(resumed).values["random"] == Checkpoint.of(straight).values["random"]


@pytest.mark.parametrize("events", range(1, 10))
def test_a_loop_that_was_left_goes_on_where_it_was_left(events: int) -> None:
    whole, parts = points(), points()
    list(whole.run(3))
    for _ in islice(parts.run(3), events):
        pass
    list(parts.run_to(3))
    assert_same(parts, whole)


def test_a_path_may_be_text(tmp_path: Path) -> None:
    Checkpoint.of(points()).save(str(tmp_path / "x"))
    assert Checkpoint.load(str(tmp_path / "x")).step == 0

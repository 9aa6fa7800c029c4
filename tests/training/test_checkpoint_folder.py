from pathlib import Path
from typing import Any

import pytest

from handgrad.errors import ArgumentError, RunError
from handgrad.training import Epoch, History, Recipe, Scores, Step, Trainer
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.checkpoint_folder import CheckpointFolder, files, latest, read_latest
from handgrad.training.experiment import Experiment


class Clock:
    """Time that passes when it is told to, and by `each` at every look."""

    def __init__(self, each: float = 0.0) -> None:
        self.now = 0.0
        self.each = each

    def __call__(self) -> float:
        self.now += self.each
        return self.now


@pytest.fixture
def trainer() -> Trainer:
    return Experiment.prepare(Recipe.load("points").override({"train.batch_size": 5})).trainer


def step(number: int) -> Step:
    return Step(number, 1, number, 2, loss=1.0, learning_rate=0.1, gradient_norm=1.0)


def epoch(number: int, *, is_best: bool = False) -> Epoch:
    return Epoch(number, 1.0, {"validation": Scores(1.0, 0.5, 10)}, 0.1, 1.0, 1.0, is_best)


def names(path: Path) -> list[str]:
    return [file.name for file in files(path)]


def trained(trainer: Trainer, folder: CheckpointFolder, epochs: int) -> list[str]:
    for event in trainer.run(epochs):
        folder.after(event, trainer)
    return names(folder.path)


def test_the_last_few_stay(trainer: Trainer, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "c", keep=3, clock=Clock())
    assert trained(trainer, folder, 5) == [f"step-{n:09d}.safetensors" for n in (6, 8, 10)]


def test_the_best_stays_besides(trainer: Trainer, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "c", keep=1, clock=Clock())
    for number in range(1, 5):
        list(trainer.run(1))
        trainer.history.epochs[-1] = epoch(number, is_best=number in (1, 2))
        folder.after(trainer.history.epochs[-1], trainer)
    assert names(tmp_path / "c") == ["step-000000004-best.safetensors", "step-000000008.safetensors"]


def test_a_later_training_replaces_an_earlier_one(trainer: Trainer, tmp_path: Path) -> None:
    list(trainer.run(1))
    trainer.history.epochs[-1] = epoch(1, is_best=True)
    for name in ("search-01", "search-02", "step"):
        CheckpointFolder(tmp_path / "c", keep=1, name=name).write(trainer)
    assert names(tmp_path / "c") == ["step-000000002-best.safetensors"]


def test_one_is_written_when_the_minutes_have_passed(trainer: Trainer, tmp_path: Path) -> None:
    clock = Clock()
    folder = CheckpointFolder(tmp_path / "c", minutes=2.0, clock=clock)
    seen = []
    for seconds in (119, 120, 121, 240):
        clock.now = seconds
        seen.append(folder.after(step(seconds), trainer) is not None)
    assert seen == [False, True, False, True]


def test_short_epochs_are_not_followed_by_a_long_write_each(trainer: Trainer, tmp_path: Path) -> None:
    clock = Clock(each=1.0)  # a second for every look: writing takes one
    folder = CheckpointFolder(tmp_path / "c", clock=clock)
    written = [number for number in range(1, 41) if folder.after(epoch(number), trainer)]
    assert written == [1, 21]  # 1 of 20 seconds


def test_where_writing_is_slow_it_comes_less_often_than_the_minutes_say(trainer: Trainer, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "c", minutes=1 / 60, clock=Clock(each=1.0))  # writing takes a second
    written = [number for number in range(1, 41) if folder.after(step(number), trainer)]
    assert written == [1, 21]  # 1 of 20 seconds


def test_after_the_best_epoch_one_is_always_written(trainer: Trainer, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "c", clock=Clock(each=1.0))
    written = [number for number in range(1, 9) if folder.after(epoch(number, is_best=number in (3, 4)), trainer)]
    assert written == [1, 3, 4]


def test_a_file_that_cannot_be_read_does_not_take_the_place_of_a_new_one(trainer: Trainer, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=1)
    list(trainer.run(1))
    folder.write(trainer)
    (tmp_path / "step-000000099.safetensors").write_bytes(b"damaged")
    list(trainer.run(1))
    written = folder.write(trainer)
    assert names(tmp_path) == [written.name, "step-000000099.safetensors"]
    found = latest(tmp_path, lambda sentence: None)
    assert found is not None
    assert found.step == trainer.state.step


def test_parameters_that_are_no_numbers_are_not_written(trainer: Trainer, tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "c")
    trainer.model.parameters.vector[0] = float("inf")
    with pytest.raises(RunError, match="weight holds NaN or infinity"):
        folder.write(trainer)
    assert names(tmp_path / "c") == []


def test_a_write_that_fails_is_not_tried_again_at_once(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    clock = Clock()
    folder = CheckpointFolder(tmp_path / "c", minutes=1.0, clock=clock)
    monkeypatch.setattr(Checkpoint, "save", fail)
    clock.now = 60
    with pytest.raises(OSError, match="No space"):
        folder.after(step(1), trainer)
    assert folder.after(step(2), trainer) is None


def test_the_latest_that_can_be_read_is_taken_and_the_rest_named(trainer: Trainer, tmp_path: Path) -> None:
    trained(trainer, CheckpointFolder(tmp_path, keep=3, clock=Clock()), 3)
    (tmp_path / "step-000000006.safetensors").write_bytes(b"damaged")
    (tmp_path / ".step-000000008.safetensors.1.tmp").write_bytes(b"half")
    complaints: list[str] = []
    found = latest(tmp_path, complaints.append)
    assert found is not None
    assert found.step == 4
    assert ["step-000000006" in complaint for complaint in complaints] == [True]
    assert not list(tmp_path.glob(".*"))


def test_the_latest_can_be_read_without_touching_a_file(trainer: Trainer, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    trained(trainer, CheckpointFolder(folder, keep=3, clock=Clock()), 3)
    (folder / "step-000000006.safetensors").write_bytes(b"damaged")
    (folder / ".step-000000008.safetensors.1.tmp").write_bytes(b"half")
    before = sorted(folder.iterdir())
    found = read_latest(folder)
    assert found.step == 4
    assert found.history() == History(trainer.history.steps[:4], trainer.history.epochs[: len(found.history().epochs)])
    assert sorted(folder.iterdir()) == before
    with pytest.raises(RunError, match="no checkpoint that can be read"):
        read_latest(tmp_path / "none")


def test_no_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert latest(tmp_path / "none", print) is None


@pytest.mark.parametrize("setting", [{"keep": 0}, {"minutes": 0.0}, {"minutes": float("nan")}])
def test_settings_out_of_range_are_refused(setting: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=next(iter(setting))):
        CheckpointFolder(tmp_path, **setting)

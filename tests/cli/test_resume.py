import errno
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from handgrad.cli import app
from handgrad.cli.progress import TrainingDisplay
from handgrad.errors import HandgradError, RunError
from handgrad.training import Epoch, Step
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.checkpoint_folder import files, latest
from handgrad.training.run import RunDirectory
from handgrad.training.saved_run import SavedRun


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def run(*arguments: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout.strip().splitlines()[-1]))


def small(tiny: Path, out: Path, *more: str) -> list[str | Path]:
    base: list[str | Path] = [
        "train",
        "mlp",
        "--data",
        tiny,
        "--epochs",
        "4",
        "--hidden",
        "8",
        "--lr",
        "0.5",
        "--batch-size",
        "40",
    ]
    return [*base, "--out", out, *more]


def after_every_step(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options with which a checkpoint follows every step, whatever share of the time that takes."""
    monkeypatch.setattr("handgrad.training.checkpoint_folder.SHARE", 1e9)
    return ["--checkpoint-minutes", "1e-9"]


def searching(tiny: Path, out: Path) -> list[str | Path]:
    sets = ["--set", "select.widths=[2, 4]", "--set", "select.validation=60", "--set", "select.epochs=3"]
    return ["train", "mlp-select", "--data", tiny, "--epochs", "3", *sets, "--out", out]


def interrupt_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C as soon as so many events were shown, counted over all phases."""
    seen: list[Step | Epoch] = []
    show = TrainingDisplay.show

    def counting(display: TrainingDisplay, event: Step | Epoch) -> None:
        show(display, event)
        seen.append(event)
        if len(seen) == number:
            raise_signal()

    def raise_signal() -> None:
        import signal

        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingDisplay, "show", counting)


def comparable(path: Path) -> dict[str, Any]:
    """Everything that a run leaves behind, durations apart."""
    history = json.loads((path / "history.json").read_text())
    for epoch in history["epochs"]:
        del epoch["seconds"]
    result = json.loads((path / "result.json").read_text())
    for name in ("train_seconds", "epoch_seconds", "run_directory"):
        del result[name]
    return {"history": history, "result": result, "weights": (path / "model.safetensors").read_bytes()}


@pytest.mark.slow
@pytest.mark.parametrize("events", [1, 5, 6, 14, 23])
def test_a_resumed_run_ends_as_one_that_was_never_interrupted(
    events: int, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--set", "data.validation=40", "--set", "train.keep_best=true", "--set", "model.dropout=0.2"]
    run(*small(tiny, tmp_path / "whole", *options))
    with monkeypatch.context() as patch:
        interrupt_at(events, patch)
        cut = invoke(*small(tiny, tmp_path / "cut", *options))
    assert f"handgrad train --resume {tmp_path / 'cut'}" in cut.output
    result = run("train", "--resume", tmp_path / "cut")
    assert result["stopped_by"] == ""
    assert comparable(tmp_path / "cut") == comparable(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("events", [1, 4, 6, 9, 12, 14])
def test_a_search_goes_on_with_the_width_it_was_at(
    events: int, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*searching(tiny, tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupt_at(events, patch)
        run(*searching(tiny, tmp_path / "cut"))
    run("train", "--resume", tmp_path / "cut")
    assert comparable(tmp_path / "cut") == comparable(tmp_path / "whole")


def test_a_finished_run_is_only_scored_again(tiny: Path, tmp_path: Path) -> None:
    run(*small(tiny, tmp_path / "run"))
    before = comparable(tmp_path / "run")
    run("train", "--resume", tmp_path / "run")
    assert comparable(tmp_path / "run") == before


def test_more_epochs_and_another_rate_may_follow(tiny: Path, tmp_path: Path) -> None:
    run(*small(tiny, tmp_path / "run"))
    result = run("train", "--resume", tmp_path / "run", "--epochs", "6", "--lr", "0.25")
    assert result["epochs"] == 6
    rates = {(step.epoch, step.learning_rate) for step in SavedRun.open(tmp_path / "run").history().steps}
    assert rates == {(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.5), (5, 0.25), (6, 0.25)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hidden", "3"], "model.hidden cannot be changed"),
        (["--set", "optimizer.name=adam"], "optimizer.name cannot be changed"),
        (["--set", "optimizer={name='adam'}"], "optimizer.name cannot be changed"),
        (["--set", "train.seed=7"], "train.seed cannot be changed"),
        (["--optimizer", "adam"], "--optimizer is 'adam', expected nothing beside --resume"),
        (["--out", "elsewhere"], "--out is"),
        (["fast"], "RECIPE is 'fast'"),
        (["--checkpoint-minutes", "0"], "--checkpoint-minutes is 0.0, expected a number > 0"),
    ],
)
def test_what_would_make_it_another_run_is_refused(
    arguments: list[str], message: str, tiny: Path, tmp_path: Path
) -> None:
    run(*small(tiny, tmp_path / "run"))
    result = invoke("train", "--resume", tmp_path / "run", *arguments)
    assert isinstance(result.exception, HandgradError)
    assert message in str(result.exception)


def test_a_directory_without_checkpoints_is_a_sentence(tmp_path: Path) -> None:
    assert "has no checkpoints" in str(invoke("train", "--resume", tmp_path).exception)
    assert "has no checkpoints" in str(invoke("train", "--resume", tmp_path / "none").exception)
    assert not list(tmp_path.iterdir())
    (tmp_path / "checkpoints").mkdir()
    assert "has no checkpoint to go on from" in str(invoke("train", "--resume", tmp_path).exception)


def test_other_data_is_refused(tiny: Path, tmp_path: Path) -> None:
    run("train", "points", "--epochs", "2", "--out", tmp_path / "run")
    _change_about(tmp_path / "run", {"data": 1})
    assert "holds other data" in str(invoke("train", "--resume", tmp_path / "run").exception)


def test_what_may_change_the_last_digits_is_named(tiny: Path, tmp_path: Path) -> None:
    run("train", "points", "--epochs", "2", "--out", tmp_path / "run")
    environment = json.loads((tmp_path / "run" / "run.json").read_text())["environment"]
    _change_about(tmp_path / "run", {"environment": environment | {"numpy": "1.0", "processor": "abacus"}})
    output = invoke("train", "--resume", tmp_path / "run").output
    assert f"numpy was 1.0 and is {np.__version__} now" in output
    assert "processor was abacus" in output
    assert output.count("Warning") == 2


def test_a_damaged_description_is_a_sentence(tmp_path: Path) -> None:
    run("train", "points", "--epochs", "2", "--out", tmp_path / "run")
    _change_about(tmp_path / "run", {"environment": 3})
    assert "does not tell of its run" in str(invoke("train", "--resume", tmp_path / "run").exception)


def _change_about(path: Path, changes: dict[str, Any]) -> None:
    file = files(path / "checkpoints")[-1]
    checkpoint = Checkpoint.load(file)
    Checkpoint(checkpoint.arrays, {**checkpoint.values, "about": checkpoint.about | changes}).save(file)


def test_a_second_process_is_refused(tiny: Path, tmp_path: Path) -> None:
    run(*small(tiny, tmp_path / "run"))
    with RunDirectory(tmp_path / "run").locked():
        result = invoke("train", "--resume", tmp_path / "run")
    assert isinstance(result.exception, RunError)
    assert "Another process trains" in str(result.exception)
    run("train", "--resume", tmp_path / "run")


def test_a_full_disk_stops_nothing_and_loses_nothing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Checkpoint.save

    def fail(checkpoint: Checkpoint, path: Path) -> None:
        if checkpoint.step > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(checkpoint, path)

    monkeypatch.setattr(Checkpoint, "save", fail)
    result = invoke(*small(tiny, tmp_path / "run", *after_every_step(monkeypatch)))
    assert result.exit_code == 0, result.output
    assert result.output.count("Training goes on; the last is of step 6") == 1  # once, not after every step
    assert result.output.count("What was learned is still to be saved; the last is of step 6") == 1
    assert "No space left" in result.output
    found = latest(tmp_path / "run" / "checkpoints", print)
    assert found is not None
    assert found.step == 6
    assert len(SavedRun.open(tmp_path / "run").history().epochs) == 4


def test_pictures_that_cannot_be_written_are_not_the_end(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RunDirectory.write

    def fail(directory: RunDirectory, name: str, content: bytes) -> None:
        if name.endswith(".png"):
            raise RunError(f"{name} cannot be written (No space left on device).")
        write(directory, name, content)

    monkeypatch.setattr(RunDirectory, "write", fail)
    result = invoke(*small(tiny, tmp_path / "run"))
    assert result.exit_code == 0, result.output
    assert "pictures could not all be made (curves.png cannot be written" in result.output
    assert "Test accuracy" in result.output
    assert SavedRun.open(tmp_path / "run").history().epochs
    assert (tmp_path / "run" / "result.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not remove what is open")
def test_a_directory_that_was_removed_comes_back(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    show = TrainingDisplay.show

    def removing(display: TrainingDisplay, event: Step | Epoch) -> None:
        show(display, event)
        if isinstance(event, Epoch) and event.number == 2:
            shutil.rmtree(tmp_path / "run")

    monkeypatch.setattr(TrainingDisplay, "show", removing)
    run(*small(tiny, tmp_path / "run"))
    assert len(SavedRun.open(tmp_path / "run").history().epochs) == 4


def test_a_disk_that_is_full_to_the_end_says_from_where_to_go_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*small(tiny, tmp_path / "whole"))
    save = Checkpoint.save

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill(checkpoint: Checkpoint, path: Path) -> None:
        save(checkpoint, path)
        if checkpoint.step == 6:
            patch.setattr("handgrad.training.checkpoint.write_atomically", full)
            patch.setattr("handgrad.training.run.write_atomically", full)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", fill)
        result = invoke(*small(tiny, tmp_path / "run", *after_every_step(patch)))
    assert isinstance(result.exception, RunError)
    assert f"handgrad train --resume {tmp_path / 'run'}` goes on from step 6" in str(result.exception)
    assert "the last is of step 6" in result.output
    run("train", "--resume", tmp_path / "run")
    assert comparable(tmp_path / "run") == comparable(tmp_path / "whole")


def test_a_run_that_is_gone_on_with_is_not_finished_until_it_is(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(3, patch)
        run(*small(tiny, tmp_path / "run"))
    assert invoke("evaluate", tmp_path / "run").exit_code == 0

    def die(*arguments: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingDisplay, "show", die)
        assert invoke("train", "--resume", tmp_path / "run").exit_code == 9
    result = invoke("evaluate", tmp_path / "run")
    assert f"is not finished; go on with `handgrad train --resume {tmp_path / 'run'}`" in str(result.exception)


def test_a_run_is_described_when_it_can_be_gone_on_with(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: object) -> None:
        assert not (tmp_path / "run" / "run.json").exists()
        raise SystemExit(9)

    monkeypatch.setattr("handgrad.training.checkpoint.write_atomically", die)
    assert invoke(*small(tiny, tmp_path / "run")).exit_code == 9


def test_changes_hold_from_the_moment_they_are_made(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*small(tiny, tmp_path / "run"))

    def die(*arguments: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingDisplay, "show", die)
        invoke("train", "--resume", tmp_path / "run", "--epochs", "6")
    assert run("train", "--resume", tmp_path / "run")["epochs"] == 6


def test_fewer_epochs_than_were_begun_are_refused(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(16, patch)  # within the third epoch
        run(*small(tiny, tmp_path / "run"))
    result = invoke("train", "--resume", tmp_path / "run", "--epochs", "2")
    assert "train.epochs is 2, expected at least 3" in str(result.exception)


def test_an_interruption_after_the_last_epoch_changes_nothing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*small(tiny, tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupt_at(28, patch)  # six steps and an epoch, four times
        assert run(*small(tiny, tmp_path / "run"))["stopped_by"] == ""
    assert comparable(tmp_path / "run") == comparable(tmp_path / "whole")


def test_an_interruption_after_the_last_epoch_of_a_search_says_how_to_go_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*searching(tiny, tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupt_at(6, patch)  # a step and an epoch, three times: the first width is done
        cut = invoke(*searching(tiny, tmp_path / "run"))
    assert f"train --resume {tmp_path / 'run'}" in cut.output
    assert json.loads((tmp_path / "run" / "result.json").read_text())["stopped_by"] == "request"
    run("train", "--resume", tmp_path / "run")
    assert comparable(tmp_path / "run") == comparable(tmp_path / "whole")


def test_after_a_nan_the_checkpoint_that_leads_to_it_again_is_not_advised(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_step = after_every_step(monkeypatch)
    diverging = small(tiny, tmp_path / "run", "--set", "optimizer.learning_rate=1e38", *every_step)
    message = str(invoke(*diverging).exception)
    last = files(tmp_path / "run" / "checkpoints")[-1]
    assert f"remove {last}, then `handgrad train --resume" in message
    last.unlink()
    assert run("train", "--resume", tmp_path / "run", "--lr", "0.5")["epochs"] == 4


@pytest.mark.parametrize(("code", "goes_on"), [(errno.ENOLCK, True), (errno.EROFS, False)])
def test_where_nothing_can_be_locked_training_goes_on(
    code: int, goes_on: bool, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(code, "told by the test")

    monkeypatch.setattr("filelock.FileLock.acquire", fail)
    result = invoke(*small(tiny, tmp_path / "run"))
    assert (result.exit_code == 0) is goes_on
    if not goes_on:
        assert "cannot be written to (told by the test)" in str(result.exception)


def test_the_same_data_may_lie_elsewhere(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    with monkeypatch.context() as patch:
        interrupt_at(3, patch)
        run(*small(tiny, tmp_path / "run"))
    shutil.copytree(tiny, tmp_path / "moved")
    assert run("train", "--resume", tmp_path / "run", "--data", tmp_path / "moved")["epochs"] == 4


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(*small(tiny, tmp_path / "run", *after_every_step(monkeypatch)))
    before = comparable(tmp_path / "run")
    last = files(tmp_path / "run" / "checkpoints")[-1]
    content = last.read_bytes()
    last.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    output = invoke("train", "--resume", tmp_path / "run").output
    assert last.name in output
    assert comparable(tmp_path / "run") == before


@pytest.mark.parametrize("rate", ["1e+38", "1e+40"])  # large weights, and infinite ones
def test_weights_that_became_infinite_are_not_what_is_saved(rate: str, tiny: Path, tmp_path: Path) -> None:
    result = invoke(*small(tiny, tmp_path / "run"), "--set", f"optimizer.learning_rate={rate}")
    message = str(result.exception)
    assert f"handgrad train --resume {tmp_path / 'run'} --lr {float(rate) / 10:g}" in message
    assert np.isfinite(SavedRun.open(tmp_path / "run").model.parameters.vector).all()
    resumed = run("train", "--resume", tmp_path / "run", "--lr", "0.5")
    assert resumed["epochs"] == 4
    assert resumed["test_accuracy"] > 0.8

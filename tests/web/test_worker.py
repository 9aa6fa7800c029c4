"""The process that trains for the page, with its commands and events."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.training.checkpoint import Checkpoint
from handgrad.training.checkpoint_folder import files
from handgrad.training.history import Step
from handgrad.training.saved_run import SavedRun
from handgrad.web.runs import RunFiles
from handgrad.web.steering import Steering

pytest.importorskip("starlette")

Event = dict[str, Any]
SMALL = {"model.hidden": [8], "train.batch_size": 40, "train.epochs": 4, "optimizer.learning_rate": 0.5}


class Worker:
    """A worker, and every event that it has told."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.events: list[Event] = []

    def say(self, command: str, **values: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"command": command, "values": values}) + "\n")
        self.process.stdin.flush()

    def until(self, kind: str, fits: Callable[[Event], bool] = lambda event: True) -> Event:
        """Read events up to the next one that fits."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == kind and fits(self.events[-1]):
                return self.events[-1]
        raise AssertionError(f"no {kind}, but {self.events[-3:]}; {self.process.stderr and self.process.stderr.read()}")

    def until_paused(self) -> Event:
        return self.until("state", lambda event: event["state"] == "paused")

    def all(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["event"] == kind]


@contextmanager
def worker(run: Path, recipe: str = "mlp", changes: Any = None, **order: Any) -> Iterator[Worker]:
    values = {"recipe": recipe, "changes": changes or {}, "run": str(run), "resume": False, "paused": False}
    limits = {"seconds": 25, "memory": 4 * 2**30, "threads": 1}
    command = [sys.executable, "-m", "handgrad.web.worker"]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(values | limits | order) + "\n")
        process.stdin.flush()
        try:
            yield Worker(process)
        finally:
            process.kill()


def command_line(*arguments: object) -> None:
    command = [sys.executable, "-m", "handgrad", "train", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def whole(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of SMALL by the command line, never interrupted."""
    run = tmp_path_factory.mktemp("whole") / "run"
    sets = [text for place, value in SMALL.items() for text in ("--set", f"{place}={value}")]
    command_line("mlp", "--data", tiny, *sets, "--out", run)
    return run


def same_weights(run: Path, other: Path) -> bool:
    return (run / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


def same_steps(run: Path, other: Path) -> bool:
    return SavedRun.open(run).history().steps == SavedRun.open(other).history().steps


def test_steps_epochs_and_pauses_change_no_bit(tiny: Path, tmp_path: Path, whole: Path) -> None:
    with worker(tmp_path / "run", changes={**SMALL, "data.dataset": str(tiny)}, paused=True) as training:
        started = training.until("started")
        assert (started["steps_per_epoch"], started["epochs"], started["step"]) == (6, 4, 0)
        assert [layer["output_shape"] for layer in started["layers"]] == [[8], [8], [3]]
        assert training.until_paused()["step"] == 0
        for number in (1, 2):
            training.say("step")
            assert training.until("step")["number"] == number
            signs = training.until("signals")
            assert signs["step"] == number
            first, rectified, _ = signs["layers"]
            assert 0 < first["update_ratio"] < 1
            assert first["gradient_norm"] > 0
            assert 0 <= rectified["dead"] < 1
            weights = training.until("weights")
            assert weights["version"] == RunFiles.find(tmp_path / "run").version
            assert weights["step"] == training.until_paused()["step"] == number
        training.say("epoch")
        epoch = training.until("epoch")
        assert (epoch["number"], epoch["step"], epoch["scores"]["test"]["count"]) == (1, 6, 60)
        counted = training.until("confusion")
        assert (counted["data"], counted["count"]) == ("test", 60)  # since the recipe reports it
        assert np.trace(counted["counts"]) == round(60 * epoch["scores"]["test"]["accuracy"])
        assert training.until_paused()["step"] == 6
        training.say("resume")
        ended = training.until("ended")
        assert training.process.wait(30) == 0
    assert ended["stopped_by"] == ""
    assert ended["result"]["epochs"] == 4
    assert same_weights(tmp_path / "run", whole)
    assert same_steps(tmp_path / "run", whole)
    assert (tmp_path / "run" / "curves.png").exists()


def test_a_stopped_training_is_gone_on_with_by_the_command_line(tiny: Path, tmp_path: Path, whole: Path) -> None:
    with worker(tmp_path / "run", changes={**SMALL, "data.dataset": str(tiny)}, paused=True) as training:
        training.until_paused()
        for _ in range(3):
            training.say("step")
            training.until_paused()
        training.say("stop")
        ended = training.until("ended")
    assert ended["stopped_by"] == "request"
    assert "To go on from step 3: python -m handgrad train --resume" in ended["way_on"]
    assert SavedRun.open(tmp_path / "run").history().steps[-1].number == 3
    command_line("--resume", tmp_path / "run")
    assert same_weights(tmp_path / "run", whole)


def test_a_killed_training_too(tiny: Path, tmp_path: Path, whole: Path) -> None:
    with worker(tmp_path / "run", changes={**SMALL, "data.dataset": str(tiny)}, paused=True) as training:
        training.until_paused()
        training.say("epoch")
        training.until_paused()
        training.process.send_signal(signal.SIGKILL)
        training.process.wait(30)
    command_line("--resume", tmp_path / "run")
    assert same_weights(tmp_path / "run", whole)


def test_a_run_of_the_command_line_is_gone_on_with(tiny: Path, tmp_path: Path, whole: Path) -> None:
    sets = [text for place, value in SMALL.items() for text in ("--set", f"{place}={value}")]
    command_line("mlp", "--data", tiny, *sets, "--set", "train.epochs=2", "--out", tmp_path / "run")
    with worker(tmp_path / "run", resume=True, changes={"train.epochs": 4}) as training:
        started = training.until("started")
        assert started["step"] == 12
        assert [epoch["number"] for epoch in started["history"]["epochs"]] == [1, 2]
        assert [step[0] for step in started["history"]["steps"]] == list(range(1, 13))
        training.until("ended")
    assert same_weights(tmp_path / "run", whole)


def test_the_end_of_the_server_stops_it_cleanly(tmp_path: Path) -> None:
    with worker(tmp_path / "run", "xor", {"train.epochs": 10_000_000}) as training:
        training.until("step", lambda event: event["number"] > 1)
        assert training.process.stdin is not None
        training.process.stdin.close()
        assert training.until("ended")["stopped_by"] == "request"
    assert SavedRun.open(tmp_path / "run").history().epochs[-1].number > 1


def test_settings_change_while_it_runs_and_are_kept(tiny: Path, tmp_path: Path) -> None:
    changes = {**SMALL, "data.dataset": str(tiny), "train.epochs": 3}
    with worker(tmp_path / "run", changes=changes, paused=True) as training:
        training.until_paused()
        training.say("step")
        training.until_paused()
        training.say("set", learning_rate=0.25, momentum=0.5, dropout=0.25, batch_size=80)
        assert training.until("postponed")["settings"] == {"batch_size": 80}
        settings = training.until("settings")
        assert settings["settings"] == {"learning_rate": 0.25, "momentum": 0.5, "dropout": 0.25} | {
            "batch_size": 40,
            "steps_per_second": 0,
        }
        assert [layer["kind"] for layer in settings["layers"]] == ["Linear", "ReLU", "Dropout", "Linear"]
        training.say("step")
        assert training.until("step")["learning_rate"] == 0.25
        training.until_paused()
        training.say("epoch")
        training.until("settings", lambda event: event["settings"]["batch_size"] == 80)
        training.until_paused()
        training.process.send_signal(signal.SIGKILL)
        training.process.wait(30)
    (latest,) = files(tmp_path / "run" / "checkpoints")[-1:]
    kept = Checkpoint.load(latest).about["recipe"]
    assert (kept["train"]["batch_size"], kept["model"]["dropout"], kept["optimizer"]["momentum"]) == (80, 0.25, 0.5)
    command_line("--resume", tmp_path / "run")
    steps = SavedRun.open(tmp_path / "run").history().steps
    assert [(step.epoch, step.batches) for step in steps] == [(1, 6)] * 6 + [(2, 3)] * 3 + [(3, 3)] * 3
    assert [step.learning_rate for step in steps[:3]] == [0.5, 0.25, 0.25]


def test_a_setting_that_cannot_be_had_is_a_warning(tmp_path: Path) -> None:
    with worker(tmp_path / "run", "points", {"train.epochs": 100_000}, paused=True) as training:
        training.until_paused()
        training.say("set", dropout=0.5)
        assert "nothing to drop" in training.until("warning")["message"]
        training.say("step")
        assert training.until("step")["number"] == 1


def test_steps_one_by_one_in_a_second(tmp_path: Path) -> None:
    with worker(tmp_path / "run", "points", {"train.epochs": 1000}, paused=True) as training:
        training.until_paused()
        training.say("set", steps_per_second=20)
        training.say("resume")
        numbers = [training.until("step")["number"] for _ in range(5)]
        assert numbers[-1] - numbers[0] <= 16  # four times at least a tenth of a second, and some slack
        training.say("set", steps_per_second=0)
        training.until("ended")


def test_the_pace_is_told_to_whoever_comes_later_also_while_it_waits(tmp_path: Path) -> None:
    with worker(tmp_path / "run", "points", {"train.epochs": 1000}, paused=True) as training:
        assert training.until("started")["settings"]["steps_per_second"] == 0
        training.until_paused()
        training.say("set", steps_per_second=20)
        assert training.until("pace")["steps_per_second"] == 20
        training.say("set", learning_rate=0.05)
        assert training.until("settings")["settings"]["steps_per_second"] == 20
        training.say("step")
        assert training.until("step")["number"] == 1  # none was taken in between
        training.until_paused()
        training.say("set", steps_per_second=0.01)
        training.say("resume")
        training.until("step")
        training.say("set", steps_per_second=0)  # nobody waits for the end of a slow step
        training.until("ended")
        assert [event["steps_per_second"] for event in training.all("pace")] == [20, 0.01, 0]


def test_what_is_asked_for_five_times_is_done_five_times(tiny: Path, tmp_path: Path) -> None:
    changes = {**SMALL, "data.dataset": str(tiny), "train.epochs": 100}
    with worker(tmp_path / "run", changes=changes, paused=True) as training:
        assert training.until("started")["steps_per_epoch"] == 6
        training.until_paused()
        for _ in range(5):
            training.say("step")
        training.until("state", lambda event: (event["state"], event["step"]) == ("paused", 5))
        assert [event["number"] for event in training.all("step")] == [1, 2, 3, 4, 5]
        for _ in range(5):
            training.say("epoch")
        training.until("state", lambda event: (event["state"], event["step"]) == ("paused", 30))
        training.say("step")
        assert training.until_paused()["step"] == 31


def test_a_pause_forgets_the_steps_that_are_owed() -> None:
    steering = Steering(paused=True, seconds=60)
    step = Step(1, 1, 1, 1, 0.5, 0.1, 1.0)
    for command in ("step", "step", "step", "pause", "step"):
        steering.obey(command, {})
    assert steering.is_pause(step)
    for command in ("step", "step", "resume", "step", "step"):
        steering.obey(command, {})
    assert [steering.is_pause(step), steering.is_pause(step)] == [False, True]


def test_another_setting_does_not_hide_the_one_before() -> None:
    steering = Steering(paused=True, seconds=1)
    steering.obey("set", {"learning_rate": 0.1})
    steering.obey("set", {"steps_per_second": 5})
    steering.wait(pace=5)
    assert not steering.timed_out
    assert steering.take_settings(between_epochs=True) == {"learning_rate": 0.1}


def test_a_pace_slower_than_anybody_waits_ends_with_the_time_that_a_training_has() -> None:
    steering, step = Steering(paused=False, seconds=0.2), Step(1, 1, 1, 1, 0.5, 0.1, 1.0)
    steering.obey("set", {"steps_per_second": 1e-10})  # seconds that no clock of the system counts
    steering.slow_down()
    started = time.monotonic()
    steering.slow_down()
    assert 0.05 < time.monotonic() - started < 5
    assert not steering.is_pause(step)
    assert steering.timed_out


def test_time_is_limited(tmp_path: Path) -> None:
    with worker(tmp_path / "run", "points", {"train.epochs": 10_000_000}, seconds=1.0) as training:
        training.until("ended")
        assert "as long as one in the page may" in training.all("warning")[-1]["message"]
    with worker(tmp_path / "paused", "points", paused=True, seconds=0.5) as training:
        training.until("ended")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits data")
def test_memory_is_limited(tmp_path: Path) -> None:
    with worker(tmp_path / "run", "mlp", {"model.hidden": [300_000]}, memory=2**29) as training:
        assert "not enough memory" in training.until("failed")["message"]
        assert training.process.wait(30) == 1
        assert training.process.stderr is not None
        assert "Traceback" not in training.process.stderr.read()


def test_numbers_that_explode_are_told_in_a_sentence(tmp_path: Path, tiny: Path) -> None:
    changes = {**SMALL, "data.dataset": str(tiny), "optimizer.learning_rate": 1e30}
    with worker(tmp_path / "run", changes=changes) as training:
        message = training.until("failed")["message"]
    assert "handgrad train --resume" in message


def test_what_others_print_is_no_event(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import atexit, os; atexit.register(lambda: os.write(1, b'noise'))")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    order = {"recipe": "points", "changes": {}, "run": str(tmp_path / "run"), "resume": False, "paused": False}
    limits = {"seconds": 60, "memory": 4 * 2**30, "threads": 1}
    command = [sys.executable, "-m", "handgrad.web.worker"]
    text = json.dumps(order | limits) + "\n" + json.dumps({"command": "stop"}) + "\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, env=environment, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()][-1]["event"] == "ended"
    assert "noise" in done.stderr

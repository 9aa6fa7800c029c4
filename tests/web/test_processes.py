"""Trainings as processes: that do not read, that cannot be started, that are gone on with or ended with the server."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

from served import served

from handgrad.errors import HandgradError
from handgrad.training import Recipe
from handgrad.web import training as training_module
from handgrad.web.catalog import Catalog
from handgrad.web.context import Context
from handgrad.web.errors import BusyError, NotFoundError
from handgrad.web.processes import kill
from handgrad.web.training import Training, Trainings

LONG = {"train.epochs": 10_000_000}


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trainings]:
    monkeypatch.setattr(training_module, "_FAREWELL", 2.0)
    started = Trainings(tmp_path)
    yield started
    started.close()


def start(trainings: Trainings, **options: Any) -> Training:
    return trainings.start(Recipe.load("xor"), "xor", LONG, **{"paused": True} | options)


def wait_until_paused(training: Training) -> None:
    deadline = time.monotonic() + 60
    while training.state != "paused":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ask_for_steps(training: Training, count: int) -> None:
    for _ in range(count):
        training.command("step", {})


def test_a_process_that_does_not_read_holds_up_nobody(trainings: Trainings) -> None:
    training = start(trainings)
    wait_until_paused(training)
    os.kill(training._process.pid, signal.SIGSTOP)
    training.command("set", {"learning_rate": "1" * 10**6})  # more than a pipe takes
    with pytest.raises(BusyError, match="has not taken"):
        ask_for_steps(training, 200)
    training.stop()
    trainings.close()
    assert "SIGKILL" in training.message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has signals without a name")
def test_a_process_that_a_nameless_signal_ended_is_told_like_any_other(trainings: Trainings) -> None:
    training = start(trainings)
    wait_until_paused(training)
    os.kill(training._process.pid, signal.SIGRTMIN + 6)
    training.end(30)
    assert training.state == "failed"
    assert f"was ended by signal {signal.SIGRTMIN + 6}" in training.message
    assert training.log._closed


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whatever_goes_wrong_with_a_training_it_is_over(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Training, "_take", refuse_the_first := _Refuse(Training._take))
    training = start(trainings)
    training.end(30)
    assert refuse_the_first.is_done
    assert training.state == "failed"
    assert training.log._closed
    assert training._process.poll() is not None


class _Refuse:
    """A method that fails once, as only a bug would."""

    def __init__(self, method: Callable[..., None]) -> None:
        self._method, self.is_done = method, False

    def __get__(self, training: Training, owner: type) -> Callable[..., None]:
        return lambda event: self(training, event)

    def __call__(self, training: Training, event: dict[str, Any]) -> None:
        if not self.is_done:
            self.is_done = True
            raise KeyError("event")
        self._method(training, event)


def test_nobody_waits_for_a_training_that_is_being_started(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start(trainings)
    begun, go_on = threading.Event(), threading.Event()

    def slow(run: Path, order: Mapping[str, Any]) -> Training:
        begun.set()
        assert go_on.wait(10)
        return Training(run, order)

    monkeypatch.setattr(training_module, "Training", slow)
    thread = threading.Thread(target=start, args=(trainings,))
    thread.start()
    assert begun.wait(30)
    assert trainings.get(first.name) is first
    assert trainings.index() == [first]
    go_on.set()
    thread.join(30)
    assert [training is first for training in trainings.index()] == [False, True]


def test_a_run_that_cannot_be_gone_on_with_keeps_its_directory(trainings: Trainings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    training = trainings.resume("empty", {}, paused=False)
    training.end(60)
    assert training.state == "failed"
    assert (tmp_path / "empty").is_dir()


def test_a_link_to_a_run_keeps_its_name(trainings: Trainings, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    training = trainings.resume("link", {}, paused=False)
    assert training.to_dict()["name"] == "link"
    assert trainings.get("link") is training
    with pytest.raises(NotFoundError):
        trainings.get("run")


def test_a_folder_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    with served(tmp_path) as server, monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        answer = server.post_json("/api/trainings", {"recipe": "xor", "resume": "run"})
    assert answer.status == 400
    assert "cannot be read (Permission denied)" in answer.error


def test_a_process_that_cannot_be_started_leaves_no_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path) as server, monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "nothing"))
        answer = server.post_json("/api/trainings", {"recipe": "xor"})
        lesson = server.ask("/api/lessons/zeros/broken")
    assert (answer.status, lesson.status) == (400, 400)
    assert "cannot be started (No such file or directory)" in answer.error
    assert answer.error == lesson.error
    assert list(tmp_path.iterdir()) == []


def test_killing_a_process_ends_what_it_has_started() -> None:
    command = ["sh", "-c", "sleep 60 & echo begun; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        started = time.monotonic()
        kill(process)
        assert process.stdout.read() == b""  # nobody is left who could write
        assert time.monotonic() - started < 30
    kill(process)  # which has ended already


def test_the_end_of_the_server_ends_a_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, begun = tmp_path / "python", tmp_path / "begun"
    script.write_text(f"#!/bin/sh\nsleep 60 &\ntouch '{begun}'\nwait\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    context, failures = Context(tmp_path, Catalog(tmp_path)), []

    def measure() -> None:
        try:
            context.lessons.measure("zeros", "broken")
        except HandgradError as error:
            failures.append(str(error))

    thread = threading.Thread(target=measure, daemon=True)
    thread.start()
    while thread.is_alive() and not begun.exists():
        time.sleep(0.02)
    context.close()
    thread.join(20)
    assert not thread.is_alive()
    assert "Measuring ended" in failures[0]
    context.close()

"""`handgrad serve`: it begins and ends in order, and says in a sentence what stands in the way."""

import http.client
import importlib.util
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

from served import make_run, served
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.errors import ArgumentError
from handgrad.training import Recipe
from handgrad.web.application import create_application, find_handler
from handgrad.web.catalog import Catalog
from handgrad.web.context import Context
from handgrad.web.contract import operations
from handgrad.web.serving import _warm_up, listen
from handgrad.web.training import Training


class Command:
    """`handgrad serve` in a process of its own."""

    def __init__(self, *arguments: str, folder: Path) -> None:
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "handgrad", "serve", "--no-browser", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment,
        )

    def address(self) -> str:
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found
        return found[0]

    def end(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Exit code, and what stood on standard error."""
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


def test_it_prints_its_address_answers_there_and_ends_quietly(tmp_path: Path) -> None:
    run = make_run(tmp_path / "elsewhere", "mine")
    command = Command("--port", "0", str(run.path), folder=tmp_path)
    try:
        host, _, port = command.address().removeprefix("http://").rstrip("/").partition(":")
        assert host == "127.0.0.1"
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("GET", "/api/models/runs/mine")
        assert connection.getresponse().status == 200
        connection.close()
        stream = socket.create_connection((host, int(port)))  # an open connection does not keep it alive
        code, errors = command.end()
        stream.close()
    finally:
        command.process.kill()
    assert (code, errors) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    command = Command("--port", "0", folder=tmp_path)
    try:
        command.address()
        code, errors = command.end(signal.SIGTERM)
    finally:
        command.process.kill()
    assert code in (0, -signal.SIGTERM)
    assert errors == ""


def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        command = Command("--port", str(taken.getsockname()[1]), folder=tmp_path)
        _, errors = command.process.communicate(timeout=30)
    assert command.process.returncode == 1
    assert "port is" in errors
    assert "--port" in errors
    assert "Traceback" not in errors


def test_an_address_of_another_machine_is_a_sentence() -> None:
    with pytest.raises(ArgumentError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)
    with pytest.raises(ArgumentError, match="host is"):
        listen("no such name.invalid", 0)


def test_what_is_not_a_run_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["serve", str(tmp_path), "--no-browser"])
    assert "is not the directory of a handgrad run" in str(result.exception)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    result = CliRunner().invoke(app, ["serve", "--no-browser"])
    assert 'python -m pip install "handgrad[web]"' in str(result.exception)
    assert "uvicorn" in str(result.exception)


def test_the_browser_is_opened_once_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: queue.Queue[str] = queue.Queue()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", opened.put)
    monkeypatch.setattr("handgrad.web.serving.serve", lambda *_, when_ready, **__: when_ready())
    assert CliRunner().invoke(app, ["serve", "--port", "0"]).exit_code == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", opened.get(timeout=10))
    assert CliRunner().invoke(app, ["serve", "--port", "0", "--no-browser"]).exit_code == 0
    time.sleep(0.1)
    assert opened.empty()


def test_serving_to_others_is_said_and_its_name_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("handgrad.web.serving.serve", lambda *_, when_ready, **rest: (given.update(rest), when_ready()))
    result = CliRunner().invoke(app, ["serve", "--port", "0", "--no-browser", "--host", "0.0.0.0"])
    assert "Everyone who can reach this machine" in result.stdout
    assert given["names"] == [socket.gethostname()]
    assert "Everyone" not in CliRunner().invoke(app, ["serve", "--port", "0", "--no-browser"]).stdout


def test_threads_are_also_those_of_each_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("handgrad.web.serving.serve", lambda *_, **options: given.update(options))
    assert CliRunner().invoke(app, ["serve", "--port", "0", "--no-browser", "--threads", "1"]).exit_code == 0
    context = create_application(tmp_path, threads=given["threads"]).state.context
    try:
        training = context.trainings.start(Recipe.load("points"), "points", {"train.epochs": 1}, paused=False)
        assert [event["result"]["threads"] for event in followed(training) if event["event"] == "ended"] == [1]
    finally:
        context.close()


def followed(training: Training) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while not training.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return training.log.after(0)


def test_importing_the_command_line_does_not_import_the_server() -> None:
    code = (
        "import sys, handgrad.cli; print([name for name in sys.modules if name in ('starlette', 'uvicorn', 'numpy')])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_the_server_ends_while_a_request_is_on_its_way(tmp_path: Path) -> None:
    with served(tmp_path) as server:

        def ask() -> None:
            with suppress(OSError, http.client.HTTPException):
                server.ask("/api/models/recipes/cnn/examples?mistakes=true")

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.05)
    asking.join(30)
    assert not asking.is_alive()


def test_nothing_that_answers_or_trains_waits_for_the_library_of_pictures() -> None:
    """It takes a third of a second to import, which the first request would wait for, and each training."""
    modules = sorted({f"handgrad.web.handlers.{operation.id.partition('.')[0]}" for operation in operations()})
    imports = ", ".join(["sys", "handgrad.web.serving", "handgrad.web.worker", "handgrad.web.measuring", *modules])
    script = f"import {imports}; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


def test_the_code_of_every_answer_is_there_before_it_is_asked_for(tmp_path: Path) -> None:
    find_handler.cache_clear()
    context = Context(tmp_path, Catalog(tmp_path))
    try:
        _warm_up(context)
        assert find_handler.cache_info().currsize == len(operations())
    finally:
        context.close()

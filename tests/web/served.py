"""A real server on a real port, in a thread, for the tests of the web."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handgrad.training.checkpoint_folder import CheckpointFolder
from handgrad.training.experiment import Experiment
from handgrad.training.recipe import Recipe
from handgrad.training.run import RunDirectory, result_of
from handgrad.web.application import create_application
from handgrad.web.connections import Limits
from handgrad.web.context import Context
from handgrad.web.serving import PageServer, listen

BYTES, JSON = "application/octet-stream", "application/json"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def values(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        (sentence,) = self.values.values()
        assert isinstance(sentence, str)
        assert sentence.endswith((".", "?"))
        return sentence


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    context: Context

    def ask(
        self, path: str, body: bytes | None = None, *, method: str = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def post_json(self, path: str, values: Any) -> Answer:
        return self.ask(path, json.dumps(values).encode(), headers={"Content-Type": JSON})

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextmanager
def served(runs: Path, *, limits: Limits | None = None) -> Iterator[Served]:
    """A server for the block; in the end it has to stop by itself."""
    limits = limits or Limits()
    application = create_application(runs, seconds=limits.body_seconds)
    ready = threading.Event()
    with listen("127.0.0.1", 0) as bound:
        server = PageServer(application, limits, when_ready=ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            assert ready.wait(30)
            yield Served(bound.getsockname()[1], application.state.context)
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server hangs up, by a polite end or by a reset."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


def make_run(folder: Path, name: str, recipe: str = "points", **changes: Any) -> RunDirectory:
    """A run that was trained to its end."""
    run, experiment = RunDirectory.create(folder / name), _trained(recipe, changes)
    run.save(experiment, threads=1)
    run.write_json("result.json", result_of(experiment, 1, run.path))
    return run


def make_unfinished_run(folder: Path, name: str, recipe: str = "points", **changes: Any) -> RunDirectory:
    """A run that was left off after an epoch."""
    run, experiment = RunDirectory.create(folder / name), _trained(recipe, changes)
    CheckpointFolder(run.checkpoints).write(experiment.trainer)
    run.describe(experiment, 1, saved=False)
    return run


def _trained(recipe: str, changes: Mapping[str, Any]) -> Experiment:
    places = {place.replace("__", "."): value for place, value in changes.items()}
    experiment = Experiment.prepare(Recipe.load(recipe).override({"train.epochs": 3} | places))
    for _ in experiment.trainer.run_to(experiment.recipe.train.epochs):
        pass
    return experiment

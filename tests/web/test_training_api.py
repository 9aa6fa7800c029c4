"""Training by the server: recipes, commands, the stream of events, limits, and what dies."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from served import Answer, Served, served

from handgrad.errors import RecipeError
from handgrad.training import Recipe
from handgrad.training.saved_run import SavedRun
from handgrad.web.errors import BusyError
from handgrad.web.recipes import _refusing
from handgrad.web.training import ABANDONED, Training, Trainings

pytest.importorskip("starlette")

Event = dict[str, Any]
LONG = {"train.epochs": 1_000_000}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[Served]:
    with served(runs) as running:
        yield running


@pytest.fixture(autouse=True)
def _none_left(server: Served) -> Iterator[None]:
    yield
    server.context.trainings.close()


def start(server: Served, recipe: str = "points", changes: Any = None, **more: Any) -> str:
    answer = server.post_json("/api/trainings", {"recipe": recipe, "changes": changes or {}, **more})
    assert answer.status == 200, answer.body
    assert answer.values["model"] == f"runs/{answer.values['name']}"
    return str(answer.values["name"])


def command(server: Served, name: str, command: str, **values: float) -> Answer:
    return server.post_json(f"/api/trainings/{name}/commands", {"command": command, "values": values})


def stream(server: Served, name: str, after: int = 0) -> Iterator[Event]:
    """The events, as a browser reads them, until the server says that it is over."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", f"/api/trainings/{name}/events?after={after}")
    response = connection.getresponse()
    assert response.headers["Content-Type"].startswith("text/event-stream")
    kind, deadline = "message", time.monotonic() + 120  # a machine may be busy
    try:
        for line in response:
            assert time.monotonic() < deadline
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                kind = text.removeprefix("event: ")
            elif text.startswith("data: ") and kind == "message":
                yield json.loads(text.removeprefix("data: "))
        assert kind == "over"
    finally:
        connection.close()


def until(events: Iterator[Event], kind: str, fits: Callable[[Event], bool] = lambda event: True) -> Event:
    return next(event for event in events if event["event"] == kind and fits(event))


def paused(event: Event) -> bool:
    return bool(event["state"] == "paused")


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def training_of(server: Served, name: str) -> Training:
    found = server.context.trainings.get(name)
    assert isinstance(found, Training)
    return found


def test_a_recipe_comes_with_all_that_may_be_put_into_it(server: Served) -> None:
    values = server.ask("/api/recipes/mlp").values
    assert values["recipe"]["model"]["hidden"] == [128]
    assert [layer["output_shape"] for layer in values["layers"]] == [[128], [128], [10]]
    layers = {layer["name"]: layer["settings"] for layer in values["choices"]["layers"]}
    assert {"Conv2d", "BatchNorm2d", "Linear", "Dropout"} <= layers.keys()
    assert layers["Dropout"] == [{"name": "p", "default": 0.5, "required": False}]
    required = [setting["name"] for setting in layers["Conv2d"] if setting["required"]]
    assert required == ["out_channels", "kernel_size"]
    assert "ReLU" in values["choices"]["activations"]
    assert "Linear" not in values["choices"]["activations"]
    adam = next(entry for entry in values["choices"]["optimizers"] if entry["name"] == "adam")
    assert {setting["name"]: setting["default"] for setting in adam["settings"]}["beta1"] == 0.9
    assert server.ask("/api/recipes/nobody").status == 404


def test_every_recipe_can_be_edited(server: Served) -> None:
    from handgrad.training.recipe import recipe_names

    for name in recipe_names():
        before = server.ask(f"/api/recipes/{name}")
        assert before.status == 200, before.body
        after = server.post_json(f"/api/recipes/{name}", {})
        assert after.values["layers"] == before.values["layers"]


def test_a_changed_recipe_shows_its_shapes(server: Served) -> None:
    features = [{"name": "Conv2d", "out_channels": 4, "kernel_size": 5, "stride": 2}, {"name": "Flatten"}]
    changes = {"model.features": features, "model.hidden": [], "data.layout": "image", "optimizer": {"name": "adam"}}
    values = server.post_json("/api/recipes/mlp", {"changes": changes}).values
    assert [layer["output_shape"] for layer in values["layers"]] == [[4, 12, 12], [576], [10]]
    assert values["recipe"]["optimizer"] == {"name": "adam"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data.dataset": "/etc"}, "expected one of mnist, points, xor"),
        ({"data": {"dataset": ".."}}, "expected one of mnist, points, xor"),
        ({"model.features": [{"name": "Conv2d", "out_channels": 4, "kernel_size": 99}]}, "Conv2d"),
        ({"model.hidden": [100_000_000]}, "at most 20,000,000"),
        ({"model.hidden": [1] * 1000}, "too many layers"),
        ({"model.features": [{"name": "Residual", "branch": [{"name": "ReLU"}] * 100}]}, "too many layers"),
        ({"model.hidden": [0]}, "out_features"),
        ({"train.clip_norm": 10**400}, "no number that can be kept"),
        ({"model.hidden": [10**4000, 10**4000]}, "no number that can be kept"),
        ({"model.hidden": [2**53, 2**53]}, "at most 20,000,000"),
        ({"train.epochs": 1_000_001}, "train.epochs is 1000001, expected 1 to 1,000,000"),
        ({"optimizer.learning_rate": -1}, "learning_rate"),
        ({"train.epochs": 0}, "train.epochs"),
        ({"data.validation": 10**6}, "data.validation"),
        ({"name": "../elsewhere"}, "name is"),
        ({"nonsense": 3}, "is not a value of a recipe"),
        ({"data.layout": "rows"}, "layout is 'rows', expected 'flat' or 'image'"),
        ({"data.normalize": "foo"}, "normalize is 'foo', expected 'none', 'unit', 'standard' or 'featurewise'"),
        ({"data.append_ones": True}, "append_ones"),
        ({"loss.name": "mean_squared_error"}, "data.one_hot = true"),
        ({"model.output_activation": "Softmax"}, "twice"),
        ({"queries": [[1.0, 2.0]]}, "an input of mnist has the shape (28, 28)"),
    ],
)
def test_what_would_not_work_is_refused(server: Served, runs: Path, changes: Any, sentence: str) -> None:
    before = set(runs.iterdir())
    for path, body in (("/api/recipes/cnn", {}), ("/api/trainings", {"recipe": "cnn"})):
        answer = server.post_json(path, body | {"changes": changes})
        assert answer.status == 400, answer.body
        assert sentence in answer.error
    assert set(runs.iterdir()) == before


def test_data_without_classes_or_images_have_recipes_that_do_not_fit_them(server: Served) -> None:
    for changes, sentence in (
        ({"data.layout": "image"}, "(H, W)"),
        ({"data.normalize": "unit"}, "'none', 'standard' or 'featurewise'"),
        ({"data.one_hot": True}, "without classes"),
        ({"loss": {"name": "softmax_cross_entropy"}}, "numbers as targets"),
    ):
        answer = server.post_json("/api/recipes/xor", {"changes": changes})
        assert answer.status == 400, answer.body
        assert sentence in answer.error


def test_whatever_goes_wrong_with_a_recipes_values_is_an_error_of_the_recipe() -> None:
    with pytest.raises(RecipeError, match="cannot be used: ValueError, invalid literal"), _refusing():
        int("a hundred")
    with pytest.raises(RecipeError, match=r"^As it is$"), _refusing():
        raise RecipeError("As it is")


def test_a_training_from_its_first_step_to_its_last(server: Served, runs: Path) -> None:
    name = start(server, "points", {"train.epochs": 50}, paused=True)
    events = stream(server, name)
    assert until(events, "started")["epochs"] == 50
    until(events, "state", paused)
    assert server.ask(f"/api/trainings/{name}").values["state"] == "paused"
    assert command(server, name, "step").status == 200
    assert until(events, "step")["number"] == 1
    until(events, "state", paused)
    assert command(server, name, "set", learning_rate=0.05).status == 200
    assert until(events, "settings")["settings"]["learning_rate"] == 0.05
    version = until(events, "weights")["version"]
    model = model_of(server, name)
    assert model["training"]
    assert model["version"] == version
    command(server, name, "resume")
    ended = until(events, "ended")
    assert ended["result"]["epochs"] == 50
    assert list(events) == []
    assert server.ask(f"/api/trainings/{name}").values["state"] == "ended"
    assert SavedRun.open(runs / name).recipe.optimizer["learning_rate"] == 0.05
    assert [event["id"] for event in stream(server, name, after=ended["id"] - 1)] == [ended["id"]]
    replayed = list(stream(server, name))
    assert (replayed[0]["event"], replayed[-1]) == ("started", ended)
    refused = command(server, name, "step")
    assert refused.status == 400
    assert "is over" in refused.error


def test_stop_and_resume(server: Served, runs: Path) -> None:
    name = start(server, "xor", LONG)
    events = stream(server, name)
    until(events, "step")
    again = {"recipe": "xor", "resume": name}
    assert "being trained already" in server.post_json("/api/trainings", again).error
    command(server, name, "stop")
    stopped = until(events, "ended")
    assert stopped["stopped_by"] == "request"
    last_step = SavedRun.open(runs / name).history().steps[-1].number
    assert start(server, "xor", {"train.epochs": stopped["result"]["epochs"] + 5}, resume=name) == name
    events = stream(server, name)
    started = until(events, "started")
    assert 0 <= started["step"] - last_step < 1000  # of so many steps not every one is in the history
    assert until(events, "ended")["result"]["epochs"] == stopped["result"]["epochs"] + 5


def test_resuming_is_for_runs_of_the_folder_alone(server: Served, tmp_path: Path) -> None:
    for name in ("nobody", "..", str(tmp_path), "../" + tmp_path.name):
        assert server.post_json("/api/trainings", {"recipe": "xor", "resume": name}).status == 404
    moved = {"recipe": "xor", "resume": "any", "changes": {"data.dataset": "/etc"}}
    assert "keeps its data" in server.post_json("/api/trainings", moved).error


def test_a_third_training_waits_for_a_place(server: Served) -> None:
    first, second = (start(server, "xor", LONG) for _ in range(2))
    answer = server.post_json("/api/trainings", {"recipe": "xor"})
    assert answer.status == 429
    assert "2 trainings run already" in answer.error
    names = [training["name"] for training in server.ask("/api/trainings").values["trainings"]]
    assert names[:2] == [second, first]
    command(server, first, "stop")
    wait_for(lambda: training_of(server, first).is_over)
    start(server, "points")


def test_a_killed_worker_is_told_in_a_sentence_and_can_be_gone_on_with(server: Served, runs: Path) -> None:
    name = start(server, "xor", LONG)
    events = stream(server, name)
    until(events, "weights", lambda event: event["step"] > 0)
    os.kill(training_of(server, name)._process.pid, signal.SIGKILL)
    message = until(events, "failed")["message"]
    assert (
        message == "The process that trained was ended by SIGKILL. It can be gone on with from its latest checkpoint."
    )
    assert list(events) == []
    assert server.ask(f"/api/trainings/{name}").values == {
        "name": name,
        "model": f"runs/{name}",
        "state": "failed",
        "message": message,
    }
    before = model_of(server, name)
    resumed = subprocess.Popen([sys.executable, "-m", "handgrad", "train", "--resume", str(runs / name)])
    wait_for(lambda: model_of(server, name)["version"] != before["version"])
    assert (before["training"], model_of(server, name)["training"]) == (False, True)  # by another process
    resumed.send_signal(signal.SIGINT)
    assert resumed.wait(30) == 0
    assert len(SavedRun.open(runs / name).history().epochs) > 1


def model_of(server: Served, name: str) -> dict[str, Any]:
    """What the list of models says of a run."""
    models = server.ask("/api/models").values["models"]
    return next(model for model in models if model["id"] == f"runs/{name}")


def test_what_fails_before_it_begins_leaves_no_directory(server: Served, runs: Path) -> None:
    before = set(runs.iterdir())
    name = start(server, "points", {"train.patience": 3})  # only the worker looks at that, since it takes a trainer
    assert 'a "validation" monitor' in until(stream(server, name), "failed")["message"]
    wait_for(lambda: set(runs.iterdir()) == before)


def test_a_slow_reader_holds_up_nobody(server: Served) -> None:
    name = start(server, "xor", LONG)
    slow = stream(server, name)
    next(slow)  # and then reads no more
    started = time.monotonic()
    numbers = [event["number"] for event in stream_some(server, name, 20)]
    assert numbers == sorted(numbers)
    assert time.monotonic() - started < 20
    assert server.ask(f"/api/trainings/{name}").status == 200


def stream_some(server: Served, name: str, count: int) -> list[Event]:
    events = stream(server, name)
    return [until(events, "step") for _ in range(count)]


def test_readers_come_and_go(server: Served) -> None:
    name = start(server, "xor", LONG)
    threads = [threading.Thread(target=stream_some, args=(server, name, 5)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    log = training_of(server, name).log
    wait_for(lambda: not log._readers)


def test_closing_stops_everything_and_saves(tmp_path: Path) -> None:
    with served(tmp_path) as running:
        name = start(running, "xor", LONG)
        events = stream(running, name)
        until(events, "step")
        process = training_of(running, name)._process
    assert process.returncode == 0
    assert SavedRun.open(tmp_path / name).history().steps


def test_a_training_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path, seconds=1.0)
    recipe = Recipe.load("xor").override(LONG)
    training = trainings.start(recipe, "xor", LONG, paused=False)
    wait_for(lambda: training.is_over)
    assert training.state == "ended"
    assert training.log.after(0)[-1]["stopped_by"] == "request"
    trainings.close()


@contextmanager
def one_paused(folder: Path, abandoned: float = ABANDONED) -> Iterator[tuple[Trainings, Training]]:
    """Trainings of which there may be one, and that one, which nobody follows."""
    trainings = Trainings(folder, at_once=1, abandoned=abandoned)
    try:
        first = trainings.start(Recipe.load("points"), "points", {}, paused=True)
        wait_for(lambda: first.state == "paused")
        yield trainings, first
    finally:
        trainings.close()


def test_a_paused_training_keeps_its_place_for_a_while(tmp_path: Path) -> None:
    with one_paused(tmp_path) as (trainings, _), pytest.raises(BusyError, match="stop one of them first"):
        trainings.start(Recipe.load("points"), "points", {}, paused=True)


def test_a_paused_training_that_nobody_follows_makes_room(tmp_path: Path) -> None:
    with one_paused(tmp_path, abandoned=0.0) as (trainings, first):
        second = trainings.start(Recipe.load("points"), "points", {}, paused=True)
        assert first.state == "ended"
        assert (first.run / "model.safetensors").exists()
        assert not second.is_over


@pytest.mark.parametrize("limit", ["most", "most_of_one"])
def test_a_training_is_followed_by_so_many_and_no_more(
    server: Served, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    streams = server.context.streams
    name = start(server, "points", LONG, paused=True)
    wait_for(lambda: streams.count == 0)  # those of other tests
    monkeypatch.setattr(streams, limit, 2)
    followers = [stream(server, name) for _ in range(3)]
    for follower in followers[:2]:
        until(follower, "started")
    refused = server.ask(f"/api/trainings/{name}/events")
    assert refused.status == 429
    assert "close one of them" in refused.error
    followers[0].close()  # type: ignore[attr-defined]
    wait_for(lambda: streams.count == 1)
    until(followers[2], "started")
    for follower in followers[1:]:
        follower.close()  # type: ignore[attr-defined]
    wait_for(lambda: streams.count == 0)


def test_head_of_a_stream_ends(server: Served) -> None:
    name = start(server, "points", LONG, paused=True)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        for _ in range(2):  # of which the second would wait for the end of the first
            connection.request("HEAD", f"/api/trainings/{name}/events")
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"")
            assert response.headers["Content-Type"].startswith("text/event-stream")
            assert training_of(server, name).log.unread_seconds > 0
    finally:
        connection.close()

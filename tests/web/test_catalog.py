"""Recipes and runs as models: which there are, opened once, anew when their weights change."""

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest

pytest.importorskip("starlette")

from served import make_run, make_unfinished_run

from handgrad.data.loader import Loader
from handgrad.errors import HandgradError, RunError
from handgrad.layers import Layer
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.evaluation import predict
from handgrad.training.recipe import recipe_names
from handgrad.training.saved_run import SavedRun
from handgrad.web.cache import OnceCache
from handgrad.web.catalog import MOST_MODELS, Catalog
from handgrad.web.errors import NotFoundError
from handgrad.web.runs import RunFiles


def test_recipes_come_first_and_then_runs_the_newest_first(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "older", "oldest")):
        path = make_run(tmp_path, name).path
        os.utime(path, (1e9 - age, 1e9 - age))
    ids = [entry.id for entry in Catalog(tmp_path).index()]
    assert ids == [*(f"recipes/{name}" for name in recipe_names()), "runs/new", "runs/older", "runs/oldest"]


def test_a_folder_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    assert {entry.kind for entry in Catalog(tmp_path / "nowhere").index()} == {"recipes"}


def test_what_is_broken_is_left_out_and_says_why(runs: Path) -> None:
    catalog = Catalog(runs)
    listed = {entry.id for entry in catalog.index() if entry.kind == "runs"}
    assert listed == {"runs/finished", "runs/left-off"}
    with pytest.raises(RunError, match=r"empty.*run\.json not found"):
        catalog.open("runs", "empty")
    with pytest.raises(RunError, match="broken is not a complete run"):
        catalog.open("runs", "broken")


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", '{"saved": false}', '{"recipe": {"name": "x"}}', "\0", ""])
def test_no_run_json_stops_the_list(tmp_path: Path, content: str) -> None:
    run = make_run(tmp_path, "run")
    (run.path / "run.json").write_text(content)
    catalog = Catalog(tmp_path)
    assert {entry.kind for entry in catalog.index()} == {"recipes"}
    with pytest.raises(HandgradError):
        catalog.open("runs", "run")


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../runs", "finished/", "finished/.", "a file", "/etc", "\0", ".hidden"]
)
def test_a_name_is_looked_up_and_never_becomes_a_path(runs: Path, name: str) -> None:
    (runs / ".hidden").mkdir(exist_ok=True)
    for kind in ("runs", "recipes"):
        with pytest.raises(NotFoundError):
            Catalog(runs).open(kind, name)


def test_a_recipe_opens_with_the_first_weights_of_its_seed(tmp_path: Path) -> None:
    first, again = (Catalog(tmp_path).open("recipes", "xor") for _ in range(2))
    assert np.array_equal(first.model.parameters.vector, again.model.parameters.vector)
    assert first.version == again.version
    assert not first.entry.trained
    assert first.raw_shape == (2,)
    assert first.classes is None
    assert type(first.optimizer).__name__ == "SGD"


def test_a_finished_run_opens_with_what_it_learned(runs: Path) -> None:
    opened, saved = Catalog(runs).open("runs", "finished"), SavedRun.open(runs / "finished")
    assert np.array_equal(opened.model.parameters.vector, saved.model.parameters.vector)
    inputs = opened.test.inputs
    assert np.array_equal(opened.probabilities(inputs), saved.probabilities(inputs))
    result = saved.directory.read_json("result.json")
    assert opened.entry.accuracy == result["test_accuracy"]
    assert opened.entry.trained


def test_a_run_that_was_left_off_opens_at_its_latest_checkpoint(runs: Path) -> None:
    opened = Catalog(runs).open("runs", "left-off")
    (file,) = (runs / "left-off" / "checkpoints").glob("*.safetensors")
    arrays = Checkpoint.load(file).arrays
    for name, array in opened.model.parameters.state_dict().items():
        assert np.array_equal(array, arrays[name])
    assert opened.entry.accuracy is None
    assert not opened.entry.training


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    run = make_unfinished_run(tmp_path, "run")
    (run.checkpoints / "step-999999999.safetensors").write_bytes(b"half a file")
    (run.checkpoints / ".unfinished.tmp").write_bytes(b"of whoever trains")
    assert Catalog(tmp_path).open("runs", "run").entry.trained
    assert (run.checkpoints / ".unfinished.tmp").exists()
    for file in run.checkpoints.glob("*.safetensors"):
        file.write_bytes(b"")
    with pytest.raises(RunError, match="not a checkpoint that can be read"):
        Catalog(tmp_path).open("runs", "run")


def test_a_run_without_any_weights_says_so(tmp_path: Path) -> None:
    run = make_unfinished_run(tmp_path, "run")
    shutil.rmtree(run.checkpoints)
    with pytest.raises(RunError, match="has no weights yet"):
        Catalog(tmp_path).open("runs", "run")


def test_new_weights_are_a_new_version_and_the_same_ones_are_opened_once(tmp_path: Path) -> None:
    run = make_unfinished_run(tmp_path, "run")
    catalog = Catalog(tmp_path)
    before = catalog.open("runs", "run")
    assert catalog.open("runs", "run") is before
    (file,) = run.checkpoints.glob("*.safetensors")
    shutil.copy(file, run.checkpoints / "step-000000999.safetensors")
    file.unlink()
    after = catalog.open("runs", "run")
    assert after is not before
    assert after.version != before.version
    assert catalog.entry("runs", "run").version == after.version


def test_the_accuracy_is_known_as_soon_as_the_run_is_scored(tmp_path: Path) -> None:
    run = make_run(tmp_path, "run")
    scored = (run.path / "result.json").read_bytes()
    (run.path / "result.json").unlink()
    catalog = Catalog(tmp_path)
    assert catalog.entry("runs", "run").accuracy is None
    (run.path / "result.json").write_bytes(scored)
    assert catalog.entry("runs", "run").accuracy == run.read_json("result.json")["test_accuracy"]
    (run.path / "result.json").write_text('{"test_accuracy": "high"}')
    assert catalog.entry("runs", "run").accuracy is None


def test_whoever_holds_the_lock_is_training(tmp_path: Path) -> None:
    run = make_unfinished_run(tmp_path, "run")
    catalog = Catalog(tmp_path)
    with run.locked():
        assert catalog.entry("runs", "run").training
    assert not catalog.entry("runs", "run").training
    with run.locked():  # asking did not keep the lock
        pass


def test_who_looks_at_the_same_time_does_not_take_the_other_for_a_trainer(tmp_path: Path) -> None:
    run = make_unfinished_run(tmp_path, "run")
    with run.locked():  # which leaves the file
        pass
    files = RunFiles.find(run.path)
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: files.is_being_trained(), range(2000)))


def test_looking_at_a_run_writes_nothing_into_it(tmp_path: Path) -> None:
    for make in (make_run, make_unfinished_run):
        make(tmp_path, make.__name__)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    catalog = Catalog(tmp_path)
    for entry in catalog.index()[len(recipe_names()) :]:
        catalog.mistakes(catalog.open(entry.kind, entry.id.partition("/")[2]))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_runs_from_elsewhere_are_offered_under_their_names(tmp_path: Path) -> None:
    run = make_run(tmp_path / "elsewhere", "mine")
    catalog = Catalog(tmp_path / "runs", [run.path])
    assert catalog.index()[-1].id == "runs/mine"
    assert catalog.open("runs", "mine").entry.trained


def test_many_threads_get_one_model(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: catalog.open("recipes", "mlp"), range(16)))
    assert len({id(model) for model in opened}) == 1


def test_only_so_many_models_stay_open(tmp_path: Path) -> None:
    make_run(tmp_path, "run")
    catalog = Catalog(tmp_path)
    first = catalog.open("runs", "run")
    for number in range(MOST_MODELS):
        shutil.copytree(tmp_path / "run", tmp_path / f"copy-{number}")
        catalog.open("runs", f"copy-{number}")
    assert catalog.open("runs", "run") is not first


def test_scoring_never_moves_the_weights_that_others_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Catalog(tmp_path).open("recipes", "mlp")
    scored: list[Layer] = []

    def watched(model: Layer, loader: Loader) -> Any:
        scored.append(model)
        return predict(model, loader)  # which moves its weights for a moment

    monkeypatch.setattr("handgrad.web.catalog.predict", watched)
    Catalog(tmp_path).mistakes(opened)
    (model,) = scored
    assert not np.shares_memory(model.parameters.vector, opened.model.parameters.vector)


def test_the_worst_mistakes_come_first(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    opened = catalog.open("recipes", "mlp")
    mistakes, labels = catalog.mistakes(opened), opened.test.labels
    assert catalog.mistakes(opened) is mistakes
    outputs = opened.probabilities(opened.test.inputs)
    assert sorted(mistakes) == np.flatnonzero(outputs.argmax(axis=1) != labels).tolist()
    of_the_truth = outputs[mistakes, labels[mistakes]]
    assert np.all(np.diff(of_the_truth) >= -1e-6)  # cross-entropy is −log of it


def test_a_result_that_fails_is_not_kept() -> None:
    cache = OnceCache[int](2)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cache.get("key", lambda: 1 // 0)
    assert cache.get("key", lambda: 1) == 1


def test_results_are_kept_up_to_so_many_bytes_and_the_newest_always() -> None:
    cache = OnceCache[bytes](9, weigh=len, most_bytes=5)
    made: list[str] = []

    def get(key: str, size: int) -> None:
        cache.get(key, lambda: made.append(key) or bytes(size))  # type: ignore[func-returns-value]

    for key, size in (("a", 2), ("b", 3), ("a", 2), ("c", 1), ("a", 2), ("b", 3)):
        get(key, size)
    assert "".join(made) == "abcb"  # of a and b, b was asked for longest ago
    get("large", 6)
    get("large", 6)
    get("a", 2)
    assert "".join(made[4:]) == "largea"
    assert cache.bytes == 2


def test_whoever_waits_for_a_result_gets_it_or_its_error() -> None:
    cache, begun = OnceCache[int](1), threading.Event()

    def fail() -> int:
        begun.set()
        time.sleep(0.1)
        raise ZeroDivisionError

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", fail)
        begun.wait()
        second = pool.submit(cache.get, "key", lambda: 1)
        assert isinstance(first.exception(), ZeroDivisionError)
        assert isinstance(second.exception(), ZeroDivisionError)


def test_a_lock_that_cannot_be_opened_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_unfinished_run(tmp_path, "run")
    (run.path / ".lock").touch()

    def fail(*arguments: object, **settings: object) -> None:
        raise PermissionError

    monkeypatch.setattr(filelock.FileLock, "acquire", fail)
    assert not Catalog(tmp_path).entry("runs", "run").training

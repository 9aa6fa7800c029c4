"""Sweeps: every trial finished once, whoever dies."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.training.recipe import Recipe
from handgrad.training.saved_run import SavedRun
from handgrad.training.search import ranges

optuna: Any = pytest.importorskip("optuna")
interop: Any = pytest.importorskip("handgrad.interop.sweep")

MLP = ("mlp", "--set", "train.epochs=3", "--range", "model.hidden=[4]|[8]|[16]", "--range", "train.batch_size=8..64")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "handgrad", "sweep", *map(str, arguments)]


def sweep(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["sweep", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["sweep", *map(str, arguments)])
    assert result.exit_code == 1, result.output
    return str(result.exception)


def found(folder: Path) -> Any:
    return json.loads((folder / "sweep.json").read_text(encoding="utf-8"))


def all_trials(storage: str) -> list[Any]:
    database = optuna.storages.RDBStorage(storage)
    try:
        return list(optuna.load_study(study_name="mlp", storage=database).get_trials())
    finally:
        database.remove_session()
        database.engine.dispose()


def on(tiny: Path) -> tuple[str | Path, ...]:
    return (*MLP, "--set", f"data.dataset={tiny}")


@pytest.fixture(scope="module")
def done(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sweep") / "out"
    sweep(*on(tiny), "--trials", "8", "--jobs", "2", "--out", out)
    return out


def test_every_trial_has_values_of_its_ranges_and_a_score(done: Path) -> None:
    values = found(done)
    recipe = Recipe.from_dict(values["recipe"])
    assert set(ranges(recipe)) == {"optimizer.learning_rate", "train.batch_size", "model.hidden"}
    assert len(values["trials"]) == 8
    for trial in values["trials"]:
        assert 0.01 <= trial["values"]["optimizer.learning_rate"] <= 1.0
        assert 8 <= trial["values"]["train.batch_size"] <= 64
        assert trial["values"]["model.hidden"] in ("[4]", "[8]", "[16]")
        assert (trial["score"] is None) == (trial["ended"] is not None)
    assert values["best"]["score"] == max(trial["score"] or 0 for trial in values["trials"])
    assert {"history", "parallel"} <= {path.stem for path in done.glob("*.png")}


def test_candidates_are_compared_on_validation_data_and_the_best_is_trained_on_all(done: Path, tiny: Path) -> None:
    values, best = found(done), SavedRun.open(done / "best")
    searched = Recipe.from_dict(values["recipe"])
    assert searched.data.validation == 240 // 12
    assert not searched.train.report_test
    assert best.recipe.data.validation == 0
    assert best.recipe.search == {}
    assert list(best.recipe.model.hidden) == json.loads(values["best"]["values"]["model.hidden"])
    assert best.recipe.optimizer["learning_rate"] == values["best"]["values"]["optimizer.learning_rate"]
    result = best.directory.read_json("result.json")
    assert result["test_accuracy"] > 0.5
    trained = [step for step in best.history().steps if step.epoch == 1]
    assert len(trained) == -(-240 // best.recipe.train.batch_size)  # of all training examples


def test_a_trial_is_the_training_that_it_says(done: Path, tiny: Path, tmp_path: Path) -> None:
    """The same values, trained from the command line, have the same scores after every epoch."""
    learning = [trial for trial in all_trials(f"sqlite:///{done / 'sweep.db'}") if trial.state.name == "COMPLETE"]
    trial = max(learning, key=lambda trial: len(set(trial.intermediate_values.values())))
    assert len(set(trial.intermediate_values.values())) > 1
    changes = [f"--set={place}={value}" for place, value in trial.params.items()]
    arguments = ["train", "mlp", "--data", str(tiny), "--epochs", "3", "--validation", "20", "--threads", "1", *changes]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "run")], catch_exceptions=False)
    assert result.exit_code == 0
    epochs = SavedRun.open(tmp_path / "run").history().epochs
    assert {epoch.number: epoch.scores["validation"].accuracy for epoch in epochs} == trial.intermediate_values
    assert trial.value == epochs[-1].scores["validation"].accuracy


def test_what_stopped_by_its_score_is_trained_as_long_in_the_end(tiny: Path, tmp_path: Path) -> None:
    """There is no validation data any more by which it could stop."""
    stopping = (
        "--set",
        "data.validation=40",
        "--set",
        "train.patience=2",
        "--range",
        "optimizer.learning_rate=1.0..4.0",
    )
    sweep(
        *on(tiny), *stopping, "--set", "train.keep_best=true", "--trials", "4", "--jobs", "1", "--out", tmp_path / "out"
    )
    best = SavedRun.open(tmp_path / "out/best").recipe
    assert (best.data.validation, best.train.patience, best.train.keep_best) == (0, 0, False)
    assert best.train.epochs == found(tmp_path / "out")["best"]["epochs"]
    scores = all_trials(f"sqlite:///{tmp_path / 'out/sweep.db'}")
    complete = [trial for trial in scores if trial.state.name == "COMPLETE"]
    assert all(trial.value == max(trial.intermediate_values.values()) for trial in complete)


def test_more_trials_can_be_asked_for(done: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(done, out)
    before, result = found(out)["trials"], (out / "best/result.json").read_text(encoding="utf-8")
    sweep(*on(tiny), "--trials", "10", "--jobs", "2", "--out", out, "--resume")
    assert found(out)["trials"][:8] == before
    assert len(found(out)["trials"]) == 10
    assert len([*out.glob("best*/result.json")]) == 2
    assert (out / "best/result.json").read_text(encoding="utf-8") == result


def test_what_diverges_is_finished_without_a_score(tiny: Path, tmp_path: Path) -> None:
    diverging = ("--range", "optimizer.learning_rate=1e30|1e31", "--trials", "3", "--jobs", "1")
    assert "only values that diverge" in refused(*on(tiny), *diverging, "--out", tmp_path / "out")
    trials = found(tmp_path / "out")["trials"]
    assert len(trials) == 3
    assert all(trial["score"] is None and trial["ended"].startswith("diverged") for trial in trials)


def test_what_cannot_be_is_refused_before_anything_is_trained(tiny: Path, done: Path, tmp_path: Path) -> None:
    assert "has no ranges to search" in refused("fast", "--out", tmp_path / "a")
    assert "search.train.batch_size" in refused(*on(tiny), "--range", "train.batch_size=9..3", "--out", tmp_path / "a")
    assert "train.bach is unknown" in refused(*on(tiny), "--range", "train.bach=1..3", "--out", tmp_path / "a")
    for wrong in ("train.batch_size", "train.batch_size=", "optimizer.learning_rate=1..3:lag"):
        assert "--range" in refused(*on(tiny), "--range", wrong, "--out", tmp_path / "a")
    assert "cannot be opened" in refused(*on(tiny), "--storage", "nowhere://x", "--out", tmp_path / "a")
    assert "--storage or --out" in refused(*on(tiny), "--resume")
    assert "leave --resume out" in refused(*on(tiny), "--resume", "--out", tmp_path / "b")
    storage = f"sqlite:///{done / 'sweep.db'}"
    assert "go on with it by --resume" in refused(*on(tiny), "--storage", storage, "--out", tmp_path / "c")
    other = (*on(tiny), "--set", "train.epochs=4", "--storage", storage, "--resume", "--out", tmp_path / "d")
    assert "of another recipe" in refused(*other)


class Deaf:
    """An observer that nobody reads."""

    def finished(self, trial: Any, count: int) -> None:
        """Nothing."""

    def warn(self, sentence: str) -> None:
        """Nothing."""


def test_who_was_thought_dead_and_wakes_up_finishes_nothing_twice() -> None:
    """A machine that slept: others have ended its trial, and try it again."""
    search = {"search": {"optimizer.learning_rate": {"low": 0.1, "high": 1.0}}}
    recipe = Recipe.load("points").override(search)
    with interop.open_study(recipe, "sqlite://", resume=False) as study:
        sleeping = interop.Sweep(recipe, study, 1, 1, Deaf())
        trial = study.ask()
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        worker = SimpleNamespace(trial=trial, take=lambda: trial, is_news=lambda epoch: True, answer=lambda go_on: None)
        sleeping._hear(worker, {"epoch": 1, "value": 0.5})
        sleeping._hear(worker, {"value": 0.5, "epochs": 1, "seconds": 0.1})
        assert [trial.state.name for trial in study.get_trials()] == ["FAIL"]


def children(process: int) -> list[int]:
    """The processes that a process has started."""
    listed = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def check_finished_once(storage: str, trials: int) -> None:
    """So many trials have ended, no try of one more than once, and none is left behind."""
    states = optuna.trial.TrialState
    tried = all_trials(storage)
    finished = [trial for trial in tried if trial.state in (states.COMPLETE, states.PRUNED)]
    assert len(finished) == trials
    assert all(trial.state in (states.COMPLETE, states.PRUNED, states.FAIL) for trial in tried)
    retried = [trial.user_attrs["retry_of"] for trial in tried if "retry_of" in trial.user_attrs]
    assert len(set(retried)) == len(retried)
    for trial in tried:
        if "retry_of" in trial.user_attrs:
            assert tried[trial.user_attrs["retry_of"]].params.items() <= trial.params.items()
    assert not {trial.number for trial in finished} & set(retried)


def sweep_under_fire(storage: str, out: Path, trials: int, seconds: float) -> int:
    """Sweep by 4 processes, one of which is killed at random every few seconds; how many were."""
    rng, killed = random.Random(0), 0
    arguments = (*MLP, "--set", "train.epochs=10", "--trials", str(trials), "--jobs", "4")
    process = subprocess.Popen(command(*arguments, "--storage", storage, "--out", out), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        time.sleep(rng.uniform(0.5, 1.5) * seconds)
        workers = children(process.pid)
        if len(workers) == 4:  # else the sweep begins, or the best is being trained
            os.kill(rng.choice(workers), signal.SIGKILL)
            killed += 1
    assert process.returncode == 0
    return killed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_40_trials_by_4_processes_one_killed_at_random_every_few_seconds(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    storage = f"sqlite:///{tmp_path / 'sweep.db'}" if kind == "sqlite" else request.getfixturevalue(kind)
    killed = sweep_under_fire(storage, tmp_path / "out", trials=40, seconds=2.0)
    print(f"{kind}: {killed} processes killed")
    assert killed >= 5
    check_finished_once(storage, 40)


@pytest.mark.slow
def test_two_coordinators_share_one_sweep(tmp_path: Path, postgresql: str) -> None:
    """As two machines would: together they finish what was asked for, and no more."""
    arguments = (*MLP, "--trials", "12", "--jobs", "2", "--storage", postgresql)
    first = subprocess.Popen(command(*arguments, "--out", tmp_path / "one"), stdout=subprocess.DEVNULL)
    wait_for_trials(postgresql, 1)
    second = subprocess.Popen(command(*arguments, "--out", tmp_path / "two", "--resume"), stdout=subprocess.DEVNULL)
    assert [first.wait(300), second.wait(300)] == [0, 0]
    check_finished_once(postgresql, 12)
    coordinators = {trial.user_attrs["coordinator"]["id"] for trial in all_trials(postgresql)}
    assert len(coordinators) == 2


@pytest.mark.slow
def test_a_killed_coordinator_is_gone_on_with(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'sweep.db'}"
    arguments = (*MLP, "--trials", "8", "--jobs", "2", "--storage", storage)
    first = subprocess.Popen(command(*arguments, "--out", tmp_path / "out"), stdout=subprocess.DEVNULL)
    wait_for_trials(storage, 4)
    first.kill()
    first.wait()
    sweep(*arguments, "--out", tmp_path / "out", "--resume")
    check_finished_once(storage, 8)


def wait_for_trials(storage: str, count: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if len(all_trials(storage)) >= count:
                return
        except Exception:  # the database or its tables are not there yet
            pass
        time.sleep(0.2)
    raise AssertionError("no trial has begun")


def programs() -> Path | None:
    """PostgreSQL's own programs, which Debian keeps off the path."""
    found = shutil.which("initdb")
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path(found).parent if found else None)


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database of its own, reached by a socket in its folder."""
    pytest.importorskip("psycopg")
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed")
    # The folder's path is short, since a socket's name may have no more than 107 letters.
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")

    def run(*arguments: str | Path) -> None:
        subprocess.run([*user, *map(str, arguments)], check=True, capture_output=True, cwd="/")

    run(binaries / "initdb", "--pgdata", folder / "data", "--auth", "trust", "--username", "handgrad")
    options = f"-c listen_addresses='' -k {folder} -c fsync=off"
    run(
        binaries / "pg_ctl",
        "--pgdata",
        folder / "data",
        "--options",
        options,
        "--wait",
        "--log",
        folder / "log",
        "start",
    )
    try:
        run(binaries / "createdb", "--host", folder, "--username", "handgrad", "sweep")
        yield f"postgresql+psycopg://handgrad@/sweep?host={folder}"
    finally:
        run(binaries / "pg_ctl", "--pgdata", folder / "data", "--mode", "immediate", "stop")
        shutil.rmtree(folder)

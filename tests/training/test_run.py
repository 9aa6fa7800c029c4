import json
import threading
from pathlib import Path

import filelock
import numpy as np
import pytest
from safetensors.numpy import load_file

from handgrad.errors import RunError
from handgrad.training import Epoch, Experiment, History, Recipe, Scores, evaluate
from handgrad.training.run import RunDirectory, result_of
from handgrad.training.saved_run import SavedRun


@pytest.fixture(scope="module")
def experiment(tiny: Path) -> Experiment:
    changes = {"data.dataset": str(tiny), "model.hidden": (6,), "train.epochs": 2, "data.validation": 40}
    trained = Experiment.prepare(Recipe.load("mlp").override(changes))
    list(trained.trainer.run(2))
    return trained


@pytest.fixture
def run(experiment: Experiment, tmp_path: Path) -> RunDirectory:
    directory = RunDirectory.create(tmp_path / "run")
    directory.save(experiment, threads=1)
    return directory


def test_an_opened_run_is_the_trained_one(experiment: Experiment, run: RunDirectory) -> None:
    saved = SavedRun.open(run.path)
    assert np.array_equal(saved.model.parameters.vector, experiment.model.parameters.vector)
    assert saved.recipe == experiment.recipe
    assert saved.preprocessing == experiment.preprocessing
    assert saved.classes == 3
    assert saved.history().epochs == experiment.trainer.history.epochs
    assert evaluate(saved.model, saved.loss, experiment.test) == evaluate(
        experiment.model, experiment.loss, experiment.test
    )
    probabilities = saved.probabilities(experiment.test.dataset.inputs[:5])
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_weights_are_stored_under_pytorchs_names(run: RunDirectory) -> None:
    weights = load_file(run.path / "model.safetensors")
    assert {name: array.shape for name, array in weights.items()} == {
        "0.weight": (6, 64),
        "0.bias": (6,),
        "2.weight": (3, 6),
        "2.bias": (3,),
    }


def test_the_result_holds_what_json_promises(experiment: Experiment, run: RunDirectory) -> None:
    result = result_of(experiment, 1, run.path)
    promised = "recipe dataset seed threads epochs parameters train_seconds epoch_seconds train_loss test_accuracy"
    assert {*promised.split(), "run_directory"} <= result.keys()
    assert result["epochs"] == len(result["epoch_seconds"]) == len(result["train_loss"]) == 2
    assert result["train_seconds"] == sum(result["epoch_seconds"])
    assert result["parameters"] == 64 * 6 + 6 + 6 * 3 + 3
    assert result["validation_accuracy"] == experiment.trainer.history.epochs[-1].scores["validation"].accuracy
    json.dumps(result, allow_nan=False)


def test_a_directory_in_use_is_refused(run: RunDirectory) -> None:
    with pytest.raises(RunError, match="already exists"):
        RunDirectory.create(run.path)
    with pytest.raises(RunError, match="already exists"):
        RunDirectory.create(run.path / "run.json")


def test_a_directory_that_cannot_be_made_is_a_sentence(run: RunDirectory) -> None:
    with pytest.raises(RunError, match="cannot be made"):
        RunDirectory.create(run.path / "run.json" / "below")


def test_runs_of_one_second_get_different_names(tmp_path: Path) -> None:
    paths = [RunDirectory.create_next(tmp_path, "mlp").path for _ in range(3)]
    for path in paths:
        assert path.name.startswith("mlp-")
    assert len(set(paths)) == 3


def test_a_folder_of_runs_that_leads_nowhere_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to("nowhere")
    with pytest.raises(RunError, match=r"runs cannot be made \(File exists\)"):
        RunDirectory.create_next(tmp_path / "runs", "mlp")


def test_a_file_that_cannot_be_written_is_a_sentence(run: RunDirectory) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        run.write("missing/file", b"")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", b"{", "cannot be read as JSON"),
        ("run.json", b"{}", "not a complete run"),
        ("run.json", b"[]", "not a complete run"),
        ("run.json", b"\xff", "cannot be read as JSON"),
        ("model.safetensors", b"", "model.safetensors"),
        ("model.safetensors", b'\x08\x00\x00\x00\x00\x00\x00\x00{"a":1}}', "model.safetensors"),
    ],
)
def test_a_damaged_run_is_one_sentence(run: RunDirectory, name: str, content: bytes, message: str) -> None:
    (run.path / name).write_bytes(content)
    with pytest.raises(RunError, match=message):
        SavedRun.open(run.path)


def test_weights_of_another_network_are_refused(run: RunDirectory) -> None:
    values = run.read_json("run.json")
    values["recipe"]["model"]["hidden"] = [7]
    run.write_json("run.json", values)
    with pytest.raises(RunError, match=r"0\.weight"):
        SavedRun.open(run.path)


def test_a_missing_run_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run\.json not found"):
        SavedRun.open(tmp_path)


def test_a_score_that_is_not_finite_comes_back_as_nan(experiment: Experiment, tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run")
    epoch = Epoch(1, 0.5, {"test": Scores(float("inf"), 0.1, 10)}, 0.1, 1.0, 0.5)
    directory.write_json("history.json", History(epochs=[epoch]).to_dict())
    assert "Infinity" not in (tmp_path / "run" / "history.json").read_text()
    assert np.isnan(History.from_dict(directory.read_json("history.json")).epochs[0].scores["test"].loss)


def test_weights_that_are_not_numbers_are_refused(run: RunDirectory) -> None:
    import safetensors.numpy

    weights = safetensors.numpy.load_file(run.path / "model.safetensors")
    weights["0.bias"][1] = np.nan
    run.write("model.safetensors", safetensors.numpy.save(weights))
    with pytest.raises(RunError, match=r"0\.bias holds NaN or infinity"):
        SavedRun.open(run.path)


def test_values_nested_too_deeply_are_a_sentence(run: RunDirectory) -> None:
    run.write("history.json", b"[" * 100_000)
    with pytest.raises(RunError, match=r"history\.json cannot be read as JSON"):
        SavedRun.open(run.path).history()


def test_weights_of_a_checkpoint_are_not_said_to_be_in_another_file(run: RunDirectory) -> None:
    weights = load_file(run.path / "model.safetensors") | {"0.bias": np.zeros(7, np.float32)}
    with pytest.raises(RunError, match=r"0\.bias has the shape \(7,\), expected \(6,\)"):
        SavedRun.open(run.path, weights=weights)


def test_a_damaged_history_is_refused(run: RunDirectory) -> None:
    run.write_json("history.json", {"steps": {"nu": [1]}, "epochs": []})
    with pytest.raises(RunError, match=r"history\.json is not the history of a run: TypeError"):
        SavedRun.open(run.path).history()


def test_memory_is_not_taken_for_a_model_that_the_file_does_not_hold(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = run.read_json("run.json")
    values["outputs"] = 10**12
    run.write_json("run.json", values)
    with pytest.raises(RunError, match=r"2\.weight has the shape"):
        SavedRun.open(run.path)


def test_a_lock_that_is_let_go_of_in_a_moment_is_waited_for(tmp_path: Path) -> None:
    """A server that lists the runs takes each lock for an instant, to see whether somebody trains there."""
    run, probe = (
        RunDirectory.create(tmp_path / "run"),
        filelock.FileLock(tmp_path / "run" / ".lock", thread_local=False),
    )
    probe.acquire()
    threading.Timer(0.1, probe.release).start()
    with run.locked():
        assert not probe.is_locked

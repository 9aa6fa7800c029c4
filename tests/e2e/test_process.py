"""A real process, as a person runs it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from handgrad.training.saved_run import SavedRun


def start(*arguments: str | Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "handgrad", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_ends_cleanly_with_what_was_learned(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments: list[str | Path] = [
        "train",
        "mlp",
        "--data",
        tiny,
        "--epochs",
        "1000000",
        "--hidden",
        "4",
        "--out",
        out,
        "--json",
    ]
    process = start(*arguments)
    assert process.stderr is not None
    for line in process.stderr:  # the first epoch's line: training is under way
        if line.split()[:1] == ["1/1000000"]:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    result = json.loads(output)
    assert result["stopped_by"] == "request"
    assert 0 < result["epochs"] < 1_000_000
    saved = SavedRun.open(out)
    assert len(saved.history().epochs) == result["epochs"]


def test_output_goes_to_a_pipe_that_closes_early(tmp_path: Path) -> None:
    process = start("recipes", "mlp")
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_sigterm_keeps_what_was_learned_too(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start("train", "mlp", "--data", tiny, "--epochs", "1000000", "--hidden", "4", "--out", out, "--json")
    assert process.stderr is not None
    for line in process.stderr:
        if line.split()[:1] == ["1/1000000"]:
            break
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "what was learned will be saved" in errors
    assert json.loads(output)["stopped_by"] == "request"


def test_training_on_distorted_images_learns_and_can_be_repeated(tiny: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "distorted.toml"
    recipe.write_text(
        f"""
        data.dataset = '{tiny}'
        augment = {{ rotation = 5, shear = 0.05, scale = 0.1, translation = 0.5, elastic_alpha = 0.3 }}
        model.hidden = [16]
        optimizer = {{ name = "sgd", learning_rate = 0.3 }}
        train = {{ epochs = 6, batch_size = 32 }}
        """
    )
    results = []
    for name in ("first", "again"):
        process = start("train", recipe, "--out", tmp_path / name, "--threads", "1", "--json")
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        results.append(json.loads(output))
    assert results[0]["test_accuracy"] > 0.9
    assert results[0]["train_loss"] == results[1]["train_loss"]
    assert (tmp_path / "first" / "distortions.png").is_file()
    assert SavedRun.open(tmp_path / "first").recipe.augment.elastic_alpha == 0.3

"""A real process, as a person runs it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from handgrad.training.run import SavedRun


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

"""Errors are one sentence and exit code 1; --debug shows the traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from handgrad import __version__
from handgrad.cli import main
from handgrad.cli.train import command as train_command


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["handgrad", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train nothing", "'nothing' not found"),
        ("train mlp --lr -1", "learning_rate is -1.0, expected a number > 0"),
        ("train mlp --lr nan", "learning_rate is nan, expected a number > 0"),
        ("train mlp --lr 1e400", "learning_rate is inf, expected a number > 0"),
        ("train points --data xor", "loss.name is 'softmax_cross_entropy', but xor has numbers as targets"),
        ("train xor --data points", "loss.name is 'mean_squared_error', but points has 2 classes"),
        ("train mlp --set model.output_activation=Softmax", "softmax would be applied twice"),
        ("train mlp --set name=../x", "name is '../x'"),
        ("train [/nope]", "'[/nope]' not found"),
        ("train points --set queries=[[1]]", "queries holds [1.0]"),
        ("train points --set queries=[[1,2],[3]]", "queries holds [3.0]"),
        ("train points --set train.seed=-1", "train.seed"),
        ("train points --set train.epochs=0", "train.epochs is 0"),
        ("train mlp-select --set train.patience=1", "need data.validation"),
        ("train mlp --set schedule.warmup_epochs=a", "schedule.warmup_epochs is 'a'"),
        ("train mlp --set schedule.every=5", "in a recipe lengths are in epochs"),
        ("train mlp --set model.activation=Activation", "'Activation'"),
        ("train mlp --set loss={name=['x']}", "loss.name is ['x']"),
        ("train mlp --hidden 3,x", "--hidden is '3,x'"),
        ("train mlp --hidden 0", "--hidden is '0'"),
        ("train mlp --init magic", "model.init is 'magic'"),
        ("train mlp --optimizer sgdd", "did you mean sgd"),
        ("train mlp --data nowhere", "'nowhere'"),
        ("train mlp --device gpu", "device is 'gpu'"),
        ("train mlp --set epochs", "PLACE=VALUE"),
        ("train mlp --set train.epoch=1", "did you mean epochs"),
        ("train mlp --validation 60000", "validation_count is 60000"),
        ("train xor --set data.normalize=unit", "normalize is 'unit'"),
        ("evaluate nowhere", "run.json not found"),
        ("reproduce --only W9", "--only is 'W9'"),
        ("data nowhere", "'nowhere'"),
    ],
)
def test_bad_input_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert call(monkeypatch, *arguments.split()) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("Error: ")
    assert message in printed
    assert "Traceback" not in printed


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["handgrad", "train", "nothing", "--debug"])
    with pytest.raises(ValueError, match="not found"):
        main()


def test_a_bug_of_ours_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(f"{train_command.__module__}.output_console", lambda **settings: 1 / 0)
    assert call(monkeypatch, "train", "xor") == 1
    assert "Internal error, ZeroDivisionError" in capsys.readouterr().err


def test_an_operating_systems_error_names_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "data", "--gallery", "/nowhere/gallery.png") == 1
    assert "/nowhere" in capsys.readouterr().err


def test_a_terminal_without_unicode_gets_question_marks(tmp_path: Path) -> None:
    surroundings = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "handgrad", "explain", "relu"]
    finished = subprocess.run(command, capture_output=True, env=surroundings, check=False)
    assert finished.returncode == 0, finished.stderr
    assert b"?" in finished.stdout


def test_wrong_usage_exits_with_two(monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, "train", "mlp", "--epochs", "0") == 2
    assert call(monkeypatch, "trian") == 2


def test_the_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.strip() == __version__


def test_help_comes_without_arguments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    call(monkeypatch)
    assert "reproduce" in capsys.readouterr().out

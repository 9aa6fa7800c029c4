"""`handgrad doctor` on recipes, on runs, and on what is wrong."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from handgrad.cli import app


def invoke(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["doctor", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout


def recipe(path: Path, **changes: str) -> Path:
    """The recipe of the ten points, with some lines changed."""
    lines = {"normalize": '"none"', "learning_rate": "0.1", **changes}
    path.write_text(
        f'[data]\ndataset = "points"\nnormalize = {lines["normalize"]}\n'
        f'[model]\ninit = "he"\n[optimizer]\nname = "sgd"\nlearning_rate = {lines["learning_rate"]}\n'
        "[train]\nepochs = 30\nbatch_size = 0\n"
    )
    return path


def test_a_healthy_recipe_gets_one_line() -> None:
    lines = invoke("points").strip().splitlines()
    assert lines[0].startswith("points  ")
    assert lines[-1].startswith("Nothing wrong was found: ")


def test_findings_are_numbered_with_the_change_to_make(tmp_path: Path) -> None:
    printed = invoke(recipe(tmp_path / "slow.toml", learning_rate="1e-7"), code=1)
    assert "1. Updates too small" in printed
    assert "→ Raise the learning rate" in printed
    assert "1 finding: " in printed


def test_json_holds_every_finding(tmp_path: Path) -> None:
    path = recipe(tmp_path / "slow.toml", learning_rate="1e-7")
    result = json.loads(invoke(path, "--json", code=1).splitlines()[-1])
    assert result["subject"] == str(path)
    assert [set(finding) for finding in result["findings"]] == [{"name", "measured", "why", "change"}]


def test_a_run_is_examined_with_what_it_learned(tiny: Path, tmp_path: Path) -> None:
    train = ["train", "mlp", "--data", str(tiny), "--epochs", "2", "--hidden", "8", "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(app, train).exit_code == 0
    assert "Nothing wrong was found" in invoke(tmp_path / "run")


def test_the_range_of_learning_rates_is_drawn(tmp_path: Path) -> None:
    invoke("points", "--plot", tmp_path / "rates.png")
    with Image.open(tmp_path / "rates.png") as picture:
        assert picture.width > 400


@pytest.mark.parametrize(("subject", "message"), [("nothing", "nothing"), ("{folder}", "handgrad run")])
def test_what_is_neither_recipe_nor_run_is_refused(subject: str, message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", subject.format(folder=tmp_path)])
    assert message in str(result.exception)

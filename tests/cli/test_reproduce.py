import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.training import Recipe, reproduction
from handgrad.training.reproduction import Outcome, Progress, gradient_difference, reproduce


def test_only_picks_and_both_files_are_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["reproduce", "--only", "w2", "--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    saved = json.loads((tmp_path / "reproduction.json").read_text())
    assert [outcome["workload"] for outcome in saved["outcomes"]] == ["W2", "W2"]
    page = (tmp_path / "reproduction.md").read_text()
    assert page.count("| good |") == 2
    assert "2 of 2 figures good" in page
    for outcome in saved["outcomes"]:
        assert outcome["measured"] in page


def test_a_bad_figure_fails_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "gradient_difference", lambda rng: 0.5)
    result = CliRunner().invoke(app, ["reproduce", "--only", "W2", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "BAD" in result.output
    assert "| **bad** |" in (tmp_path / "reproduction.md").read_text()


def test_the_two_gradients_agree_for_any_weights() -> None:
    assert max(gradient_difference(np.random.default_rng(seed)) for seed in range(50)) < 1e-14


def test_a_workload_reports_progress_and_judges_each_row(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = Recipe.load("mlp").override({"data.dataset": str(tiny)})
    monkeypatch.setattr(Recipe, "load", lambda name: recipes)
    monkeypatch.setattr(
        reproduction, "W1_ROWS", ((8, 0.1, 16, 2, 99.0, None, None), (4, 1e-9, 16, 1, 99.0, 98.0, 99.0))
    )
    events = list(reproduction.w1(seed=0))
    assert any(isinstance(event, Progress) and 0 < event.share <= 1 for event in events)
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert len(outcomes) == 4
    assert not outcomes[2].good
    assert outcomes[2].accepted == "97.4 to 99.6 %"
    assert outcomes[2].claimed == "99.0 %, 98.0–99.0 % checked"


@pytest.mark.parametrize("name", ["W3", "W4", "W6"])
def test_the_longer_workloads_run_on_small_data(name: str, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = Recipe.load
    changes = {"data.dataset": str(tiny), "train.epochs": 2, "select.epochs": 2, "select.validation": 40}
    monkeypatch.setattr(Recipe, "load", lambda recipe: load(recipe).override(changes))
    outcomes = [event for event in reproduce((name,)) if isinstance(event, Outcome)]
    assert outcomes
    assert all(outcome.workload == name for outcome in outcomes)


def test_an_earlier_result_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "reproduction.json").write_text("kept")
    result = CliRunner().invoke(app, ["reproduce", "--only", "W2", "--out", str(tmp_path)])
    assert "already exists" in str(result.exception)
    assert (tmp_path / "reproduction.json").read_text() == "kept"

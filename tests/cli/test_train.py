import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.training.saved_run import SavedRun

PICTURES = {"curves.png", "gallery.png", "weights.png", "confusion.png", "mistakes.png"}


def run(*arguments: str | Path) -> tuple[str, dict[str, Any]]:
    """Output and the JSON object at its end."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output, json.loads(result.stdout.strip().splitlines()[-1])


def small(tiny: Path, out: Path, *more: str) -> Sequence[str | Path]:
    return ["train", "mlp", "--data", tiny, "--epochs", "3", "--hidden", "8", "--lr", "0.5", "--out", out, *more]


def test_training_leaves_a_complete_run(tiny: Path, tmp_path: Path) -> None:
    output, result = run(*small(tiny, tmp_path / "run", "--batch-size", "20"))
    names = {path.name for path in (tmp_path / "run").iterdir()} - {".lock"}
    assert names == PICTURES | {"run.json", "history.json", "result.json", "model.safetensors", "checkpoints"}
    assert result == json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["test_accuracy"] > 0.9
    assert result["run_directory"] == str(tmp_path / "run")
    assert "3/3" in output
    assert "Next: python -m handgrad predict" in output


@pytest.mark.parametrize(("epochs", "said"), [("1", "1 epoch in "), ("2", "2 epochs in ")])
def test_how_long_it_trained_is_said_in_good_english(epochs: str, said: str, tiny: Path, tmp_path: Path) -> None:
    assert said in run("train", "mlp", "--data", tiny, "--epochs", epochs, "--out", tmp_path / "run")[0]


def test_the_same_seed_gives_the_same_result_and_another_seed_another(tiny: Path, tmp_path: Path) -> None:
    losses = [run(*small(tiny, tmp_path / str(i), "--seed", seed))[1]["train_loss"] for i, seed in enumerate("112")]
    assert losses[0] == losses[1] != losses[2]


def test_every_option_reaches_the_recipe(tiny: Path, tmp_path: Path) -> None:
    options = [
        "--batch-size",
        "30",
        "--optimizer",
        "adamw",
        "--init",
        "normal",
        "--seed",
        "4",
        "--threads",
        "1",
        "--validation",
        "40",
    ]
    sets = ["--set", "optimizer.weight_decay=0.5", "--set", "train.clip_norm=1.0", "--set", "data.normalize=standard"]
    _, result = run(*small(tiny, tmp_path / "run", *options, *sets))
    recipe = json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]
    assert recipe["model"] | {"hidden": [8], "init": "normal"} == recipe["model"]
    assert recipe["optimizer"] == {"name": "adamw", "learning_rate": 0.5, "weight_decay": 0.5}
    assert recipe["train"] | {"epochs": 3, "batch_size": 30, "seed": 4, "clip_norm": 1.0} == recipe["train"]
    assert recipe["data"] | {"validation": 40, "normalize": "standard", "dataset": str(tiny)} == recipe["data"]
    assert (result["threads"], result["seed"], result["epochs"]) == (1, 4, 3)
    assert result["validation_accuracy"] is not None


def test_the_default_directory_is_below_runs(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, result = run(*[a for a in small(tiny, Path("x")) if a not in ("--out", Path("x"))])
    assert Path(result["run_directory"]).parent == Path("runs")
    assert Path(result["run_directory"], "result.json").is_file()


def test_selection_shows_every_phase_and_a_width_given_skips_it(tiny: Path, tmp_path: Path) -> None:
    sets = ["--set", "select.widths=[2, 4]", "--set", "select.validation=60", "--set", "select.epochs=2"]
    base: list[str | Path] = ["train", "mlp-select", "--data", tiny, "--epochs", "2", *sets, "--out"]
    output, result = run(*base, tmp_path / "searched")
    assert "width 2" in output
    assert "width 4" in output
    assert result["hidden"][0] in (2, 4)
    output, result = run(*base, tmp_path / "given", "--hidden", "3")
    assert "width 2" not in output
    assert result["hidden"] == [3]


@pytest.mark.parametrize(("recipe", "picture"), [("points", "plane.png"), ("xor", "plane.png")])
def test_small_recipes_answer_their_questions(recipe: str, picture: str, tmp_path: Path) -> None:
    output, result = run("train", recipe, "--epochs", "40", "--out", tmp_path / "run")
    assert len(result["queries"]) == 4
    assert (tmp_path / "run" / picture).is_file()
    assert "class 1" in output or "output" in output


def test_a_convolutional_network_on_other_image_sizes_and_classes(tiny: Path, tmp_path: Path) -> None:
    _, result = run("train", "cnn", "--data", tiny, "--epochs", "1", "--hidden", "4", "--out", tmp_path / "run")
    assert result["parameters"] == (32 * 9 + 32) + (64 * 32 * 9 + 64) + (256 * 4 + 4) + (4 * 3 + 3)


def test_torch_trains_the_same_network(tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    _, ours = run(*small(tiny, tmp_path / "cpu"))
    _, theirs = run(*small(tiny, tmp_path / "torch", "--device", "torch:cpu"))
    assert theirs["device"] == "torch:cpu"
    assert theirs["train_loss"] == pytest.approx(ours["train_loss"], rel=1e-3)
    _, scored = run("evaluate", tmp_path / "torch", "--device", "torch:cpu")
    assert scored["test_accuracy"] == theirs["test_accuracy"]


def test_training_that_diverges_is_a_sentence_and_keeps_what_was_there(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = CliRunner().invoke(app, [*map(str, small(tiny, out)), "--set", "optimizer.learning_rate=1e38"])
    assert "step 2" in str(result.exception)
    assert str(out) in str(result.exception)
    assert np.isfinite(SavedRun.open(out).model.parameters.vector).all()
    assert "Warning" not in result.output


def test_a_second_ctrl_c_still_saves(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("handgrad.cli.progress.TrainingDisplay.show", interrupt)
    result = CliRunner().invoke(app, [*map(str, small(tiny, tmp_path / "run"))])
    assert result.exit_code != 0
    assert f"handgrad train --resume {tmp_path / 'run'}" in result.output
    assert len(SavedRun.open(tmp_path / "run").history().steps) == 1


def test_a_huge_loss_is_printed_short(tmp_path: Path) -> None:
    output, _ = run("train", "points", "--lr", "1e30", "--epochs", "3", "--out", tmp_path / "run")
    assert max(len(line) for line in output.splitlines() if str(tmp_path) not in line) < 120
    assert "e+3" in output


def test_words_that_look_like_markup_are_printed_as_they_are(tiny: Path, tmp_path: Path) -> None:
    output, _ = run(*small(tiny, tmp_path / "o[/x]", "--set", "summary=mine [/b] [red]"))
    assert "mine [/b] [red]" in output
    assert "o[/x]" in output.replace("\n", "")


def test_squared_error_on_classes_is_scored_on_one_hot_rows(tmp_path: Path) -> None:
    sets = ["--set", "loss.name=mean_squared_error", "--set", "data.one_hot=true"]
    _, result = run("train", "points", *sets, "--lr", "0.01", "--epochs", "500", "--out", tmp_path / "run")
    assert result["test_accuracy"] > 0.8
    _, scored = run("evaluate", tmp_path / "run")
    assert scored["test_accuracy"] == result["test_accuracy"]


def test_a_search_given_its_width_by_set_skips_the_search(tiny: Path, tmp_path: Path) -> None:
    arguments = ["--epochs", "1", "--set", "model.hidden=[3]", "--out", str(tmp_path / "run")]
    output, result = run("train", "mlp-select", "--data", tiny, *arguments)
    assert "all data" not in output
    assert result["hidden"] == [3]


def test_a_loss_beyond_floating_point_is_null_in_json(tmp_path: Path) -> None:
    output, result = run("train", "points", "--lr", "1e38", "--epochs", "1", "--out", tmp_path / "run")
    assert result["test_loss"] is None
    assert "not finite" in output
    assert "Warning" not in output

"""What is done with a finished run, and with data."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.cli.predict import half_blocks
from handgrad.data import read_idx


def invoke(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_evaluate_repeats_the_runs_own_score(finished: Path) -> None:
    printed = json.loads(invoke("evaluate", finished, "--json").splitlines()[-1])
    result = json.loads((finished / "result.json").read_text())
    assert printed["test_accuracy"] == result["test_accuracy"]
    assert printed["test_loss"] == pytest.approx(result["test_loss"])
    assert sum(row["examples"] for row in printed["classes"]) == 60
    recalls = [row["recall"] * row["examples"] for row in printed["classes"]]
    assert sum(recalls) / 60 == pytest.approx(result["test_accuracy"])


def test_evaluate_on_data_of_another_shape_is_refused(finished: Path) -> None:
    result = CliRunner().invoke(app, ["evaluate", str(finished), "--data", "mnist"])
    assert "inputs (28, 28) and 10 classes" in str(result.exception)


def test_predict_reads_rows_of_idx_files(finished: Path, tiny: Path) -> None:
    images = tiny / "t10k-images-idx3-ubyte.gz"
    labels = read_idx(tiny / "t10k-labels-idx1-ubyte")
    printed = json.loads(
        invoke("predict", finished, *(f"{images}:{row}" for row in range(20)), "--json").splitlines()[-1]
    )
    predictions = [entry["prediction"] for entry in printed["predictions"]]
    assert np.mean(np.array(predictions) == labels[:20]) > 0.9
    for entry in printed["predictions"]:
        assert sum(entry["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_predict_prepares_a_picture(finished: Path, tmp_path: Path) -> None:
    picture = np.full((40, 60), 255, np.uint8)
    picture[10:20, 10:50] = 20
    Image.fromarray(picture).save(tmp_path / "bar.png")
    assert "bar.png" in invoke("predict", finished, tmp_path / "bar.png")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("nothing.png", "nothing.png"),
        ("{tiny}/t10k-images-idx3-ubyte.gz:60", "a row from 0 to 59"),
        ("{tiny}/t10k-labels-idx1-ubyte:0", "8×8 images"),
        ("{tiny}/t10k-labels-idx1-ubyte", "image"),
    ],
)
def test_predict_names_what_it_cannot_read(finished: Path, tiny: Path, image: str, message: str) -> None:
    result = CliRunner().invoke(app, ["predict", str(finished), image.format(tiny=tiny)])
    assert result.exit_code == 1
    assert message in str(result.exception)


def test_predict_needs_a_run_on_pictures(tmp_path: Path) -> None:
    invoke("train", "points", "--epochs", "2", "--out", tmp_path / "run")
    result = CliRunner().invoke(app, ["predict", str(tmp_path / "run"), "x.png"])
    assert "not trained on images" in str(result.exception)


def test_half_blocks_pad_an_odd_height() -> None:
    assert half_blocks(np.zeros((3, 2), np.uint8)).count("▀") == 4


def test_data_counts_and_draws(tiny: Path, tmp_path: Path) -> None:
    printed = invoke("data", tiny, "--gallery", tmp_path / "gallery.png")
    assert "240 examples of 8 × 8" in printed
    with Image.open(tmp_path / "gallery.png") as picture:
        assert picture.width > 100
    counts = [int(line.split()[1]) for line in printed.splitlines() if line.strip()[:1].isdigit()]
    assert sum(counts) == 240


def test_data_without_pictures_has_no_gallery(tmp_path: Path) -> None:
    assert "4 examples" in invoke("data", "xor")
    result = CliRunner().invoke(app, ["data", "xor", "--gallery", str(tmp_path / "g.png")])
    assert "a data set of images" in str(result.exception)


def test_recipes_lists_all_and_shows_one() -> None:
    assert {"fast", "mlp", "points", "mlp-adam", "mlp-select", "xor", "cnn"} <= set(invoke("recipes").split())
    shown = invoke("recipes", "mlp")
    assert "train.epochs = 30" in shown
    assert "model.hidden = [128]" in shown
    assert 'optimizer.name = "sgd"' in shown

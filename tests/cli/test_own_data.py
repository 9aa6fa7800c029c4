"""From files of one's own to a network that answers with their words."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.errors import ArgumentError, DataError, RunError


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*arguments: object) -> Any:
    return json.loads(invoke(*arguments, "--json").splitlines()[-1])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright and dark pictures of many sizes."""
    root = tmp_path_factory.mktemp("data") / "photos"
    rng = np.random.default_rng(0)
    for name, level in (("day", 200), ("night", 40)):
        (root / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.clip(rng.normal(level, 20, (*rng.integers(8, 20, 2), 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "photos"
    settings = ["data.image_size=[6,5]", "data.normalize=featurewise", "data.layout=image", "model.features=[]"]
    settings += ['model.features=[{name="Conv2d",out_channels=4,kernel_size=3},{name="ReLU"},{name="Flatten"}]']
    options = [word for setting in settings for word in ("--set", setting)]
    invoke("train", "mlp", "--data", photos, "--epochs", 30, "--batch-size", 8, "--lr", 0.05, *options, "--out", folder)
    return folder


def test_a_run_on_photos_speaks_of_their_classes(run: Path, photos: Path) -> None:
    values = json.loads((run / "run.json").read_text())
    assert values["class_names"] == ["day", "night"]
    assert len(values["preprocessing"]["mean"]) == 3
    scored = answer("evaluate", run)
    assert scored["test_accuracy"] == 1
    assert [row["name"] for row in scored["classes"]] == ["day", "night"]
    predicted = answer("predict", run, photos / "night" / "3.png", photos / "day" / "4.png")
    assert [found["class"] for found in predicted["predictions"]] == ["night", "day"]
    assert "night" in invoke("predict", run, photos / "night" / "3.png")


def test_other_photos_are_scored_by_the_names_of_their_classes(run: Path, photos: Path, tmp_path: Path) -> None:
    for name in ("day", "night"):
        (tmp_path / "more" / name).mkdir(parents=True)
    for number in range(3):
        (tmp_path / "more" / "night" / f"{number}.png").write_bytes((photos / "night" / f"{number}.png").read_bytes())
    (tmp_path / "more" / "day" / "0.png").write_bytes((photos / "day" / "0.png").read_bytes())
    scored = answer("evaluate", run, "--data", tmp_path / "more")
    assert (scored["examples"], scored["test_accuracy"]) == (4, 1)  # all of them
    (tmp_path / "more" / "day").rename(tmp_path / "more" / "dawn")
    with pytest.raises(DataError, match="has the classes dawn"):
        invoke("evaluate", run, "--data", tmp_path / "more")


def test_training_on_photos_goes_on_after_an_interruption(run: Path) -> None:
    assert "nothing is left" in invoke("train", "--resume", run).lower() or (run / "model.safetensors").exists()
    result = answer("train", "--resume", run, "--epochs", 31)
    assert result["epochs"] == 31


def test_the_data_command_shows_classes_and_columns(photos: Path, tmp_path: Path) -> None:
    shown = invoke("data", photos, "--image-size", "6,5")
    assert "32 examples of 6 × 5 × 3" in shown
    assert "night" in shown
    with pytest.raises(ArgumentError, match="--image-size"):
        invoke("data", photos, "--image-size", "6x5")
    pytest.importorskip("pandas")
    (tmp_path / "t.csv").write_text("size,kind\n" + "1,a\n2,b\n" * 10)
    assert "columns   kind=a, kind=b" in invoke("data", tmp_path / "t.csv", "--target", "size")


def test_a_table_is_learned_and_new_rows_are_predicted(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    rows = [(x, y, "red" if x > 0 else "blue", "in" if x + y > 0 else "out") for x, y in rng.normal(size=(200, 2))]
    table = tmp_path / "points.csv"
    table.write_text("x,y,colour,side\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    run = tmp_path / "run"
    invoke("train", "table", "--data", table, "--out", run)
    assert answer("evaluate", run)["test_accuracy"] > 0.9
    new = tmp_path / "new.csv"
    new.write_text("colour,y,x\n" + "red,2,3\nblue,-2,-3\n" * 15)
    predicted = answer("predict", run, new)["predictions"]
    assert [found["class"] for found in predicted] == ["in", "out"] * 15
    assert "… and 10 rows more" in invoke("predict", run, new)
    other = tmp_path / "other.csv"
    other.write_text("x,z,side\n1,2,in\n3,4,out\n")
    with pytest.raises(
        RunError, match=r"columns x, z, but the run was trained on x, y, colour=blue, colour=red|inputs"
    ):
        invoke("evaluate", run, "--data", other)


def test_a_table_of_amounts(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    table = tmp_path / "line.csv"
    table.write_text("x,y\n" + "".join(f"{x},{2 * x + 1}\n" for x in range(200)))
    settings = ["--set", "data.targets=numbers", "--set", "loss.name=mean_squared_error", "--epochs", 400]
    settings += ["--validation", 20, "--set", "train.keep_best=true"]
    result = answer("train", "table", "--data", table, *settings, "--out", tmp_path / "run")
    assert result["test_accuracy"] is None  # no amount is just right
    settings[settings.index(400)] = 1
    (line,) = re.findall(
        r"^ +1/1 .*$", invoke("train", "table", "--data", table, *settings, "--out", tmp_path / "b"), re.M
    )
    assert re.fullmatch(r" +1/1( +[\d.e+-]+){3} +[\d.]+ s", line), line  # loss, that of the validation data, rate, time
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    losses = [epoch["scores"]["validation"]["loss"] for epoch in history["epochs"]]
    best = [epoch["number"] for epoch in history["epochs"] if epoch["is_best"]][-1]
    assert best == losses.index(min(losses)) + 1
    assert answer("evaluate", tmp_path / "run")["test_loss"] == pytest.approx(result["test_loss"], rel=1e-6)
    assert "Accuracy" not in invoke("evaluate", tmp_path / "run")
    found = answer("predict", tmp_path / "run", table)["predictions"]
    assert "class" not in found[0]
    assert abs(found[100]["prediction"][0] - 201) < 20

"""The page of a report: complete, balanced, fetching nothing, and the same from the same runs."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from matplotlib.figure import Figure
from numpy.typing import NDArray

pytest.importorskip("jinja2")

from handgrad.data import Dataset
from handgrad.errors import ArgumentError, RunError
from handgrad.report import figures
from handgrad.report.examples import Examples
from handgrad.report.measured import Measured
from handgrad.report.opened import OpenRun
from handgrad.report.page import is_report, report
from handgrad.training.checkpoint_folder import CheckpointFolder
from handgrad.training.experiment import Experiment
from handgrad.training.history import Step
from handgrad.training.recipe import Recipe
from handgrad.training.run import RunDirectory, result_of

VOID = {"meta", "img", "br", "link", "input", "hr"}
FETCHING = {"src", "href", "xlink:href", "data", "action", "poster", "srcset", "background"}


class Reader(HTMLParser):
    """Notes what a page refers to, and complains of tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.references += [value or "" for name, value in attrs if name in FETCHING]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def train(path: Path, recipe: str, *, saved: bool = True, **changes: Any) -> Path:
    """A run directory; one that is not saved was left off."""
    places = {place.replace("__", "."): value for place, value in changes.items()}
    experiment = Experiment.prepare(Recipe.load(recipe).override({"train.epochs": 2} | places))
    run = RunDirectory.create(path)
    until = experiment.recipe.train.epochs if saved else experiment.recipe.train.epochs // 2
    for _ in experiment.trainer.run_to(until):
        pass
    if saved:
        run.save(experiment, threads=1)
        run.write_json("result.json", result_of(experiment, 1, run.path))
    else:
        CheckpointFolder(run.checkpoints).write(experiment.trainer)
        run.describe(experiment, 1, saved=False)
    return path


def measured(path: Path, split: str = "test", *, doctor: bool = False) -> Measured:
    return Measured.of(OpenRun.open(path), split, doctor=doctor)


def settings(tiny: Path, **changes: Any) -> dict[str, Any]:
    return {"data__dataset": str(tiny), "model__hidden": [8], "optimizer__learning_rate": 0.05} | changes


@pytest.fixture(scope="module")
def runs(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    mlp = settings(tiny, train__epochs=3, data__validation=40)
    return {
        "mlp": train(folder / "mlp", "mlp", **mlp),
        "other": train(folder / "other", "mlp", **mlp | {"train__epochs": 1, "model__hidden": [5]}),
        "cnn": train(folder / "cnn", "cnn", **settings(tiny, train__epochs=1, optimizer__learning_rate=0.001)),
        "points": train(folder / "points", "points", train__epochs=40),
        "xor": train(folder / "xor", "xor", train__epochs=600),
        "left-off": train(folder / "left-off", "mlp", saved=False, **mlp | {"train__epochs": 4}),
        "one-hot": train(
            folder / "one-hot", "mlp", **mlp | {"data__one_hot": True, "loss": {"name": "mean_squared_error"}}
        ),
    }


def check_page(page: str) -> Reader:
    """What holds for every page."""
    reader = read(page)
    assert len(set(reader.ids)) == len(reader.ids)
    for reference in reader.references:
        assert reference.startswith("data:image/png;base64,") or reference.removeprefix("#") in reader.ids
    assert not re.search(r"@import|<script|xmlns", page)
    assert all(place.removeprefix("#") in reader.ids for place in re.findall(r"url\(([^)]*)\)", page))
    assert not re.search(r"\bnan\b|\binf\b", reader.text)
    assert all(attributes.get("alt") for tag, attributes in reader.tags if tag == "img")
    assert sum(tag == "h1" for tag, _ in reader.tags) == 1
    tables = [tag for tag, _ in reader.tags if tag in ("table", "caption")]
    assert tables == ["table", "caption"] * (len(tables) // 2)
    assert is_report(page.encode())
    return reader


@pytest.mark.parametrize("name", ["mlp", "cnn", "points", "xor", "left-off", "one-hot"])
def test_every_kind_of_run_has_a_page(name: str, runs: dict[str, Path]) -> None:
    reader = check_page(report([measured(runs[name], doctor=name == "points")]))
    ids = {"curves", "inside", "doctor", "recipe"}
    assert ids <= set(reader.ids)
    assert ("confusion" in reader.ids) == (name != "xor")
    assert ("answers" in reader.ids) == (name == "xor")
    assert ("plane" in reader.ids) == (name in ("points", "xor"))
    pictures = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert bool(pictures) == (name not in ("points", "xor"))


def test_the_page_says_what_was_measured(runs: dict[str, Path]) -> None:
    one = measured(runs["mlp"])
    text = read(report([one])).text
    result = json.loads((runs["mlp"] / "result.json").read_text())
    assert one.answers.accuracy == result["test_accuracy"]
    assert one.answers.loss == pytest.approx(result["test_loss"], rel=1e-5)
    assert f"accuracy {100 * result['test_accuracy']:.2f} %" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Scores are of 60 test examples of tiny" in text
    assert one.mistakes is not None
    assert one.counts is not None
    assert len(one.mistakes) == 60 - np.trace(one.counts)


def test_the_same_runs_give_the_same_bytes(runs: dict[str, Path]) -> None:
    for names in (["mlp"], ["points"], ["mlp", "other"]):
        assert report([measured(runs[n]) for n in names]) == report([measured(runs[n]) for n in names])


def test_other_parts_of_the_data_can_be_scored(runs: dict[str, Path]) -> None:
    assert "40 validation examples of tiny" in read(report([measured(runs["mlp"], "validation")])).text
    assert "200 training examples of tiny" in read(report([measured(runs["mlp"], "train")])).text
    with pytest.raises(ArgumentError, match="set no examples aside"):
        measured(runs["cnn"], "validation")
    with pytest.raises(ArgumentError, match="one of test, validation, train"):
        measured(runs["cnn"], "all")


def test_what_is_not_finished_is_said(runs: dict[str, Path]) -> None:
    one = measured(runs["left-off"])
    assert len(one.run.history.epochs) == 2
    text = read(report([one])).text
    assert "left-off is not finished. What is shown is its latest checkpoint, after step 8 (2 of 4 epochs)." in text


@pytest.mark.parametrize("steps", [0, 2])
def test_a_run_of_less_than_an_epoch_has_a_page(steps: int, tiny: Path, tmp_path: Path) -> None:
    experiment = Experiment.prepare(
        Recipe.load("mlp").override({"data.dataset": str(tiny), "model.hidden": [8], "train.epochs": 2})
    )
    for event in experiment.trainer.run_to(2) if steps else ():
        if isinstance(event, Step) and event.number == steps:
            break
    run = RunDirectory.create(tmp_path / "run")
    CheckpointFolder(run.checkpoints).write(experiment.trainer)
    run.describe(experiment, 1, saved=False)
    reader = check_page(report([measured(run.path)]))
    assert f"after step {steps} (0 of 2 epochs)" in reader.text
    assert ("There is no step yet" in reader.text) == (steps == 0)
    check_page(report([measured(run.path), measured(train(tmp_path / "whole", "mlp", **settings(tiny)))]))


def test_a_run_without_weights_yet_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(runs["left-off"], tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(RunError, match="no checkpoint that can be read"):
        OpenRun.open(tmp_path / "run")


def test_nothing_in_a_directory_is_changed(runs: dict[str, Path]) -> None:
    before = {path: path.stat().st_mtime_ns for path in runs["left-off"].rglob("*")}
    report([measured(runs["left-off"], doctor=True)])
    assert {path: path.stat().st_mtime_ns for path in runs["left-off"].rglob("*")} == before


def test_a_history_with_nan_is_drawn_with_gaps(runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(runs["mlp"], tmp_path / "run")
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    history["epochs"][1]["train_loss"] = history["epochs"][1]["scores"]["validation"]["loss"] = None
    history["steps"]["loss"][5] = None
    (tmp_path / "run" / "history.json").write_text(json.dumps(history))
    reader = check_page(report([measured(tmp_path / "run", doctor=True)]))
    assert "became NaN or infinite in epoch 2" in reader.text


def test_a_network_whose_outputs_are_not_finite_has_a_page(runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(runs["mlp"], tmp_path / "run")
    weights = safetensors.numpy.load_file(runs["mlp"] / "model.safetensors")
    safetensors.numpy.save_file(
        {name: np.float32(1e30) * array for name, array in weights.items()}, tmp_path / "run" / "model.safetensors"
    )
    one = measured(tmp_path / "run", doctor=True)
    assert not np.isfinite(one.answers.outputs).all()
    text = check_page(report([one, measured(runs["mlp"])])).text
    assert "not finite" in text
    assert "has weights or gradients that are NaN or infinite" in check_page(report([one])).text


def test_names_of_classes_and_runs_are_escaped(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(runs["mlp"], tmp_path / "a<b>&c")
    names = ["T-shirt & <i>top</i>", "Trouser", "Pullover"]
    monkeypatch.setattr("handgrad.training.saved_run.SavedRun.class_name", lambda saved, number: names[number])
    page = report([measured(tmp_path / "a<b>&c")])
    assert "T-shirt &amp; &lt;i&gt;top&lt;/i&gt;" in page
    assert "<i>" not in page
    assert "<h1>a&lt;b&gt;&amp;c</h1>" in page


def test_runs_are_compared(runs: dict[str, Path]) -> None:
    one, two = measured(runs["mlp"]), measured(runs["other"])
    reader = check_page(report([one, two]))
    assert {"scores", "curves", "differences", "agreement", "disagreements", "classes"} <= set(reader.ids)
    assert "model.hidden [8] [5]" in reader.text
    assert "train.epochs 3 1" in reader.text
    assert "train.batch_size" not in reader.text
    right = [one.answers.predicted == one.answers.dataset.labels, two.answers.predicted == two.answers.dataset.labels]
    cells = [right[0] & right[1], right[0] & ~right[1], ~right[0] & right[1], ~right[0] & ~right[1]]
    same = int((one.answers.predicted == two.answers.predicted).sum())
    assert f"A and B {same} {' '.join(str(cell.sum()) for cell in cells)} " in reader.text
    assert 0 < same < 60
    assert f"Of {60 - same} of 60 test examples they do not all say the same." in reader.text


def test_a_run_agrees_with_its_copy(runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(runs["mlp"], tmp_path / "mlp")
    text = check_page(report([measured(runs["mlp"]), measured(tmp_path / "mlp")])).text
    assert f"{runs['mlp'].parent.name}/mlp" in text  # two of a name are told apart by where they lie
    assert "The recipes are the same, value for value." in text
    assert "of all 60 test examples they say the same" in text
    assert "cannot be compared" not in text


def test_runs_on_different_data_are_not_compared_score_by_score(runs: dict[str, Path]) -> None:
    several = [measured(runs[name]) for name in ("xor", "mlp", "points", "other")]
    reader, name = check_page(report(several)), several[1].answers.dataset.name
    assert f"A on 4 test examples of xor; B and D on 60 test examples of {name}; C on 10 test" in reader.text
    assert "Their scores cannot be compared with each other." in reader.text
    assert "B and D" in reader.text
    assert "disagreements" not in reader.ids


def test_examples_are_the_same_if_inputs_and_labels_are(runs: dict[str, Path]) -> None:
    one = measured(runs["mlp"]).answers
    inputs, labels = one.dataset.inputs, one.dataset.labels
    others = [
        (inputs.copy(), labels.copy()),
        (inputs[::-1], labels),
        (inputs, 1 - labels.clip(0, 1)),
        (inputs[:5], labels[:5]),
    ]
    made = [replace(one, dataset=Dataset(x, y, "other", 3)) for x, y in others]
    assert [one.same_examples(other) for other in made] == [True, False, False, False]


def test_runs_that_set_other_examples_aside_are_not_comparable_on_them(tiny: Path, tmp_path: Path) -> None:
    paths = [
        train(tmp_path / f"seed-{seed}", "mlp", **settings(tiny, data__validation=40, train__seed=seed))
        for seed in (0, 1)
    ]
    assert "cannot be compared" in report([measured(path, "validation") for path in paths])
    assert "cannot be compared" not in report([measured(path) for path in paths])


def test_numbers_that_are_no_probabilities_have_no_calibration(runs: dict[str, Path]) -> None:
    one = measured(runs["one-hot"])
    assert one.calibration is None
    assert "Its outputs are no probabilities" in read(report([one])).text


def test_damage_is_told_in_a_sentence(runs: dict[str, Path], tmp_path: Path) -> None:
    for name, content in (("history.json", "[]"), ("result.json", "[1]"), ("run.json", "{}")):
        shutil.copytree(runs["mlp"], tmp_path / name)
        (tmp_path / name / name).write_text(content)
        with pytest.raises(RunError):
            OpenRun.open(tmp_path / name)


def test_data_that_has_moved_is_found_by_its_new_place(runs: dict[str, Path], tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(runs["mlp"], tmp_path / "run")
    values = json.loads((tmp_path / "run" / "run.json").read_text())
    values["recipe"]["data"]["dataset"] = str(tmp_path / "gone")
    (tmp_path / "run" / "run.json").write_text(json.dumps(values))
    with pytest.raises(RunError, match="Say with --data where it lies now"):
        OpenRun.open(tmp_path / "run")
    moved = Measured.of(OpenRun.open(tmp_path / "run", data=str(tiny)), doctor=False)
    assert moved.answers.accuracy == measured(runs["mlp"]).answers.accuracy


def test_a_figure_keeps_its_text_and_takes_the_pages_colours() -> None:
    figure = Figure()
    figure.subplots().plot([1, 2], color="#030302", label="here")
    svg = figures.to_svg(figure, "first")
    assert "var(--series-2)" in svg
    assert "var(--ink)" in svg
    assert "<text" in svg
    assert 'id="first-figure_1"' in svg
    assert "<metadata" not in svg


def pixels(address: str) -> NDArray[Any]:
    import base64
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_pictures_show_every_pixel_grey_ones_dark_on_light() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(1, 3, 4) * 20
    shown = Examples(Dataset(grey, np.array([0]), "grey", 1))[0]
    assert np.array_equal(pixels(shown.picture), 255 - grey[0])
    colours = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3) * 10
    assert np.array_equal(pixels(Examples(Dataset(colours, np.array([0]), "rgb", 1))[0].picture), colours[0])
    floats = np.array([[[-1.0, 0.0], [1.0, 3.0]]])
    expected = np.array([[255, 191], [127, 0]])
    found = pixels(Examples(Dataset(floats, np.array([0]), "floats", 1))[0].picture)
    assert np.abs(found.astype(int) - expected).max() <= 1

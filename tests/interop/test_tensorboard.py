"""What TensorBoard itself reads in the files that a training writes for it."""

import errno
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase
from PIL import Image
from typer.testing import CliRunner

from handgrad import Residual, Sequential, SoftmaxCrossEntropy
from handgrad.cli import app
from handgrad.training.saved_run import SavedRun

accumulator: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
event_file: Any = pytest.importorskip("handgrad.interop.event_file")
interop: Any = pytest.importorskip("handgrad.interop.tensorboard")
graphs: Any = pytest.importorskip("handgrad.interop.tensorboard_graph")


def train(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["train", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def read(folder: Path) -> Any:
    """What TensorBoard finds in a folder, without leaving points out."""
    found = accumulator.EventAccumulator(str(folder), size_guidance=dict.fromkeys(accumulator.DEFAULT_SIZE_GUIDANCE, 0))
    found.Reload()
    return found


def curve(found: Any, name: str) -> Any:
    """(step, value) of each point."""
    return [(point.step, point.value) for point in found.Scalars(name)]


@pytest.fixture(scope="module")
def run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training on small images, with a part set aside."""
    out = tmp_path_factory.mktemp("tensorboard") / "run"
    train("mlp", "--data", tiny, "--epochs", "6", "--validation", "20", "--out", out, "--tensorboard")
    return out


@pytest.fixture(scope="module")
def found(run: Path) -> Any:
    return read(run / "tensorboard")


def test_curves_are_those_of_the_history(run: Path, found: Any) -> None:
    history = SavedRun.open(run).history()
    steps = len(history.steps) // len(history.epochs)
    ends = [steps * epoch.number for epoch in history.epochs]
    expected = {
        "loss/train": [epoch.train_loss for epoch in history.epochs],
        "loss/validation": [epoch.scores["validation"].loss for epoch in history.epochs],
        "accuracy/validation": [epoch.scores["validation"].accuracy for epoch in history.epochs],
        "accuracy/test": [epoch.scores["test"].accuracy for epoch in history.epochs],
    }
    for name, values in expected.items():
        assert curve(found, name) == [(step, pytest.approx(value)) for step, value in zip(ends, values, strict=True)]
    for name in ("loss", "learning_rate", "gradient_norm"):
        expected_points = [(step.number, pytest.approx(getattr(step, name))) for step in history.steps]
        assert curve(found, f"step/{name}") == expected_points


def test_histograms_hold_every_weight_and_every_gradient(run: Path, found: Any) -> None:
    parameters = SavedRun.open(run).model.parameters
    for name, view in parameters.views.items():
        last = found.Histograms(f"weight/{name}")[-1].histogram_value
        assert (last.num, last.min, last.max) == (view.size, view.min(), view.max())
        assert last.sum == pytest.approx(view.sum(dtype=np.float64))
        assert sum(last.bucket) == view.size
        gradients = found.Histograms(f"gradient/{name}")
        assert [each.step for each in gradients] == [each.step for each in found.Histograms(f"weight/{name}")]
        assert gradients[-1].histogram_value.num == view.size
    assert found.Histograms("weight/0.weight")[0].step == 0  # as they were in the beginning
    layers = {name.rpartition(".")[0] for name in parameters.views}
    for layer in layers:
        gradient_of_layer = curve(found, f"gradient_norm/{layer}_Linear")
        squares = [
            found.Histograms(f"gradient/{layer}.{name}")[-1].histogram_value.sum_squares for name in ("weight", "bias")
        ]
        assert gradient_of_layer[-1][1] == pytest.approx(math.sqrt(sum(squares)), rel=1e-5)
    assert all(0 <= share <= 1 for _, share in curve(found, "units_dead/1_ReLU"))


def test_pictures_can_be_opened(found: Any) -> None:
    assert {"first_layer", "run/confusion", "run/gallery", "run/mistakes"} <= set(found.Tags()["images"])
    assert len(found.Images("first_layer")) == 7  # the beginning, and six epochs
    for name in found.Tags()["images"]:
        picture = found.Images(name)[-1]
        assert Image.open(io.BytesIO(picture.encoded_image_string)).size == (picture.width, picture.height)


def test_settings_stand_beside_scores(run: Path, found: Any) -> None:
    result = json.loads((run / "result.json").read_text())
    assert curve(found, "result/test_accuracy")[0][1] == pytest.approx(result["test_accuracy"])
    plugin = pytest.importorskip("tensorboard.plugins.hparams.metadata")
    content = found.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    settings = plugin.parse_session_start_info_plugin_data(content).hparams
    assert settings["train.epochs"].number_value == 6
    assert settings["optimizer.name"].string_value == "sgd"
    assert settings["model.hidden"].string_value == "128"


def test_the_network_is_described(found: Any) -> None:
    text = found.Tensors("network/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "0 Linear" in text
    assert [node.name for node in found.Graph().node] == ["inputs", "0_Linear", "1_ReLU", "2_Linear", "targets", "loss"]


def test_a_recorded_training_ends_with_the_same_weights(run: Path, tiny: Path, tmp_path: Path) -> None:
    train("mlp", "--data", tiny, "--epochs", "6", "--validation", "20", "--out", tmp_path / "plain")
    assert (run / "model.safetensors").read_bytes() == (tmp_path / "plain/model.safetensors").read_bytes()
    assert not (tmp_path / "plain/tensorboard").exists()


def test_a_run_that_goes_on_has_one_curve(tiny: Path, tmp_path: Path) -> None:
    """From an earlier checkpoint: what was recorded after it does not stand any more."""
    out = tmp_path / "run"
    train("mlp", "--data", tiny, "--epochs", "4", "--out", out, "--tensorboard", "--keep-checkpoints", "9")
    steps = [step for step, _ in curve(read(out / "tensorboard"), "step/loss")]
    checkpoints = sorted((out / "checkpoints").glob("*.safetensors"))
    for late in checkpoints[3:]:
        late.unlink()
    train("--resume", out, "--epochs", "5", "--tensorboard")
    again = read(out / "tensorboard")
    assert [step for step, _ in curve(again, "step/loss")] == list(range(1, len(steps) // 4 * 5 + 1))
    assert [step for step, _ in curve(again, "loss/train")] == [len(steps) // 4 * epoch for epoch in range(1, 6)]


def test_of_very_many_steps_an_even_selection_is_written(tmp_path: Path) -> None:
    train("xor", "--out", tmp_path / "run", "--tensorboard")
    found = read(tmp_path / "run/tensorboard")
    history = SavedRun.open(tmp_path / "run").history()
    points = curve(found, "step/loss")
    assert [step for step, _ in points] == list(range(10, 10_001, 10))
    assert points[3][1] == pytest.approx(np.mean([step.loss for step in history.steps[30:40]]))
    assert len(curve(found, "loss/train")) == 1000
    assert len(found.Histograms("weight/0.weight")) == 21


def test_each_width_of_a_search_has_its_own_folder(tiny: Path, tmp_path: Path) -> None:
    changes = ["--set", "select.widths=[4, 8]", "--set", "select.epochs=1", "--set", "select.validation=20"]
    train("mlp-select", "--data", tiny, "--epochs", "2", *changes, "--out", tmp_path / "run", "--tensorboard")
    folders = {path.parent.relative_to(tmp_path / "run").as_posix() for path in tmp_path.rglob("events.*")}
    best = SavedRun.open(tmp_path / "run").recipe.model.hidden[0]
    names = ("width-4", "width-8", f"width-{best}-all-data")
    assert folders == {"tensorboard", *(f"tensorboard/{name}" for name in names)}


@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_every_layer_has_a_box_with_its_output_shape(case: LayerCase) -> None:
    shape = case.shape[1:]
    nodes = graphs.graph_of(Sequential(Sequential(case.layer)), SoftmaxCrossEntropy(), shape).node
    names = {node.name for node in nodes}
    assert len(names) == len(nodes)
    assert all(source in names for node in nodes for source in node.input)
    layers = [name for name, layer in case.layer.walk() if not layer.sublayers() and not isinstance(layer, Sequential)]
    assert len(layers) <= len(nodes) - 3  # without inputs, targets and loss
    last = next(node for node in nodes if node.name == nodes[-1].input[0])
    assert [axis.size for axis in last.attr["_output_shapes"].list.shape[0].dim] == [
        -1,
        *case.layer.output_shape(shape),
    ]


def test_a_residual_adds_its_input_to_its_branch() -> None:
    linear = next(case.layer for case in LAYER_CASES if type(case.layer).__name__ == "Tanh")
    nodes = {
        node.name: list(node.input) for node in graphs.graph_of(Residual(linear), SoftmaxCrossEntropy(), (3,)).node
    }
    assert nodes["Residual/sum"] == ["inputs", "Residual/branch_Tanh"]


def test_what_is_not_finite_is_left_out_of_a_histogram(tmp_path: Path) -> None:
    events = event_file.EventFile(tmp_path)
    events.histogram("some", [1.0, math.nan, 3.0, math.inf], step=1)
    events.histogram("none", [math.nan], step=1)
    events.close()
    found = read(tmp_path)
    assert found.Tags()["histograms"] == ["some"]
    assert found.Histograms("some")[0].histogram_value.num == 2


@pytest.mark.parametrize("writes", [0, 1, 40])
def test_a_full_disk_ends_the_record_and_not_the_training(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    left = [writes]

    def write(self: Any, data: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(event_file.record_writer.RecordWriter, "write", write)
    said = train("mlp", "--data", tiny, "--epochs", "2", "--out", tmp_path / "run", "--tensorboard")
    assert " ".join(said.split()).count("no more can be written for TensorBoard (No space left on device)") == 1
    assert (tmp_path / "run/result.json").is_file()


def test_a_missing_package_is_named_before_anything_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.summary", None)
    for module in ("handgrad.interop.event_file", "handgrad.interop.tensorboard"):
        monkeypatch.delitem(sys.modules, module)
    result = CliRunner().invoke(app, ["train", "points", "--out", str(tmp_path / "run"), "--tensorboard"])
    assert 'python -m pip install "handgrad[tensorboard]"' in str(result.exception)
    assert not (tmp_path / "run").exists()

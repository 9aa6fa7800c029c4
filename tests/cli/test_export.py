"""`handgrad export`: what it writes, what it says, and what it refuses."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.data import read_idx
from handgrad.training.saved_run import SavedRun

pytest.importorskip("onnxruntime")
interop: Any = pytest.importorskip("handgrad.interop.onnx")


def invoke(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 1
    return str(result.exception)


def images(tiny: Path) -> np.ndarray[Any, Any]:
    return np.asarray(read_idx(tiny / "t10k-images-idx3-ubyte.gz"))


def test_the_file_takes_raw_images_and_gives_what_predict_gives(finished: Path, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    printed = invoke("export", finished, file)
    assert "inputs uint8 (N, 8, 8) → probabilities float32 (N, 3), opset 20, IR 9." in " ".join(printed.split())
    assert "on 32 test examples" in " ".join(printed.split())
    theirs = interop.run_onnx(file.read_bytes(), images(tiny))
    ours = SavedRun.open(finished).probabilities(images(tiny))
    assert np.abs(theirs - ours).max() <= 1e-6
    assert np.abs(theirs.sum(axis=1) - 1).max() <= 1e-6


def test_the_metadata_says_where_it_comes_from(finished: Path, tmp_path: Path) -> None:
    from onnx import ModelProto

    invoke("export", finished, tmp_path / "model.onnx")
    proto = ModelProto.FromString((tmp_path / "model.onnx").read_bytes())
    texts = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(texts["recipe"])["model"]["hidden"] == [8]
    assert float(texts["test_accuracy"]) == json.loads((finished / "result.json").read_text())["test_accuracy"]
    assert json.loads(texts["classes"]) == ["0", "1", "2"]
    assert interop.preprocessing_from_onnx(proto) == SavedRun.open(finished).preprocessing


def test_preprocessing_and_softmax_can_be_left_out(finished: Path, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    printed = invoke("export", finished, file, "--no-preprocessing", "--scores", "--json")
    result = json.loads(printed.splitlines()[-1])
    assert result["input"] == {"name": "inputs", "type": "float32", "shape": ["N", 64]}
    assert result["output"] == {"name": "outputs", "type": "float32", "shape": ["N", 3]}
    assert result["bytes"] == file.stat().st_size
    assert result["difference"] <= 1e-5
    saved = SavedRun.open(finished)
    inputs = saved.preprocessing(images(tiny))
    assert np.abs(interop.run_onnx(file.read_bytes(), inputs) - saved.model(inputs)).max() <= 1e-5


def test_weights_are_written_under_pytorchs_names(finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    assert "4 arrays under PyTorch's names" in " ".join(invoke("export", finished, file).split())
    expected = SavedRun.open(finished).model.parameters.state_dict()
    found = safetensors.numpy.load_file(file)
    assert list(found) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)
    with safetensors.safe_open(file, "numpy") as opened:
        assert opened.metadata()["format"] == "pt"
        assert "recipe" in opened.metadata()
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    module.load_state_dict({name: torch.from_numpy(array) for name, array in found.items()})


@pytest.mark.parametrize("recipe", ["xor", "points", "cnn"])
def test_other_runs_too(recipe: str, tiny: Path, tmp_path: Path) -> None:
    data: list[str | Path] = ["--data", tiny] if recipe == "cnn" else []
    invoke("train", recipe, *data, "--epochs", "1", "--out", tmp_path / "run")
    result = json.loads(invoke("export", tmp_path / "run", tmp_path / "m.onnx", "--json").splitlines()[-1])
    assert result["difference"] <= 1e-5
    assert result["output"]["name"] == ("outputs" if recipe == "xor" else "probabilities")
    assert result["input"]["type"] == ("uint8" if recipe == "cnn" else "float32")


def test_a_run_whose_data_is_gone_is_checked_on_random_inputs(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    values = json.loads((run / "run.json").read_text())
    values["recipe"]["data"]["dataset"] = str(tmp_path / "gone")
    (run / "run.json").write_text(json.dumps(values))
    (run / "result.json").unlink()
    printed = invoke("export", run, tmp_path / "model.onnx", "--json")
    result = json.loads(printed.splitlines()[-1])
    assert result["checked_on"] == "32 random inputs, for the run's data is not to be found"
    assert result["input"]["type"] == "uint8"


def test_a_file_that_is_there_is_not_written_over_unless_asked(finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_text("precious")
    assert refused("export", finished, file).endswith("or write over it with --force.")
    assert file.read_text() == "precious"
    invoke("export", finished, file, "--force")
    assert len(interop.from_onnx(file).layers) == 4


@pytest.mark.parametrize(
    ("run", "file", "message"),
    [
        ("{finished}", "model.pt", "expected a name that ends in .onnx or .safetensors"),
        ("{finished}", "none/model.onnx", "a file in a directory that exists"),
        ("nowhere", "model.onnx", "expected the directory of a handgrad run"),
    ],
)
def test_what_cannot_be_done_is_refused(finished: Path, tmp_path: Path, run: str, file: str, message: str) -> None:
    assert message in refused("export", run.format(finished=finished), tmp_path / file)
    assert list(tmp_path.iterdir()) == []


def test_without_onnxruntime_it_says_that_nothing_was_checked(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes `import onnxruntime` fail
    printed = " ".join(invoke("export", finished, tmp_path / "model.onnx").split())
    assert 'Not checked, for onnxruntime is not installed: python -m pip install "handgrad[onnx]".' in printed


def test_without_onnx_the_extra_is_named(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnx" or "interop.onnx" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delattr("handgrad.interop.onnx")
    assert refused("export", finished, tmp_path / "model.onnx").endswith('python -m pip install "handgrad[onnx]".')
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_differ_are_not_written(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = interop.run_onnx
    monkeypatch.setattr(interop, "run_onnx", lambda proto, inputs: right(proto, inputs) + 0.01)
    assert "differ from handgrad's by 1.0e-02; nothing was written" in refused(
        "export", finished, tmp_path / "model.onnx"
    )
    assert list(tmp_path.iterdir()) == []

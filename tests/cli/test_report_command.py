"""`handgrad report`: where it writes, what it says, and what it refuses."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from handgrad.cli import app

pytest.importorskip("jinja2")


def invoke(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    assert result.exit_code == 1
    return str(result.exception)


def test_a_run_keeps_its_report_beside_the_rest(finished: Path) -> None:
    printed = invoke("report", finished)
    file = finished / "report.html"
    assert f"Wrote {file}," in printed
    accuracy = json.loads((finished / "result.json").read_text())["test_accuracy"]
    assert f"accuracy {100 * accuracy:.2f} % on 60 examples (test)." in printed
    first = file.read_bytes()
    invoke("report", finished)  # over one of its own
    assert file.read_bytes() == first


def test_a_comparison_is_written_where_one_is(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke("train", "points", "--epochs", "2", "--out", tmp_path / "points")
    monkeypatch.chdir(tmp_path)
    printed = invoke("report", finished, tmp_path / "points", "--no-doctor", "--json")
    result = json.loads(printed[printed.index("{") :])
    assert result["file"] == "report.html"
    assert result["bytes"] == (tmp_path / "report.html").stat().st_size
    assert [run["examples"] for run in result["runs"]] == [60, 10]
    assert [run["findings"] for run in result["runs"]] == [None, None]


def test_the_doctors_findings_are_in_the_json(finished: Path, tmp_path: Path) -> None:
    printed = invoke("report", finished, "--out", tmp_path / "r.html", "--split", "train", "--json")
    (run,) = json.loads(printed[printed.index("{") :])["runs"]
    assert (run["findings"], run["split"], run["examples"]) == ([], "train", 240)


def test_what_is_no_report_is_not_written_over_unless_asked(finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "notes.html"
    file.write_text("precious")
    assert refused(finished, "--out", file).endswith("or write over it with --force.")
    assert file.read_text() == "precious"
    invoke("report", finished, "--out", file, "--force", "--no-doctor")
    assert file.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{run}", "--out", "{folder}/r.pdf"], "a name that ends in .html"),
        (["{run}", "--out", "{folder}/none/r.html"], "a file in a directory that exists"),
        (["{folder}/nowhere"], "expected the directory of a handgrad run"),
        (["{folder}"], "expected the directory of a handgrad run"),
        (["{run}", "{run}"], "different runs"),
        (["{run}", "--split", "all", "--out", "{folder}/r.html"], "one of test, validation, train"),
        (["{run}", "--data", "mnist", "--out", "{folder}/r.html"], "inputs (28, 28) and 10 classes"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: list[str], message: str, finished: Path, tmp_path: Path) -> None:
    assert message in refused(*(text.format(run=finished, folder=tmp_path) for text in arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_run_is_refused(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").write_bytes(b"not one")
    (tmp_path / "run" / "report.html").unlink(missing_ok=True)
    assert "cannot be read" in refused(tmp_path / "run")
    assert not (tmp_path / "run" / "report.html").exists()


def test_without_jinja2_the_extra_is_named(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)  # makes `import jinja2` fail
    sentence = refused(finished, "--out", tmp_path / "r.html")
    assert sentence.endswith('python -m pip install "handgrad[report]".')
    assert list(tmp_path.iterdir()) == []

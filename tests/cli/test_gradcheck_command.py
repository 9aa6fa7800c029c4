"""`handgrad gradcheck` on recipes, on runs, and on a network that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.layers import Linear


def invoke(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["gradcheck", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_recipe_is_checked_element_by_element() -> None:
    printed = invoke("xor")
    assert "XOR by two sigmoid layers" in printed
    assert [line.split()[:2] for line in printed.splitlines()[3:7]] == [
        [name, "right"] for name in ("input", "0.weight", "2.weight", "outputs")
    ]
    assert "Every gradient is right: 21 elements compared in" in printed


def test_a_run_is_checked_with_its_own_weights_and_data(tiny: Path, tmp_path: Path) -> None:
    train = ["train", "mlp", "--data", str(tiny), "--epochs", "1", "--hidden", "8", "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(app, train).exit_code == 0
    result = json.loads(invoke(tmp_path / "run", "--sample", "20", "--json").splitlines()[-1])
    assert result["passed"] is True
    assert [(t["name"], t["compared"]) for t in result["tensors"]][:2] == [("input", 20), ("0.weight", 20)]
    assert result["subject"] == str(tmp_path / "run")


def test_a_wrong_gradient_is_named_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Linear.backward

    def negative(self: Linear, dy: Any, cache: Any, *, ops: Any, grads: Any) -> Any:
        dx = right(self, dy, cache, ops=ops, grads=grads)
        grads.bias[...] *= -1
        return dx

    monkeypatch.setattr(Linear, "backward", negative)
    printed = invoke("points", code=1)
    assert "0.bias: it has the opposite sign." in printed
    assert "1 wrong: 22 elements compared" in printed
    assert not json.loads(invoke("points", "--json", code=1).splitlines()[-1])["passed"]


def test_a_narrow_terminal_shows_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert "shape" not in invoke("points")
    monkeypatch.setenv("COLUMNS", "80")
    assert "4×2" in invoke("points")


def test_what_is_neither_recipe_nor_run_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["gradcheck", "nothing"])
    assert "nothing" in str(result.exception)
    assert "run" in str(result.exception)
    result = CliRunner().invoke(app, ["gradcheck", str(tmp_path)])
    assert "expected the directory of a handgrad run" in str(result.exception)

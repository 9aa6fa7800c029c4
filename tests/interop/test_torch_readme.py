"""The README's example of both libraries runs as it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

for package in ("torch", "onnx", "onnxruntime"):
    pytest.importorskip(package)


def test_the_example_prints_differences_that_are_only_rounding() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = text.split("<!-- example: pytorch and onnx -->")[1].split("```python\n")[1].split("```")[0]
    printed = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True).stdout
    in_pytorch, in_onnxruntime, there_and_back = printed.split()
    assert float(in_pytorch) < 1e-5
    assert float(in_onnxruntime) < 1e-5
    assert there_and_back == "True"

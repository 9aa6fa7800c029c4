"""The examples in the pages of docs print what the pages say; those of the derivations have tests of their own."""

import doctest
import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))
#: What a page's examples import besides the core install, or import a part of handgrad for, and the package it needs.
EXTRAS = {name: name for name in ("sklearn", "torch", "onnx", "onnxruntime")} | {"tensorboard": "tensorboardX"}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>>" in page.read_text(encoding="utf-8")], ids=lambda p: p.name
)
def test_examples_print_what_the_page_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    for name, package in EXTRAS.items():
        if re.search(rf"(import|from) (handgrad\.interop\.|handgrad\.)?{name}\b", text):
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS)
    assert tried > 0
    assert failed == 0

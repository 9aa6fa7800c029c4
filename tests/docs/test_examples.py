"""Every example of README.md and docs is run, by looking for them: none can be left out without a reason."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from examples import PAGES, PYTHON, ROOT, blocks, extras, missing_packages, run_page
from markdown_it import MarkdownIt
from shell_lines import SHELL

from handgrad import Experiment, Recipe

#: What a block may be, besides Python and commands: nothing in these can be run.
DATA = {"math", "toml", ""}
FENCE = "`" * 3


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pages_with_examples() -> list[Any]:
    """Those with any; README.md trains a network, which would take long where every line is counted."""
    found = [page for page in PAGES if list(blocks("", text_of(page)))]
    slow = {ROOT / "README.md": [pytest.mark.slow]}
    return [pytest.param(page, id=named(page), marks=slow.get(page, [])) for page in found]


@pytest.mark.parametrize("page", pages_with_examples())
def test_every_example_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run_page(named(page), text_of(page))
    if outcome.missing:
        pytest.skip("; ".join(f"line {line} needs {packages}" for line, packages in outcome.missing.items()))
    assert outcome.run or outcome.quoted


def test_pages_hold_nothing_that_the_tests_do_not_know() -> None:
    infos = {
        (named(page), token.info)
        for page in PAGES
        for token in MarkdownIt("commonmark").parse(text_of(page))
        if token.type == "fence"
    }
    assert {info for _, info in infos} <= PYTHON | SHELL | DATA, infos


def test_recipes_on_pages_are_recipes(tmp_path: Path) -> None:
    for page in PAGES:
        for shown in re.findall(rf"{FENCE}toml\n(.*?){FENCE}", text_of(page), re.DOTALL):
            if "data" in tomllib.loads(shown):  # a whole one
                (tmp_path / "shown.toml").write_text(shown)
                list(Experiment.prepare(Recipe.load(str(tmp_path / "shown.toml"))).trainer.run(epochs=1))
            else:
                Recipe.load("mlp").override(tomllib.loads(shown))


def test_every_block_that_looks_like_one_is_found() -> None:
    """A fence that Markdown reads otherwise than its writer, for example behind a wrong indent, is no block."""
    for page in PAGES:
        written = re.findall(rf"^\s*{FENCE}(?:{'|'.join(PYTHON)})\s*$", text_of(page), re.MULTILINE)
        assert len(written) == len(list(blocks("", text_of(page)))), page


def test_what_is_not_run_has_a_reason() -> None:
    for page in PAGES:
        for reason in re.findall(r"<!-- not run:?(.*?)-->", text_of(page)):
            assert len(reason.split()) >= 3, f"{page}: {reason}"


def test_the_gate_installs_what_every_example_needs() -> None:
    (installed,) = re.findall(r'--quiet -e "\.\[(test,check.*?)\]"', text_of(ROOT / ".ci" / "run"))
    brought = {package for extra in installed.split(",") for package in extras()[extra]}
    for page in PAGES:
        for needs in re.findall(r"<!-- needs: (.*?) -->", text_of(page)):
            assert {package for extra in needs.split() for package in extras()[extra]} <= brought, page


def page_of(*blocks_and_comments: str) -> str:
    """A page of blocks, and of comments, which begin with <."""
    return "\n\n".join(
        part if part.startswith("<") else f"{FENCE}python\n{part}\n{FENCE}" for part in blocks_and_comments
    )


def test_blocks_of_a_page_share_their_names() -> None:
    outcome = run_page("page", page_of("x = 1", ">>> x + 1\n2\n>>> y = 3", "assert y == 3", "assert x == 1"))
    assert len(outcome.run) == 4


@pytest.mark.parametrize("wrong", [">>> 1 + 1\n3", "assert 1 + 1 == 3", ">>> 1 + 1\n2\n>>> nothing", "# >>> no prompt"])
def test_a_wrong_example_fails(wrong: str) -> None:
    with pytest.raises(AssertionError):
        run_page("page", page_of("x = 1", wrong))


def test_a_quotation_that_is_none_fails() -> None:
    comment = "<!-- code: handgrad.ops.reference.ReferenceOps.tanh -->"
    quoted = re.escape("page:3 is not what the source says")
    with pytest.raises(AssertionError, match=quoted):
        run_page("page", page_of(comment, "def tanh(self, x):\n    return x"))


def test_a_comment_counts_for_the_next_block_alone() -> None:
    outcome = run_page("page", page_of("<!-- not run: it takes a day -->", "1 / 0", "x = 1"))
    assert list(outcome.left_out.values()) == ["it takes a day"]
    assert len(outcome.run) == 1
    with pytest.raises(ZeroDivisionError):
        run_page("page", page_of("<!-- not run: it takes a day -->", "x = 1", "1 / 0"))


def test_an_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.distributions", list)
    assert missing_packages("onnx") == ["onnx", "onnxruntime"]
    outcome = run_page("page", page_of("<!-- needs: torch onnx -->", "1 / 0", "x = 1"))
    assert list(outcome.missing.values()) == ["torch, array-api-compat, onnx, onnxruntime"]
    assert len(outcome.run) == 1

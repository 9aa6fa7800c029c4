"""What the pages show, block by block, and how it is tried.

Every ```python block of a page is run in order, in one namespace: as it stands, or as a doctest where it has prompts.
A comment directly before a block says where that is otherwise:

- `<!-- needs: EXTRA EXTRA -->`: it is left out where these extras of handgrad are not installed;
- `<!-- code: … -->`, `<!-- wrong: … -->`, `<!-- right: … -->`: it quotes source that other tests run, word for word;
- `<!-- not run: REASON -->`: it cannot be run.
"""

import doctest
import importlib.metadata
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pitfall_page
import regenerate
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PYTHON = {"python", "py", "python3", "pycon"}
QUOTATIONS = {"code": regenerate.code, "wrong": pitfall_page.wrong, "right": pitfall_page.right}
COMMENT = re.compile(r"<!-- ([a-z ]+): (.*?) -->")
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@dataclass(frozen=True)
class Block:
    """A block of Python on a page, and the comments before it."""

    page: str
    line: int
    code: str
    comments: dict[str, str]

    def run(self, namespace: dict[str, Any]) -> None:
        """Run it, and raise AssertionError where it prints something else than it shows."""
        if ">>>" not in self.code:
            exec(compile("\n" * self.line + self.code, self.page, "exec"), namespace)
            return
        test = doctest.DocTestParser().get_doctest(self.code, {}, self.page, self.page, self.line)
        assert test.examples, f"{self.page}:{self.line}: nothing to run"
        test.globs = namespace  # the parser took a copy
        failures: list[str] = []
        doctest.DocTestRunner(optionflags=FLAGS).run(test, out=failures.append, clear_globs=False)
        assert not failures, "".join(failures)


@dataclass
class Outcome:
    """The lines of a page at which a block was run, was found to quote the source, or was left out and why."""

    run: list[int] = field(default_factory=list)
    quoted: list[int] = field(default_factory=list)
    left_out: dict[int, str] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)


def blocks(page: str, text: str) -> Iterator[Block]:
    """The blocks of Python on a page."""
    comments: dict[str, str] = {}
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "html_block":
            comments |= dict(COMMENT.findall(token.content))
            continue
        if token.type == "fence" and token.info.split(" ")[0] in PYTHON:
            assert token.map is not None
            yield Block(page, token.map[0] + 1, token.content, comments)
        comments = {}


def run_page(page: str, text: str) -> Outcome:
    """Try every block of a page, in order and in one namespace."""
    outcome, namespace = Outcome(), {"__name__": page}
    for block in blocks(page, text):
        quotation = next((kind for kind in QUOTATIONS if kind in block.comments), None)
        missing = missing_packages(block.comments.get("needs", ""))
        if quotation:
            quoted = QUOTATIONS[quotation](block.comments[quotation])
            assert block.code.strip() in quoted, f"{page}:{block.line} is not what the source says"
            outcome.quoted.append(block.line)
        elif "not run" in block.comments:
            outcome.left_out[block.line] = block.comments["not run"]
        elif missing:
            outcome.missing[block.line] = ", ".join(missing)
        else:
            block.run(namespace)
            outcome.run.append(block.line)
    return outcome


def extras() -> dict[str, list[str]]:
    """The extras of handgrad, and the packages each of them brings."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return {
        name: [re.split(r"[^\w.-]", requirement)[0] for requirement in requirements]
        for name, requirements in declared.items()
    }


def missing_packages(needs: str) -> list[str]:
    """Which packages of these extras, separated by spaces, are not installed."""
    installed = {found.name.lower() for found in importlib.metadata.distributions()}
    return [package for extra in needs.split() for package in extras()[extra] if package.lower() not in installed]

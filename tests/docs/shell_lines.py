"""The commands that the pages show: in blocks of a shell, in indented blocks, and in running text."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
from examples import PAGES, ROOT
from markdown_it import MarkdownIt

from handgrad.cli import app

SHELL = {"bash", "sh", "shell", "console"}
#: Programs of others that a page may name. Of handgrad, Python and bash more is known.
OTHERS = {"jupyter", "ruff", "mypy", "lint-imports", "tensorboard", "sphinx-build"}
PROGRAMS = OTHERS | {"handgrad", "python", "bash"}
GROUP: Any = typer.main.get_command(app)


@dataclass(frozen=True)
class Command:
    """A command of a page, without what only a shell reads."""

    page: Path
    words: tuple[str, ...]
    #: In running text a command may be named without what it takes.
    in_text: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {shlex.join(self.words)}"


def commands() -> list[Command]:
    """All commands of all pages, each once a page."""
    return list(dict.fromkeys(command for page in PAGES for command in commands_of(page, page.read_text("utf-8"))))


def commands_of(page: Path, text: str) -> Iterator[Command]:
    """The commands of one page."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "fence" and token.info.split(" ")[0] in SHELL:
            yield from _of_lines(page, _typed(token.content))
        elif token.type == "code_block":
            lines = token.content.splitlines()
            if any(line.split(" ")[0] in PROGRAMS for line in lines):  # otherwise it shows what was printed
                yield from _of_lines(page, lines)
        for child in token.children or []:
            if child.type == "code_inline" and re.match(r"(python -m )?handgrad [a-z-]", child.content):
                yield Command(page, _words(child.content), in_text=True)


def _typed(content: str) -> list[str]:
    """The lines of a shell that were typed: those with a prompt, if there is one."""
    lines = content.splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return prompted or lines


def _of_lines(page: Path, lines: list[str]) -> Iterator[Command]:
    for line in lines:
        for part in line.split("&&"):
            if words := _words(part):
                yield Command(page, words, in_text=False)


def _words(line: str) -> tuple[str, ...]:
    """A line's words, with "RECIPE" for "[RECIPE|RUN]", which says that either may be given or none."""
    words = shlex.split(line.replace("…", ""), comments=True)
    return tuple(re.sub(r"^\[([A-Z]+)(\|[A-Z]+)*\]$", r"\1", word) for word in words)


def is_ours(command: Command) -> bool:
    """Whether it runs handgrad."""
    return command.words[0] == "handgrad" or command.words[:3] == ("python", "-m", "handgrad")


def arguments(command: Command) -> list[str]:
    """What handgrad is given."""
    return list(command.words[1 if command.words[0] == "handgrad" else 3 :])


def parse(words: list[str], *, whole: bool = True) -> None:
    """Read the words as handgrad would, and run nothing.

    Args:
        words: what stands behind "handgrad".
        whole: whether all that a command needs must be there.

    Raises:
        Exception: Typer's own, where there is no such command or option, or a value cannot be one.
        AssertionError: an option that stands in running text does not exist.
    """
    context = GROUP.make_context("handgrad", list(words))
    if not words[0].startswith("-"):
        name, subcommand, rest = GROUP.resolve_command(context, list(words))
        if whole:
            subcommand.make_context(name, list(rest), parent=context)
        known = {option for parameter in subcommand.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in rest if word.startswith("--")} <= known | {"--help"}, words

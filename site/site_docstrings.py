"""Our docstrings, which are Google's sections in plain text, as the reStructuredText that Sphinx reads."""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from handgrad.layers import Formulas

#: Words that begin a line of their own: "Shapes: x (N, in) → y (N, out)".
LABELS = re.compile(r"^(Shapes|Initialisation|Source[^:]*): +(?=\S)")
PAGES = Path(__file__).parents[1] / "docs" / "derivations"


def rewrite(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Rewrite a docstring in place, and add the formulas that a class states."""
    lines[:] = [*as_rst(lines), *stated_formulas(thing)] if what == "class" else as_rst(lines)


def as_rst(lines: list[str]) -> list[str]:
    r"""Plain text with `code` and examples as reStructuredText, before its sections are read.

    >>> print(as_rst(["The |x| of `Linear`, see `x[0]`"])[0])
    The \|x\| of :py:obj:`Linear`, see ``x[0]``
    >>> as_rst(["Two:", ">>> 1 + 1", "2"])
    ['Two:', '', '>>> 1 + 1', '2']
    """
    written: list[str] = []
    in_example = False
    for line in lines:
        begins = line.lstrip().startswith(">>>")
        if begins and not in_example and written and written[-1].strip():
            written.append("")
        in_example = bool(line.strip()) and (begins or in_example)
        if in_example:
            written.append(line)
            continue
        if label := LABELS.match(line):
            written.append("")
            line = f"**{label[1]}:** {_escaped(line[label.end() :])}"
        else:
            line = _escaped(line)
        written.append(line)
    return written


def _escaped(line: str) -> str:
    """A line whose signs stand for themselves, and whose `code` is code, with a link where it names something."""
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return line  # code that goes on in the next line
    for position, part in enumerate(parts):
        if position % 2 == 0:
            part = re.sub(r"([*|\\]|(?<=\w)_(?!\w))", r"\\\1", part)
            parts[position] = re.sub(r"((?:^|: )\s*\w)\.(?=\s|$)", r"\1\\.", part)  # "C." is no list
        elif re.fullmatch(r"[A-Za-z_][\w.]*", part):
            parts[position] = f":py:obj:`{part}`"
        else:
            parts[position] = f"``{part}``"
    return "".join(parts)


def stated_formulas(thing: Any) -> list[str]:
    """The formulas of a layer, a loss or an optimizer, and the page that derives them."""
    stated, single = vars(thing).get("formulas"), vars(thing).get("formula")
    if isinstance(stated, Formulas):
        lines = ["", ".. rubric:: Formulas", ""]
        lines += ["Forward:", "", *_block(stated.forward)] if stated.forward else []
        lines += ["Backward:", "", *(line for latex in stated.backward.values() for line in _block(latex))]
        if stated.shapes:
            shapes = (rf":math:`{letter}: {shape}`" for letter, shape in stated.shapes.items())
            lines += ["Shapes: " + ", ".join(shapes), ""]
        lines += [_escaped(stated.notes), ""] if stated.notes else []
    elif isinstance(single, str):
        lines = ["", ".. rubric:: Formulas", "", *_block(single)]
    else:
        return []
    return [*lines, *_derivation(f"{thing.__module__}.{thing.__qualname__}")]


def _block(latex: str) -> list[str]:
    return [".. math::", "", f"   {latex}", ""] if latex else []


def _derivation(name: str) -> list[str]:
    """A link to the page that shows these formulas."""
    for page in sorted(PAGES.glob("*.md")):
        if f"<!-- formulas: {name} -->" in page.read_text(encoding="utf-8"):
            return [f"Derived step by step: :doc:`/docs/derivations/{page.stem}`.", ""]
    return []


def skip_fields(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a named tuple, which have a docstring of Python's own."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", rewrite, priority=400)  # before napoleon, which reads the sections
    app.connect("autodoc-skip-member", skip_fields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Keeps the derivation pages in step with the source: `python tests/docs/regenerate.py` rewrites what they quote.

A page marks a quotation by a comment, and what follows the comment is generated:

- `<!-- code: DOTTED.NAME -->`: the function's source as `inspect.getsource` gives it, dedented, without its docstring;
- `<!-- formulas: DOTTED.NAME -->`: the class's formulas, up to `<!-- end formulas -->`.
"""

import ast
import inspect
import re
import textwrap
from pathlib import Path
from pkgutil import resolve_name

from handgrad.layers import Formulas

PAGES = Path(__file__).parents[2] / "docs" / "derivations"
CODE = re.compile(r"<!-- code: (\S+) -->\n(?:```python\n.*?\n```\n)?", re.DOTALL)
FORMULAS = re.compile(
    r"<!-- formulas: (\S+) -->\n(?:(?:(?!<!-- formulas: ).)*?<!-- end formulas -->\n)?",
    re.DOTALL,
)


def code(name: str) -> str:
    """The named function's source, dedented, without its docstring."""
    lines = textwrap.dedent(inspect.getsource(resolve_name(name))).splitlines()
    function = ast.parse("\n".join(lines)).body[0]
    assert isinstance(function, ast.FunctionDef), f"{name} is not a function"
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)


def formulas(name: str) -> str:
    """The named class's formulas, a block of mathematics for each, with the shapes and the notes."""
    cls = resolve_name(name)
    if not hasattr(cls, "formulas"):
        return _math(cls.formula)  # an optimizer has a single one
    stated: Formulas = cls.formulas
    parts = ["Forward:", _math(stated.forward), "Backward:", _math(*stated.backward.values())]
    if stated.shapes:
        parts += ["Shapes:", _math(r", \quad ".join(rf"{letter}: {shape}" for letter, shape in stated.shapes.items()))]
    return "\n\n".join([*parts, textwrap.fill(stated.notes, 119)] if stated.notes else parts)


def regenerated(text: str) -> str:
    """A page with every quotation as the source has it now."""
    text = CODE.sub(lambda found: f"<!-- code: {found[1]} -->\n```python\n{code(found[1])}\n```\n", text)
    return FORMULAS.sub(
        lambda found: f"<!-- formulas: {found[1]} -->\n\n{formulas(found[1])}\n\n<!-- end formulas -->\n", text
    )


def _math(*lines: str) -> str:
    r"""Displayed formulas, one a line: fenced, for GitHub's Markdown eats the `\,` and `\\` between `$$`."""
    shown = lines if len(lines) == 1 else (r"\begin{gathered}", " \\\\\n".join(lines), r"\end{gathered}")
    allowed = "\n".join(shown).replace(r"\operatorname", r"\mathrm")  # GitHub refuses the first
    return f"```math\n{allowed}\n```"


if __name__ == "__main__":
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(regenerated(page.read_text(encoding="utf-8")), encoding="utf-8")

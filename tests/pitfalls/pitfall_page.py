"""Keeps docs/pitfalls.md in step: `python tests/pitfalls/pitfall_page.py` rewrites all that it quotes.

Between `<!-- KIND: NAME -->` and `<!-- end -->` everything is generated:

- `wrong`: the wrong code of the pitfall with that anchor, from broken.py;
- `right`: handgrad's code beside it, without docstrings;
- `measured`: the table of that name in docs/pitfalls/measured.json;
- `caught`: the check that catches it, and the command to run it;
- `about`: how and where it was measured (`setting`, `seeds`, `candidates`, `machine`).
"""

import ast
import inspect
import json
import re
import textwrap
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from pitfall_registry import PITFALLS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "pitfalls.md"
MEASURED = DOCS / "pitfalls" / "measured.json"
BLOCK = re.compile(r"<!-- (\w+): ([\w-]+) -->\n(?:(?:(?!<!--).)*?\n)?<!-- end -->\n", re.DOTALL)


def wrong(anchor: str) -> str:
    """The wrong code as it stands in broken.py."""
    return _fenced("\n\n\n".join(inspect.getsource(thing).strip() for thing in PITFALLS[anchor].code))


def right(anchor: str) -> str:
    """The right code, each piece under its name."""
    pieces = []
    for name in PITFALLS[anchor].right_code:
        heading = f"# {name}\n" if name.startswith("handgrad.") else ""
        pieces.append(heading + _without_docstring(name))
    return _fenced("\n\n".join(pieces))


def measured(anchor: str, results: dict[str, Any]) -> str:
    """A table of what was measured."""
    rows = results["measured"][anchor]
    columns = list(rows[0])
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    lines += [[_shown(column, row[column]) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def caught(anchor: str) -> str:
    """Which check catches it, what that checks, and how to run it."""
    check = PITFALLS[anchor].check
    says = (check.__doc__ or "").splitlines()[0].rstrip(".")
    return (
        f"**Caught by** [`{check.__name__}`](../tests/pitfalls/pitfall_checks.py): {says[0].lower()}{says[1:]}.\n"
        f"Run it on both versions: `python -m pytest tests/pitfalls -k {anchor}`."
    )


def about(name: str, results: dict[str, Any]) -> str:
    """How, or where, it was measured."""
    s, versions = results["settings"], ", ".join(f"{k} {v}" for k, v in results["versions"].items())
    if name == "machine":
        return (
            f"Measured by `{results['command']}` in {results['seconds']} s on {results['machine']}, "
            f"with the reference operations; {versions}.\n"
            f"All figures are in [pitfalls/measured.json](pitfalls/measured.json)."
        )
    if name == "candidates":
        return (
            f"Here {s['candidates']} small networks of random width and learning rate each learned from "
            f"{s['images a candidate learns from']} images. The table is the mean over {s['draws']:,} draws of "
            "test and validation images."
        )
    if name == "seeds":
        accuracies = [row["accuracy"] for row in results["measured"]["baseline"]]
        lowest, highest = _shown("accuracy", min(accuracies)), _shown("accuracy", max(accuracies))
        return f"With the right code, {len(accuracies)} seeds give accuracies from {lowest} to {highest}."
    return (
        f"A network 784 → {s['hidden units']} → 10 with ReLU learns from {s['images to learn from']:,} MNIST images "
        f"for {s['epochs']} epochs, in batches of {s['batch']}, by SGD with learning rate {s['learning rate']}, and is "
        f"scored on {s['images to score']:,} others; all of them are from the training files."
    )


def regenerated(text: str, results: dict[str, Any]) -> str:
    """The page with every block as source and measurements have it now."""

    def block(found: re.Match[str]) -> str:
        kind, name = found[1], found[2]
        if kind in ("measured", "about"):
            content = {"measured": measured, "about": about}[kind](name, results)
        else:
            content = {"wrong": wrong, "right": right, "caught": caught}[kind](name)
        return f"<!-- {kind}: {name} -->\n\n{content}\n\n<!-- end -->\n"

    return BLOCK.sub(block, text)


def rewrite() -> None:
    """Bring the page up to date."""
    results = json.loads(MEASURED.read_text(encoding="utf-8"))
    PAGE.write_text(regenerated(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


def _without_docstring(name: str) -> str:
    """The named function's source, dedented, without its docstring."""
    lines = textwrap.dedent(inspect.getsource(resolve_name(name))).splitlines()
    function = ast.parse("\n".join(lines)).body[0]
    assert isinstance(function, ast.FunctionDef), f"{name} is not a function"
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)


def _fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def _shown(column: str, value: Any) -> str:
    """A cell: shares in per cent, differences of shares in points, losses to three digits."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if "accuracy" in column or "sums" in column:
        return f"{100 * value:.1f} %"
    if column == "too high by":
        return f"{100 * value:.1f} points"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


if __name__ == "__main__":
    rewrite()

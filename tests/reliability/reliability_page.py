"""docs/reliability.md: what stands between `<!-- measured: NAME -->` and the end is written from reliability.json."""

import json
import platform
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parents[2] / "docs"
PAGE, RESULTS = DOCS / "reliability.md", DOCS / "reliability.json"
BLOCK = re.compile(r"<!-- measured: ([\w-]+) -->\n.*?<!-- end measured -->", re.DOTALL)


def record(section: str, command: str, rows: list[dict[str, Any]]) -> None:
    """Keep what a command measured, and write the page anew."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}"
    results[section] = {"command": command, "date": time.strftime("%Y-%m-%d"), "machine": machine, "rows": rows}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(regenerated(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


def regenerated(text: str, results: dict[str, Any]) -> str:
    """The page with every block as the results have it."""

    def block(found: re.Match[str]) -> str:
        section = results.get(found[1])
        content = SHOWN[found[1]](section) if section else "Not measured."
        return f"<!-- measured: {found[1]} -->\n\n{content}\n\n<!-- end measured -->"

    return BLOCK.sub(block, text)


def _bugs(section: dict[str, Any]) -> str:
    rows = section["rows"]
    areas = list(dict.fromkeys(row["what"].partition(":")[0] for row in rows))
    lines = []
    for area in areas:
        own = [row for row in rows if row["what"].partition(":")[0] == area]
        mistakes = "; ".join(
            row["what"].partition(": ")[2] + ("" if row["caught_by"] else " (**missed**)") for row in own
        )
        lines.append((area, f"{sum(bool(row['caught_by']) for row in own)} of {len(own)}", mistakes))
    caught = sum(bool(row["caught_by"]) for row in rows)
    return f"{_table(('where', 'caught', 'mistakes'), lines)}\n\n**{caught} of {len(rows)} caught.** {_source(section)}"


def _damage(section: dict[str, Any]) -> str:
    lines = [
        (
            row["parser"],
            f"{row['inputs']:,}",
            f"{row['accepted']:,}",
            f"{row['refused']:,}",
            str(len(row["failures"])),
            f"{row['slowest']:.3f}",
            f"{row['megabytes']:.0f}",
        )
        for row in section["rows"]
    ]
    heads = ("what is read", "inputs", "understood", "refused", "anything else", "slowest, s", "memory, MB")
    return f"{_table(heads, lines)}\n\n{_source(section)}"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _source(section: dict[str, Any]) -> str:
    return f"`{section['command']}`, {section['date']}, {section['machine']}."


#: How each section is shown.
SHOWN: dict[str, Callable[[dict[str, Any]], str]] = {"bugs": _bugs, "damage": _damage}

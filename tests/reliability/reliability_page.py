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

#: Where a process is killed inside the writing of a checkpoint, in words.
PLACES = {
    "half": "half of the file written",
    "written": "written, not flushed",
    "flushed": "flushed, not renamed",
    "renamed": "renamed, folder not flushed",
    "removing": "before old ones are removed",
}

#: Seconds until everything has been used once, and what is kept on purpose is there.
WARM_UP = 120.0


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


def _kills(section: dict[str, Any]) -> str:
    rows = section["rows"]
    lines = []
    for place in dict.fromkeys(["", *PLACES]):
        own = [row for row in rows if row["place"] == place]
        lines.append((PLACES.get(place, "at a random moment"), str(len(own)), str(sum(row["same"] for row in own))))
    same, inside = sum(row["same"] for row in rows), sum(bool(row["place"]) for row in rows)
    table = _table(("killed", "runs", "resumed and ended bit-identical"), lines)
    return f"{table}\n\n**{same} of {len(rows)}, {inside} of them inside a write.** {_source(section)}"


def _faults(section: dict[str, Any]) -> str:
    rows = section["rows"]
    codes = list(dict.fromkeys(row["code"] for row in rows))
    lines = []
    for operation in dict.fromkeys(row["operation"] for row in rows):
        cells = []
        for code in codes:
            own = [row["good"] for row in rows if (row["operation"], row["code"]) == (operation, code)]
            cells.append(f"{sum(own)} of {len(own)}")
        lines.append((operation, *cells))
    good = sum(row["good"] for row in rows)
    table = _table(("what fails", *codes), lines)
    return f"{table}\n\n**{good} of {len(rows)} left a checkpoint that training went on from.** {_source(section)}"


def _memory(section: dict[str, Any]) -> str:
    (row,) = section["rows"]
    samples = [sample for sample in row["samples"] if sample["seconds"] > WARM_UP]
    sizes = [sample["megabytes"] for sample in samples]
    spread = 100 * (max(sizes) - min(sizes)) / (max(sizes) + min(sizes))
    quarter = max(1, len(sizes) // 4)
    head, tail = (sum(part) / quarter for part in (sizes[:quarter], sizes[-quarter:]))
    lines = [
        ("trainings", f"{row['trainings']:,}"),
        ("minutes of processor time", f"{row['samples'][-1]['seconds'] / 60:.1f}"),
        ("resident memory, least to most", f"{min(sizes):.1f} to {max(sizes):.1f} MB, ± {spread:.2f} %"),
        ("mean of the first and the last quarter", f"{head:.1f} and {tail:.1f} MB"),
    ]
    return f"{_table(('what', 'measured'), lines)}\n\n{_source(section)}"


def _web(section: dict[str, Any]) -> str:
    columns = ("requests", "understood", "refused", "unanswered")
    lines = [
        (
            row["what"],
            *(f"{row[column]:,}" for column in columns),
            str(len(row["failures"])),
            f"{row['slowest']:.2f}",
            f"{row['megabytes']:.0f}",
        )
        for row in section["rows"]
    ]
    heads = (
        "what is asked",
        "requests",
        "understood",
        "refused",
        "cut off",
        "anything else",
        "slowest, s",
        "memory, MB",
    )
    total = sum(row["requests"] for row in section["rows"])
    return f"{_table(heads, lines)}\n\n**{total:,} requests, no 5xx.** {_source(section)}"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _source(section: dict[str, Any]) -> str:
    return f"`{section['command']}`, {section['date']}, {section['machine']}."


#: How each section is shown.
SHOWN: dict[str, Callable[[dict[str, Any]], str]] = {
    "bugs": _bugs,
    "damage": _damage,
    "kills": _kills,
    "faults": _faults,
    "memory": _memory,
    "web": _web,
}

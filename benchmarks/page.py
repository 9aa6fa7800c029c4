"""docs/benchmarks*.md: their blocks `<!-- measured: NAME -->` … `<!-- end measured -->` are written from the JSON."""

import re
from collections.abc import Mapping
from typing import Any

from benchmarks.tables import all_tables, disagreements, left_out

BLOCK = re.compile(r"<!-- measured: (\w+) -->\n.*?<!-- end measured -->", re.DOTALL)


def regenerated(text: str, results: dict[str, Any]) -> str:
    """The page with every block as the results have it."""
    blocks = {"machine": _machines(results)}
    for name, tables in all_tables(results).items():
        section = results.get(name, {})
        notes = [f"- Left out: {line}" for line in left_out(section)]
        notes += [f"- Not the same result: {line}" for line in disagreements({name: section})]
        blocks[name] = "\n\n".join([*(table.markdown() for table in tables), *(["\n".join(notes)] if notes else [])])

    def block(found: re.Match[str]) -> str:
        content = blocks.get(found[1], "Not measured.")
        return f"<!-- measured: {found[1]} -->\n\n{content}\n\n<!-- end measured -->"

    return BLOCK.sub(block, text)


def _machines(results: Mapping[str, Any]) -> str:
    """Where, when and with what: each machine with the sections that were measured on it."""
    by_machine: dict[str, list[str]] = {}
    for name, section in results.items():
        by_machine.setdefault(_described(section["machine"]), []).append(_measured(name, section))
    lines = [line for machine, sections in by_machine.items() for line in (machine, *sections)]
    return "\n".join(lines) or "Not measured."


def _described(machine: Mapping[str, Any]) -> str:
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    vectors = f" ({', '.join(machine['vectors'])})" if machine["vectors"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"- {machine['processor']}{vectors}, {machine['cores']} cores{memory}, {machine['system']}\n"
        f"- Python {machine['python']}, {versions}; NumPy's BLAS: {machine['blas']}"
    )


def _measured(name: str, section: Mapping[str, Any]) -> str:
    load = "" if section["load"] is None else f", load {section['load']:g} before"
    return f"  - {name}: `{section['command']}` on {section['date']}, {section['rounds']} rounds{load}"

"""The reference: a page for every public module, found by looking, and one for the command line."""

import ast
import inspect
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main
from sphinx.application import Sphinx

import handgrad
from handgrad.cli import app as command_line

SOURCE = Path(handgrad.__file__).parent
#: Parts of the package that are not for import: the programs, and what only other modules of handgrad use.
INTERNAL = ("__main__", "cli", "files", "observer", "ops.fused", "session", "web")
PAGES = Path("docs") / "reference"


@dataclass(frozen=True)
class Module:
    """A public module and what it defines."""

    name: str
    path: str
    sentence: str
    classes: tuple[str, ...]
    functions: tuple[str, ...]

    @property
    def page(self) -> str:
        """The page's name: layers.linear, and index for the package itself."""
        return self.name.removeprefix("handgrad").lstrip(".") or "index"


def modules() -> list[Module]:
    """All public modules, read rather than imported, since some need an extra."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        hidden = any(part.startswith("_") for part in dotted.split("."))
        if not hidden and not any(f"{dotted}.".startswith(f"{part}.") for part in INTERNAL):
            found.append(_read(path, f"handgrad.{dotted}".rstrip(".")))
    return found


def _read(path: Path, name: str) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [thing for thing in tree.body if not getattr(thing, "name", "_").startswith("_")]
    return Module(
        name,
        path.relative_to(SOURCE.parents[1]).as_posix(),
        _sentence(ast.get_docstring(tree)),
        tuple(thing.name for thing in public if isinstance(thing, ast.ClassDef)),
        tuple(thing.name for thing in public if isinstance(thing, ast.FunctionDef)),
    )


def _sentence(docstring: str | None) -> str:
    """The first sentence of a docstring, in one line."""
    return " ".join((docstring or "").strip().partition("\n\n")[0].split()).replace("`", "``").replace("*", r"\*")


def public_names() -> dict[str, str]:
    """`handgrad.Linear` by `handgrad.layers.linear.Linear`: under which name a thing is best known."""
    names = {}
    for package in (handgrad.layers, handgrad.data, handgrad.training, handgrad.ops, handgrad):
        for name in package.__all__:
            thing = getattr(package, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                names[f"{thing.__module__}.{thing.__qualname__}"] = f"{package.__name__}.{name}"
    return names


def module_page(module: Module, children: list[Module], names: dict[str, str]) -> str:
    """A module's page: what it says of itself, its parts, its classes and functions."""
    lines = [module.name, "=" * len(module.name), "", f".. automodule:: {module.name}", "   :no-members:", ""]
    if children:
        lines += [".. toctree::", "   :hidden:", "", *(f"   {_label(child)}" for child in children), ""]
        lines += [
            *_table((f":doc:`{child.name.rpartition('.')[2]} <{child.page}>`", child.sentence) for child in children),
            "",
        ]
    for kind, things in (("class", module.classes), ("function", module.functions)):
        for thing in things:
            own = f"{module.name}.{thing}"
            lines += [thing, "-" * len(thing), "", f".. auto{kind}:: {names.get(own, own)}", ""]
    return "\n".join([*lines, *_source(module)])


def _source(module: Module) -> list[str]:
    """The module's code, folded up. Sphinx's viewcode would link back to names that are exported elsewhere."""
    return [
        *(".. raw:: html", "", '   <details class="source"><summary>Source</summary>', ""),
        *(f".. literalinclude:: /{module.path}", "   :language: python", ""),
        *(".. raw:: html", "", "   </details>", ""),
    ]


def _label(module: Module) -> str:
    return f"{module.name.rpartition('.')[2]} <{module.page}>"


def index_page(parts: list[Module], names: dict[str, str]) -> str:
    """The first page: the parts of the package, and every name that `import handgrad` gives."""
    lines = ["Reference", "=========", "", "Every public name, from the docstrings, whose examples the tests run.", ""]
    lines += [".. toctree::", "   :hidden:", "", "   The command line <command-line>"]
    lines += [*(f"   {_label(part)}" for part in parts), ""]
    lines += ["The parts", "---------", "", ":doc:`command-line`: every command and its options.", ""]
    lines += [*_table((f":doc:`{part.page} <{part.page}>`", part.sentence) for part in parts), ""]
    lines += ["What ``import handgrad`` gives", "------------------------------", ""]
    rows = []
    for name in sorted(handgrad.__all__, key=str.lower):
        thing = getattr(handgrad, name)
        if inspect.ismodule(thing):
            rows.append((f":py:mod:`{name} <{thing.__name__}>`", _sentence(thing.__doc__)))
        else:
            rows.append((f":py:obj:`{name} <handgrad.{name}>`", _sentence(thing.__doc__)))
    return "\n".join([*lines, *_table(rows)])


def _table(rows: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> list[str]:
    lines = [".. list-table::", "   :class: names", "   :widths: 30 70", ""]
    return lines + [line for name, sentence in rows for line in (f"   * - {name}", f"     - {sentence}")]


def command_page() -> str:
    """Every command with its arguments and options, as the program itself knows them."""
    program: Any = typer.main.get_command(command_line)  # Typer's own types have changed from version to version
    lines = ["The command line", "================", "", "``handgrad COMMAND --help`` prints the same.", ""]
    for name, command in program.commands.items():
        context = command.context_class(command, info_name=f"handgrad {name}")
        title = f"handgrad {name}"
        lines += [title, "-" * len(title), "", _option_as_code(inspect.cleandoc(command.help or "")), ""]
        lines += [".. code-block:: text", "", f"   {command.get_usage(context).removeprefix('Usage: ')}", ""]
        rows = [row for parameter in command.params if (row := _parameter(parameter, context))]
        lines += [*_table(rows), ""] if rows else []
    return "\n".join(lines)


def _parameter(parameter: Any, context: Any) -> tuple[str, str] | None:
    said = parameter.get_help_record(context)
    return (f"``{said[0]}``", _option_as_code(said[1])) if said else None


def _option_as_code(text: str) -> str:
    return re.sub(r"(?<!\S)(--[a-z-]+)", r"``\1``", text.replace("`", "``").replace("*", r"\*"))


def write_pages(app: Sphinx) -> None:
    """Write all pages anew into docs/reference, which git ignores."""
    folder = Path(app.srcdir) / PAGES
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names, (_, *found) = public_names(), modules()
    for module in found:
        children = [other for other in found if other.name.rpartition(".")[0] == module.name]
        (folder / f"{module.page}.rst").write_text(module_page(module, children, names), encoding="utf-8")
    parts = [module for module in found if module.name.count(".") == 1]
    (folder / "index.rst").write_text(index_page(parts, names), encoding="utf-8")
    (folder / "command-line.rst").write_text(command_page(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

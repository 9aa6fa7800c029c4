"""The navigation, and links that lead to files of the repository rather than to pages."""

import re
import shutil
from itertools import zip_longest
from pathlib import Path

from site_reference import public_names
from sphinx.application import Sphinx

#: What stands where. Derivations and the reference list their own pages.
NAVIGATION = {
    "Start": ["handgrad in short <self>", "中文 <README.zh-CN>"],
    "Learn": ["docs/derivations/README", "docs/pitfalls", "Page and lessons <docs/page>"],
    "Use": [
        "docs/train",
        "docs/data",
        "docs/report",
        "docs/notebook",
        "docs/sweep",
        "docs/sklearn",
        "docs/interop",
        "docs/reliability",
    ],
    "Reference": ["Names and commands <docs/reference/index>"],
    "Proof": ["docs/benchmarks", "docs/benchmarks-xeon", "docs/reproduction"],
    "Project": [
        "CHANGELOG",
        "ARCHITECTURE",
        "CONTRIBUTING",
        "SECURITY",
        "Licence of MNIST <src/handgrad/data/mnist/LICENSE>",
    ],
}
DERIVATIONS = "docs/derivations/README"
FILES = Path("docs") / "reference" / "files"
LINK = re.compile(r"\]\(([^)#\s:]+)\)")
#: Files that have a page; others, such as figures in JSON, can be downloaded.
LANGUAGES = {".py": "python", ".toml": "toml"}


def toctree(caption: str, entries: list[str]) -> str:
    """Pages as a part of the navigation; invisible on the page itself."""
    option = f":caption: {caption}\n" if caption else ""
    return "\n```{toctree}\n:hidden:\n" + option + "\n" + "\n".join(entries) + "\n```\n"


def read(app: Sphinx, name: str, source: list[str]) -> None:
    """Add to a page what only the site has: navigation, and pages for the files that it links to."""
    if name == app.config.root_doc:
        source[0] += "".join(toctree(caption, entries) for caption, entries in NAVIGATION.items())
    if name == DERIVATIONS:
        source[0] += toctree("", derivations(source[0]))
    if name.startswith("docs/derivations/"):
        names = public_names()
        source[0] = re.sub(
            r"<!-- formulas: (\S+) -->(.*?)<!-- end formulas -->",
            lambda found: f"{found[2]}In the reference: {{py:class}}`{names[found[1]]}`.",
            source[0],
            flags=re.DOTALL,
        )
    folder = Path(app.env.doc2path(name)).parent
    source[0] = LINK.sub(lambda found: _to_listing(app, folder, found), source[0])


def derivations(index: str) -> list[str]:
    """The pages that the index of derivations lists, column by column."""
    rows = [re.findall(r"(?:\]\((\w+)\.md\))? *\|", row[1:]) for row in index.splitlines() if row.startswith("|")]
    return [name for column in zip_longest(*rows, fillvalue="") for name in column if name]


def _to_listing(app: Sphinx, folder: Path, found: re.Match[str]) -> str:
    target = (folder / found[1]).resolve()
    if not _is_listed(target):
        return found[0]
    return f"](/{_listing(app, target).as_posix()})"


def _is_listed(target: Path) -> bool:
    return target.suffix in LANGUAGES or target.is_dir()


def _listing(app: Sphinx, target: Path) -> Path:
    return FILES / (target.relative_to(app.srcdir).as_posix().replace("/", "-") + ".rst")


def write_listings(app: Sphinx) -> None:
    """A page for every file or folder of the repository to which a page links."""
    (app.srcdir / FILES).mkdir(parents=True, exist_ok=True)
    for page in [*app.srcdir.glob("*.md"), *app.srcdir.glob("docs/**/*.md")]:
        for path in LINK.findall(page.read_text(encoding="utf-8")):
            target = (page.parent / path).resolve()
            if target.exists() and _is_listed(target):
                (app.srcdir / _listing(app, target)).write_text(listing(app.srcdir, target), encoding="utf-8")


def listing(root: Path, target: Path) -> str:
    """The page of a file, or of all files in a folder."""
    title = f"``{target.relative_to(root).as_posix()}``"
    lines = [":orphan:", "", title, "=" * len(title), ""]
    for file in sorted(target.iterdir()) if target.is_dir() else [target]:
        if file.suffix in LANGUAGES:
            lines += [file.name, "-" * len(file.name), ""] if target.is_dir() else []
            lines += [f".. literalinclude:: /{file.relative_to(root).as_posix()}"]
            lines += [f"   :language: {LANGUAGES[file.suffix]}", ""]
    return "\n".join(lines)


def name_first_page(app: Sphinx, error: Exception | None) -> None:
    """A server, and a reader of the folder, look for index.html."""
    if error is None and app.builder.name == "html":
        shutil.copyfile(app.outdir / f"{app.config.root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("builder-inited", write_listings, priority=600)  # after the reference, which empties the folder
    app.connect("source-read", read)
    app.connect("build-finished", name_first_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

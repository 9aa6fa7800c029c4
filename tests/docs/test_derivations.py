"""The derivation pages say what the code does: quotations, formulas and links; test_examples.py runs their numbers."""

import re
from pathlib import Path

import pytest
from discovery import LAYER_KINDS, LOSS_KINDS, OPTIMIZER_KINDS
from markdown_it import MarkdownIt
from regenerate import CODE, FORMULAS, PAGES, regenerated

PITFALLS = PAGES.parent / "pitfalls.md"
ALL = sorted(PAGES.glob("*.md"))
DERIVATIONS = [page for page in ALL if page.name != "README.md"]
PARTS = ("From formula to code", "A worked example", "The mistake people make", "Check it yourself", "Source")

COVERED = [*LAYER_KINDS, *LOSS_KINDS, *OPTIMIZER_KINDS]

every_page = pytest.mark.parametrize("page", ALL, ids=lambda page: page.stem)
every_derivation = pytest.mark.parametrize("page", DERIVATIONS, ids=lambda page: page.stem)


def names(pattern: re.Pattern[str], page: Path) -> list[str]:
    """What a page quotes."""
    return [found[1] for found in pattern.finditer(page.read_text(encoding="utf-8"))]


def dotted(thing: object) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings, and those the page sets itself."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


@every_page
def test_quotations_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert regenerated(text) == text, "run python tests/docs/regenerate.py"


def test_a_stale_quotation_is_replaced() -> None:
    comment = "<!-- code: handgrad.ops.reference.ReferenceOps.tanh -->\n"
    current = regenerated(comment)
    assert current.startswith(comment + "```python\ndef tanh(")
    assert regenerated(current.replace("tanh(x)", "sinh(x)")) == current
    comment = "<!-- formulas: handgrad.layers.activations.Tanh -->\n"
    current = regenerated(comment)
    assert r"y = \tanh x" in current
    assert regenerated(current.replace(r"\tanh", r"\sinh")) == current


@pytest.mark.parametrize("cls", COVERED, ids=lambda cls: cls.__qualname__)
def test_every_layer_loss_and_optimizer_has_one_page(cls: type) -> None:
    pages = [page for page in DERIVATIONS if dotted(cls) in names(FORMULAS, page)]
    assert len(pages) == 1, f"write a page with <!-- formulas: {dotted(cls)} --> in docs/derivations"
    own = [vars(cls)[name] for name in ("forward", "backward") if name in vars(cls)]
    assert {dotted(method) for method in own} <= set(names(CODE, pages[0]))


@every_derivation
def test_page_has_every_part(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "The formulas"
    assert tuple(headings[-len(PARTS) :]) == PARTS
    check = text.partition("\n## Check it yourself\n")[2]
    assert ">>> np.allclose(" in check
    assert "\nFalse\n" not in check


def test_index_lists_every_page() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((\w+\.md)\)", index))
    assert linked == {page.name for page in DERIVATIONS}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8"))
    for path, anchor in links:
        assert not path.startswith("http"), "pages name papers, they do not link to them"
        target = (page.parent / path).resolve() if path else page
        if target == PITFALLS and not PITFALLS.exists():
            continue
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


@every_page
def test_formulas_survive_markdown(page: Path) -> None:
    """GitHub applies Markdown first and looks for formulas then, in running text but not in links."""
    text = page.read_text(encoding="utf-8")
    assert r"\operatorname" not in text, r"GitHub refuses \operatorname, use \mathrm"
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        pieces, depth = [], 0
        for child in token.children or []:
            depth += child.nesting if child.type.startswith("link_") else 0
            if child.type == "text" and depth == 0:
                pieces.append(child.content)
        written = re.sub(r"`[^`]*`", "", token.content) if token.type == "inline" else ""
        for formula in re.findall(r"\$[^$]*\$", written):
            alone = re.compile(rf"(^|[\s(]){re.escape(formula)}($|[\s.,;:?)])")
            assert any(alone.search(piece) for piece in pieces), f"{formula} does not survive Markdown"

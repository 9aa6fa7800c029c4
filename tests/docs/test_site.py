"""The documentation site: it is built without a warning, complete, fetches nothing, and reads well on a phone."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from examples import PAGES, ROOT
from markdown_it import MarkdownIt

import handgrad
from handgrad.layers.layer import Formulas

if TYPE_CHECKING:
    from playwright.sync_api import Browser

for package in ("sphinx", "myst_parser", "furo", "latex2mathml"):
    pytest.importorskip(package)
site_formulas = importlib.import_module("site_formulas")
site_reference = importlib.import_module("site_reference")

pytestmark = pytest.mark.slow

PHONE = 390
#: What a browser fetches by itself, in HTML and in style sheets.
FETCHED = (
    r"<(?:img|script|iframe|source|video|audio|embed|object|input)\b[^>]*?\s(?:src|srcset|data|poster)=[\"']([^\"']+)",
    r"<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|icon|shortcut|preload|prefetch|preconnect|dns-prefetch|modulepreload))"
    r"[^>]*\bhref=[\"']([^\"']+)",
    r"url\(\s*[\"']?([^\"')]+)",
    r"@import\s+[\"']([^\"']+)",
)


def build(source: Path, out: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Build a site as CONTRIBUTING.md says."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", *options, str(source), str(out)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew."""
    out = tmp_path_factory.mktemp("site")
    result = build(ROOT, out, "-c", "site")
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, str]:
    """The HTML of each page, by its path in the site."""
    return {file.relative_to(site).as_posix(): file.read_text("utf-8") for file in sorted(site.rglob("*.html"))}


def test_every_page_is_in_it(pages: dict[str, str]) -> None:
    for page in PAGES:
        assert str(page.relative_to(ROOT).with_suffix(".html").as_posix()) in pages
    assert pages["index.html"] == pages["README.html"]


def test_the_navigation_leads_to_every_page_of_the_documentation(pages: dict[str, str]) -> None:
    navigation = pages["index.html"].split('class="sidebar-tree"')[1].split("</aside>")[0]
    for page in PAGES:
        if page.name != "README.md" or page.parent != ROOT:
            assert f'href="{page.relative_to(ROOT).with_suffix(".html").as_posix()}"' in navigation, page


def public_things() -> dict[str, Any]:
    """Every public class and function of every public module, by its full name; found by importing them."""
    internal = tuple(
        f"handgrad.{name}" for name in ("__main__", "cli", "files", "observer", "ops.fused", "session", "web")
    )
    things = {}
    for found in pkgutil.walk_packages(handgrad.__path__, "handgrad."):
        if found.name.startswith(internal) or "._" in found.name:
            continue
        try:
            module = importlib.import_module(found.name)
        except ImportError:
            continue  # its extra is not installed here; it is in the gate
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", None) == found.name
            if own and not name.startswith("_") and (inspect.isclass(thing) or inspect.isfunction(thing)):
                things[f"{found.name}.{name}"] = thing
    return things


def test_every_public_name_is_in_the_reference(pages: dict[str, str]) -> None:
    html = "".join(text for path, text in pages.items() if path.startswith("docs/reference/"))
    documented = set(re.findall(r' id="(?:module-)?(handgrad[\w.]*)"', html))
    index = pages["docs/reference/index.html"]
    for name in handgrad.__all__:
        thing = getattr(handgrad, name)
        known = f"module-{thing.__name__}" if inspect.ismodule(thing) else f"handgrad.{name}"
        assert known.removeprefix("module-") in documented, name
        assert f'#{known}"' in index, name
    known_as = site_reference.public_names()
    things = public_things()
    assert len(things) > 200
    assert not {known_as.get(name, name) for name in things} - documented


def test_a_new_public_name_cannot_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "layers").mkdir()
    (tmp_path / "__init__.py").write_text('"""All."""')
    (tmp_path / "layers" / "__init__.py").write_text('"""Layers."""')
    (tmp_path / "layers" / "new.py").write_text('"""New."""\n\ndef f(): ...\n\ndef _g(): ...\n\nclass C: ...\n')
    monkeypatch.setattr(site_reference, "SOURCE", tmp_path)
    found = {module.name: module for module in site_reference.modules()}
    page = site_reference.module_page(found["handgrad.layers.new"], [], {})
    assert ".. autoclass:: handgrad.layers.new.C" in page
    assert ".. autofunction:: handgrad.layers.new.f" in page
    assert "_g" not in page


def test_every_command_and_option_is_in_the_reference(pages: dict[str, str]) -> None:
    page = pages["docs/reference/command-line.html"]
    for command in handgrad_commands().values():
        for parameter in command.params:
            for option in parameter.opts:
                assert f">{option}" in page or not option.startswith("--"), option


def handgrad_commands() -> dict[str, Any]:
    import typer.main

    from handgrad.cli import app

    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def test_it_fetches_nothing_from_another_host(site: Path, pages: dict[str, str]) -> None:
    texts = pages | {str(file.relative_to(site)): file.read_text("utf-8") for file in site.rglob("*.css")}
    fetched = [(name, address) for name, text in texts.items() for p in FETCHED for address in re.findall(p, text)]
    assert len(fetched) > 1000
    assert not [(name, address) for name, address in fetched if re.match(r"(\w+:)?//", address)]
    assert not [name for name, text in pages.items() if re.search(r"<meta[^>]+http-equiv=.?refresh", text)]


def test_every_link_and_anchor_leads_somewhere(site: Path, pages: dict[str, str]) -> None:
    anchors = {(site / name).resolve(): set(re.findall(r'\bid="([^"]+)"', text)) for name, text in pages.items()}
    seen = set()
    for name, text in pages.items():
        here = (site / name).resolve()
        for link in set(re.findall(r'<(?:a|link)\b[^>]*?\shref="([^"]+)"', text)):  # not what quoted source says
            if re.match(r"\w+:", link):
                continue
            path, _, anchor = unquote(link).replace("&amp;", "&").partition("#")
            target = (here.parent / path.partition("?")[0]).resolve() if path else here
            seen.add((target, anchor))
            assert target.is_file(), f"{name}: {link}"
            assert not anchor or anchor in anchors[target], f"{name}: {link}"
    assert len(seen) > 1000


def test_formulas_are_mathml(pages: dict[str, str]) -> None:
    for page in PAGES:
        tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text("utf-8"))
        blocks = sum(token.type == "fence" and token.info == "math" for token in tokens)
        texts = "".join(c.content if c.type == "text" else " " for token in tokens for c in token.children or [])
        html = pages[page.relative_to(ROOT).with_suffix(".html").as_posix()]
        assert html.count('<div class="formula"') == blocks, page
        assert html.count("<math") - blocks == texts.count("$") / 2, page
    linear = pages["docs/reference/layers.linear.html"]
    assert linear.count('<div class="formula"') == 1 + len(handgrad.Linear.formulas.backward)
    assert "derivations/linear.html" in linear


@pytest.mark.parametrize(
    ("latex", "says"), [(r"\nonsense x", "nonsense"), (r"\left( x", "Missing"), (r"a \\ b", "gathered")]
)
def test_a_formula_that_cannot_be_converted_is_an_error(latex: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        site_formulas.as_mathml(latex, inline=False)


def test_all_that_layers_and_losses_state_is_converted() -> None:
    stated = [
        thing.formulas for thing in public_things().values() if isinstance(getattr(thing, "formulas", 0), Formulas)
    ]
    assert len(stated) > 20
    for formulas in stated:
        for latex in (formulas.forward, *formulas.backward.values(), *formulas.shapes, *formulas.shapes.values()):
            assert not latex or site_formulas.as_mathml(latex, inline=False).startswith("<math")


def test_mistakes_on_a_page_fail_the_build(tmp_path: Path) -> None:
    settings = [
        f"import sys; sys.path.insert(0, {str(ROOT / 'site')!r})",
        "extensions = ['myst_parser', 'site_formulas']",
        "myst_enable_extensions, myst_heading_anchors = ['dollarmath'], 4",
        "html_math_renderer = 'mathml'",
    ]
    (tmp_path / "conf.py").write_text("\n".join(settings))
    (tmp_path / "index.md").write_text("# Title\n\nFine: $x$, [title](#title).\n")
    assert build(tmp_path, tmp_path / "out").returncode == 0
    mistakes = ["It costs 3 $ a day.", r"$x \nonsense$", "[there](nothing.md)", "[there](#nothing)", "![it](no.png)"]
    (tmp_path / "index.md").write_text("\n\n".join(["# Title", *mistakes]))
    result = build(tmp_path, tmp_path / "out")
    assert result.returncode != 0
    assert {int(line) for line in re.findall(r"index\.md:(\d+): WARNING", result.stderr)} == {3, 5, 7, 9, 11}


def test_it_reads_on_a_phone_without_network(site: Path, pages: dict[str, str], browser: "Browser") -> None:
    context = browser.new_context(viewport={"width": PHONE, "height": 800})
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    wide = []
    reference = [name for name in pages if name.startswith("docs/reference/")]
    for name in sorted({*pages} - {*reference[1::3], *reference[2::3]}):  # those of the reference are made alike
        page.goto((site / name).as_uri(), wait_until="domcontentloaded")
        page.evaluate("document.querySelectorAll('details').forEach(part => (part.open = true))")
        if page.evaluate("document.documentElement.scrollWidth") > PHONE:
            wide.append(name)
    context.close()
    assert not wide
    assert not [address for address in asked if not address.startswith(("file:", "data:"))]


def test_search_finds_pages_and_names_without_a_server(site: Path, browser: "Browser") -> None:
    page = browser.new_page()
    for word, first in (
        ("cross-entropy", "Cross-entropy"),
        ("BatchNorm1d", "BatchNorm1d"),
        ("softmax twice", "Pitfalls"),
    ):
        page.goto(f"{(site / 'index.html').as_uri()}")
        page.get_by_role("searchbox").or_(page.locator("input.sidebar-search")).first.fill(word)
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a")
        assert first.lower() in page.locator("#search-results li").first.inner_text().lower()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_follows_the_readers_scheme(scheme: str, site: Path, browser: "Browser") -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto((site / "docs" / "derivations" / "linear.html").as_uri())
    colour = "(element, what) => getComputedStyle(element)[what].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    background = page.locator("body").evaluate(f"element => ({colour})(element, 'backgroundColor')")
    formula = page.locator("math").first.evaluate(f"element => ({colour})(element, 'color')")
    context.close()
    assert (background > formula) == (scheme == "light")
    assert abs(background - formula) > 300

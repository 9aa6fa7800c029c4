"""A report in a real browser: it asks nobody for anything, fits a phone, can be read, and needs no script."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")

from axe_playwright_python.sync_playwright import Axe
from page import LEARNED, SECONDS, handgrad

if TYPE_CHECKING:
    from playwright.sync_api import Browser

#: Rules that say what must be, rather than what would be better.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
LOOKS = [("light", 1200), ("dark", 1200), ("light", 390), ("dark", 390)]
#: Text that is wider than the picture that it is drawn in.
OUTSIDE = """() => [...document.querySelectorAll("figure svg text")].filter((text) => {
    const [inner, outer] = [text, text.ownerSVGElement].map((element) => element.getBoundingClientRect());
    return inner.left < outer.left - 1 || inner.right > outer.right + 1;
}).map((text) => text.textContent)"""


def write(*arguments: str | Path) -> None:
    result = subprocess.run(handgrad(*arguments), capture_output=True, text=True, timeout=5 * SECONDS, check=False)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="module")
def reports(learned_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of a run on images, of one on points, of numbers, and a comparison."""
    folder = tmp_path_factory.mktemp("reports")
    for recipe in ("points", "xor"):
        write("train", recipe, "--out", folder / recipe)
    write("train", "mlp", "--epochs", "1", "--out", folder / "mlp")
    runs = {"fast": [learned_runs / LEARNED], "points": [folder / "points"], "xor": [folder / "xor"]}
    runs["comparison"] = [learned_runs / LEARNED, folder / "mlp"]
    for name, paths in runs.items():
        write("report", *paths, "--out", folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in runs}


@pytest.mark.parametrize("name", ["fast", "points", "xor", "comparison"])
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_it_can_be_read_by_everyone_and_asks_nobody(
    name: str, scheme: Any, width: int, browser: "Browser", reports: dict[str, Path]
) -> None:
    with browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text))
        assert reports[name].stat().st_size < 1e6
        address = reports[name].as_uri()
        page.goto(address)
        found = Axe().run(page, options=RULES).response
        assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]] == []
        looked_at = {"color-contrast", "region"} | ({"scrollable-region-focusable"} if width < 400 else set())
        assert looked_at <= {one["id"] for one in found["passes"]}
        assert [url for url in asked if not url.startswith("data:")] == [address]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
        assert page.evaluate('getComputedStyle(document.body).getPropertyValue("--ink")') in ("#1f1d1a", "#ece8df")
        assert complaints == []


def test_dark_figures_are_drawn_in_light_ink(browser: "Browser", reports: dict[str, Path]) -> None:
    inks = {}
    for scheme in ("light", "dark"):
        with browser.new_context(color_scheme=scheme) as context:
            page = context.new_page()
            page.goto(reports["fast"].as_uri())
            inks[scheme] = page.evaluate('getComputedStyle(document.querySelector("figure svg text")).fill')
            page.set_viewport_size({"width": 700, "height": 1000})  # of a sheet of A4, between its margins
            page.emulate_media(media="print", color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= 700
            assert (
                page.evaluate('getComputedStyle(document.querySelector("figure svg text")).fill') == "rgb(31, 29, 26)"
            )
    assert inks == {"light": "rgb(31, 29, 26)", "dark": "rgb(236, 232, 223)"}

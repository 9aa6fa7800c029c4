"""The pictures of docs/page.md and docs/report.md, taken of what they show: `python tests/e2e/screenshots.py`."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from page import LEARNED, browsing, handgrad, learned, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parents[2] / "docs" / "images"


def inside(page: "Page") -> None:
    """One number of the gradient, with what it was made from."""
    page.wait_for_selector(".addends")


def training(page: "Page") -> None:
    """A network after it has been trained on the page."""
    page.get_by_role("button", name="Train", exact=True).last.click()
    page.wait_for_selector(".train .pill.ended", timeout=120_000)


def lesson(page: "Page") -> None:
    """XOR, learned to the end."""
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_timeout(15_000)


PICTURES: dict[str, tuple[str, dict[str, int], str, Callable[["Page"], None]]] = {
    "inside": (
        learned("&example=test-3&label=0&step=18&cell=gradient.3:4,5,6"),
        {"width": 1400, "height": 1000},
        "light",
        inside,
    ),
    "phone": (learned("&example=test-3&label=0&lang=zh"), {"width": 390, "height": 844}, "dark", lambda page: None),
    "train": ("#view=train", {"width": 1400, "height": 1300}, "light", training),
    "lesson": ("#view=lessons&lesson=xor", {"width": 1400, "height": 1000}, "light", lesson),
}


def take(browser: "Browser", address: str, name: str) -> None:
    place, viewport, colours, prepare = PICTURES[name]
    context = browser.new_context(viewport=viewport, color_scheme=colours, locale="en-GB")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address + place)
    page.wait_for_selector("html[data-ready]")
    page.wait_for_timeout(2000)
    prepare(page)
    page.screenshot(path=IMAGES / f"page-{name}.png")
    context.close()


def take_report(browser: "Browser", folder: Path) -> None:
    """The first screen of a report, and a part of its worst mistakes."""
    run = folder / "mlp"
    subprocess.run(handgrad("train", "mlp", "--epochs", "12", "--lr", "0.1", "--out", run), check=True)
    subprocess.run(handgrad("report", run), check=True)
    page = browser.new_page(viewport={"width": 1120, "height": 1200})
    page.goto((run / "report.html").as_uri())
    page.screenshot(path=IMAGES / "report.png")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        subprocess.run(handgrad("train", "fast", "--out", runs / LEARNED), check=True, capture_output=True)
        with serving(runs) as server, browsing() as browser:
            for name in PICTURES:
                take(browser, server.address, name)
        with browsing() as browser:
            take_report(browser, runs)


if __name__ == "__main__":
    main()

"""The page on networks trained on a person's own pictures and tables: what is theirs is called by their words."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")
pytest.importorskip("pandas")

import subprocess
from typing import TYPE_CHECKING

from page import OpenPage, handgrad, opening, quiet, serving, settled, verdict
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on colour pictures of two classes, and one on a table."""
    folder, rng = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    for name, colour in (("an apple", (200, 30, 30)), ("a very long name of a pear", (40, 180, 40))):
        (folder / "fruit" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.clip(rng.normal(colour, 10, (12, 12, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "fruit" / name / f"{number}.png")
    rows = [f"{x:.3f},{y:.3f},{'inside' if x * x + y * y < 1 else 'outside'}" for x, y in rng.normal(size=(200, 2))]
    (folder / "ring.csv").write_text("\n".join(["width,height,place", *rows]))
    train = ["--set", "data.normalize=featurewise", "--epochs", "20", "--batch-size", "8", "--lr", "0.05"]
    for name, recipe, data in (("fruit", "mlp", "fruit"), ("ring", "table", "ring.csv")):
        command = handgrad("train", recipe, "--data", folder / data, *train, "--out", folder / "runs" / name)
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder / "runs"


@pytest.fixture(scope="module")
def own_page(browser: "Browser", runs: Path) -> Iterator[OpenPage]:
    with serving(runs) as server, opening(browser, server) as open_at:
        yield open_at


def test_colour_pictures_are_shown_in_colour_and_cannot_be_drawn(own_page: OpenPage) -> None:
    page = own_page("#model=runs/fruit")
    settled(page, "test-0")
    assert not page.locator("#pad").is_visible()
    assert page.locator(".thumbnail").count() == 8
    red, green, *_ = page.locator(".thumbnail canvas").first.evaluate(
        "(canvas) => [...canvas.getContext('2d').getImageData(5, 5, 1, 1).data]"
    )
    assert green > 2 * red  # class names are in alphabetical order, so pears come first
    assert verdict(page) == "a very long name of a pear"
    assert page.get_by_role("radio", name="an apple", exact=True).count() == 1
    assert page.locator(".bars th").all_text_contents()[-1].startswith("an apple")


def test_numbers_of_a_table_have_the_names_of_its_columns(own_page: OpenPage) -> None:
    page = own_page("#model=runs/ring")
    settled(page, "test-0")
    page.get_by_role("spinbutton", name="width", exact=True).fill("0.1")
    page.get_by_role("spinbutton", name="height", exact=True).fill("0.2")
    settled(page, "values-")
    assert verdict(page) == "inside"
    assert page.get_by_role("button", name="belongs to outside").count() > 0


@pytest.mark.parametrize("name", ["fruit", "ring"])
@pytest.mark.parametrize("width", [390, 1400])
def test_words_find_room(own_page: OpenPage, name: str, width: int) -> None:
    page = own_page(f"#model=runs/{name}", viewport={"width": width, "height": 900})
    quiet(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    too_small = page.eval_on_selector_all(
        ".choice",
        "(all) => all.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent)",
    )
    assert too_small == []

"""The view in which a network is trained: real trainings by the real server, in a real browser."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")

from page import SECONDS, SEVEN, OpenPage, Server, draw, quiet, verdict

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


TRAIN = "#view=train&lang=en"
#: Every text that can be seen, without what a user or the server named.
TEXTS = """() => [...document.querySelectorAll(".view.train *")]
  .filter((e) => e.checkVisibility() && !e.closest("code, select, .run-name, .editor > p.faint"))
  .flatMap((e) => [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()))"""


def begin(page: "Page", recipe: str, *, paused: bool = False, **fields: object) -> str:
    """Choose a recipe, fill in fields by their label, and train; returns the run's name."""
    editor = page.locator(".editor")
    editor.get_by_label("Begin with").select_option(recipe)
    quiet(page)
    editor.get_by_text("More settings").click()
    for label, value in fields.items():
        editor.get_by_label(label.replace("_", " "), exact=True).fill(str(value))
    quiet(page)
    editor.get_by_role("button", name="Start paused" if paused else "Train", exact=True).click()
    page.wait_for_selector(".pill.paused" if paused else ".pill.running, .pill.ended")
    return page.locator(".run-name").text_content() or ""


def press(page: "Page", name: str) -> None:
    page.locator(".controls").get_by_role("button", name=name, exact=True).click()


def until_over(page: "Page", state: str = "ended") -> None:
    page.wait_for_selector(f".pill.{state}", timeout=2000 * SECONDS)
    quiet(page)


def progress(page: "Page") -> str:
    return page.locator(".controls p.numbers:not(.accuracy)").text_content() or ""


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def focused(page: "Page") -> str | None:
    name: str | None = page.evaluate("document.activeElement.getAttribute('aria-label')")
    return name


def recipe_of(server: Server, name: str) -> dict[str, Any]:
    return dict(json.loads((server.runs / name / "run.json").read_text())["recipe"])


def test_the_editor_begins_with_the_default_recipe(open_page: OpenPage) -> None:
    page = open_page(TRAIN)
    quiet(page)
    assert page.locator(".editor").get_by_label("Begin with").input_value() == "fast"


def test_a_network_learns_to_read_while_one_draws(open_page: OpenPage, server: Server) -> None:
    page = open_page(TRAIN)
    name = begin(page, "fast", Epochs=2)
    draw(page, SEVEN)
    until_over(page)
    accuracy = float((page.locator(".accuracy strong").text_content() or "0").removesuffix(" %"))
    assert accuracy > 95
    assert verdict(page) == "7"  # by the weights as they are now
    assert page.evaluate("location.hash").count(name) == 2  # as the model, and as the training
    counts = page.locator(".confusion tbody td").all_text_contents()
    assert sum(int(count or 0) for count in counts) == 2000
    assert page.locator(".confusion tbody .right").count() == 10
    assert page.locator(".signs tbody tr").count() == 9  # 6 with parameters, 3 ReLUs
    assert "after" in (page.locator(".confusion caption").text_content() or "")
    assert json.loads((server.runs / name / "result.json").read_text())["epochs"] == 2
    said = page.locator("canvas.chart").first.get_attribute("aria-label") or ""
    assert re.match(r"Loss, up to step 860\. training: 0\.\d+\. validation: 0\.\d+\.", said)


def test_curves_are_drawn(open_page: OpenPage) -> None:
    page = open_page(TRAIN)
    begin(page, "points", Epochs=200)
    until_over(page)
    colours = page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas.chart");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const accent = getComputedStyle(document.querySelector(".swatch")).backgroundColor.match(/\\d+/g).map(Number);
          let found = 0;
          for (let at = 0; at < data.length; at += 4) {
            found += data[at + 3] > 200 && accent.every((part, place) => Math.abs(part - data[at + place]) < 40);
          }
          return found;
        }"""
    )
    assert colours > 100


def test_layers_are_added_removed_moved_and_resized(open_page: OpenPage, server: Server) -> None:
    page = open_page(TRAIN)
    editor = page.locator(".editor")
    editor.get_by_label("Begin with").select_option("mlp")
    quiet(page)
    editor.get_by_text("101,770 parameters").wait_for()
    editor.get_by_label("width of layer 1 (Hidden layer)").fill("20")
    editor.get_by_label("Kind of layer to add").select_option("hidden")
    editor.get_by_role("button", name="Add", exact=True).click()
    editor.get_by_role("button", name="Move layer 2 (Hidden layer) up").click()
    assert focused(page) == "Move layer 1 (Hidden layer) down"  # the first is as far up as it can be
    editor.get_by_text("25,990 parameters").wait_for()
    assert editor.locator(".layers .shape").all_text_contents() == ["32", "20", "10"]
    editor.get_by_label("Kind of layer to add").select_option("Conv2d")
    editor.get_by_role("button", name="Add", exact=True).click()
    editor.get_by_label("kernel of layer 1 (Conv2d)").fill("5")
    editor.get_by_role("button", name="Remove layer 2 (Hidden layer)").click()
    assert focused(page) == "Remove layer 2 (Hidden layer)"
    editor.get_by_text("92,598 parameters").wait_for()
    assert editor.locator(".layers .shape").all_text_contents() == ["8×24×24", "20", "10"]
    editor.get_by_role("button", name="Start paused").click()
    page.wait_for_selector(".pill.paused")
    model = recipe_of(server, page.locator(".run-name").text_content() or "")["model"]
    assert model["hidden"] == [20]
    assert model["features"] == [
        {"name": "Conv2d", "out_channels": 8, "kernel_size": 5},
        {"name": "Flatten"},
    ]
    press(page, "Stop")
    until_over(page)


def test_steps_settings_and_going_on(open_page: OpenPage, server: Server) -> None:
    page = open_page(TRAIN)
    name = begin(page, "mlp", paused=True, Epochs=1)
    for step in (1, 2):
        press(page, "One step")
        page.get_by_text(f"step {step}, epoch 1 of 1").wait_for()
    slider = page.get_by_label("Learning rate").and_(page.locator("input[type=range]"))
    slider.focus()
    slider.press("ArrowRight")
    page.get_by_label("Dropout").and_(page.locator("input[type=range]")).press("ArrowRight")
    wait_for(lambda: recipe_of(server, name)["model"]["dropout"] == 0.05)
    page.get_by_label("Pace").and_(page.locator("input[type=range]")).press("ArrowLeft")
    press(page, "One step")
    page.get_by_text("step 3, epoch 1 of 1").wait_for()
    kept = recipe_of(server, name)
    assert kept["optimizer"]["learning_rate"] > 0.01
    assert kept["model"]["dropout"] == 0.05
    reloaded = open_page(page.evaluate("location.hash"))  # by a link, as another person sees it
    reloaded.wait_for_selector(".pill.paused")
    assert "step 3," in progress(reloaded)
    reloaded.get_by_text("100 steps/s").wait_for()  # the pace is told too
    press(reloaded, "Stop")
    until_over(page)  # told by the other page's
    assert f"handgrad train --resume {server.runs.resolve() / name}" in (
        page.locator(".note code").text_content() or ""
    )
    press(page, "Train longer")
    page.wait_for_selector(".pill.running")
    until_over(page)
    assert "epoch 1 of 1" in progress(page)
    assert Path(server.runs / name / "curves.png").exists()


def test_in_chinese_nothing_stays_english(open_page: OpenPage) -> None:
    page = open_page(TRAIN)
    begin(page, "points", paused=True)
    press(page, "One epoch")
    page.wait_for_selector(".pill.paused")
    page.get_by_label("Language").select_option("zh")
    quiet(page)
    english = [text for text in page.evaluate(TEXTS) if re.search(r"\b[a-z]{3,} [a-z]{2,}\b", text)]
    assert english == []
    assert page.locator(".pill").text_content() == "已暂停"
    page.locator(".controls").get_by_role("button", name="停止", exact=True).click()
    until_over(page)


def test_a_training_that_cannot_be_followed_is_complained_of(browser: "Browser", server: Server) -> None:
    page = browser.new_page()  # which may complain of what is refused
    page.route("**/events", lambda route: route.fulfill(status=429, json={"error": "Too many listeners."}))
    page.goto(server.address + TRAIN)
    page.wait_for_selector("html[data-ready]")
    try:
        page.wait_for_function(
            "() => document.querySelector('.editor select')?.value"
        )  # the view itself is fetched late
        page.locator(".editor").get_by_label("Begin with").select_option("points")
        page.locator(".editor").get_by_text("More settings").click()
        page.locator(".editor").get_by_text("6 parameters").wait_for()
        page.locator(".editor").get_by_role("button", name="Start paused").click()
        assert "cannot be followed" in (page.get_by_role("alert").and_(page.locator(".complaint")).text_content() or "")
    finally:
        page.evaluate("""async () => {
            const { trainings } = await (await fetch("/api/trainings")).json();
            for (const { name, state } of trainings) {
                if (state === "ended" || state === "failed") continue;
                const body = JSON.stringify({ command: "stop" });
                const headers = { "Content-Type": "application/json" };
                await fetch(`/api/trainings/${name}/commands`, { method: "POST", headers, body });
            }
        }""")
        page.context.close()


@pytest.mark.parametrize(("width", "colours"), [(390, "light"), (390, "dark"), (1400, "light"), (1400, "dark")])
def test_it_can_be_used_by_everybody(open_page: OpenPage, width: int, colours: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(TRAIN, viewport={"width": width, "height": 900}, color_scheme=colours)
    begin(page, "mlp", Epochs=1)
    page.wait_for_selector(".signs tbody tr")
    until_over(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = axe.run(page, context=".view.train").response["violations"]
    serious = [
        (violation["id"], node["target"])
        for violation in violations
        for node in violation["nodes"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []

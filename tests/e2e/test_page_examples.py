"""What the page gives a network: labels, the gallery, the address, numbers; in both languages, and on a phone."""

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from handgrad.data.datasets import load
from handgrad.training.saved_run import SavedRun

pytest.importorskip("starlette")
pytest.importorskip("playwright")

from page import FOUR, LEARNED, SEVEN, OpenPage, Server, draw, learned, settled, shares, verdict

if TYPE_CHECKING:
    from playwright.sync_api import Page


UNTRAINED = "#model=recipes/mlp"


def percentages(server: Server, image: np.ndarray) -> list[str]:
    """What the library itself says, written as the page writes it."""
    run = SavedRun.open(server.runs / LEARNED)
    return [f"{100 * share:.1f} %" for share in run.probabilities(image[None])[0].tolist()]


def grey_levels(page: "Page", selector: str) -> np.ndarray:
    read = (
        "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, place) => place % 4 === 0)"
    )
    return np.array(page.eval_on_selector(selector, read), np.int64)


def test_the_label_is_chosen_and_judges(open_page: OpenPage) -> None:
    page = open_page(learned())
    draw(page, SEVEN)
    settled(page)
    page.get_by_role("radio", name="8", exact=True).check()
    assert "label=8" in page.url
    assert page.locator(".judgement").text_content() == "✗ it is an 8"
    page.keyboard.press("ArrowLeft")  # real radio buttons: arrows choose
    assert "label=7" in page.url
    assert page.locator(".judgement").text_content() == "✓ right"
    page.get_by_role("radio", name="unknown").check()
    assert "label" not in page.url
    assert page.locator(".judgement").is_hidden()


def test_the_page_opens_with_the_first_test_image(open_page: OpenPage, server: Server) -> None:
    page = open_page(learned())
    settled(page, "test-0")
    assert "label=7" in page.url
    assert shares(page) == percentages(server, load("mnist").test.inputs[0])
    assert page.locator(".invitation").is_visible()
    draw(page, FOUR)
    settled(page)
    assert "label" not in page.url  # the label was that of the image


def test_a_test_image_is_loaded_from_the_gallery(open_page: OpenPage, server: Server) -> None:
    page = open_page(learned())
    page.get_by_role("button", name="test image 18, a 3").click()
    settled(page, "test-18")
    assert "label=3" in page.url
    assert shares(page) == percentages(server, load("mnist").test.inputs[18])
    assert page.get_by_role("button", name="test image 18, a 3").get_attribute("aria-pressed") == "true"
    assert "Test image 18" in (page.locator(".seen").text_content() or "")
    page.get_by_role("button", name="Next pictures").click()
    page.get_by_role("button", name="test image 20, a 9").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    settled(page, "test-21")


def test_the_worst_mistakes_say_what_they_were_taken_for(open_page: OpenPage) -> None:
    page = open_page(learned())
    page.get_by_role("tab", name="Test images").focus()
    page.keyboard.press("ArrowRight")
    worst = page.locator(".thumbnail", has_text="→").first
    name = worst.get_attribute("aria-label") or ""
    found = re.fullmatch(r"test image (\d+), an? (\d), taken for (\d) with ([\d.]+ %)", name)
    assert found, name
    worst.click()
    settled(page, f"test-{found[1]}")
    assert f"label={found[2]}" in page.url
    assert verdict(page) == found[3]
    assert page.locator(".bars tr.wins .share").text_content() == found[4]
    assert page.locator(".judgement").text_content() == f"✗ it is {'an' if found[2] == '8' else 'a'} {found[2]}"


def test_mistakes_of_an_untrained_network_are_not_listed_and_why(open_page: OpenPage) -> None:
    page = open_page(UNTRAINED)
    page.get_by_role("tab", name="Worst mistakes").click()
    assert page.get_by_text("This network has learned nothing yet").is_visible()
    assert page.locator(".thumbnail").count() == 0


def test_the_address_brings_a_drawing_to_another_page(open_page: OpenPage) -> None:
    page = open_page(learned())
    draw(page, FOUR)
    settled(page)
    page.get_by_role("radio", name="4", exact=True).check()
    other = open_page(page.url[page.url.index("#") :])
    settled(other)
    assert shares(other) == shares(page)
    assert verdict(other) == "4"
    assert other.get_by_role("radio", name="4", exact=True).is_checked()
    drawn, restored = grey_levels(page, ".step.centred canvas"), grey_levels(other, ".single canvas")
    assert np.abs(drawn - restored).max() <= 255 / 15 / 2 + 0.5  # an address has room for sixteen levels
    assert other.url == page.url
    other.evaluate("location.hash = location.hash.replace(/example=[^&]*/, 'example=test-2').replace(/&label=4/, '')")
    settled(other, "test-2")
    other.wait_for_function("() => location.hash.includes('label=1')")
    assert verdict(other) == "1"


@pytest.mark.parametrize("example", ["drawn-AAAA", "drawn-%C3%A9", "test-99999", "values-1,2", "nonsense"])
def test_an_example_that_cannot_be_shown_is_said_and_replaced(open_page: OpenPage, example: str) -> None:
    page = open_page(learned(f"&example={example}"))
    settled(page, "test-0")
    assert "first test example is shown instead" in (page.get_by_role("alert").text_content() or "")


def test_bars_follow_weights_that_change_and_mistakes_are_known_to_be_old(open_page: OpenPage) -> None:
    """A training sets the version: the same input is asked about again, the mistakes only when somebody wants that."""
    page = open_page(learned())
    settled(page, "test-0")
    asked = page.evaluate(
        """async (id) => {
        const modules = ["state", "look/draw", "look/trace"].map((name) => import(`./${name}.js`));
        const [{ createStore }, draw, { followTraces }] = await Promise.all(modules);
        const { models } = await (await fetch("/api/models")).json();
        const place = { location: { hash: "" }, history: { replaceState() {} }, addEventListener() {} };
        const store = createStore(place);
        const element = document.createElement("div");
        const complain = (error) => { throw error; };
        const given = { store, complain, model: () => models.find((model) => model.id === id) };
        draw.mount(element, given);
        followTraces(given);
        const quiet = () => new Promise((done) => {
            const look = () => {
                const { pending, last } = window.asked;
                if (!pending && performance.now() - last > 100) done();
                else setTimeout(look, 20);
            };
            look();
        });
        store.set({ model: id, version: "1" });
        await quiet();
        element.querySelector("#gallery-mistakes").click();
        await quiet();
        const again = [...element.querySelectorAll("button")].find((button) => button.textContent === "Look again");
        const paths = [];
        const fetched = window.fetch;
        window.fetch = (path, ...rest) => { paths.push(path.split("/").at(-1)); return fetched(path, ...rest); };
        const before = !again.closest("[hidden]");
        store.set({ version: "2" });
        await quiet();
        const after = !again.closest("[hidden]");
        again.click();
        await quiet();
        return { paths, before, after, atLast: !again.closest("[hidden]") };
    }""",
        f"runs/{LEARNED}",
    )
    mistakes = "examples?start=0&count=20&mistakes=true"
    assert asked == {"paths": ["trace", mistakes], "before": False, "after": True, "atLast": False}


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("place", [learned(), UNTRAINED, "#model=recipes/xor", "#model=recipes/points"])
def test_nothing_is_wider_than_a_phone(open_page: OpenPage, place: str, language: str) -> None:
    page = open_page(place, viewport={"width": 390, "height": 844}, locale=language)
    settled(page, "test-0")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    outside = (
        "(all) => all.filter((each) => each.getBoundingClientRect().right > innerWidth).map((each) => each.outerHTML)"
    )
    assert page.eval_on_selector_all(".drawing *", outside) == []


def test_numbers_are_entered_where_a_network_looks_at_numbers(open_page: OpenPage) -> None:
    page = open_page("#model=recipes/xor")
    settled(page, "test-0")
    assert page.locator("#pad").is_hidden()
    page.get_by_role("button", name="Example 2: (1, 0) belongs to 1").click()
    settled(page, "test-2")
    assert "label=1" in page.url
    entered = page.locator(".drawing").get_by_role("spinbutton")
    assert [field.input_value() for field in entered.all()] == ["1", "0"]
    said = verdict(page)
    entered.first.fill("0.25")
    settled(page, "values-0.25%2C0")
    assert verdict(page) != said
    other = open_page(page.url[page.url.index("#") :])
    settled(other, "values-")
    assert [field.input_value() for field in other.locator(".drawing").get_by_role("spinbutton").all()] == ["0.25", "0"]
    assert verdict(other) == verdict(page)


def test_every_text_is_there_in_both_languages(open_page: OpenPage) -> None:
    page = open_page(learned(), locale="zh-CN")
    settled(page, "test-0")
    words = page.evaluate("async () => (await import('./i18n.js')).allWords()")
    assert words["en"].keys() == words["zh"].keys()
    ours = [
        key
        for key in words["en"]
        if key.split(".")[0] in {"pad", "seen", "bars", "labels", "gallery", "values", "draw"}
    ]
    assert len(ours) > 40
    for key in ours:
        holes = [sorted(re.findall(r"\{(\w+)\}", words[language][key])) for language in ("en", "zh")]
        assert set(holes[1]) <= set(holes[0]) | {"label"}, key
        assert re.search("[一-鿿]", words["zh"][key]) or re.fullmatch(r"\{\w+\}", words["zh"][key]), key
    draw(page, SEVEN)
    settled(page)
    page.get_by_role("tab", name="错得最厉害的").click()
    page.wait_for_selector(".thumbnail :text('→')")
    shown = re.sub("Shift|Esc", "", page.locator(".drawing").inner_text())  # names of keys
    assert not re.search(r"[A-Za-z]{2,}|[{}]", shown), shown
    page.get_by_label("语言").select_option("en")
    assert not re.search("[一-鿿]|[{}]", page.locator(".drawing").inner_text())


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("place", [learned(), "#model=recipes/xor"])
def test_nothing_keeps_anyone_out(open_page: OpenPage, theme: str, place: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(place, color_scheme=theme)
    settled(page, "test-0")
    found = axe.run(page, context=".drawing").response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []

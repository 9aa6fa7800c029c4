"""The lessons: each is gone through in the browser, in English and in Chinese, and on a phone."""

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")

from page import SECONDS, OpenPage, Server

from handgrad.web.lesson_cases import CASES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


PATIENTS = [name for name in CASES if name != "start"]
WATCHED = ["xor", "points"]
LESSONS = [*WATCHED, *CASES]
#: A training, and a measurement on a busy machine.
PATIENCE = 120_000
#: What stands in the page in no language: names of layers and recipes, laws, numbers.
NAMES = (
    r"Linear|ReLU|LeakyReLU|Residual|Sigmoid|sigmoid|softmax|MNIST|XOR|He|N\(0, 1\)|ln|log|model\.init|data\.normalize"
)
NAMES += r"|standard|unit|he|layer \d+|handgrad doctor --plot FILE|handgrad|mlp|recipes?|English|[Ww]"


def place(lesson: str, language: str = "en") -> str:
    return f"#view=lessons&lesson={lesson}&lang={language}"


def visit(open_page: OpenPage, lesson: str, language: str = "en", **options: Any) -> "Page":
    page = open_page(place(lesson, language), **options)
    page.wait_for_selector(".lesson-heading")
    return page


def answer(page: "Page", choice: int) -> None:
    page.locator(".option input").nth(choice).check()
    page.locator(".question .primary").first.click()
    page.wait_for_selector(".outcome:not([hidden])")


def begin(page: "Page") -> None:
    """Have the network of a lesson measured."""
    page.locator(".lesson .primary").first.click()
    page.wait_for_selector(".question", timeout=PATIENCE)


def state(page: "Page", name: str) -> str:
    """Wait until a watched training stands so; what is said of it."""
    line = page.wait_for_selector(f'.watched + p[data-t="watched.state.{name}"]', timeout=PATIENCE)
    assert line is not None
    return line.text_content() or ""


def pressed(page: "Page", name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def leave(page: "Page") -> None:
    """Go elsewhere, which ends the training."""
    page.locator(".views button").first.click()
    states = """async () => {
        const { trainings } = await (await fetch("/api/trainings")).json();
        return trainings.map(({ state }) => state);
    }"""
    deadline = time.monotonic() + SECONDS
    while set(page.evaluate(states)) - {"ended"}:  # Playwright's own way of waiting takes any promise for a yes
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wide(page: "Page") -> int:
    width: int = page.evaluate("() => document.querySelector('.view.lessons').scrollWidth")
    return width


def english(page: "Page") -> list[str]:
    """Visible and spoken texts of the lesson that have English words in them, without those that have no other name."""
    texts: list[str] = page.evaluate("""() => {
        const root = document.querySelector(".view.lessons");
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        const found = [...root.querySelectorAll("[aria-label]")].map((element) => element.getAttribute("aria-label"));
        while (walker.nextNode()) {
            if (!walker.currentNode.parentElement.closest("code")) found.push(walker.currentNode.textContent);
        }
        return found.filter((text) => text.trim());
    }""")
    assert len(texts) > 30
    return [text for text in texts if re.search(r"[A-Za-z]{2,}", re.sub(rf"\b(?:{NAMES})(?![a-z])", "", text))]


def test_the_lessons_are_listed_and_the_address_brings_to_one(open_page: OpenPage) -> None:
    page = open_page("#view=lessons")
    page.wait_for_selector(".lesson-heading")
    assert page.locator(".lesson-list button").count() == len(LESSONS)
    assert page.locator(".lesson-heading").text_content() == "XOR"
    pressed(page, "Next lesson")
    assert "lesson=points" in page.url
    assert page.locator(".lesson-heading").text_content() == "Ten points"
    assert page.evaluate("() => document.activeElement.textContent") == "Ten points"
    other = open_page(page.url[page.url.index("#") :])
    assert other.locator('.lesson-list [aria-current="page"]').text_content() == "Ten points"
    assert other.locator(".goal").is_visible()


def test_xor_is_learned_before_ones_eyes(open_page: OpenPage) -> None:
    page = visit(open_page, "xor")
    pressed(page, "Start")
    state(page, "playing")
    page.wait_for_selector(".plane .unit-2")
    first = page.eval_on_selector(".plane canvas", "(canvas) => canvas.toDataURL()")
    assert state(page, "ended") == "Finished after 10000 updates."
    assert page.eval_on_selector(".plane canvas", "(canvas) => canvas.toDataURL()") != first
    said = page.locator(".plane svg").get_attribute("aria-label") or ""
    answers = [float(number) for number in re.findall(r"\d\.\d\d", said)]
    assert [round(number) for number in answers] == [0, 1, 1, 0]
    assert page.locator(".plane .unit").count() == 3
    assert len((page.locator(".curve .line-0").get_attribute("points") or "").split()) > 10
    answer(page, 1)
    assert "Right." in (page.locator(".outcome").text_content() or "")
    total = re.search(r"to the output: (\S+)\.", page.locator(".pictures .numbers").text_content() or "")
    assert total is not None
    assert total[1].startswith("−")


def test_two_hidden_units_can_get_stuck(open_page: OpenPage) -> None:
    page = visit(open_page, "xor")
    page.locator(".lesson select").select_option("two")
    assert page.locator(".lesson input[type=number]").input_value() == "1"
    pressed(page, "Start")
    state(page, "ended")
    assert (page.locator(".plane svg").get_attribute("aria-label") or "").count("0.50") == 2


def test_ten_points_update_by_update(open_page: OpenPage) -> None:
    page = visit(open_page, "points")
    page.locator(".plane circle").first.wait_for()  # the points are fetched after the lesson's text
    assert page.locator(".plane circle").count() == 10
    pressed(page, "Start")
    assert state(page, "paused") == "Waiting after 0 updates."
    line = page.locator(".plane .unit").get_attribute("y1")
    for number in (1, 2):
        pressed(page, "One update")
        page.wait_for_function(f"() => document.querySelector('.watched + p')?.textContent.includes('{number} up')")
    assert page.locator(".plane .unit").get_attribute("y1") != line
    assert page.locator(".parameters tbody td:nth-child(3)").first.text_content()
    assert len((page.locator(".curve .line-0").get_attribute("points") or "").split()) == 2
    pressed(page, "Go on")
    pressed(page, "Pause")
    assert "Waiting after" in state(page, "paused")
    pressed(page, "Go on")
    assert state(page, "ended") == "Finished after 500 updates."
    assert "10 of them" in (page.locator(".plane svg").get_attribute("aria-label") or "")
    answer(page, 0)
    assert "Not this time." in (page.locator(".outcome").text_content() or "")


def test_leaving_a_lesson_ends_its_training(open_page: OpenPage) -> None:
    page = visit(open_page, "points")
    pressed(page, "Start")
    state(page, "paused")
    leave(page)
    page.locator(".views button").last.click()
    assert state(page, "off") == "Not started."


def test_two_laws_side_by_side(open_page: OpenPage) -> None:
    page = visit(open_page, "start")
    begin(page)
    assert page.locator(".curve .line").count() == 2
    values = page.locator(".figures dd").all_text_contents()
    assert float(values[0].removeprefix("N(0, 1)")) > 20 > 3 > float(values[1].removeprefix("He"))
    assert page.locator(".templates").count() == 2
    answer(page, 1)
    outcome = page.locator(".outcome").text_content() or ""
    assert outcome.startswith("Right.")
    assert values[0].removeprefix("N(0, 1)") in outcome
    assert "{" not in outcome


@pytest.mark.parametrize("name", PATIENTS)
def test_a_patient_is_diagnosed_and_mended(open_page: OpenPage, name: str) -> None:
    page = visit(open_page, name)
    begin(page)
    assert page.locator(".findings").count() == 0  # not before one has thought
    options = page.locator(".option input")
    values = [options.nth(place).get_attribute("value") for place in range(4)]
    right = values.index(f"cause.{name}")
    answer(page, (right + 1) % 4)
    assert page.locator(".verdict-line").text_content() == "Not this time."
    options.nth(right).check()
    assert page.locator(".verdict-line").text_content() == "Right."
    findings = page.locator(".findings li").all_text_contents()
    measured = page.evaluate(
        """async (name) => {
        const { getArrays } = await import("/api.js");
        return (await getArrays(`/api/lessons/${name}/broken`)).about;
    }""",
        name,
    )
    said = [
        finding["name"] + finding["measured"] + finding["why"] + finding["change"] for finding in measured["findings"]
    ]
    assert findings == said
    if not said:
        assert "The doctor finds nothing" in (page.locator(".doctor").text_content() or "")
    page.locator(".outcome .primary").click()
    page.wait_for_selector(".outcome .figures", timeout=PATIENCE)
    shares = [
        float(share) for share in re.findall(r"([\d.]+) %", page.locator(".outcome .figures").text_content() or "")
    ]
    (_, _, before, after) = shares
    assert (before > after > 85) if name == "leak" else (after > 85 > 30 > before)
    assert "{" not in (page.locator(".lesson").text_content() or "")


@pytest.mark.parametrize("name", LESSONS)
def test_in_chinese_on_a_phone_nothing_is_english_or_too_wide(open_page: OpenPage, name: str) -> None:
    page = visit(open_page, name, "zh", viewport={"width": 390, "height": 844}, color_scheme="dark")
    if name in WATCHED:
        page.locator(".watched .primary").click()
        state(page, "paused" if name == "points" else "playing")
        page.wait_for_selector(".plane .unit")
    else:
        begin(page)
    answer(page, 0)
    if name in PATIENTS:
        page.locator(".outcome .primary").click()
        page.wait_for_selector(".outcome .figures", timeout=PATIENCE)
    assert english(page) == []
    assert wide(page) <= 390
    leave(page)


def test_the_language_changes_while_a_finding_is_shown(open_page: OpenPage) -> None:
    page = visit(open_page, "zeros")
    begin(page)
    answer(page, 3)
    assert page.locator(".findings strong").first.text_content() == "Weights all 0"
    page.get_by_label("Language").select_option("zh")
    assert page.locator(".findings strong").first.text_content() == "权重全为 0"
    assert english(page) == []
    page.get_by_label("语言").select_option("en")
    assert page.locator(".findings strong").first.text_content() == "Weights all 0"


def test_both_languages_have_the_same_texts_with_the_same_places_for_values(open_page: OpenPage) -> None:
    page = visit(open_page, "xor")
    words = page.evaluate('async () => (await import("/i18n.js")).allWords()')
    assert words["en"].keys() == words["zh"].keys()
    own = ("lesson", "xor.", "points.", "start.", "clinic.", "cause.", "curve.", "measured.", "watched.", "question.")
    for key, text in words["en"].items():
        if not key.startswith(own):
            continue  # other modules put words into places, which differ
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", words["zh"][key])), key


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["xor", "points", "start", "depth"])
def test_axe_finds_nothing_serious(open_page: OpenPage, name: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(open_page, name, color_scheme=scheme, bypass_csp=True)
    if name in CASES:
        begin(page)
        answer(page, 0)
    found = axe.Axe().run(page, context=".view.lessons").response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, json.dumps(serious)[:2000]


def test_a_training_that_cannot_be_followed_is_given_up(browser: "Browser", server: Server) -> None:
    page = browser.new_page()  # which may complain of what is refused
    page.route("**/events", lambda route: route.fulfill(status=429, json={"error": "Too many listeners."}))
    page.goto(server.address + place("points"))
    page.wait_for_selector(".lesson-heading")
    pressed(page, "Start")
    assert "start again" in state(page, "failed")
    assert "cannot be followed" in (page.locator(".complaint").text_content() or "")
    page.unroute("**/events")
    pressed(page, "Start")
    state(page, "paused")
    leave(page)
    page.context.close()


def test_a_lesson_that_was_left_while_it_began_again_trains_nothing(open_page: OpenPage) -> None:
    page = visit(open_page, "points")
    pressed(page, "Start")
    state(page, "paused")
    begun: list[str] = []
    page.on("request", lambda asked: begun.append(asked.url) if asked.method == "POST" else None)
    page.evaluate("""() => {
        const buttons = [...document.querySelectorAll("button")];
        buttons.find((button) => button.textContent === "Start again").click();
        document.querySelector(".views button").click(); // before the server has answered that the first one stops
    }""")
    leave(page)
    assert not [url for url in begun if url.endswith("/trainings")]


def test_a_training_that_a_dead_page_left_behind_makes_room(browser: "Browser", server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.address + place("points"))
    page.wait_for_selector(".lesson-heading")
    page.evaluate("""async () => {
        const { postJSON } = await import("/api.js");
        const order = { recipe: "points", changes: {}, paused: true };
        const left = [await postJSON("/api/trainings", order), await postJSON("/api/trainings", order)];
        localStorage.setItem("lesson-trainings", JSON.stringify(left.map(({ name }) => name)));
    }""")
    asked: list[int] = []
    page.on("response", lambda response: asked.append(response.status) if response.url.endswith("/trainings") else None)
    pressed(page, "Start")
    state(page, "paused")
    assert asked == [429, 200]
    leave(page)
    context.close()

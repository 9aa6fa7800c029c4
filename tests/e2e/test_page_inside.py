"""The inside of a network on the page: steps, cells, checks, updates, what-ifs; against the library's own numbers."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from handgrad.data.datasets import load
from handgrad.layers.sequential import stages
from handgrad.training.experiment import Experiment
from handgrad.training.recipe import Recipe

pytest.importorskip("starlette")
pytest.importorskip("playwright")

from page import SEVEN, OpenPage, draw, learned, quiet, settled

if TYPE_CHECKING:
    from playwright.sync_api import Page


ROW = 3
RAISED = dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True))


def read_number(text: str) -> float:
    """A number as the page writes it."""
    digits, _, power = text.strip().replace("−", "-").partition("·10")
    return float(digits + "e" + ("".join(RAISED[letter] for letter in power) or "0"))


def library_gradients(recipe: str) -> tuple[list[Any], list[Any]]:
    """Activations and gradients of the test image, layer by layer, by the layers themselves."""
    experiment, mnist = Experiment.prepare(Recipe.load(recipe)), load("mnist").test
    model, ops = experiment.model, experiment.model.parameters.ops
    x, caches = experiment.preprocessing(mnist.inputs[ROW : ROW + 1]), []
    activations = [x]
    for _, layer in stages(model):
        x, cache = layer.forward(x, ops=ops)
        caches.append(cache)
        activations.append(x)
    _, loss_cache = experiment.loss.forward(x, mnist.labels[ROW : ROW + 1], ops=ops)
    dy, tree = experiment.loss.backward(loss_cache, ops=ops), model.parameters.gradients().tree
    gradients = [dy]
    for (name, layer), cache in reversed(list(zip(stages(model), caches, strict=True))):
        dy = layer.backward(dy, cache, ops=ops, grads=tree[name])
        gradients.append(dy)
    return [ops.to_numpy(a)[0] for a in activations], [ops.to_numpy(g)[0] for g in reversed(gradients)]


def open_example(open_page: OpenPage, model: str, rest: str = "", **options: Any) -> "Page":
    page = open_page(f"#model={model}&example=test-{ROW}&label={load('mnist').test.labels[ROW]}{rest}", **options)
    page.wait_for_selector('[data-array="activation.0"] .pane:not([hidden])')
    quiet(page)
    return page


def title(page: "Page") -> str:
    return page.locator(".step-title").text_content() or ""


def shown_value(page: "Page", array: str, index: tuple[int, ...]) -> float:
    """Choose a cell by the address, as a teacher's link would, and read the number beside it."""
    cell = f"{array}:{','.join(map(str, index))}"
    page.evaluate("(cell) => { location.hash = location.hash.replace(/&cell=[^&]*|$/, `&cell=${cell}`); }", cell)
    place = ", ".join(map(str, index))
    page.wait_for_function(
        "(place) => document.querySelector('.cell-card h2')?.textContent.includes(`[${place}]`)", arg=place
    )
    quiet(page)
    return read_number(page.locator(".explanation .value").text_content() or "")


@pytest.mark.parametrize("recipe", ["mlp", "cnn"])
def test_stepping_backward_shows_the_librarys_own_numbers(open_page: OpenPage, recipe: str) -> None:
    activations, gradients = library_gradients(recipe)
    page, layers = open_example(open_page, f"recipes/{recipe}", "&step=0"), len(gradients) - 1
    assert title(page).startswith(f"Step 0 of {2 * layers + 2}")
    page.get_by_role("button", name="To the end").click()
    rng, compared = np.random.default_rng(0), 0
    for step in range(2 * layers + 2, layers, -1):
        assert title(page).startswith(f"Step {step} of {2 * layers + 2}")
        position = 2 * layers + 1 - step
        if position >= 0:
            for kind, arrays in (("gradient", gradients), ("activation", activations), ("gradient", gradients)):
                index = tuple(int(rng.integers(size)) for size in arrays[position].shape)
                shown = shown_value(page, f"{kind}.{position}", index)
                assert shown == pytest.approx(float(arrays[position][index]), rel=1e-5, abs=1e-30)
                compared += 1
            later = page.locator(f'[data-array="gradient.{position - 1}"] .absent')
            assert position == 0 or later.text_content() == "not computed yet"
        page.get_by_role("button", name="One step back").click()
        quiet(page)
    assert compared >= 10


def test_every_step_has_its_formula_and_its_layer_is_marked(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", "&step=0")
    seen = []
    for _ in range(8):
        page.get_by_role("button", name="One step on").click()
        quiet(page)
        seen.append(title(page).partition("· ")[2])
        assert page.locator(".formula-card math").count() > 0
    forward = [f"Forward through {layer}" for layer in ("Linear(784 → 128)", "ReLU", "Linear(128 → 10)")]
    backward = [text.replace("Forward", "Backward") for text in reversed(forward)]
    assert seen == [*forward, "The loss", *backward, "The update"]
    assert page.locator(".update-card.current").count() == 1


def test_a_cell_says_what_it_was_made_from_and_lights_it(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/cnn")
    shown_value(page, "activation.1", (3, 10, 12))
    lit = page.evaluate("""() => {
        const veil = document.querySelector('[data-array="activation.0"] .veil');
        const { data } = veil.getContext("2d").getImageData(0, 0, veil.width, veil.height);
        const clear = [...Array(data.length / 4).keys()].filter((flat) => data[4 * flat + 3] === 0);
        return clear.map((flat) => [Math.floor(flat / veil.width), flat % veil.width]);
    }""")
    assert lit == [[row, column] for row in (9, 10, 11) for column in (11, 12, 13)]
    assert page.locator(".addends tr").count() == 9 + 1 + 1
    parts = [read_number(text) for text in page.locator(".addends td.amount").all_text_contents()]
    assert sum(parts[:-1]) == pytest.approx(parts[-1], abs=2e-3)


def test_a_cell_is_chosen_by_pointer_and_by_keys(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp")
    pane = page.locator('[data-array="activation.1"] .pane')
    pane.click(position={"x": 3, "y": 3})
    page.locator(".cell-card h2", has_text="at [0]").wait_for()
    pane.press("ArrowRight")
    pane.press("ArrowDown")
    page.locator(".cell-card h2", has_text="at [33]").wait_for()
    assert "cell=activation.1:33" in page.url


def test_the_numeric_check_agrees(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", "&cell=gradient.1:5")
    page.get_by_role("button", name="Check this gradient numerically").click()
    page.wait_for_selector(".check-result .good")
    text = page.locator(".check-result").text_content() or ""
    assert "Right" in text
    assert "128 of 128 numbers compared" in text
    error = re.search(r"largest relative difference (\S+?)worst", text)
    assert error
    assert read_number(error[1]) < 1e-6


def test_updates_lower_the_loss_of_the_example_and_can_be_taken_back(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", "&optimizer=adam,0.001")

    def loss() -> float:
        quiet(page)
        return read_number((page.locator(".loss-value").text_content() or "").removeprefix("L = "))

    before = loss()
    for _ in range(3):
        page.get_by_role("button", name="Make this update").click()
        quiet(page)
    assert loss() < before / 2
    assert "after 3 updates" in (page.locator(".update-card [role=status]").text_content() or "")
    page.get_by_role("button", name="Take all back").first.click()
    assert loss() == before


def test_what_if_a_unit_is_silent_and_the_input_turned(open_page: OpenPage) -> None:
    page = open_example(open_page, learned().removeprefix("#model="), "&cell=activation.3:4,5,6")
    page.get_by_role("button", name="Silence unit 4 of Conv2d(1 → 16, 5×5)").click()
    quiet(page)
    assert "edits=" in page.url
    page.get_by_label("Turn the input").fill("40")
    quiet(page)
    assert page.locator(".compared tbody tr").count() == 10
    address = page.url
    probabilities = page.locator(".compared td").all_text_contents()
    again = open_page(address[address.index("#") :])
    again.wait_for_selector(".compared")
    quiet(again)
    assert again.locator(".compared td").all_text_contents() == probabilities
    again.get_by_role("button", name="Take back: unit 4 of").click()
    quiet(again)
    assert "edits=" not in again.url


def test_what_somebody_types_outlives_a_new_trace(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", "&cell=parameter.2.weight:3,5&optimizer=sgd,0.05")
    for field, typed in ((page.get_by_label("plus"), "7"), (page.locator("#rate"), "0.25")):
        field.fill(typed)
        for label in ("8", "4"):  # while the field has the focus
            page.evaluate("(label) => document.querySelector(`.choices input[value='${label}']`).click()", label)
            field.focus()
            quiet(page)
        assert field.input_value() == typed
    page.get_by_label("times").fill("")
    page.get_by_role("button", name="Change this weight").click()
    assert "edits" not in page.url  # nothing is not 0


def test_a_link_brings_another_person_to_the_same_place(open_page: OpenPage) -> None:
    place = "&step=6&cell=gradient.2:7&updates=2&optimizer=sgd,0.05&lang=zh"
    first = open_example(open_page, "recipes/mlp", place)
    second = open_page(first.url[first.url.index("#") :])
    second.wait_for_selector(".explanation .value")
    quiet(second)
    for selector in (".step-title", ".cell-card", ".loss-value", ".update-card"):
        assert second.locator(selector).text_content() == first.locator(selector).text_content()
    assert "第 6 步" in title(second)


def test_it_fits_a_phone(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/cnn", "&cell=activation.4:3,4,5", viewport={"width": 390, "height": 800})
    page.get_by_role("button", name="Weights").first.click()
    quiet(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


TEXTS = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
        const { parentElement, textContent } = walker.currentNode;
        if (!parentElement.closest("math, script, noscript, option, .badge, .numbers")) found.push(textContent.trim());
    }
    for (const element of document.querySelectorAll("[aria-label]")) found.push(element.getAttribute("aria-label"));
    return found.filter(Boolean);
}"""


def test_chinese_leaves_no_english_sentence(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", "&cell=gradient.1:5&lang=zh")
    page.get_by_role("button", name="用数值方法检验这个梯度").click()
    page.wait_for_selector(".check-result .good")
    page.get_by_role("button", name="权重").first.click()
    quiet(page)
    english = [text for text in page.evaluate(TEXTS) if re.search(r"\b[a-z]{3,} [a-z]{2,} [a-z]{2,}\b", text)]
    assert english == []
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_serious(open_page: OpenPage, colours: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": colours}
    page = open_example(open_page, "recipes/mlp", "&step=6&cell=gradient.1:5", **options)
    page.get_by_role("button", name="Weights").first.click()
    quiet(page)
    violations = axe.Axe().run(page).response["violations"]
    serious = [
        (v["id"], [node["target"] for node in v["nodes"]][:3])
        for v in violations
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize(
    "rest",
    [
        "&cell=gradient.4:5",
        "&cell=foo:1",
        "&edits=9.weight:1*0",
        "&updates=999",
        "&updates=-3",
        "&updates=1.5",
        "&optimizer=adam,1e30&updates=3",
        "&step=999",
        "&change=rotate,x;cover,99.99",
    ],
)
def test_an_address_that_asks_for_nonsense_shows_the_network_all_the_same(open_page: OpenPage, rest: str) -> None:
    page = open_example(open_page, "recipes/mlp", rest)
    assert page.locator(".layer-card").count() == 5
    assert page.locator(".complaint").count() == 0
    assert page.locator(".update-card").is_visible()
    assert "null" not in (page.locator(".explanation").text_content() or "")


def test_every_update_can_be_explained(open_page: OpenPage) -> None:
    """Small gradients give powers inside powers, which have to be put into parentheses."""
    page = open_example(open_page, learned().removeprefix("#model="), "&cell=updated.0.weight:0,0,0,0")
    pane = page.locator('[data-array="updated.0.weight"] .pane')
    for _ in range(12):
        pane.press("ArrowRight")
        quiet(page)
        assert page.locator(".complaint").count() == 0
        assert page.locator(".chain tr").count() > 3


def test_pictures_have_the_colours_of_the_theme(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", color_scheme="light")

    def pictures() -> list[str]:
        page.wait_for_timeout(100)
        return [
            page.eval_on_selector(name, "(canvas) => canvas.toDataURL()")
            for name in ('[data-array="activation.1"] canvas', "#pad")
        ]

    draw(page, SEVEN)
    settled(page)
    light = pictures()
    page.emulate_media(color_scheme="dark")  # the system's choice, which the page follows
    dark = pictures()
    assert all(one != other for one, other in zip(light, dark, strict=True))
    page.get_by_label("Colours").select_option("light")
    assert pictures() == light
    page.emulate_media(color_scheme="light")
    page.get_by_label("Colours").select_option("dark")
    assert pictures() == dark


def test_a_number_is_read_out_and_the_focus_stays_in_its_card(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", "&cell=gradient.1:5")
    # What the network says of the example is read out 0.7 s after its answer, and must not come last here.
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('The network says')")
    page.get_by_role("button", name="Its value").click()
    quiet(page)
    heading = page.locator(".cell-card h2").text_content() or ""
    assert heading.startswith("activation")
    assert page.evaluate("document.activeElement.textContent") == heading
    assert (page.locator("#status").text_content() or "").endswith(heading)


def test_a_regression_is_not_told_in_classes(open_page: OpenPage) -> None:
    page = open_page("#model=recipes/xor&example=values-0,1&label=1&cell=parameter.2.weight:0,1")
    page.wait_for_selector(".weight-form")
    page.get_by_label("plus").fill("-9")
    page.get_by_role("button", name="Change this weight").click()
    quiet(page)
    sentence = page.locator(".whatif-card p").last.text_content() or ""
    assert re.fullmatch(r"The answer is now [\d.]+; before it was [\d.]+\.", sentence)
    outputs = page.locator('[data-array="probabilities"] .pane')
    assert (outputs.get_attribute("aria-label") or "").startswith("output, 1")
    page.get_by_role("button", name="L = ").click()
    quiet(page)
    assert "null" not in (page.locator(".cell-card").text_content() or "")


def test_the_gradient_of_a_layers_output_is_called_by_that_layer(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp")
    for place, name in enumerate(("the input", "Linear(784 → 128)", "ReLU", "Linear(128 → 10)")):
        page.locator(f'[data-array="gradient.{place}"] .pane').click(position={"x": 3, "y": 3})
        quiet(page)
        assert (page.locator(".cell-card h2").text_content() or "").startswith(f"gradient · {name} · at [0]")


def test_opened_weights_stay_open_in_another_language(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", "&cell=parameter.2.weight:3,5")
    assert page.locator(".weights:not([hidden])").count() == 1  # a link to a weight shows it
    page.get_by_label("Language").select_option("zh")
    quiet(page)
    assert page.locator(".weights:not([hidden])").count() == 1
    assert page.locator('[data-array="parameter.2.weight"] .pane').is_visible()


def test_on_a_phone_a_number_leads_to_where_it_comes_from_and_back(open_page: OpenPage) -> None:
    page = open_example(open_page, "recipes/mlp", viewport={"width": 390, "height": 800})
    picture = page.locator('[data-array="activation.1"] .pane')
    picture.click(position={"x": 3, "y": 3})
    quiet(page)
    page.get_by_role("button", name="Where it comes from").click()
    page.wait_for_timeout(300)
    back = page.get_by_role("button", name="Back to the picture")
    back.click(timeout=2000)  # which would fail if something covered it
    page.wait_for_timeout(300)
    box = picture.bounding_box()
    assert box is not None
    assert 0 < box["y"] < 800

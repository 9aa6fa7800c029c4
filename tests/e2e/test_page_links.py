"""The address of the page: links opened in it, the Back button, and what holds where the address does not say."""

import json
import shutil
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")

from page import LEARNED, OpenPage, Server, learned, quiet, settled, verdict

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route


def go(page: "Page", place: str) -> None:
    """Open a link in the page that is open already."""
    page.evaluate("(place) => { location.hash = place; }", place)


def holds(page: "Page", *parts: str) -> None:
    """Wait until the address has all of these, and everything that was asked for is answered."""
    page.wait_for_function("(parts) => parts.every((part) => location.hash.includes(part))", arg=list(parts))
    quiet(page)


def chosen(page: "Page") -> str:
    """The network that the menu names."""
    return page.locator("select#model").input_value()


def test_a_label_is_not_taken_along_to_other_data(open_page: OpenPage) -> None:
    page = open_page(learned("&example=test-2"))
    holds(page, "label=1")
    page.locator("select#model").select_option("recipes/xor")
    holds(page, "example=test-0", "label=0")
    page.locator("select#model").select_option(f"runs/{LEARNED}")
    holds(page, "example=test-0", "label=7")
    assert page.locator(".judgement").text_content() == "✓ right"
    page.get_by_role("radio", name="8", exact=True).check()
    page.locator("select#model").select_option("recipes/mlp")  # it looks at the same pictures
    holds(page, "recipes/mlp", "example=test-0", "label=8")


def test_a_link_in_the_open_page_leads_to_another_network(open_page: OpenPage, server: Server) -> None:
    page = open_page(learned())
    settled(page, "test-0")
    go(page, "#model=recipes/xor&example=test-2")
    holds(page, "label=1")
    assert chosen(page) == "recipes/xor"
    assert page.locator(".drawing").get_by_role("spinbutton").count() == 2
    later = server.runs / "later"  # than the page's list of them
    shutil.copytree(server.runs / LEARNED, later)
    try:
        go(page, f"#model=runs/{later.name}&example=test-2")
        holds(page, "label=1")
        assert chosen(page) == "runs/later"
        assert verdict(page) == "1"
    finally:
        shutil.rmtree(later)


def test_a_link_to_a_network_that_is_not_there_leads_to_the_usual_one(browser: "Browser", server: Server) -> None:
    page = browser.new_page()  # which may complain of the server's refusal
    page.goto(f"{server.address}#model=recipes/mlp")
    page.wait_for_selector("html[data-ready]")
    go(page, "#model=runs/none")
    page.wait_for_function("(run) => location.hash.includes(`model=runs/${run}`)", arg=LEARNED)
    assert chosen(page) == f"runs/{LEARNED}"
    page.get_by_role("alert").get_by_text("There is no network runs/none here").wait_for()
    page.context.close()


def test_a_label_that_was_taken_away_stays_away(open_page: OpenPage) -> None:
    page = open_page(learned())
    holds(page, "example=test-0", "label=7")
    page.get_by_role("radio", name="unknown").check()
    holds(page, "label=unknown")
    assert page.locator(".loss-value").text_content() == "L = ?"
    page.reload()
    settled(page, "test-0")
    holds(page, "label=unknown")
    assert page.get_by_role("radio", name="unknown").is_checked()
    assert page.locator(".judgement").is_hidden()
    page.get_by_role("button", name="test image 18, a 3").click()
    holds(page, "example=test-18", "label=3")


def test_the_back_button_returns_to_what_was_shown(open_page: OpenPage) -> None:
    page = open_page(learned("&example=test-18"))
    holds(page, "label=3")
    page.get_by_role("radio", name="8", exact=True).check()
    page.locator("select#model").select_option("recipes/xor")
    holds(page, "example=test-0", "label=0")
    tabs = page.locator(".views")
    tabs.get_by_role("button", name="Lessons").click()
    page.get_by_role("button", name="Next lesson").click()
    assert page.locator(".lesson-heading").text_content() == "Ten points"
    page.go_back()
    page.locator(".lesson-heading", has_text="XOR").wait_for()
    page.go_back()
    page.locator("#view-look").wait_for()
    assert chosen(page) == "recipes/xor"
    page.go_back()
    holds(page, f"runs/{LEARNED}", "example=test-18", "label=8")
    assert chosen(page) == f"runs/{LEARNED}"
    assert verdict(page) == "3"
    assert page.locator(".judgement").text_content() == "✗ it is an 8"
    page.go_forward()
    holds(page, "recipes/xor", "example=test-0", "label=0")
    assert chosen(page) == "recipes/xor"


def test_the_best_reader_of_pictures_is_shown_first(open_page: OpenPage, server: Server) -> None:
    def list_worse_first(route: "Route") -> None:
        answer = route.fetch()
        [run] = [model for model in answer.json()["models"] if model["id"] == f"runs/{LEARNED}"]
        models = [run | {"id": "runs/new", "accuracy": None}, run | {"id": "runs/worse", "accuracy": 0.5}, run]
        route.fulfill(response=answer, body=json.dumps({"models": models}))

    page = open_page("#model=recipes/mlp")
    quiet(page)
    page.route("**/api/models", list_worse_first)
    page.goto("about:blank")
    page.goto(server.address)
    settled(page, "test-0")
    assert chosen(page) == f"runs/{LEARNED}"


def test_the_skip_link_keeps_what_is_shown(open_page: OpenPage) -> None:
    page = open_page(learned("&example=test-18&lang=zh"))
    holds(page, "label=3")
    address = page.url
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    quiet(page)
    assert page.url == address
    assert page.locator(".skip").text_content() == "跳到正文"

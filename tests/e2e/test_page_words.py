"""Every text of the page stands in both languages."""

import re
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")

from page import OpenPage


def test_every_text_is_there_in_both_languages_with_the_same_gaps(open_page: OpenPage) -> None:
    words = open_page().evaluate('async () => (await import("./i18n.js")).allWords()')
    assert words["en"].keys() == words["zh"].keys()
    assert len(words["en"]) > 100
    for key, english in words["en"].items():
        chinese = words["zh"][key]
        gaps = [set(re.findall(r"\{(\w+)\}", text)) for text in (english, chinese)]
        assert gaps[1] <= gaps[0] | {"label"}, key
        assert chinese.strip(), key
        if re.search(r"[a-z]{3,} [a-z]{3,}", english):
            assert re.search(r"[\u4e00-\u9fff]", chinese), f"{key} is not translated: {chinese}"


def test_the_notes_of_all_layers_and_losses_are_translated(open_page: OpenPage) -> None:
    from discovery import LAYER_KINDS

    from handgrad import losses

    notes = open_page().evaluate('async () => (await import("./notes.js")).chineseNotes')
    kinds: dict[str, Any] = {kind.__name__: kind for kind in LAYER_KINDS} | losses.NAMED
    stated = {name: kind.formulas.notes for name, kind in kinds.items()}
    missing = [name for name, note in stated.items() if note and name not in notes]
    assert missing == []
    assert notes.keys() <= stated.keys()


def test_the_summaries_of_all_recipes_are_translated(open_page: OpenPage) -> None:
    from handgrad.training.recipe import recipe_names

    recipes = open_page().evaluate('async () => (await import("./notes.js")).chineseRecipes')
    assert recipes.keys() == set(recipe_names())

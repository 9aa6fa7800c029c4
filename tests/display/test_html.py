import re
from html import unescape
from itertools import pairwise

import pytest
from shown import Shown

from handgrad.display import chart, html
from handgrad.display.html import Html, element, evenly, folded, image, joined, output, table, verdict

NASTY = "<script>alert('1')</script> & \"quoted\""


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", ["#ffffff", "#111111", "#1e1e1e"])  # JupyterLab light, dark; VS Code dark
@pytest.mark.parametrize("colour", [html.GREEN, html.RED, chart.INK, *(colour for colour, _ in chart.STYLES)])
def test_colours_stand_out_from_light_and_dark_pages(colour: str, page: str) -> None:
    lighter, darker = sorted((luminance(colour), luminance(page)), reverse=True)
    least = 3 if colour != chart.INK or page == "#1e1e1e" else 4  # for words more than for lines and marks
    assert (lighter + 0.05) / (darker + 0.05) >= least


@pytest.mark.parametrize(
    "made",
    [
        element("div", NASTY),
        element("div", "x", title=NASTY),
        joined([NASTY]),
        table([NASTY], [[NASTY]]),
        folded(NASTY, NASTY),
        verdict(False, "", NASTY),
        output(NASTY),
        image("data:image/png;base64,", NASTY, ""),
    ],
)
def test_every_text_is_escaped_once(made: str) -> None:
    texts = Shown(made).texts + [unescape(value) for value in re.findall(r'(?:title|alt)="([^"]*)"', made)]
    assert "<script" not in made
    assert NASTY in texts
    assert "&amp;lt;" not in made


def test_what_is_html_already_stays() -> None:
    assert element("div", Html("<span>a</span>"), "<") == "<div><span>a</span>&lt;</div>"


def test_numbers_are_right_aligned_and_every_row_is_as_long_as_the_header() -> None:
    made = table(["word", "number", "more"], [["a", 1, 2], ["b", 3, 4]], "lr")
    assert [len(row) for row in Shown(made).rows] == [3, 3, 3]
    assert re.findall(r"text-align:(\w+)", made) == ["left", "right", "left"] * 3
    with pytest.raises(ValueError, match="zip"):
        table(["one"], [["two", "cells"]])


def test_right_and_wrong_differ_in_words_too() -> None:
    assert Shown(verdict(True, "right", "WRONG")).text == "✓ right"
    assert Shown(verdict(False, "right", "WRONG")).text == "✗ WRONG"


@pytest.mark.parametrize("count", [0, 1, 2, 29, 30, 31, 59, 1000])
def test_even_places_keep_the_ends(count: int) -> None:
    places = evenly(count)
    assert len(places) == min(count, html.MOST_ROWS)
    assert all(a < b for a, b in pairwise(places))
    assert not count or (places[0], places[-1]) == (0, count - 1)

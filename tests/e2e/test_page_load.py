"""The page's first load: how soon it can be used, and how much it fetches."""

import statistics

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")

from page import OpenPage, quiet

LOADS = 5
FETCHED = """() => performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
    .reduce((sum, entry) => sum + entry.transferSize, 0)"""
READY = '() => performance.getEntriesByName("ready")[0].startTime'


@pytest.mark.quiet
def test_it_can_be_used_within_a_second_and_fetches_less_than_500_kilobytes(open_page: OpenPage) -> None:
    """With an empty cache each time; the drawing pad works as soon as the page says that it is ready."""
    milliseconds, kilobytes = [], []
    for _ in range(LOADS):
        page = open_page()
        page.wait_for_selector('[data-array="activation.0"]')
        quiet(page)
        milliseconds.append(page.evaluate(READY))
        kilobytes.append(page.evaluate(FETCHED) / 1000)
    print(f"usable after {[round(value) for value in milliseconds]} ms; fetched {max(kilobytes):.0f} kB")
    assert statistics.median(milliseconds) < 1000
    assert max(kilobytes) < 500

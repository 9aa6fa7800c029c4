"""The real server and the page in a real browser, for the tests of the page.

A test asks for `open_page`; what else it needs from here it imports. Without Playwright or Chromium it is skipped.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LEARNED = "learned"  # the run of `fast`, the default recipe
SECONDS = 60  # until a process that hangs is given up

Points = list[tuple[float, float]]
#: Strokes of digits; a point is a part of the pad's width and height.
SEVEN: list[Points] = [[(0.28, 0.22), (0.5, 0.22), (0.72, 0.22), (0.62, 0.45), (0.52, 0.65), (0.44, 0.82)]]
FOUR: list[Points] = [
    [(0.35, 0.2), (0.32, 0.4), (0.3, 0.52), (0.5, 0.52), (0.7, 0.5)],
    [(0.64, 0.22), (0.62, 0.5), (0.6, 0.82)],
]


#: Counts the requests that wait for their answers, for `quiet`.
WATCH_REQUESTS = """
    const fetched = window.fetch;
    window.asked = { pending: 0, last: 0 };
    window.fetch = async (...given) => {
        window.asked.pending += 1;
        try {
            return await fetched(...given);
        } finally {
            Object.assign(window.asked, { pending: window.asked.pending - 1, last: performance.now() });
        }
    };
"""


@dataclass(frozen=True)
class Server:
    """`handgrad serve` in a process of its own."""

    address: str
    runs: Path
    process: "subprocess.Popen[str]"


class OpenPage(Protocol):
    """Opens the page at a place; further options are those of a browser context."""

    def __call__(self, place: str = "", **options: Any) -> "Page": ...


def handgrad(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "handgrad", *map(str, arguments)]


@pytest.fixture(scope="session")
def learned_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of `fast`: a few seconds of training, 99 %."""
    runs = tmp_path_factory.mktemp("runs")
    command = handgrad("train", "fast", "--out", runs / LEARNED, "--json")
    result = subprocess.run(command, capture_output=True, text=True, timeout=5 * SECONDS, check=False)
    assert result.returncode == 0, result.stderr
    return runs


@pytest.fixture(scope="module")
def server(learned_runs: Path) -> Iterator[Server]:
    pytest.importorskip("starlette", reason='the page needs starlette: python -m pip install "handgrad[web]"')
    with serving(learned_runs) as running:
        yield running


@contextmanager
def serving(runs: Path) -> Iterator[Server]:
    """A server for the block; in the end it has to stop by itself, and to have complained of nothing."""
    command = handgrad("serve", "--port", "0", "--no-browser", "--runs", runs)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield Server(_address(process), runs, process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def _address(process: "subprocess.Popen[str]") -> str:
    """Where the server says that it is."""
    lines: Queue[str] = Queue()
    assert process.stdout is not None
    threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()  # type: ignore[union-attr]
    line = lines.get(timeout=SECONDS)
    found = [word for word in line.split() if word.startswith("http://")]
    assert found, f"the server said {line!r}"
    return found[0]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright: not installed")
    if chromium() is None:
        pytest.skip("the page is tried in Chromium, which is not installed")
    with browsing() as started:
        yield started


def chromium() -> str | None:
    """The program, if it is there."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browsing() -> Iterator["Browser"]:
    """A browser for the block, which asks nobody but the pages it is sent to."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as drivers:
        options = ["--no-sandbox", "--disable-background-networking"]
        started = drivers.chromium.launch(executable_path=chromium(), args=options)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: "Browser", server: Server) -> Iterator[OpenPage]:
    """Pages of the server."""
    with opening(browser, server) as open_at:
        yield open_at


@contextmanager
def opening(browser: "Browser", server: Server) -> Iterator[OpenPage]:
    """Pages of a server for the block; at its end none may have complained in its console."""
    complaints: list[str] = []
    contexts = []

    def open_at(place: str = "", **options: Any) -> "Page":
        context = browser.new_context(**({"viewport": {"width": 1400, "height": 1000}, "locale": "en-GB"} | options))
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(WATCH_REQUESTS)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.address + place)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert not complaints


def learned(rest: str = "") -> str:
    """The place in the page where the trained model is shown."""
    return f"#model=runs/{LEARNED}{rest}"


def draw(page: "Page", strokes: list[Points], between: Callable[[], object] = lambda: None) -> None:
    """Draw on the pad with the mouse; `between` is called after each move."""
    box = page.locator("#pad").bounding_box()
    assert box is not None

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    for stroke in strokes:
        page.mouse.move(*place(stroke[0]))
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*place(point), steps=5)
            between()
        page.mouse.up()


def settled(page: "Page", example: str = "drawn-") -> None:
    """Wait until an example whose name begins so is in the address, and everything that was asked for is answered."""
    page.wait_for_function("(start) => location.hash.includes(`example=${start}`)", arg=example)
    quiet(page)


def quiet(page: "Page") -> None:
    """Wait until everything that the page asked for is answered, and nothing more is asked."""
    page.evaluate("window.asked.last = performance.now()")  # what was clicked a moment ago may ask a moment later
    page.wait_for_function("() => !window.asked.pending && performance.now() - window.asked.last > 100")


def shares(page: "Page") -> list[str]:
    """The percentages beside the bars."""
    return page.locator(".bars .share").all_text_contents()


def verdict(page: "Page") -> str:
    return page.locator(".verdict").text_content() or ""

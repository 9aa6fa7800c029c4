"""A training with a bar trains the same, and the bar is closed however the loop ends."""

import io
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from shown import Shown

import handgrad as hg
from handgrad.inspection import progress as module
from handgrad.inspection.progress import Standing, Terminal
from handgrad.training import Scores


def trainer(patience: int | None = None, rate: float = 0.1) -> hg.Trainer:
    rng, data = np.random.default_rng(0), hg.datasets.load("points").train
    scale = hg.Preprocessing(scale=0.1)
    return hg.Trainer(
        hg.Linear(2, 2).initialize(rng),
        hg.SoftmaxCrossEntropy(),
        hg.SGD(rate),
        train=hg.Loader(data, 5, preprocessing=scale, rng=rng),
        monitors={"validation": hg.Loader(data, 5, preprocessing=scale)},
        patience=patience,
    )


class Recorded:
    """A face that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def open(self, standing: Standing) -> None:
        self.told.append("open")

    def show(self, standing: Standing, compiled: tuple[int, int] | None = None) -> None:
        self.told.append("compiling" if compiled else f"{standing.made}/{standing.total} {standing.place()}")

    def close(self, standing: Standing, finished: bool) -> None:
        self.told.append(f"closed {standing.end(finished)}".strip())


@pytest.fixture
def face(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(module, "_face", lambda: recorded)
    monkeypatch.setattr(module, "_REFRESH", 0.0)
    return recorded


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    def of_width(columns: int) -> io.StringIO:
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True, width=columns, highlight=False, color_system=None)
        monkeypatch.setattr(module, "_face", lambda: Terminal(console))
        monkeypatch.setattr(module, "_REFRESH", 0.0)
        return stream

    return of_width


def frames(text: str) -> list[str]:
    """What was drawn on one line after another, without the codes that move the cursor."""
    return [line for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)) if line.strip()]


def test_events_and_parameters_are_those_of_run(face: Recorded) -> None:
    plain, watched = trainer(), trainer()
    without = [event._replace(seconds=0) if isinstance(event, hg.Epoch) else event for event in plain.run(3)]
    with_bar = [
        event._replace(seconds=0) if isinstance(event, hg.Epoch) else event for event in hg.progress(watched, epochs=3)
    ]
    assert with_bar == without
    assert np.array_equal(plain.model.parameters.vector, watched.model.parameters.vector)


def test_it_counts_from_where_the_last_run_ended(face: Recorded) -> None:
    worker = trainer()
    list(worker.run(2))
    for event in worker.run(1):  # leaves the epoch half done
        assert event.number == 5
        break
    face.told.clear()
    list(hg.progress(worker, 2))
    steps = [line for line in face.told if "epoch" in line]
    assert steps[0] == "1/3 epoch 3/4"
    assert steps[-1] == "3/3 epoch 4/4"
    assert face.told[-1] == "closed"


def test_a_loop_that_is_left_closes_the_bar(face: Recorded) -> None:
    for event in hg.progress(trainer(), 5):
        if event.number == 3:
            break
    assert face.told.count("open") == 1
    assert face.told[-1] == "closed Stopped in epoch 2 of 5, after 3 steps."


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_loop_closes_the_bar_and_passes(face: Recorded, error: type[BaseException]) -> None:
    def loop() -> None:
        for _ in hg.progress(trainer(), 5):
            raise error("mine")

    with pytest.raises(error, match="mine"):
        loop()
    assert face.told[-1] == "closed Stopped in epoch 1 of 5, after 1 step."


def test_an_error_of_the_training_closes_the_bar_and_passes(face: Recorded) -> None:
    worker = trainer()
    worker.model.parameters.vector[...] = np.nan
    with pytest.raises(hg.HandgradError, match="became nan"):
        list(hg.progress(worker, 5))
    assert face.told[-1].startswith("closed Stopped in epoch 1 of 5")


def test_a_named_iterator_is_closed_by_close(face: Recorded) -> None:
    events = hg.progress(trainer(), 5)
    next(events)
    assert face.told[-1] != "closed"
    events.close()
    assert face.told[-1].startswith("closed Stopped")


def test_it_says_why_it_ended_early(face: Recorded) -> None:
    list(hg.progress(trainer(patience=1, rate=1e-30), 5))
    assert face.told[-1] == "closed No better validation score for a while."
    stopping = trainer()
    for _ in hg.progress(stopping, 5):
        stopping.stop()
    assert face.told[-1] == "closed Stopped early."


def test_it_is_not_drawn_more_often_than_the_eye_can_follow(face: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REFRESH", 1000.0)
    list(hg.progress(trainer(), 50))
    assert len(face.told) <= 3


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_shows_one_line_and_leaves_one(terminal: Callable[[int], io.StringIO], columns: int) -> None:
    stream = terminal(columns)
    worker = trainer()
    list(hg.progress(worker, epochs=3))
    drawn = frames(stream.getvalue())
    assert all(len(line) <= columns for line in drawn[:-1])
    assert any(re.search(r"epoch 3/3 .*loss 0\.\d+, validation \d", line) for line in drawn)
    last = worker.history.epochs[-1]
    shares = f"validation {100 * last.scores['validation'].accuracy:.2f} %"
    assert drawn[-1].startswith("3 epochs in 0.0")
    assert f"loss {last.train_loss:.4f}, {shares}" in drawn[-1]
    assert stream.getvalue().count("\x1b[?25h") == 1  # the cursor is shown again


def test_a_terminal_keeps_what_is_printed_meanwhile(terminal: Callable[[int], io.StringIO]) -> None:
    stream = terminal(80)
    for event in hg.progress(trainer(), epochs=2):
        if isinstance(event, hg.Epoch):
            print(f"that was epoch {event.number}")
    lines = frames(stream.getvalue())
    assert [line for line in lines if line.startswith("that was")] == ["that was epoch 1", "that was epoch 2"]


def test_a_notebook_shows_one_output_and_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[dict[str, str]] = []

    class Handle:
        def update(self, bundle: dict[str, str], *, raw: bool) -> None:
            outputs.append(bundle)

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert not outputs
        outputs.append(bundle)
        return Handle()

    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr(module, "_REFRESH", 0.0)
    list(hg.progress(trainer(), epochs=12))
    pages = [Shown(bundle["text/html"]) for bundle in outputs]
    assert all("progress" in page.tags for page in pages[:-1])
    assert "progress" not in pages[-1].tags
    assert len(pages[-2].rows) == 1 + 10  # the latest only, while it trains
    assert [row[0] for row in pages[-1].rows] == ["epoch", *map(str, range(1, 13))]
    assert outputs[-1]["text/plain"].startswith("12 epochs in 0.0")


def test_rate_and_time_left_leave_out_the_first_step() -> None:
    worker = trainer()
    standing, events = Standing.of(worker, 10), worker.run(10)
    now = 1000.0  # the first step is made after so many seconds of compiling
    for _ in range(5):
        event = next(events)
        standing.note(event, now)
        now += 0 if isinstance(event, hg.Epoch) else 0.5
    assert standing.made == 4
    assert standing.pace() == "2 steps/s"
    assert standing.left() == "8.0 s left"


def test_each_monitor_shows_its_accuracy_or_of_amounts_its_loss() -> None:
    standing = Standing.of(trainer(), 1)
    scores = {"validation": Scores(0.04, 0.975, 8), "test": Scores(0.04, math.nan, 8)}
    standing.note(hg.Epoch(1, 0.5, scores, 0.1, 1.0, 0.1), 0.0)
    assert standing.scores() == "validation 97.50 %, test loss 0.0400"


def test_without_terminal_or_notebook_it_is_silent() -> None:
    code = (
        "import numpy as np, handgrad as hg\n"
        "data = hg.datasets.load('points').train\n"
        "model = hg.Linear(2, 2).initialize(np.random.default_rng(0))\n"
        "loader = hg.Loader(data, 5, preprocessing=hg.Preprocessing(scale=0.1))\n"
        "trainer = hg.Trainer(model, hg.SoftmaxCrossEntropy(), hg.SGD(0.1), train=loader)\n"
        "list(hg.progress(trainer, 3))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert done.stdout == done.stderr == b""


def test_what_cannot_be_trained_is_refused_at_once() -> None:
    with pytest.raises(hg.ArgumentError, match=r"trainer is <generator.*expected a Trainer; write progress"):
        hg.progress(trainer().run(3), 3)  # type: ignore[arg-type]
    with pytest.raises(hg.ArgumentError, match="epochs is 0"):
        hg.progress(trainer(), 0)

"""Test digits, drawn again by a hand of another size, place and pen, are recognised as the originals are."""

import json
import urllib.request

import numpy as np
import pytest
from numpy.typing import NDArray

from handgrad.data.datasets import load
from handgrad.training.saved_run import SavedRun

pytest.importorskip("starlette")

from page import LEARNED, Server
from strokes import SIDE, Hand, skeleton, strokes_of

COUNT = 200
POINTS = 2.0  # the most that redrawing may cost


def recognised(server: Server, drawing: NDArray[np.uint8]) -> int:
    """What the server takes a drawing for."""
    request = urllib.request.Request(
        f"{server.address}api/models/runs/{LEARNED}/digit?side={SIDE}",
        data=drawing.tobytes(),
        headers={"Content-Type": "application/octet-stream"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return int(json.load(answer)["prediction"])


@pytest.mark.slow
def test_digits_drawn_again_are_recognised_as_the_originals_are(server: Server) -> None:
    test = load("mnist").test
    rng = np.random.default_rng(20261121)
    chosen = rng.choice(len(test.labels), COUNT, replace=False)
    images, labels = test.inputs[chosen], test.labels[chosen]
    originals = SavedRun.open(server.runs / LEARNED).probabilities(images).argmax(axis=1)
    redrawn = np.array([recognised(server, Hand.random(rng).draw(strokes_of(image))) for image in images])
    right, still_right = (100 * np.mean(found == labels) for found in (originals, redrawn))
    print(f"of {COUNT} test digits {right:.1f} % are recognised, drawn again {still_right:.1f} %")
    assert still_right >= right - POINTS


def test_a_skeleton_is_thin_connected_and_inside_the_ink() -> None:
    ink = np.zeros((40, 40), bool)
    ink[5:35, 10:18] = ink[27:35, 10:34] = True  # an L
    thin = skeleton(ink)
    assert not (thin & ~ink).any()
    assert 35 <= thin.sum() <= 50  # the arms are 30 and 24 long, and ends lose half a width
    assert not (thin[1:, 1:] & thin[:-1, 1:] & thin[1:, :-1] & thin[:-1, :-1]).any()  # nowhere two pixels wide
    assert len(strokes_of((255 * ink).astype(np.uint8))) == 1


def test_a_hand_draws_where_and_as_thick_as_it_is_told() -> None:
    bar = np.array([[3.0, 2.0], [3.0, 22.0]])
    drawing = Hand(size=0.5, thickness=0.1, offset=(1.0, 0.0)).draw([bar])
    rows, columns = np.nonzero(drawing > 127)
    assert rows.min() <= 1
    assert abs(np.ptp(rows) + 1 - 0.5 * SIDE) <= 2
    assert columns.max() >= SIDE - 2
    assert abs(np.ptp(columns) + 1 - 0.1 * SIDE) <= 2

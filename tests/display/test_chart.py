import itertools
import math
import re
from xml.etree import ElementTree

import pytest
from shown import Shown

from handgrad.display.chart import STYLES, Axis, line_chart

FALLING = [(number, 1 / number) for number in range(1, 11)]


def svg(made: str) -> str:
    """The drawing that an image holds."""
    (chart,) = Shown(made).charts
    return ElementTree.tostring(chart, encoding="unicode")


def words(made: str) -> list[str]:
    """What is written in it."""
    return [part.text or "" for part in Shown(made).charts[0].iter() if part.tag.endswith("text")]


def points(made: str) -> list[list[tuple[float, float]]]:
    """The drawn points of each line."""
    found = re.findall(r'points="(.*?)"', svg(made))
    return [[(float(x), float(y)) for x, y in (p.split(",") for p in line.split())] for line in found]


def test_a_falling_line_falls_within_the_picture() -> None:
    made = line_chart("loss", {"train": FALLING}, across="epoch")
    (drawn,) = points(made)
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    assert [y for _, y in drawn] == sorted(y for _, y in drawn)  # down is larger
    assert all(0 <= x <= 360 and 0 <= y <= 216 for x, y in drawn)
    assert {"loss", "train", "epoch"} <= set(words(made))
    assert 'alt="loss: train from 1 to 0.1"' in made


def test_what_is_no_number_is_left_out() -> None:
    made = line_chart("loss", {"train": [(1, 1.0), (2, math.nan), (3, math.inf), (4, 0.5)]}, across="epoch")
    assert len(points(made)[0]) == 2
    assert not re.search("nan|inf", svg(made))
    assert line_chart("loss", {"train": [(1, math.nan)]}, across="epoch") == ""
    assert line_chart("loss", {}, across="epoch") == ""


def test_a_line_keeps_its_style_where_another_has_no_points() -> None:
    made = line_chart("accuracy", {"train": [], "validation": FALLING}, across="epoch")
    assert STYLES[1][0] in svg(made)
    assert STYLES[0][0] not in svg(made)


def test_large_factors_make_losses_logarithmic_and_shares_never() -> None:
    steep = [(number, 10.0**-number) for number in range(5)]
    (drawn,) = points(line_chart("loss", {"train": steep}, across="epoch"))
    gaps = [b[1] - a[1] for a, b in itertools.pairwise(drawn)]
    assert max(gaps) - min(gaps) < 0.2
    (drawn,) = points(line_chart("accuracy", {"test": steep}, across="epoch", unit="%"))
    assert drawn[1][1] - drawn[0][1] > 5 * (drawn[2][1] - drawn[1][1])


def test_a_level_line_and_a_single_point_have_a_place() -> None:
    assert len(set(points(line_chart("loss", {"train": [(1, 0.5), (2, 0.5)]}, across="epoch"))[0])) == 2
    assert "circle" in svg(line_chart("loss", {"train": [(1, 0.5)]}, across="epoch"))


@pytest.mark.parametrize("last", [2, 3, 7, 100, 3000])
def test_epochs_are_counted_in_whole_numbers(last: int) -> None:
    axis = Axis([1, last], 0, 100, whole=True)
    assert axis.ticks
    assert all(tick == int(tick) and 1 <= tick <= last for tick in axis.ticks)


def test_names_are_escaped() -> None:
    made = line_chart("<b>", {"<script>": FALLING}, across="<i>")
    assert "<script>" in words(made)

import numpy as np
import pytest

from handgrad.errors import ShapeError
from handgrad.layers import BatchNorm2d, Conv2d, Flatten, Linear, ReLU, Residual, Sequential
from handgrad.layers.summary import summary, summary_rows

MODEL = Sequential(
    Conv2d(1, 4, 3, padding=1),
    Residual(Sequential(Conv2d(4, 4, 3, padding=1, bias=False), BatchNorm2d(4))),
    ReLU(),
    Flatten(),
    Linear(4 * 36, 10),
)


def test_rows_follow_the_forward_pass_and_open_containers() -> None:
    rows = summary_rows(MODEL, (1, 6, 6))
    assert [(row.name, row.kind) for row in rows] == [
        ("0", "Conv2d"),
        ("1.branch.0", "Conv2d"),
        ("1.branch.1", "BatchNorm2d"),
        ("1", "Residual"),
        ("2", "ReLU"),
        ("3", "Flatten"),
        ("4", "Linear"),
    ]
    assert [row.output_shape for row in rows[-3:]] == [(4, 6, 6), (144,), (10,)]


def test_totals_are_the_models_own() -> None:
    rows = summary_rows(MODEL, (1, 6, 6))
    model = MODEL.initialize(np.random.default_rng(0))
    assert sum(row.parameters for row in rows) == model.parameters.count
    assert sum(row.flops for row in rows) == model.flops((1, 6, 6))


def test_columns_stay_aligned_and_end_with_the_totals() -> None:
    lines = summary(MODEL, (1, 6, 6)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["layer", "output", "parameters", "FLOPs"]
    assert lines[-1].split()[:2] == ["total", f"{MODEL.initialize(np.random.default_rng(0)).parameters.count:,}"]


def test_an_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="channels"):
        summary(MODEL, (3, 6, 6))

import numpy as np
import pytest
from discovery import LAYER_KINDS
from shown import shown

import handgrad as hg
from handgrad.layers.summary import summary_rows

MODEL = hg.Sequential(
    hg.Conv2d(1, 4, 3, padding=1),
    hg.Residual(hg.Sequential(hg.ReLU(), hg.BatchNorm2d(4))),
    hg.Flatten(),
    hg.Linear(64, 3),
)


class Named(hg.ReLU):
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize("kind", LAYER_KINDS, ids=lambda kind: kind.__name__)
def test_every_layer_is_shown_and_its_formulas_with_it(kind: type[hg.Layer]) -> None:
    read = shown(kind.example()[0])
    assert kind.__name__ in read.text
    assert "details" in read.tags
    assert len(read.source) < 12_000


def test_rows_tell_layers_shapes_and_parameters() -> None:
    model = hg.Sequential(hg.Linear(784, 128), hg.ReLU(), hg.Linear(128, 10))
    assert shown(model).rows == [
        ["layer", "settings", "output", "parameters"],
        ["0 Linear", "in_features=784, out_features=128, has_bias=True", "128", "100,480"],
        ["1 ReLU", "", "128", "0"],
        ["2 Linear", "in_features=128, out_features=10, has_bias=True", "10", "1,290"],
    ]


def test_where_the_size_of_the_images_is_unknown_no_shape_is_guessed() -> None:
    read = shown(MODEL)
    assert read.rows[0] == ["layer", "settings", "parameters"]
    assert [row[0] for row in read.rows[1:]] == [
        "0 Conv2d",
        "1.branch.0 ReLU",
        "1.branch.1 BatchNorm2d",
        "1 Residual",
        "2 Flatten",
        "3 Linear",
    ]
    assert "handgrad.summary(model, input_shape)" in read.text


def test_a_linear_layer_behind_one_that_needs_images_gives_no_shape() -> None:
    assert shown(hg.Sequential(hg.MaxPool2d(2), hg.Flatten(), hg.Linear(4, 2))).rows[0] == [
        "layer",
        "settings",
        "parameters",
    ]


def test_a_layer_that_is_not_finished_is_shown_all_the_same() -> None:
    class Begun(hg.ReLU):
        def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            raise NotImplementedError

    assert [row[0] for row in shown(hg.Sequential(hg.Linear(2, 3), Begun())).rows[1:]] == ["0 Linear", "1 Begun"]


def test_the_heading_tells_whether_there_are_parameters_yet() -> None:
    model = hg.Sequential(hg.Linear(2, 3))
    assert "1 layer, 9 parameters; not initialized yet" in shown(model).text
    assert "1 layer, 9 parameters, float64" in shown(model.initialize(np.random.default_rng(0), dtype="float64")).text
    assert "not initialized" not in shown(hg.ReLU()).text


def test_a_summary_is_the_same_text_and_in_a_notebook_a_table() -> None:
    table = hg.summary(MODEL, (1, 4, 4))
    rows = shown(table).rows
    totals = sum(row.parameters for row in summary_rows(MODEL, (1, 4, 4)))
    assert rows[-1][2] == f"{totals:,}"
    assert [" ".join(row).split() for row in rows] == [line.split() for line in table.splitlines()]


def test_settings_of_a_layer_of_ones_own_are_escaped_and_cut() -> None:
    assert "name='<script>'" in shown(Named("<script>")).text
    long = shown(Named("x" * 10_000))
    assert len(long.rows[1][1]) == 120
    assert long.rows[1][1].endswith("…")


def test_an_empty_model_is_shown() -> None:
    assert "0 layers, 0 parameters" in shown(hg.Sequential()).text


def test_the_text_stays_as_it_was() -> None:
    assert repr(hg.Sequential(hg.ReLU())) == "Sequential(ReLU())"
    assert repr(hg.summary(hg.Linear(2, 3), (2,))).startswith("'layer")

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from handgrad.data import Dataset, load
from handgrad.inspection import plots
from handgrad.inspection.pictures import draw
from handgrad.training import Epoch, Experiment, History, Recipe, Scores, predict
from handgrad.training.evaluation import confusion_counts


def labels_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def images_of(figure: Figure) -> list["np.ndarray[Any, Any]"]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def test_the_gallery_shows_the_first_images_with_their_labels() -> None:
    splits = load("mnist")
    figure = plots.gallery(splits.train, splits.test)
    labels = [str(label) for label in [*splits.train.labels[:10], *splits.test.labels[:10]]]
    assert labels_of(figure) == [*labels, "training", "test"]
    assert np.array_equal(images_of(figure), [*splits.train.inputs[:10], *splits.test.inputs[:10]])


def test_a_gallery_of_few_images_leaves_the_rest_empty(tiny: Path) -> None:
    splits = load(tiny)
    assert len(images_of(plots.gallery(splits.train[:2], splits.test[:1]))) == 3


def test_each_image_stands_below_its_label_and_none_in_the_way_of_another() -> None:
    splits = load("mnist")
    axis = plots.gallery(splits.train, splits.test, count=3).axes[0]
    boxes = [image.get_extent() for image in axis.images]
    for (left, right, bottom, top), label in zip(boxes, axis.texts, strict=False):
        x, y = label.get_position()
        assert left < x < right
        assert top - 0.3 < y < top < bottom
    assert len({(left, top) for left, _, _, top in boxes}) == 6
    columns = sorted({(left, right) for left, right, _, _ in boxes})
    assert all(right < following for (_, right), (following, _) in itertools.pairwise(columns))


@pytest.mark.parametrize(("names", "panels"), [((), 1), (("test",), 2), (("validation", "test"), 2)])
def test_the_curves_are_the_history(names: tuple[str, ...], panels: int) -> None:
    epochs = [
        Epoch(n, 1 / n, {name: Scores(2 / n, 1 - 1 / n, 10) for name in names}, 0.1, 1.0, 0.5) for n in range(1, 6)
    ]
    figure = plots.curves(History(epochs=epochs))
    assert len(figure.axes) == panels
    drawn = figure.axes[0].lines
    assert [line.get_label() for line in drawn] == ["train", *sorted(names, reverse=True)]
    assert list(np.asarray(drawn[0].get_ydata())) == [epoch.train_loss for epoch in epochs]
    if names:
        assert list(np.asarray(figure.axes[1].lines[0].get_ydata())) == [1 - 1 / n for n in range(1, 6)]


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_epochs_are_whole(count: int) -> None:
    epochs = [Epoch(n, 1 / n, {}, 0.1, 1.0, 0.5) for n in range(1, count + 1)]
    ticks = plots.curves(History(epochs=epochs)).axes[0].get_xticks()
    assert len(ticks)
    assert all(tick == int(tick) for tick in ticks)


def test_the_confusion_matrix_counts_true_rows_and_predicted_columns() -> None:
    counts = confusion_counts(np.array([0, 1, 1, 2]), np.array([0, 2, 1, 2]), 3)
    assert counts.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    figure = plots.confusion(counts, ["a", "b", "c"])
    axis = figure.axes[0]
    written = {text.get_position(): text.get_text() for text in axis.texts}
    assert written == {(0, 0): "1", (1, 1): "1", (2, 1): "1", (2, 2): "1"}
    assert axis.get_title() == "3 of 4 right (75.00%)"


def test_the_worst_mistake_comes_first() -> None:
    images = np.zeros((4, 5, 5), np.uint8)
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.99, 0.01]])
    figure = plots.mistakes(images, np.array([0, 1, 0, 1]), probabilities)
    assert labels_of(figure) == ["1 → 0  99%", "1 → 0  90%", "0 → 1  80%"]


def test_images_keep_their_proportions() -> None:
    dataset = Dataset(np.ones((2, 4, 8), np.uint8), np.array([0, 1]), "wide", 2)
    left, right, bottom, top = plots.gallery(dataset, dataset).axes[0].images[0].get_extent()
    assert right - left == pytest.approx(2 * (bottom - top))


def test_one_mistake_leaves_room_for_the_heading() -> None:
    images, labels = np.zeros((30, 5, 5), np.uint8), np.ones(30, int)
    few, many = (plots.mistakes(images[:n], labels[:n], np.tile([0.9, 0.1], (n, 1))) for n in (1, 30))
    assert few.get_figwidth() == many.get_figwidth()


def test_no_mistakes_is_said() -> None:
    figure = plots.mistakes(np.zeros((1, 5, 5), np.uint8), np.array([0]), np.array([[1.0, 0.0]]))
    assert figure.get_suptitle() == "No mistakes"
    assert plots.save(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("weight", "shape"), [(np.arange(80.0).reshape(5, 16), (4, 4)), (np.arange(85.0).reshape(5, 17), (4, 4))]
)
def test_first_layer_weights_leave_a_bias_column_out(weight: "np.ndarray[Any, Any]", shape: tuple[int, ...]) -> None:
    figure = plots.first_layer_weights(weight, shape)
    assert np.array_equal(images_of(figure)[1], weight[1, :16].reshape(4, 4))


def test_many_units_are_cut_to_the_limit() -> None:
    figure = plots.first_layer_weights(np.ones((100, 4)), (2, 2))
    assert "the first 64 of 100" in figure.get_suptitle()


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ("xor", {"curves", "plane"}),
        ("points", {"curves", "confusion", "plane"}),
        ("mlp", {"curves", "gallery", "weights", "confusion", "mistakes"}),
        ("cnn", {"curves", "gallery", "weights", "confusion", "mistakes"}),
    ],
)
def test_a_run_gets_the_pictures_that_fit(recipe: str, names: set[str], tiny: Path) -> None:
    chosen = Recipe.load(recipe)
    if chosen.data.dataset == "mnist":
        chosen = chosen.override({"data.dataset": str(tiny)})
    experiment = Experiment.prepare(chosen)
    list(experiment.trainer.run(1))
    figures = dict(draw(experiment))
    assert set(figures) == names
    for figure in figures.values():
        assert plots.save(figure).startswith(b"\x89PNG")


def test_distorted_training_images_are_shown_below_the_originals(tiny: Path) -> None:
    changes = {"data.dataset": str(tiny), "augment.translation": 2, "augment.elastic_alpha": 1}
    experiment = Experiment.prepare(Recipe.load("mlp").override(changes))
    list(experiment.trainer.run(1))
    figure = dict(draw(experiment))["distortions"]
    shown = images_of(figure)
    assert len(shown) == 50
    assert np.array_equal(shown[:10], experiment.trainer.train.dataset.inputs[:10])
    assert all(not np.array_equal(shown[index], shown[index - 10]) for index in range(10, 50))
    assert plots.save(figure).startswith(b"\x89PNG")


def test_colour_and_single_channel_images_are_shown() -> None:
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        dataset = Dataset(rng.integers(0, 256, (3, 6, 6, channels)).astype(np.uint8), np.array([0, 1, 2]), "c", 3)
        assert plots.save(plots.gallery(dataset, dataset)).startswith(b"\x89PNG")
    figure = plots.first_layer_weights(np.arange(2 * 108.0).reshape(2, 108), (6, 6, 3))
    assert images_of(figure)[0].shape == (6, 6)


def test_many_classes_get_a_matrix_without_numbers() -> None:
    figure = plots.confusion(np.eye(300, dtype=int), [str(c) for c in range(300)])
    assert not figure.axes[0].texts
    assert figure.get_figwidth() < 10


def test_mistakes_use_the_losss_own_probabilities(tiny: Path) -> None:
    changes = {"data.dataset": str(tiny), "loss": {"name": "cross_entropy"}, "model.output_activation": "Softmax"}
    experiment = Experiment.prepare(Recipe.load("mlp").override(changes))
    list(experiment.trainer.run(1))
    shown = [title for title in labels_of(dict(draw(experiment))["mistakes"]) if "→" in title]
    outputs = predict(experiment.model, experiment.test)
    wrong = outputs[outputs.argmax(axis=1) != experiment.test.dataset.labels]
    assert {title.split()[-1] for title in shown} <= {f"{row.max():.0%}" for row in wrong}


def test_a_first_layer_that_does_not_see_the_image_is_not_drawn_as_one(tiny: Path) -> None:
    features = [{"name": "MaxPool2d", "kernel_size": 2}, {"name": "Flatten"}]
    changes = {"data.dataset": str(tiny), "data.layout": "image", "model.features": features, "model.hidden": [32]}
    experiment = Experiment.prepare(Recipe.load("mlp").override(changes))
    list(experiment.trainer.run(1))
    assert "weights" not in dict(draw(experiment))


def test_learning_rates_are_drawn_with_the_chosen_one_and_those_that_broke_down() -> None:
    losses = {0.01: 2.2, 0.1: 0.7, 1.0: 1.1, 10.0: np.inf}
    figure = plots.learning_rates(losses, 0.1, first=2.4)
    axis = figure.axes[0]
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "linear")
    _, line, chosen = axis.get_lines()
    assert np.allclose(line.get_xydata(), [[0.01, 2.2], [0.1, 0.7], [1, 1.1], [10, 1.15 * 2.4]])
    assert np.allclose(chosen.get_xydata(), [[0.1, 0.7]])
    assert labels_of(figure) == ["broke down"]
    assert axis.get_ylim()[1] > 1.15 * 2.4


def test_losses_far_apart_have_a_logarithmic_axis() -> None:
    axis = plots.learning_rates({0.1: 2.0, 1.0: 0.02}, 0.1, first=9000.0).axes[0]
    assert axis.get_yscale() == "log"

"""Pictures of data, training and weights. Each function returns a Matplotlib figure; `save` writes it as PNG."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from handgrad.data.datasets import Dataset
from handgrad.display.numbers import is_steep
from handgrad.training.evaluation import worst_mistakes
from handgrad.training.history import Epoch, History

Images: TypeAlias = np.ndarray[Any, Any]

# Okabe and Ito's colours, which people with colour-blindness can tell apart.
_COLOURS = {"train": "#0072B2", "validation": "#E69F00", "test": "#D55E00"}
_GREY = "#666666"
_DPI = 130


class Picture(Figure):
    """A figure that a notebook shows by itself; others it only shows where pyplot has been imported."""

    def _repr_png_(self) -> bytes:
        return save(self)


def save(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def gallery(train: Dataset, test: Dataset, count: int = 10) -> Figure:
    """The first training and test images, each with its label.

    Args:
        train: images (N, H, W) or (N, H, W, C).
        test: the same.
        count: images of each.
    """
    datasets = (train[:count], test[:count])
    captions = [[str(label) for label in dataset.labels] for dataset in datasets]
    return _sheet([dataset.inputs for dataset in datasets], captions, names=("training", "test"))


def distortions(originals: Images, distorted: Images) -> Figure:
    """Training images as they are, and below each how the network may see it.

    Args:
        originals: (n, H, W) or (n, H, W, C).
        distorted: (rows, n, H, W) or (rows, n, H, W, C).
    """
    return _sheet((originals, *distorted), names=("original", "distorted"))


def curves(history: History) -> Figure:
    """Loss and accuracy by epoch: training, validation and test, as far as they were recorded."""
    epochs = [epoch for epoch in history.epochs if epoch.complete] or history.epochs
    names = sorted({name for epoch in epochs for name in epoch.scores}, reverse=True)
    has_accuracy = any(not math.isnan(scores.accuracy) for epoch in epochs for scores in epoch.scores.values())
    figure = Picture(figsize=(9.5 if has_accuracy else 5.2, 3.8), layout="constrained")
    panels = figure.subplots(1, 2 if has_accuracy else 1, squeeze=False)[0]
    _line(panels[0], epochs, lambda epoch: epoch.train_loss, "train")
    for name in names:
        _line(panels[0], epochs, lambda epoch, name=name: epoch.scores[name].loss, name)  # type: ignore[misc]
        if has_accuracy:
            _line(panels[1], epochs, lambda epoch, name=name: epoch.scores[name].accuracy, name)  # type: ignore[misc]
    _finish(panels[0], "mean loss")
    if has_accuracy:
        _finish(panels[1], "accuracy")
        panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
    return figure


def learning_rates(losses: Mapping[float, float], chosen: float, first: float) -> Figure:
    """The loss that short trainings reach, over their learning rates.

    Args:
        losses: by learning rate; one that broke down is infinite.
        chosen: the learning rate that is set.
        first: the loss before training.
    """
    figure = Picture(figsize=(5.2, 3.8), layout="constrained")
    axis = figure.subplots()
    finite = [loss for loss in (first, *losses.values()) if math.isfinite(loss)] or [1.0]
    steep = is_steep(finite)
    highest = (3 if steep else 1.15) * max(finite)
    shown = {rate: min(loss, highest) for rate, loss in sorted(losses.items())}
    axis.axhline(first, color=_GREY, linestyle=":", label="before training")
    axis.plot(list(shown), list(shown.values()), color=_COLOURS["train"], marker="o", label="after a short training")
    axis.plot(
        chosen, shown[chosen], color=_COLOURS["test"], marker="o", markersize=10, linestyle="", label="as it is set"
    )
    for rate, loss in losses.items():
        if loss > highest:
            axis.annotate("broke down", (rate, highest), (-8, -3), textcoords="offset points", ha="right", fontsize=8)
    axis.set_xscale("log")
    axis.set_yscale("log" if steep else "linear")
    axis.set_ylim(None if steep else 0, (1.5 if steep else 1.05) * highest)
    axis.set_xlabel("learning rate")
    axis.set_ylabel("mean loss")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    return figure


def confusion(counts: "np.ndarray[Any, Any]", names: Sequence[str]) -> Figure:
    """How often each class was taken for each other; right answers are on the diagonal and left uncoloured.

    Args:
        counts: (C, C), row the true class, column the predicted one.
        names: of the classes.
    """
    few = len(names) <= 40  # of more classes neither numbers nor names can be read
    size = max(4.4, 0.52 * len(names) + 1.2) if few else 8.0
    figure = Picture(figsize=(size + 0.4, size), layout="constrained")
    axis = figure.subplots()
    wrong = counts * (1 - np.eye(len(names), dtype=counts.dtype))
    axis.imshow(np.ma.masked_equal(wrong, 0), cmap="Oranges", vmin=0, vmax=max(1, wrong.max() * 1.25))
    if few:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                weight = "bold" if row == column else "normal"
                axis.text(column, row, str(count), ha="center", va="center", fontsize=8, weight=weight, color="#222222")
        axis.set_xticks(range(len(names)), names)
        axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    right, total = int(np.trace(counts)), int(counts.sum())
    axis.set_title(f"{right:,} of {total:,} right ({right / max(1, total):.2%})", fontsize=11)
    axis.tick_params(length=0)
    return figure


def mistakes(images: Images, labels: "np.ndarray[Any, Any]", probabilities: "np.ndarray[Any, Any]") -> Figure:
    """The test images that the network got wrong with most conviction.

    Args:
        images: (N, H, W) or (N, H, W, C).
        labels: integers (N,).
        probabilities: (N, C).
    """
    predicted = probabilities.argmax(axis=1)  # (N, C) → (N,)
    wrong = worst_mistakes(labels, probabilities)
    worst = wrong[:24]
    guesses = predicted[worst]
    captions = [
        f"{true} → {guess}  {share:.0%}"
        for true, guess, share in zip(labels[worst], guesses, probabilities[worst, guesses], strict=True)
    ]
    heading = f"{len(wrong):,} of {len(labels):,} wrong; the worst {len(worst)}: true → predicted, with its probability"
    figure = _sheet(_lines(images[worst], 8), _lines(captions, 8), inches=1.05, columns=8)
    figure.suptitle(heading if len(wrong) else "No mistakes", fontsize=10)
    return figure


def first_layer_weights(weight: "np.ndarray[Any, Any]", shape: tuple[int, ...], limit: int = 64) -> Figure:
    """What each unit of the first layer looks for: blue weights want light, red ones dark.

    Args:
        weight: (units, H·W·C) with or without a last column for the bias, or convolution kernels (O, C, kh, kw).
        shape: (H, W) or (H, W, C) of the images.
        limit: units shown.
    """
    tiles = weight_tiles(weight, shape)[:limit]
    bound = float(np.quantile(np.abs(tiles), 0.995)) or 1.0
    rows = _lines(tiles, 16 if len(tiles) > 32 else 8)
    figure = _sheet(rows, inches=0.7, framed=False, cmap="RdBu", vmin=-bound, vmax=bound)
    shown = "" if len(weight) <= limit else f", the first {limit} of {len(weight)}"
    figure.suptitle(f"First-layer weights{shown}  (±{bound:.2g})", fontsize=10)
    return figure


def weight_tiles(weight: Images, shape: tuple[int, ...]) -> Images:
    """The weights of each unit of a first layer as a picture, (units, H, W).

    Args:
        weight: as `first_layer_weights` takes it.
        shape: (H, W) or (H, W, C) of the images.
    """
    return _kernel_tiles(weight) if weight.ndim == 4 else _linear_tiles(weight, shape)


def _kernel_tiles(weight: Images) -> Images:
    """Kernels, averaged over their input channels: (O, C, kh, kw) → (O, kh, kw)."""
    return np.asarray(weight.mean(axis=1))


def _linear_tiles(weight: Images, shape: tuple[int, ...]) -> Images:
    """Rows in the shape of the image, without a bias column, averaged over colours: (units, …) → (units, H, W)."""
    tiles = weight[:, : math.prod(shape)].reshape(-1, *shape)  # (units, H·W·C [+ 1]) → (units, H, W[, C])
    return np.asarray(tiles.mean(axis=3)) if tiles.ndim == 4 else tiles


def plane(dataset: Dataset, predict: Callable[[Images], Images]) -> Figure:
    """For inputs with two numbers: the data, over the output at every point of the plane.

    Args:
        dataset: inputs (N, 2), labels (N,) of two classes or targets (N, 1).
        predict: from inputs (M, 2) to outputs (M, 1) or probabilities (M, 2); the last column is drawn.
    """
    low, high = dataset.inputs.min(axis=0), dataset.inputs.max(axis=0)  # (N, 2) → (2,)
    margin = 0.25 * (high - low)
    x, y = (np.linspace(low[a] - margin[a], high[a] + margin[a], 200) for a in range(2))
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # (200, 200, 2) → (40000, 2)
    surface = predict(points.astype(np.float32))[:, -1].reshape(200, 200)  # (40000,) → (200, 200)
    figure = Picture(figsize=(5.2, 4.3), layout="constrained")
    axis = figure.subplots()
    mesh = axis.pcolormesh(x, y, surface, cmap="RdBu_r", vmin=0, vmax=1, shading="auto", rasterized=True)
    axis.contour(x, y, surface, levels=[0.5], colors="#222222", linewidths=1)
    targets = dataset.labels.reshape(-1)  # (N,) or (N, 1) → (N,)
    first, second = dataset.inputs.T  # (N, 2) → (N,) each
    axis.scatter(first, second, c=targets, cmap="RdBu_r", vmin=0, vmax=1, edgecolors="white", s=70, zorder=3)
    figure.colorbar(mesh, ax=axis, label="output for class 1")
    axis.set_xlabel("first input")
    axis.set_ylabel("second input")
    return figure


def _sheet(
    rows: Sequence[Images],
    captions: Sequence[Sequence[str]] = (),
    *,
    names: Sequence[str] = (),
    inches: float = 0.8,
    columns: int = 1,
    framed: bool = True,
    **style: Any,
) -> Figure:
    """Rows of images, all in one pair of axes: drawing one for each took twice as long.

    Args:
        rows: of images (n, H, W) or (n, H, W, C).
        captions: a line above each image.
        names: of the first rows.
        inches: from one image to the next.
        columns: at least so many fit beside each other, however few there are.
        framed: whether a grey line goes round each image.
        style: for `imshow`.
    """
    side, line = 0.92, 0.3 if captions else 0.0  # of an image, and of its caption; the step to the next image is 1
    places = [(row, column) for row, images in enumerate(rows) for column in range(len(images))]
    left, right = -0.25 if names else -0.08, max([columns, *(len(images) for images in rows)])
    bottom = max(1, len(rows)) * (1 + line)
    figure = Picture(figsize=((right - left) * inches, bottom * inches + 0.3), layout="constrained")
    axis = figure.subplots()
    for row, column in places:
        top = row * (1 + line) + line
        image = _as_drawn(rows[row][column])
        height, width = (side * length / max(image.shape[:2]) for length in image.shape[:2])
        start = column + (side - width) / 2
        axis.imshow(image, extent=(start, start + width, top + height, top), **{"cmap": "gray_r"} | style)
        if framed:
            axis.add_patch(Rectangle((start, top), width, height, fill=False, color="#CCCCCC", linewidth=0.8))
        if captions:
            axis.text(column + side / 2, top - 0.06, captions[row][column], size=8, ha="center")
    for row, name in enumerate(names):
        middle = row * (1 + line) + line + side / 2
        axis.text(-0.1, middle, name, color=_GREY, rotation=90, ha="right", va="center")
    axis.set(xlim=(left, right), ylim=(bottom, 0), aspect="equal")
    axis.set_axis_off()
    return figure


def _lines(things: Any, count: int) -> list[Any]:
    """A sequence in pieces of `count`."""
    return [things[start : start + count] for start in range(0, len(things), count)]


def _as_drawn(image: Images) -> Images:
    """(H, W, 1) → (H, W); others as they are."""
    return image.reshape(image.shape[:2]) if image.shape[2:] == (1,) else image


def _line(axis: Axes, epochs: Sequence[Epoch], value: Callable[[Epoch], float], name: str) -> None:
    values = [value(epoch) for epoch in epochs]
    marker = "o" if len(epochs) <= 40 else ""
    colour = _COLOURS.get(name, _GREY)
    axis.plot([epoch.number for epoch in epochs], values, marker=marker, markersize=4, color=colour, label=name)


def _finish(axis: Axes, label: str) -> None:
    axis.set_xlabel("epoch")
    axis.set_ylabel(label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.grid(color="#E6E6E6", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)

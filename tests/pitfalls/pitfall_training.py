"""A small network on a part of MNIST, trained in every way that `measure.py` compares."""

import functools
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from handgrad.data import Dataset, Loader, Preprocessing, datasets
from handgrad.layers import Layer, Linear, ReLU, Sequential
from handgrad.losses import Loss, SoftmaxCrossEntropy
from handgrad.ops import ReferenceOps
from handgrad.optimizers import SGD, Optimizer
from handgrad.training import Trainer, TrainingError, evaluate

#: A row of a table: what stands in each column.
Row: TypeAlias = dict[str, float | str | None]

LEARNING_IMAGES, SCORING_IMAGES = 32_000, 10_000  # 32,000: every batch is full, whether of 10, 64 or 1000
HIDDEN, BATCH, EPOCHS, RATE = 64, 64, 2, 0.1
CANDIDATE_IMAGES, CANDIDATE_BATCH, CANDIDATE_EPOCHS = 500, 50, 10
PLAIN, UNIT = SGD(RATE), Preprocessing()
REFERENCE = ReferenceOps(np)  # the page shows its code, so it is what is measured


@functools.cache
def images() -> tuple[Dataset, Dataset]:
    """What is learned from, and what is scored."""
    train = datasets.load("mnist").train
    return train[:LEARNING_IMAGES], train[-SCORING_IMAGES:]


def network(
    first: Callable[[int, int], Layer] = Linear,
    last: Callable[[int, int], Layer] | None = None,
    activation: Callable[[], Layer] = ReLU,
    tail: tuple[Layer, ...] = (),
) -> Sequential:
    """784 → 64 → 10; `last` makes the output layer, where it is not made as the first one is."""
    return Sequential(first(784, HIDDEN), activation(), (last or first)(HIDDEN, 10), *tail)


def train(
    run: str,
    model: Sequential,
    loss: Loss,
    optimizer: Optimizer = PLAIN,
    *,
    batch: int = BATCH,
    preprocessing: Preprocessing = UNIT,
    seed: int = 0,
) -> Row:
    """Train a network, and say how it went."""
    learning, scoring = images()
    model.initialize(np.random.default_rng([seed, 0]), ops=REFERENCE)
    loader = Loader(learning, batch, preprocessing=preprocessing, rng=np.random.default_rng([seed, 1]))
    trainer = Trainer(model, loss, optimizer, train=loader)
    accuracy = None
    with np.errstate(all="ignore"):
        try:
            for _ in trainer.run(EPOCHS):
                pass
            last: float | str = trainer.history.epochs[-1].train_loss
            accuracy = evaluate(model, loss, Loader(scoring, 1000, preprocessing=preprocessing)).accuracy
        except TrainingError as error:
            value = "infinite" if "became inf" in str(error) else "NaN"
            value += " gradient" if "gradient's norm" in str(error) else ""
            last = f"{value} at step {len(trainer.history.steps) + 1}"
        except ValueError as error:  # NumPy's, about shapes that do not fit
            last = f"`{error}`".replace(" () `", "`")
    first = trainer.history.steps[0].loss if trainer.history.steps else None
    return {"run": run, "first loss": first, f"loss in epoch {EPOCHS}": last, "accuracy": accuracy}


def candidate_hits(rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where a small network with randomly drawn settings is right, among the images that are scored."""
    learning, scoring = images()
    width, rate = int(rng.integers(8, 65)), float(10 ** rng.uniform(-1.5, -0.5))
    model = Sequential(Linear(784, width), ReLU(), Linear(width, 10)).initialize(rng, ops=REFERENCE)
    some = learning[rng.choice(len(learning), CANDIDATE_IMAGES, replace=False)]
    loader = Loader(some, CANDIDATE_BATCH, preprocessing=UNIT, rng=rng)
    for _ in Trainer(model, SoftmaxCrossEntropy(), SGD(rate), train=loader).run(CANDIDATE_EPOCHS):
        pass
    outputs = model(UNIT(scoring.inputs))
    hits: npt.NDArray[np.bool_] = outputs.argmax(axis=1) == scoring.labels
    return hits

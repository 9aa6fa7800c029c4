"""What the lessons show, measured: `python -m handgrad.web.measuring LESSON VARIANT` in a process of its own.

It trains a network and writes one safetensors file to standard output, as the page takes it. MNIST's test data take no
part: whatever is called "test" here was set aside from the training images.
"""

import sys
import time
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.data.datasets import Dataset, Splits, load
from handgrad.data.loader import Loader
from handgrad.inspection.doctor import doctor
from handgrad.inspection.signals import Signal, signals
from handgrad.layers import ReLU
from handgrad.ops import limit_threads
from handgrad.training.assembly import build_trainer, scoring_loader
from handgrad.training.evaluation import confusion_counts, evaluate, predict
from handgrad.training.experiment import Experiment
from handgrad.training.history import Step
from handgrad.training.trainer import Trainer, TrainingError
from handgrad.web.arrays import arrays_response
from handgrad.web.description import title
from handgrad.web.lesson_cases import CASES, LEARNED, SCORED, Case
from handgrad.web.processes import give_way

#: Points of a loss curve, images that layers are looked at with, units whose weights are shown.
_POINTS, _LOOKED_AT, _SHOWN = 120, 256, 12

Arrays = dict[str, NDArray[Any]]


def measure(case: Case) -> tuple[Arrays, dict[str, Any]]:
    """Ask the doctor about a network, train it, and look at it before and after.

    Args:
        case: the network and its data.

    Returns:
        arrays: "losses" (K, 2), of each point the step and the mean loss of the steps up to it; "confusion" (10, 10),
            how often each class of the scored images (row) was taken for each (column); "change" (12, 784), by how
            much the weights of the first hidden units were changed.
        about: everything else, as plain values.
    """
    started = time.perf_counter()
    images = load("mnist").train
    images = images[np.random.default_rng(7).permutation(len(images))]
    learned, scored = case.data(images)
    experiment = Experiment.prepare(case.recipe, splits=Splits(learned, scored))
    trainer = _trainer(case, experiment)
    findings = doctor(trainer, test=scored, epochs=case.recipe.train.epochs)
    before, weights = _layers(experiment), _first_weights(experiment)
    losses, stopped = _train(trainer, case.recipe.train.epochs)
    answers = predict(experiment.model, experiment.test).argmax(axis=1)  # (N, C) → (N,)
    change = _first_weights(experiment) - weights
    arrays = {
        "losses": _thinned(losses),
        "confusion": confusion_counts(scored.labels, answers, 10),
        "change": change[:_SHOWN],
    }
    few = np.random.default_rng(1).permutation(len(learned))[:SCORED]
    scores = {"train": learned[few], "test": scored, "fresh": images[LEARNED : LEARNED + SCORED]}
    about = _settings(case, len(learned)) | {
        "steps": len(losses),
        "first_loss": losses[0],
        "looked_at": min(_LOOKED_AT, len(learned)),
        "stopped": stopped,
        "scores": {name: _score(experiment, dataset) for name, dataset in scores.items()},
        "moved": float(np.linalg.norm(change) / np.linalg.norm(weights)) if weights.any() else None,
        "input": before[0],
        "layers": [{"before": was, "after": now} for was, now in zip(before[1:], _layers(experiment)[1:], strict=True)],
        "findings": [asdict(finding) for finding in findings],
        "seconds": time.perf_counter() - started,
    }
    return arrays, about


def _settings(case: Case, examples: int) -> dict[str, Any]:
    recipe = case.recipe
    return {
        "setting": dict(case.setting),
        "examples": examples,
        "batch_size": recipe.train.batch_size,
        "learning_rate": recipe.optimizer["learning_rate"],
        "epochs": recipe.train.epochs,
    }


def _trainer(case: Case, experiment: Experiment) -> Trainer:
    """The experiment's own; or one that never shuffles, which no recipe can ask for."""
    if case.shuffled:
        return experiment.trainer
    recipe, rng = case.recipe, np.random.default_rng(0)
    dataset = experiment.trainer.train.dataset
    in_order = Loader(dataset, recipe.train.batch_size, preprocessing=experiment.preprocessing)
    return build_trainer(recipe, experiment.model, experiment.loss, train=in_order, monitors={}, rng=rng)


def _train(trainer: Trainer, epochs: int) -> tuple[list[float], str]:
    """The loss of every step, and why there are no more, if training broke down."""
    losses: list[float] = []
    try:
        for event in trainer.run(epochs=epochs):
            if isinstance(event, Step):
                losses.append(event.loss)
    except TrainingError as error:
        return losses or [float("nan")], str(error)
    return losses, ""


def _thinned(losses: list[float]) -> NDArray[np.float64]:
    """A curve of few points, (K, 2): the last step of each stretch, and its mean loss.

    >>> _thinned([3.0, 1.0]).tolist()
    [[1.0, 3.0], [2.0, 1.0]]
    """
    stretches = np.array_split(np.asarray(losses), min(_POINTS, len(losses)))
    ends = np.cumsum([len(stretch) for stretch in stretches])
    return np.column_stack([ends, [stretch.mean() for stretch in stretches]])


def _score(experiment: Experiment, dataset: Dataset) -> dict[str, Any]:
    return asdict(evaluate(experiment.model, experiment.loss, scoring_loader(dataset, experiment.preprocessing)))


def _layers(experiment: Experiment) -> list[dict[str, Any]]:
    """The input, then every layer as it is now, seen on a few of the images that it learns from."""
    dataset = experiment.trainer.train.dataset
    rows = np.random.default_rng(2).permutation(len(dataset))[:_LOOKED_AT]
    batch = Loader(dataset[rows], None, preprocessing=experiment.preprocessing)[0]
    found = signals(experiment.model, experiment.loss, *batch)
    first = {"title": "", "size": _size(batch.inputs), "idle": None, "gradient": None}
    return [first, *map(_layer, found)]


def _layer(signal: Signal) -> dict[str, Any]:
    """Its outputs' root mean square, the share of its units that pass no gradient on, its parameters' gradient."""
    return {
        "title": title(signal.layer),
        "size": _size(signal.output),
        "idle": float(signal.dead.mean()) if isinstance(signal.layer, ReLU) else signal.saturated,
        "gradient": signal.gradient_norm,
    }


def _first_weights(experiment: Experiment) -> NDArray[Any]:
    """Of the first layer, (out, in)."""
    return np.array(experiment.model.parameters.state_dict()["0.weight"])


def _size(array: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64))))


def main(lesson: str, variant: str) -> None:
    """Measure one network of a lesson, and write what was found to standard output."""
    give_way()
    with limit_threads(1):
        arrays, about = measure(CASES[lesson][variant])
    sys.stdout.buffer.write(bytes(arrays_response(arrays, about).body))


if __name__ == "__main__":
    main(*sys.argv[1:])

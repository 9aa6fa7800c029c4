"""A process that trains one candidate of a sweep after another, as it is told on its standard input.

Messages are lines of JSON. It is given a recipe once, then changes to try; after an epoch it says its score and waits
to hear whether to go on. It knows nothing of the study, so that it can be killed at any moment.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from handgrad.data.datasets import Splits
from handgrad.errors import HandgradError
from handgrad.ops import limit_threads
from handgrad.training.assembly import load_data
from handgrad.training.experiment import Experiment
from handgrad.training.history import Epoch
from handgrad.training.recipe import Recipe
from handgrad.training.trainer import TrainingError

#: Of a training at most, so that a database is not kept busy by ten thousand short epochs.
_SCORES = 50


def serve(commands: TextIO, answers: TextIO) -> None:
    """Try what is asked for, one thing after another.

    Args:
        commands: lines of JSON.
        answers: lines of JSON go there.

    Raises:
        EOFError, BrokenPipeError: nobody asks any more.
    """
    order = _hear(commands)
    recipe = Recipe.from_dict(order["recipe"])
    with limit_threads(order["threads"]):
        splits = load_data(recipe.data)
        while True:
            changes = _hear(commands)
            try:
                told = _train(recipe.override(changes), splits, commands, answers)
            except TrainingError as error:
                told = {"ended": f"diverged: {error}"}
            except HandgradError as error:
                told = {"ended": str(error)}
            _tell(answers, told)


def _train(recipe: Recipe, splits: Splits, commands: TextIO, answers: TextIO) -> dict[str, Any]:
    """Train a candidate to its end, or until it is told that others are better."""
    started, experiment = time.perf_counter(), Experiment.prepare(recipe, splits=splits)
    trainer = experiment.trainer
    every = -(-recipe.train.epochs // _SCORES)
    for event in trainer.run_to(recipe.train.epochs):
        if isinstance(event, Epoch) and event.number % every == 0:
            _tell(answers, {"epoch": event.number, "value": _score(experiment)})
            if not _hear(commands)["go_on"]:
                return {"ended": f"pruned: after epoch {event.number}", "seconds": time.perf_counter() - started}
    epochs = len(trainer.history.epochs)
    return {"value": _score(experiment), "epochs": epochs, "seconds": time.perf_counter() - started}


def _score(experiment: Experiment) -> float:
    """What is to be as large as possible, on validation data: the accuracy, or without classes minus the loss.

    It is that of the last epoch, or of the best so far where the recipe keeps that.
    """
    trainer = experiment.trainer
    scores = trainer.history.epochs[-1].scores["validation"]
    if experiment.recipe.train.keep_best and trainer.best is not None:
        scores = trainer.best[0]
    return -scores.loss if experiment.classes is None else scores.accuracy


def _hear(commands: TextIO) -> Any:
    line = commands.readline()
    if not line.endswith("\n"):
        raise EOFError
    return json.loads(line)


def _tell(answers: TextIO, message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this
    try:
        serve(sys.stdin, sys.stdout)
    except (EOFError, BrokenPipeError):  # whoever asked is gone; what is still to be written has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""A training in plain values: what begins, with which settings, and what came before."""

from typing import Any

from handgrad.layers import Dropout, Layer
from handgrad.layers.sequential import stages
from handgrad.ops import Shape
from handgrad.training.experiment import Experiment, Phase
from handgrad.training.history import Epoch, History

#: Steps of an earlier process that are told again, evenly spaced.
_EARLIER_STEPS = 500
#: Epochs likewise.
_EARLIER_EPOCHS = 500


def beginning(phase: Phase) -> dict[str, Any]:
    """Everything that is known before a phase's first step, and the history of a run that is gone on with."""
    experiment = phase.experiment
    trainer = experiment.trainer
    return {
        "title": phase.title,
        "dataset": experiment.dataset,
        "examples": len(trainer.train.dataset),
        "classes": experiment.classes,
        "parameters": experiment.model.parameters.count,
        "monitors": list(trainer.monitors),
        "step": trainer.state.step,
        "history": _earlier(trainer.history),
        **settings_of(experiment),
    }


def settings_of(experiment: Experiment) -> dict[str, Any]:
    """What may change while it trains, and what follows from it."""
    recipe, trainer = experiment.recipe, experiment.trainer
    dropout = [layer.p for _, layer in experiment.model.walk() if isinstance(layer, Dropout)]
    return {
        "recipe": recipe.to_dict(),
        "epochs": recipe.train.epochs,
        "steps_per_epoch": len(trainer.train),
        "layers": layers_of(experiment.model, experiment.input_shape),
        "settings": {
            "learning_rate": trainer.optimizer.learning_rate,
            "momentum": getattr(trainer.optimizer, "momentum", getattr(trainer.optimizer, "beta1", None)),
            "dropout": max(dropout, default=0.0) if recipe.model.hidden or dropout else None,
            "batch_size": trainer.train.batch_size,
        },
    }


def layers_of(model: Layer, shape: Shape) -> list[dict[str, Any]]:
    """Each layer's name, kind, shape of one example's output, and number of parameters.

    Args:
        model: it need not be initialised.
        shape: of one input.

    Raises:
        ShapeError: the layers do not fit each other.
    """
    described = []
    for name, layer in stages(model):
        shape = layer.output_shape(shape)
        count = sum(_size(slot.spec.shape) for slot in layer.slots().values() if slot.trained)
        kind = type(layer).__name__
        described.append({"name": name, "kind": kind, "output_shape": list(shape), "parameters": count})
    return described


def _size(shape: Shape) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size


def epoch_values(epoch: Epoch) -> dict[str, Any]:
    """An epoch for JSON."""
    return dict(History(epochs=[epoch]).to_dict()["epochs"][0])


def _earlier(history: History) -> dict[str, Any]:
    steps = history.steps[:: max(1, len(history.steps) // _EARLIER_STEPS)]
    epochs = history.epochs[:: max(1, len(history.epochs) // _EARLIER_EPOCHS)]
    return {
        "steps": [[step.number, step.loss, step.learning_rate] for step in steps],
        "epochs": [epoch_values(epoch) for epoch in epochs],
    }

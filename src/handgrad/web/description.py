"""A training in plain values: what begins, with which settings, and what came before."""

from math import prod
from typing import Any

from handgrad.layers import BatchNorm1d, Conv2d, Dropout, Layer, LayerNorm, Linear
from handgrad.layers.pool import Pool2d
from handgrad.layers.sequential import stages
from handgrad.ops import Shape
from handgrad.optimizers import Optimizer
from handgrad.training.experiment import Experiment, Phase
from handgrad.training.history import Epoch, History

#: Steps of an earlier process that are told again, evenly spaced.
_EARLIER_STEPS = 500
#: Epochs likewise.
_EARLIER_EPOCHS = 500


def beginning(phase: Phase, pace: float) -> dict[str, Any]:
    """Everything that is known before a phase's first step, and the history of a run that is gone on with.

    Args:
        phase: that begins.
        pace: steps in a second at most; 0 for as many as can be.
    """
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
        **settings_of(experiment, pace),
    }


def settings_of(experiment: Experiment, pace: float) -> dict[str, Any]:
    """What may change while it trains, and what follows from it.

    Args:
        experiment: that is trained.
        pace: steps in a second at most; 0 for as many as can be.
    """
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
            "steps_per_second": pace,
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
        count = sum(prod(slot.spec.shape) for slot in layer.slots().values() if slot.trained)
        kind = type(layer).__name__
        described.append({"name": name, "kind": kind, "output_shape": list(shape), "parameters": count})
    return described


def title(layer: Layer) -> str:
    """What a person calls a layer: its kind, and the sizes that matter.

    >>> title(Linear(2, 3))
    'Linear(2 → 3)'
    """
    kind = type(layer).__name__
    if isinstance(layer, Linear):
        return f"{kind}({layer.in_features} → {layer.out_features})"
    if isinstance(layer, Conv2d):
        channels, inputs, height, width = layer.parameter_specs()["weight"].shape
        return f"{kind}({inputs} → {channels}, {height}×{width})"
    if isinstance(layer, Pool2d):
        return f"{kind}({'×'.join(map(str, layer.kernel_size))})"
    if isinstance(layer, BatchNorm1d | LayerNorm):
        return f"{kind}({layer.num_features})"
    return repr(layer).removesuffix("()")


def optimizer_settings(optimizer: Optimizer) -> dict[str, float]:
    """The numbers that an optimizer goes by.

    >>> optimizer_settings(handgrad.SGD(0.1, momentum=0.9))
    {'learning_rate': 0.1, 'weight_decay': 0.0, 'momentum': 0.9, 'nesterov': False}
    """
    return {name: value for name, value in vars(optimizer).items() if isinstance(value, int | float)}


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

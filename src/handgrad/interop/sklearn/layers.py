"""From an estimator's `layers` to a network."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from handgrad.errors import ArgumentError, HandgradError
from handgrad.layers import Flatten, Layer, Sequential
from handgrad.ops import Shape
from handgrad.training.experiment import build_layer


def build_network(
    entries: Iterable[Any], shape: Shape, outputs: int, *, activation: str, dropout: float, init: str
) -> Sequential:
    """The layers that an estimator is given, sizes filled in, and a linear one behind them for its outputs.

    Args:
        entries: widths of hidden layers, tables as in a recipe, or layers, which are copied.
        shape: of one input.
        outputs: how many numbers the network gives.
        activation: behind each width.
        dropout: probability behind each activation; 0 for none.
        init: the law of the first weights, by its name in `handgrad.initializers`.

    Raises:
        ArgumentError: an entry is none of these, or does not fit what comes before it.

    >>> build_network([3], (2,), 1, activation="ReLU", dropout=0.0, init="he")
    Sequential(Linear(in_features=2, out_features=3, has_bias=True), ReLU(),
               Linear(in_features=3, out_features=1, has_bias=True))
    """
    found: list[Layer] = []
    entries = [*entries]
    parts = [
        *((place, part) for place, entry in enumerate(entries) for part in _parts(entry, activation, dropout)),
        (len(entries), _linear(outputs)),
    ]
    for place, part in parts:
        try:
            if _is_linear(part) and len(shape) > 1:
                found.append(Flatten())
                shape = found[-1].output_shape(shape)
            layer = deepcopy(part) if isinstance(part, Layer) else build_layer(part, shape, init, f"layers[{place}]")
            shape = layer.output_shape(shape)
        except HandgradError as error:
            given = [*entries, outputs][place]
            raise ArgumentError(f"layers[{place}]", given, "a layer that fits", str(error).rstrip(".")) from error
        found.append(layer)
    return Sequential(*found)


def _parts(entry: Any, activation: str, dropout: float) -> list[Any]:
    """An entry as tables and layers, one behind the other."""
    if isinstance(entry, Layer | Mapping):
        return [entry]
    return [_linear(entry), {"name": activation}, *([{"name": "Dropout", "p": dropout}] if dropout else [])]


def _linear(width: Any) -> dict[str, Any]:
    return {"name": "Linear", "out_features": width}


def _is_linear(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("name") == "Linear"

"""Arrays that came from elsewhere, put into the layers that were made for them."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from handgrad.layers import Layer
from handgrad.layers.parameters import dotted

AnyLayer = TypeVar("AnyLayer", bound=Layer)

#: For every layer with parameters or buffers, its arrays by attribute name.
LayerValues = Mapping[Layer, Mapping[str, Any]]


def with_values(model: AnyLayer, values: LayerValues, dtype: str) -> AnyLayer:
    """Initialise a model and give every array of it the value that its layer was found with.

    Args:
        model: not yet initialised.
        values: by layer, then by attribute name; nothing may be missing.
        dtype: "float32" or "float64".

    Raises:
        KeyError: an array has no value.
        ShapeError: a value has another shape.

    >>> layer = handgrad.Linear(1, 1)
    >>> with_values(layer, {layer: {"weight": [[2.0]], "bias": [1.0]}}, "float32")([[3.0]])
    array([[7.]], dtype=float32)
    """
    model.initialize(np.random.default_rng(0), dtype=dtype)
    for layer_name, layer in model.walk():
        for name in (*layer.parameter_specs(), *layer.buffer_specs()):
            model.parameters.assign(dotted(layer_name, name), values[layer][name])
    return model

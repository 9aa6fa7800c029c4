"""Copies of a layer: with settings, values and buffers of the first, and a vector of their own."""

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase


@pytest.mark.parametrize(
    "copied", [deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["deepcopy", "pickle"]
)
@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_a_copy_is_a_model_of_its_own(case: LayerCase, copied: Callable[[Any], Any]) -> None:
    layer = deepcopy(case.layer).initialize(np.random.default_rng(0), dtype="float64")
    x = np.random.default_rng(1).normal(size=case.shape)
    twin = copied(layer)
    np.testing.assert_array_equal(twin(x), layer(x))
    assert repr(twin) == repr(layer)
    before = layer.parameters.vector.copy()
    twin.parameters.vector[...] = 7.0
    np.testing.assert_array_equal(layer.parameters.vector, before)
    assert all((view == 7.0).all() for name, view in twin.parameters.views.items() if name in twin.parameters.names)

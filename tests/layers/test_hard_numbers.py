"""Inputs that are large, tiny, constant or alone: every layer's output and gradients stay finite in float32."""

from dataclasses import replace

import numpy as np
import pytest
from cases import LAYER_CASES, LayerCase
from prepare import SEED, Prepared, Values, prepare

from handgrad.layers import BatchNorm1d

#: float16's largest and smallest numbers, between which its users' data lies.
LARGEST, SMALLEST = 65504.0, 6e-8


def hard(kind: str, shape: tuple[int, ...]) -> Values:
    rng = np.random.default_rng(SEED)
    numbers: dict[str, Values] = {
        "float16's range": rng.choice([LARGEST, -LARGEST, SMALLEST, -SMALLEST, 0.0, 1.0], shape),
        "all of the largest": np.full(shape, LARGEST),
        "all of the smallest": np.full(shape, SMALLEST),
        "constant": np.full(shape, 0.1),
        "zeros": np.zeros(shape),
    }
    return numbers[kind]


def assert_finite(run: Prepared) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        results = run.results()
    assert [name for name, array in results.items() if not np.all(np.isfinite(array))] == []


@pytest.mark.parametrize("kind", ["float16's range", "all of the largest", "all of the smallest", "constant", "zeros"])
@pytest.mark.parametrize("case", LAYER_CASES, ids=str)
def test_no_input_that_float16_holds_makes_infinities(case: LayerCase, kind: str) -> None:
    run = prepare(case, dtype="float32")
    run.x = run.ops.asarray(hard(kind, case.shape), "float32")
    assert_finite(run)


def takes_one_row(case: LayerCase) -> bool:
    """Batch norm of vectors has no variance to learn from in one row; it says so."""
    return not (case.training and any(isinstance(inner, BatchNorm1d) for _, inner in case.layer.walk()))


@pytest.mark.parametrize("case", [case for case in LAYER_CASES if takes_one_row(case)], ids=str)
def test_a_batch_of_one_is_a_batch(case: LayerCase) -> None:
    assert_finite(prepare(replace(case, shape=(1, *case.shape[1:])), dtype="float32"))

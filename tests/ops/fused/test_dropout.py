"""`dropout_mask`: the same mask from the same generator as the reference, to the last bit."""

from typing import Any

import numpy as np
import pytest
from compare import REFERENCE, Numbers, pool_of, programs, share_everything

from handgrad.ops import Ops, Shape
from handgrad.ops.fused.compiled import CompiledFunction

SHAPES: list[Shape] = [
    (1,),
    (7,),
    (5, 3),
    (1, 1),
    (33, 129),
    (2, 3, 4),
    (2, 3, 4, 5),
    (3, 1, 5, 4),
    (4, 17, 1, 1),
    (5, 16, 7, 7),
]


def masks(x: Numbers, p: float, steps: int, threads: int | None) -> tuple[list[Numbers], object]:
    """Two masks a step, and the generator's state at the end; with the reference where threads is None."""
    rng = np.random.default_rng(5)

    def draw(x: Numbers, *, ops: Ops) -> tuple[Numbers, Numbers]:
        return ops.dropout_mask(rng, x, p), ops.dropout_mask(rng, x, 0.5)

    if threads is None:
        return [mask for _ in range(steps) for mask in draw(x, ops=REFERENCE)], rng.bit_generator.state
    compiled = CompiledFunction(draw, REFERENCE, (), lambda: pool_of(threads))
    drawn = [mask for _ in range(steps) for mask in compiled(x)]
    assert programs(compiled)
    return drawn, rng.bit_generator.state


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_mask_is_that_of_the_reference(shape: Shape, p: float, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    share_everything(monkeypatch)
    x = np.ones(shape, np.float32)
    ours, state = masks(x, p, steps=3, threads=threads)
    theirs, expected = masks(x, p, steps=3, threads=None)
    assert len(ours) == len(theirs) == 6
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine.dtype == reference.dtype
        np.testing.assert_array_equal(mine, reference)
    assert state == expected


def test_numbers_are_drawn_even_for_a_mask_that_nobody_uses() -> None:
    """Else the masks after it would be others than the reference's."""
    x = np.ones((3, 5), np.float32)

    def draw(rng: np.random.Generator, x: Numbers, ops: Ops) -> Any:
        ops.dropout_mask(rng, x, 0.5)
        return ops.dropout_mask(rng, x, 0.5)

    ours, theirs = np.random.default_rng(1), np.random.default_rng(1)
    compiled = CompiledFunction(lambda x, ops: draw(ours, x, ops), REFERENCE, (), lambda: pool_of(1))
    np.testing.assert_array_equal(compiled(x), draw(theirs, x, REFERENCE))
    assert programs(compiled)


def test_recording_draws_nothing() -> None:
    rng, x = np.random.default_rng(1), np.ones((3, 5), np.float32)
    compiled = CompiledFunction(lambda x, ops: ops.dropout_mask(rng, x, 0.5), REFERENCE, (), lambda: pool_of(1))
    compiled.prepare((x,))
    assert programs(compiled)
    assert rng.bit_generator.state == np.random.default_rng(1).bit_generator.state

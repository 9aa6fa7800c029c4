"""No layer, loss, optimizer, schedule or initializer of handgrad goes untested: each has a case."""

from collections.abc import Sequence

import pytest
from cases import INITIALIZERS, LAYER_CASES, LOSS_CASES, OPTIMIZERS, SCHEDULES
from discovery import INITIALIZER_KINDS, LAYER_KINDS, LOSS_KINDS, OPTIMIZER_KINDS, SCHEDULE_KINDS, concrete

from handgrad import layers


@pytest.mark.parametrize(
    ("kinds", "cases"),
    [
        (LAYER_KINDS, [case.layer for case in LAYER_CASES]),
        (LOSS_KINDS, [case.loss for case in LOSS_CASES]),
        (OPTIMIZER_KINDS, OPTIMIZERS),
        (SCHEDULE_KINDS, SCHEDULES),
        (INITIALIZER_KINDS, [case.law for case in INITIALIZERS]),
    ],
    ids=["layers", "losses", "optimizers", "schedules", "initializers"],
)
def test_every_class_has_a_case(kinds: list[type], cases: Sequence[object]) -> None:
    assert kinds, "nothing was discovered"
    assert set(kinds) - {type(case) for case in cases} == set()


def test_discovery_finds_what_handgrad_defines_and_ignores_what_a_test_defines() -> None:
    class Own(layers.ReLU):
        pass

    found = set(concrete(layers.Layer))
    assert layers.ReLU in found
    assert layers.BatchNorm2d in found  # whose base class can be instantiated too
    assert layers.Activation not in found
    assert Own not in found


def test_discovery_ignores_a_class_that_only_claims_to_be_in_handgrad() -> None:
    claim = type("Claim", (layers.ReLU,), {"__module__": "handgrad.layers.layer"})  # as in a doctest
    assert claim not in set(concrete(layers.Layer))

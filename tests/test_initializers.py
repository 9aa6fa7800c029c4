"""Initializers: the mean, the variance and the bounds of each law, and that only the generator decides."""

import math

import numpy as np
import pytest
from cases import FAN_IN, FAN_OUT, INITIALIZERS, InitializerCase, Values
from discovery import INITIALIZER_KINDS
from expect import rejected

from handgrad.initializers import NAMED, Normal, Uniform, Zeros

SHAPE = (400, 500)
COUNT = math.prod(SHAPE)
every_law = pytest.mark.parametrize("case", INITIALIZERS, ids=str)


def drawn(case: InitializerCase, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Values:
    return case.law(np.random.default_rng(seed), shape, fan_in=FAN_IN, fan_out=FAN_OUT)


@every_law
def test_mean_and_variance_are_those_of_the_law(case: InitializerCase) -> None:
    """Within five standard errors: σ/√n of a mean, and at most σ²·√(2/n), the normal law's, of a variance."""
    values = drawn(case)
    assert abs(values.mean() - case.mean) <= 5 * math.sqrt(case.variance / COUNT)
    assert abs(values.var() - case.variance) <= 5 * case.variance * math.sqrt(2 / COUNT)


@every_law
def test_values_fill_their_bounds_and_do_not_leave_them(case: InitializerCase) -> None:
    largest = np.abs(drawn(case)).max()
    assert largest <= case.bound
    assert math.isinf(case.bound) or largest > 0.999 * case.bound


@every_law
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 1, 2)])
def test_values_have_the_shape_asked_for_in_double_precision(case: InitializerCase, shape: tuple[int, ...]) -> None:
    values = np.asarray(drawn(case, shape=shape))
    assert values.shape == shape
    assert values.dtype == np.float64


@every_law
def test_the_same_seed_draws_the_same_values(case: InitializerCase) -> None:
    np.testing.assert_array_equal(drawn(case, seed=1), drawn(case, seed=1))
    assert np.array_equal(drawn(case, seed=1), drawn(case, seed=2)) == (case.variance == 0)


def test_the_fans_are_not_confused() -> None:
    """fan_out alone must not change a law that keeps the forward variance, and must change Xavier's."""
    for case in INITIALIZERS:
        narrow = case.law(np.random.default_rng(0), (9,), fan_in=FAN_IN, fan_out=1)
        assert np.array_equal(narrow, drawn(case, shape=(9,))) == ("Xavier" not in type(case.law).__name__)


@pytest.mark.parametrize("name", NAMED)
def test_every_name_stands_for_two_laws(name: str) -> None:
    for law in NAMED[name]:
        assert type(law) in INITIALIZER_KINDS


def test_uniform_bounds_the_wrong_way_round_are_refused() -> None:
    with rejected("high", 0.0):
        Uniform(1.0, 0.0)
    assert Uniform(1.0, 1.0).low == 1.0


def test_zeros_are_zeros() -> None:
    assert not Zeros()(np.random.default_rng(0), (3,), fan_in=1, fan_out=1).any()


def test_a_negative_standard_deviation_is_refused() -> None:
    with rejected("standard_deviation", -1):
        Normal(-1)

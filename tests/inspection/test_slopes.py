"""Numerical gradients of functions whose slopes are known, and what a relative error is relative to."""

import math

import numpy as np
import pytest
from expect import rejected

from handgrad.errors import ShapeError
from handgrad.inspection.slopes import numerical_gradient, relative_error, slope_beside_kinks


def test_the_slope_of_a_known_function_is_found_at_every_element() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    weights = np.random.default_rng(1).normal(size=(2, 3, 4))
    slopes = numerical_gradient(lambda: float(np.sum(weights * np.exp(x))), x)
    assert slopes.shape == x.shape
    assert relative_error(weights * np.exp(x), slopes) < 1e-9


def test_the_array_comes_back_exactly_as_it_was_even_after_an_error() -> None:
    x = np.array([0.1, 1e-20, 1e12])
    before = x.copy()
    numerical_gradient(lambda: float(x.sum()), x)
    np.testing.assert_array_equal(x, before)
    with pytest.raises(ZeroDivisionError):
        numerical_gradient(lambda: 1 / 0, x)
    np.testing.assert_array_equal(x, before)


def test_a_view_and_a_single_number_are_perturbed_where_they_lie() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    column, number = matrix[:, 1], np.array(3.0)
    np.testing.assert_allclose(numerical_gradient(lambda: float(np.sum(matrix**2)), column), [2.0, 8.0], rtol=1e-9)
    np.testing.assert_allclose(numerical_gradient(lambda: float(number**2), number), 6.0, rtol=1e-9)


@pytest.mark.parametrize("value", [0.1, -0.3, 1234.5, 1e12])
def test_the_slope_is_taken_over_the_distance_that_rounding_left(value: float) -> None:
    x = np.array([value])
    assert numerical_gradient(lambda: float(x[0]), x).item() == 1.0


def test_single_precision_and_a_step_of_0_are_refused() -> None:
    with rejected("array", "float32"):
        numerical_gradient(lambda: 0.0, np.ones(2, np.float32))
    with rejected("step", 0.0):
        numerical_gradient(lambda: 0.0, np.ones(2), step=0.0)


@pytest.mark.parametrize(
    ("analytic", "numeric", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.0, 4.0], [1.0, 4.0], 0.25),
        ([0.0, 4.0], [0.0, 5.0], 0.2),
        ([-5.0], [4.0], 9 / 5),
        ([0.0], [1e-10], 1e-8),
        ([], [], 0.0),
    ],
)
def test_the_error_is_relative_to_the_largest_number_but_never_to_a_tiny_one(
    analytic: list[float], numeric: list[float], error: float
) -> None:
    assert relative_error(np.array(analytic), np.array(numeric)) == pytest.approx(error)
    assert relative_error(np.array(numeric), np.array(analytic)) == pytest.approx(error)


def test_what_is_not_a_number_is_never_close() -> None:
    assert math.isnan(relative_error(np.array([1.0, math.nan]), np.array([1.0, 2.0])))


def test_shapes_that_would_broadcast_are_refused() -> None:
    with rejected("analytic", (3, 1), ShapeError):
        relative_error(np.ones((3, 1)), np.ones(3))


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("distance", [1e-3, 1.1e-5, 5e-6, 1e-6, 1e-7])
def test_beside_a_kink_the_slope_is_that_of_the_elements_own_side(distance: float, side: int) -> None:
    x = np.array([side * distance])
    slope = slope_beside_kinks(lambda: float(np.abs(x[0]) + x[0] ** 2), x, (0,), 1e-8)
    assert slope == pytest.approx(side + 2 * side * distance, abs=1e-7)
    assert x[0] == side * distance


def test_on_a_kink_or_between_many_there_is_no_slope() -> None:
    x = np.array([0.0])
    assert slope_beside_kinks(lambda: float(np.abs(x[0])), x, (0,), 1e-8) is None
    assert slope_beside_kinks(lambda: float(np.abs(np.sin(1e7 * x[0] + 0.3))), x, (0,), 1e-8) is None


def test_where_a_function_bends_much_a_shorter_step_serves() -> None:
    x = np.array([0.004])
    assert slope_beside_kinks(lambda: float(np.log(x[0])), x, (0,), 1e-6 / 0.004) == pytest.approx(250, rel=1e-7)


def test_rounding_of_a_large_constant_hides_nothing() -> None:
    x = np.array([0.3])
    assert slope_beside_kinks(lambda: float(1e6 + 1e-3 * x[0]), x, (0,), 1e-6) == pytest.approx(1e-3, abs=3e-7)

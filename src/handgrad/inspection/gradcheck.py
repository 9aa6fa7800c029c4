"""Is a gradient right? Compare it with the slope that the loss really has."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from handgrad.errors import ArgumentError, ShapeError

Values: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

#: Gradients smaller than this are compared by their difference itself: rounding hides more of their digits.
FLOOR = 1e-2


def numerical_gradient(function: Callable[[], float], array: Values, step: float = 1e-5) -> Values:
    """Slope of a function along every element of an array that it reads, by central differences.

    ∂f/∂aᵢ ≈ (f(a + h eᵢ) − f(a − h eᵢ)) / 2h. The error falls with h² until rounding, which grows with 1/h, takes
    over: a step of 10⁻⁵ leaves about 10⁻¹⁰ of the function's size.

    Args:
        function: computes the number from `array` as it then is; must give the same number for the same values.
        array: float64, any shape; each element is moved in place and put back exactly.
        step: h, > 0; an element larger than 1 is moved by as much more.

    Returns:
        The slopes, in the array's shape.

    Raises:
        ArgumentError: the array is not float64, whose digits this needs, or the step is not above 0.

    >>> x = np.array([1.0, 2.0])
    >>> numerical_gradient(lambda: float(np.sum(x**3)), x).round(6)
    array([ 3., 12.])
    """
    if array.dtype != np.float64:
        raise ArgumentError("array", str(array.dtype), "float64", "initialize the model with dtype='float64'")
    if not step > 0:
        raise ArgumentError("step", step, "a number > 0")
    slopes = np.empty_like(array)
    for place in np.ndindex(array.shape):
        slopes[place] = _slope(function, array, place, step)
    return slopes


def _slope(function: Callable[[], float], array: Values, place: tuple[int, ...], step: float) -> float:
    """Central difference along one element."""
    value = array[place]
    reach = step * max(1.0, abs(value))
    above, below = value + reach, value - reach
    try:
        array[place] = above
        rise = function()
        array[place] = below
        rise -= function()
    finally:
        array[place] = value
    return float(rise / (above - below))  # the step as it was after rounding


def relative_error(analytic: Values, numeric: Values) -> float:
    """Largest difference between two gradients, in units of the largest number in either.

    max |aᵢ − nᵢ| / max(max |aᵢ|, max |nᵢ|, 10⁻²). One scale serves the whole array, since an element near 0 among
    large ones carries their rounding noise; and it never falls below 10⁻², since a numerical gradient is off by about
    10⁻¹⁰ however small it is, so a gradient that is 0 everywhere can be compared as well.

    Args:
        analytic: the gradient that was derived.
        numeric: what it is compared with, in the same shape.

    Raises:
        ShapeError: the shapes differ.

    >>> relative_error(np.array([100.0, 0.0]), np.array([100.0, 1.0]))
    0.01
    """
    if np.shape(analytic) != np.shape(numeric):
        raise ShapeError("analytic", np.shape(analytic), f"the shape of numeric, {np.shape(numeric)}")
    return _largest(analytic - numeric) / max(_largest(analytic), _largest(numeric), FLOOR)


def _largest(array: Values) -> float:
    """Largest absolute value; 0 of an empty array, NaN if there is one."""
    return float(np.max(np.abs(array), initial=0.0))

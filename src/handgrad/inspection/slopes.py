"""The slope of a function, measured by calling it, and how far a gradient is from it."""

from collections.abc import Callable, Mapping
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
        slopes[place] = numerical_slope(function, array, place, step)
    return slopes


def numerical_slope(function: Callable[[], float], array: Values, place: tuple[int, ...], step: float = 1e-5) -> float:
    """Slope of a function along one element of an array that it reads, by a central difference.

    Args:
        function: as `numerical_gradient` takes it.
        array: float64; the element is moved in place and put back exactly.
        place: the element's index.
        step: h, > 0; an element larger than 1 is moved by as much more.

    >>> x = np.array([1.0, 2.0])
    >>> round(numerical_slope(lambda: float(np.sum(x**3)), x, (1,)), 6)
    12.0
    """
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


def slope_beside_kinks(
    function: Callable[[], float], array: Values, place: tuple[int, ...], precision: float
) -> float | None:
    """Slope along one element, kept off a kink nearby; None if the element lies on one, where there is no slope.

    Slopes are measured on each side alone, (−3f(a) + 4f(a + h) − f(a + 2h)) / 2h and its mirror image, with two steps:
    a side on which these disagree has a kink, or bends too much for that step, and a shorter one is tried. Where both
    sides are smooth but differ, the kink is at the element itself.

    Args:
        function: as `numerical_gradient` takes it.
        array: float64; the element is moved in place and put back exactly.
        place: the element's index.
        precision: slopes closer than ten times this count as the same.

    >>> x = np.array([3e-6, 0.0])
    >>> round(slope_beside_kinks(lambda: float(np.sum(np.abs(x))), x, (0,), 1e-9), 9)
    1.0
    >>> slope_beside_kinks(lambda: float(np.sum(np.abs(x))), x, (1,), 1e-9) is None
    True
    """
    for step in (1e-3, 1e-4, 1e-5, 1e-6):  # the longer, the less rounding counts; the shorter, the fewer kinks
        half = step * max(1.0, abs(array[place])) / 2
        f = {k: _value_at(function, array, place, array[place] + k * half) for k in (-4, -2, -1, 0, 1, 2, 4)}
        right, left = (_one_sided_slope(f, side, half, 10 * precision) for side in (1, -1))
        if right is not None and left is not None:
            if abs(right - left) > 20 * precision:
                return None
            wide, narrow = (f[2] - f[-2]) / (4 * half), (f[1] - f[-1]) / (2 * half)
            return float(4 * narrow - wide) / 3  # Richardson: the errors that grow with h² cancel
        if step <= 1e-5 and (right is not None or left is not None):  # with a longer one, both sides may still do
            return right if right is not None else left
    return None


def _one_sided_slope(f: Mapping[int, float], side: int, half: float, tolerance: float) -> float | None:
    """Slope from values at multiples of half a step to one side; None if there is a kink among them."""
    wide = side * (-3 * f[0] + 4 * f[2 * side] - f[4 * side]) / (4 * half)
    narrow = side * (-3 * f[0] + 4 * f[side] - f[2 * side]) / (2 * half)
    return narrow if abs(wide - narrow) <= tolerance else None


def _value_at(function: Callable[[], float], array: Values, place: tuple[int, ...], value: float) -> float:
    """The function with one element changed."""
    before = array[place]
    try:
        array[place] = value
        return function()
    finally:
        array[place] = before


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
    return float(np.max(np.abs(analytic - numeric), initial=0.0)) / gradient_scale(analytic, numeric)


def gradient_scale(*gradients: Values) -> float:
    """What differences of gradients are relative to: their largest finite number, and at least 10⁻².

    >>> gradient_scale(np.array([1.0, -3.0]), np.array([np.nan, 2.0]))
    3.0
    """
    return max(FLOOR, *(float(np.max(np.abs(g), initial=0.0, where=np.isfinite(g))) for g in gradients))

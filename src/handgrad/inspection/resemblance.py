"""What a wrong gradient looks like: usually the right one with one thing forgotten."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from handgrad.inspection.slopes import Values, gradient_scale

#: Arrays that differ by less than this, relative to their largest number, look alike.
_ALIKE = 1e-4


def resemblance(analytic: Values, numeric: Values, places: NDArray[np.int64], shape: tuple[int, ...]) -> str:
    """A sentence that says what a wrong gradient resembles, or how much of it is wrong.

    Args:
        analytic: the wrong gradient, (P,).
        numeric: the slopes at the same elements, (P,).
        places: which elements these are, in row-major order, (P,).
        shape: of the array they belong to.

    >>> slopes = np.array([1.0, 2.0, 3.0, 5.0])
    >>> resemblance(-slopes, slopes, np.arange(4), (4,))
    'it has the opposite sign'
    >>> resemblance(slopes / 5, slopes, np.arange(4), (4,))
    'it is 0.2 times the slope everywhere: a factor is missing or one too many'
    """
    if _alike(analytic, numeric):
        return ""
    if np.isnan(analytic).all():
        return "backward writes nothing there, or NaN"
    if not np.isfinite(analytic).all():
        return f"{np.count_nonzero(~np.isfinite(analytic))} of {len(analytic)} elements are NaN or infinite"
    if not analytic.any():
        return "it is 0 everywhere"
    factor = float(analytic @ numeric / (numeric @ numeric)) if numeric.any() else 0.0
    if _alike(analytic, factor * numeric):
        if abs(factor + 1) < _ALIKE:
            return "it has the opposite sign"
        return f"it is {factor:.4g} times the slope everywhere: a factor is missing or one too many"
    if len(places) == np.prod(shape):
        for turned, words in _rearranged(numeric.reshape(shape)):
            if _alike(analytic, turned.reshape(-1)):
                return words
    offset = float(np.mean(analytic - numeric))
    if _alike(analytic, numeric + offset):
        return f"it is larger by {offset:.4g} everywhere"
    wrong = ~(np.abs(analytic - numeric) <= _ALIKE * gradient_scale(analytic, numeric))
    return f"{np.count_nonzero(wrong):,} of {len(analytic):,} elements are far off" if wrong.any() else ""


def _rearranged(slopes: Values) -> Iterator[tuple[Values, str]]:
    """The right numbers in wrong places, each with what to say of it."""
    if slopes.ndim == 2 and slopes.shape[0] == slopes.shape[1]:
        yield slopes.T, "it is transposed"
    if slopes.ndim == 4:
        yield slopes[..., ::-1, ::-1], "its windows are turned by 180°: correlation and convolution are confused"
        if slopes.shape[2] == slopes.shape[3]:
            yield slopes.swapaxes(2, 3), "rows and columns of its windows are exchanged"
    if slopes.ndim > 1 and slopes.shape[0] > 1:
        yield slopes[::-1], "its first axis is in reverse order"


def _alike(one: Values, other: Values) -> bool:
    return float(np.max(np.abs(one - other))) <= _ALIKE * gradient_scale(one, other)

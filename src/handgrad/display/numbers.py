"""The words that people read for numbers, in the terminal and in notebooks."""

import math
from collections.abc import Sequence

#: Positive numbers that differ by more than this factor are drawn on a logarithmic axis.
_STEEP = 30


def seconds(value: float) -> str:
    """A duration for reading.

    >>> seconds(0.0123), seconds(3.21), seconds(75), seconds(4000)
    ('0.01 s', '3.2 s', '1 min 15 s', '1 h 6 min')
    """
    if value < 1:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def number(value: float | None) -> str:
    """A loss: four decimals, or an exponent where that would be long or say nothing.

    >>> number(0.12345), number(1.5e-7), number(1e31), number(math.nan), number(None)
    ('0.1235', '1.50e-07', '1.00e+31', 'not finite', 'not finite')
    """
    if value is None or not math.isfinite(value):
        return "not finite"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.2e}"


def percent(share: float | None) -> str:
    """A share as a percentage with two decimals; a dash where there is none.

    >>> percent(0.98765), percent(math.nan), percent(None)
    ('98.77 %', '—', '—')
    """
    return "—" if share is None or math.isnan(share) else f"{100 * share:.2f} %"


def score(accuracy: float | None, loss: float | None) -> str:
    """How good a network is: its accuracy, or where there is only near and far its loss.

    >>> score(0.98765, 0.04), score(math.nan, 0.04)
    ('98.77 %', 'loss 0.0400')
    """
    return f"loss {number(loss)}" if accuracy is None or math.isnan(accuracy) else percent(accuracy)


def is_steep(values: Sequence[float]) -> bool:
    """Whether numbers are positive and so far apart that a logarithmic axis shows them better.

    >>> is_steep([2.3, 0.01]), is_steep([2.3, 0.5]), is_steep([0.0, 1.0]), is_steep([])
    (True, False, False, False)
    """
    return bool(values) and min(values) > 0 and max(values) > _STEEP * min(values)


def counted(count: int, name: str, ending: str = "s") -> str:
    """So many of something.

    >>> counted(1, "step"), counted(60_000, "step"), counted(2, "class", "es")
    ('1 step', '60,000 steps', '2 classes')
    """
    return f"{count:,} {name}{'' if count == 1 else ending}"

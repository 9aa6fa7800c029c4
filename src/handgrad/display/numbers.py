"""The words that people read for numbers, in the terminal and in notebooks."""

import math


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
    """A loss: four decimals, or an exponent where that would be long.

    >>> number(0.12345), number(1e31), number(None)
    ('0.1235', '1.000e+31', 'not finite')
    """
    if value is None:
        return "not finite"
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.3e}"


def percent(share: float | None) -> str:
    """A share as a percentage with two decimals; a dash where there is none.

    >>> percent(0.98765), percent(None)
    ('98.77 %', '—')
    """
    return "—" if share is None or math.isnan(share) else f"{100 * share:.2f} %"


def counted(count: int, name: str, ending: str = "s") -> str:
    """So many of something.

    >>> counted(1, "step"), counted(60_000, "step"), counted(2, "class", "es")
    ('1 step', '60,000 steps', '2 classes')
    """
    return f"{count:,} {name}{'' if count == 1 else ending}"

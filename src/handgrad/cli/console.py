"""Where the command line prints, and the words it uses for numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def output_console(*, as_json: bool = False) -> "Console":
    """Standard output for people; with JSON asked for, people's output goes to standard error."""
    from rich.console import Console

    return Console(stderr=as_json, highlight=False)


def error_console() -> "Console":
    """Standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@contextmanager
def use_threads(threads: int | None) -> Iterator[int]:
    """Limit the matrix products to a number of threads, or to the cores that this process may use."""
    from handgrad.ops import limit_threads, usable_cores

    with limit_threads(usable_cores() if threads is None else threads) as count:
        yield count


def seconds(value: float) -> str:
    """A duration for reading.

    >>> seconds(0.0123), seconds(3.21), seconds(75), seconds(4000)
    ('0.01 s', '3.2 s', '1 min 15 s', '1 h 7 min')
    """
    if value < 1:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def percent(share: float) -> str:
    """A share as a percentage with two decimals.

    >>> percent(0.98765)
    '98.77 %'
    """
    return f"{100 * share:.2f} %"

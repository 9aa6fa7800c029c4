"""Where the command line prints, and the words it uses for numbers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from rich.console import Console


#: `--threads`; None is every usable core.
Threads: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="Threads that compute.", show_default="every core it may use")
]


#: What may be named where data are asked for.
DATA_HELP = (
    "mnist, points, xor; fashion-mnist, kmnist or cifar-10, which are fetched; a folder of pictures for each class or "
    "with MNIST's four files; or a .csv, .tsv or .npz file."
)


def output_console(*, as_json: bool = False) -> "Console":
    """Standard output for people; with JSON asked for, people's output goes to standard error."""
    from rich.console import Console

    return Console(stderr=as_json, highlight=False)


def error_console() -> "Console":
    """Standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


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


def percent(share: float) -> str:
    """A share as a percentage with two decimals.

    >>> percent(0.98765)
    '98.77 %'
    """
    return f"{100 * share:.2f} %"


@contextmanager
def reading(console: "Console") -> Iterator[Callable[[int, int], None]]:
    """Within the block, data are read, which may take long: a bar, from when it is first told how far it is.

    Args:
        console: where to show it; it is gone in the end.

    Yields:
        to be called with how much is done, and of how much.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    share = TextColumn("{task.percentage:>3.0f} %")
    columns = (TextColumn("Reading the data"), BarColumn(), share, TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, refresh_per_second=5, disable=not console.is_terminal)
    task = bar.add_task("")

    def show(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()

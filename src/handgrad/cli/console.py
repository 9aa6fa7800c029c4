"""Where the command line prints."""

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

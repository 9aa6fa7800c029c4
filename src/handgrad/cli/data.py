"""`handgrad data`: what is in a data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handgrad.cli.console import DATA_HELP, output_console, reading

if TYPE_CHECKING:
    from rich.console import Console

    from handgrad.data.datasets import Splits


def command(
    data: Annotated[str, typer.Argument(help=DATA_HELP)] = "mnist",
    target: Annotated[str, typer.Option(help="The column of a table to predict.", show_default="the last")] = "",
    image_size: Annotated[str, typer.Option(help="Height and width of a folder's pictures, such as 64,64.")] = "",
    gallery: Annotated[Path | None, typer.Option(help="Also draw the first images into this PNG file.")] = None,
) -> None:
    """Count the examples of a data set, show how its classes are balanced, and draw its first images."""
    from handgrad.data.datasets import load

    console = output_console()
    with reading(console) as progress:
        splits = load(data, target=target, image_size=_size(image_size), progress=progress)
    for name, dataset in (("training", splits.train), ("test", splits.test)):
        shape = " × ".join(map(str, dataset.inputs.shape[1:]))
        size = dataset.inputs.nbytes / 1e6
        console.print(f"{name:<9} {len(dataset):>7,} examples of {shape}, {dataset.inputs.dtype}, {size:,.1f} MB")
    if splits.train.feature_names:
        console.print(f"columns   {', '.join(splits.train.feature_names)}", markup=False)
    if splits.train.classes:
        _print_balance(console, splits)
    if gallery is not None:
        _draw_gallery(splits, gallery)
        console.print(f"The first images are in [bold]{gallery}[/].")


def _size(text: str) -> tuple[int, ...]:
    """Height and width from `64,64`."""
    from handgrad.errors import ArgumentError

    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise ArgumentError("--image-size", text, "height and width, such as 64,64") from error


def _print_balance(console: "Console", splits: "Splits") -> None:
    """Examples of each class, with a bar as long as its share of the largest."""
    from rich.markup import escape
    from rich.table import Table

    names = splits.train.class_names or [str(c) for c in range(splits.train.classes or 0)]
    train, test = splits.train.class_counts(), splits.test.class_counts()
    table = Table("class", box=None, header_style="bold")
    for heading in ("training", "test"):
        table.add_column(heading, justify="right")
    table.add_column("share of training")
    for c, (count, held_out) in enumerate(zip(train.tolist(), test.tolist(), strict=True)):
        bar = "█" * round(24 * count / max(1, train.max()))
        table.add_row(
            escape(names[c]), f"{count:,}", f"{held_out:,}", f"[cyan]{bar}[/] {count / max(1, train.sum()):.1%}"
        )
    console.print(table)


def _draw_gallery(splits: "Splits", path: Path) -> None:
    from handgrad.errors import ArgumentError
    from handgrad.files import write_atomically
    from handgrad.inspection.plots import gallery, save

    if splits.train.inputs.ndim < 3:
        raise ArgumentError("--gallery", str(path), "a data set of images", "leave it out for data without pictures")
    write_atomically(path, save(gallery(splits.train, splits.test)))

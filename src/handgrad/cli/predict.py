"""`handgrad predict`: what a finished run says about images, or rows of a table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import output_console
from handgrad.errors import ArgumentError, RunError

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from handgrad.training.saved_run import SavedRun

_MOST_LINES = 20  # of a table's rows; the rest is counted


def command(
    run: Annotated[Path, typer.Argument(help="The directory of a finished run.")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="PNG or JPEG files, or a row of an IDX file as FILE:ROW; for a run on a table .csv files.",
            metavar="INPUT…",
        ),
    ],
    show: Annotated[bool, typer.Option("--show/--no-show", help="Draw what the network sees.")] = True,
    device: Annotated[str, typer.Option(help="cpu, torch:cpu or torch:cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Say what a network makes of images, or of the rows of tables.

    Digits may have any size, dark on light or light on dark: they are prepared as MNIST's were. Other pictures are
    brought to the size that the network was trained on, and rows to the columns.
    """
    from handgrad.training.saved_run import SavedRun

    saved = SavedRun.open(run, device=device)
    console = output_console(as_json=as_json)
    if saved.feature_names:
        results = [result for name in inputs for result in _predict_rows(saved, name, console)]
    else:
        results = [_predict_image(saved, name, console, show) for name in inputs]
    if as_json:
        typer.echo(json.dumps({"run_directory": str(run), "predictions": results}))


def _predict_image(saved: "SavedRun", name: str, console: "Console", show: bool) -> dict[str, Any]:
    """Classify one picture, and print what was found."""
    from rich.markup import escape

    image = _prepare(name, saved)
    probabilities = saved.probabilities(image[None])[0]  # (1, H, W[, C]) → (1, classes) → (classes,)
    console.print(f"{escape(name)}: {_said(saved, probabilities)}", soft_wrap=True)
    if show and console.is_terminal:
        console.print(half_blocks(image), highlight=False)
    return {"image": name} | _found(saved, probabilities)


def _predict_rows(saved: "SavedRun", name: str, console: "Console") -> Iterator[dict[str, Any]]:
    """Predict for every row of a table, and print the first of them."""
    from rich.markup import escape

    from handgrad.data.tables import encode_rows, read_table

    rows = encode_rows(read_table(Path(name)), saved.feature_names or (), name)
    outputs = saved.probabilities(rows)  # (N, D) → (N, classes), or (N, targets)
    for row, output in enumerate(outputs):
        if row < _MOST_LINES:
            console.print(f"{escape(name)}, row {row}: {_said(saved, output)}", soft_wrap=True)
        yield {"table": name, "row": row} | _found(saved, output)
    if len(outputs) > _MOST_LINES:
        console.print(f"[dim]… and {len(outputs) - _MOST_LINES:,} rows more, which --json lists[/]")


def _said(saved: "SavedRun", output: "np.ndarray[Any, Any]") -> str:
    """The most probable class and two others, or the predicted numbers, as Rich markup."""
    from rich.markup import escape

    if not saved.classes:
        return f"[bold green]{', '.join(f'{value:.4g}' for value in output)}[/]"
    best = output.argsort()[::-1][:3]
    first, *rest = [(escape(saved.class_name(c)), output[c]) for c in best]
    others = ", ".join(f"{name} {share:.1%}" for name, share in rest)
    return f"[bold green]{first[0]}[/]  {first[1]:.1%}   [dim]then {others}[/]"


def _found(saved: "SavedRun", output: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """The same for JSON."""
    if not saved.classes:
        return {"prediction": output.tolist()}
    best = int(output.argmax())
    return {"prediction": best, "class": saved.class_name(best), "probabilities": output.tolist()}


def _prepare(name: str, saved: "SavedRun") -> "np.ndarray[Any, Any]":
    """An image as the network knows them: a row of an IDX file as it is, a digit made like MNIST's, others scaled."""
    from handgrad.data.digits import as_mnist, read_image
    from handgrad.data.pictures import read_pixels

    shape = saved.raw_shape
    if not saved.classes or len(shape) < 2 or shape[2:] not in ((), (3,)):
        raise RunError(f"{saved.directory.path} was not trained on images; it cannot look at pictures.")
    path, colon, row = name.rpartition(":")
    if colon and row.isdigit() and not Path(name).exists():
        return _idx_row(Path(path), int(row), shape)
    if saved.class_names is None and len(shape) == 2 and shape[0] == shape[1]:
        return as_mnist(read_image(name), shape[0])
    return read_pixels(name, shape)


def _idx_row(path: Path, row: int, shape: tuple[int, ...]) -> "np.ndarray[Any, Any]":
    """One image of an IDX file, by its number from 0."""
    import numpy as np

    from handgrad.data.idx import read_idx

    images = read_idx(path)
    if images.shape[1:] != shape:
        raise ArgumentError("INPUT", f"{path} of shape {images.shape}", f"an IDX file of {shape[0]}×{shape[1]} images")
    if row >= len(images):
        raise ArgumentError("INPUT", f"{path}:{row}", f"a row from 0 to {len(images) - 1}")
    return np.asarray(images[row])


def half_blocks(image: "np.ndarray[Any, Any]") -> str:
    """An image (H, W) or (H, W, 3) as Rich markup, two pixels a character, so that they come out nearly square.

    >>> import numpy as np
    >>> half_blocks(np.array([[0], [255]], np.uint8))
    '[rgb(0,0,0) on rgb(255,255,255)]▀[/]'
    """
    import numpy as np

    colours = np.broadcast_to(image.reshape(*image.shape[:2], -1), (*image.shape[:2], 3))  # (H, W, C) → (H, W, 3)
    if len(colours) % 2:
        colours = np.concatenate([colours, np.zeros_like(colours[:1])])
    lines = []
    for upper, lower in zip(colours[::2].tolist(), colours[1::2].tolist(), strict=True):
        pixels = zip(upper, lower, strict=True)
        lines.append("".join(f"[rgb({_rgb(u)}) on rgb({_rgb(v)})]▀[/]" for u, v in pixels))
    return "\n".join(lines)


def _rgb(colour: list[int]) -> str:
    return ",".join(map(str, colour))

"""`handgrad predict`: what a finished run says about images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from handgrad.cli.console import output_console
from handgrad.errors import ArgumentError, RunError

if TYPE_CHECKING:
    import numpy as np

    from handgrad.training.run import SavedRun


def command(
    run: Annotated[Path, typer.Argument(help="The directory of a finished run.")],
    images: Annotated[
        list[str], typer.Argument(help="PNG or JPEG files, or a row of an IDX file as FILE:ROW.", metavar="IMAGE…")
    ],
    show: Annotated[bool, typer.Option("--show/--no-show", help="Draw what the network sees.")] = True,
    device: Annotated[str, typer.Option(help="cpu, torch:cpu or torch:cuda.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")] = False,
) -> None:
    """Classify images of any size, dark on light or light on dark, after preparing them as MNIST's were."""
    from rich.markup import escape

    from handgrad.training.run import SavedRun

    saved = SavedRun.open(run, device=device)
    console = output_console(as_json=as_json)
    results = []
    for name in images:
        image = _prepare(name, _image_size(saved))
        probabilities = saved.probabilities(image[None])[0]  # (1, H, W) → (1, C) → (C,)
        best = probabilities.argsort()[::-1][:3]
        results.append({"image": name, "prediction": int(best[0]), "probabilities": probabilities.tolist()})
        others = ", ".join(f"{c} {probabilities[c]:.1%}" for c in best[1:])
        console.print(
            f"{escape(name)}: [bold green]{best[0]}[/]  {probabilities[best[0]]:.1%}   [dim]then {others}[/]",
            soft_wrap=True,
        )
        if show and console.is_terminal:
            console.print(half_blocks(image), highlight=False)
    if as_json:
        typer.echo(json.dumps({"run_directory": str(run), "predictions": results}))


def _image_size(saved: "SavedRun") -> int:
    """Side of the square grey images that the run was trained on."""
    shape = saved.raw_shape
    if not saved.classes or len(shape) != 2 or shape[0] != shape[1]:
        raise RunError(f"{saved.directory.path} was not trained on square grey images; it cannot look at pictures.")
    return shape[0]


def _prepare(name: str, size: int) -> "np.ndarray[Any, Any]":
    """An image as the network knows them: a row of an IDX file as it is, any other one made like MNIST's."""
    from handgrad.data.digits import as_mnist, read_image

    path, colon, row = name.rpartition(":")
    if colon and row.isdigit() and not Path(name).exists():
        return _idx_row(Path(path), int(row), size)
    return as_mnist(read_image(name), size)


def _idx_row(path: Path, row: int, size: int) -> "np.ndarray[Any, Any]":
    """One image of an IDX file, by its number from 0."""
    import numpy as np

    from handgrad.data.idx import read_idx

    images = read_idx(path)
    if images.ndim != 3 or images.shape[1:] != (size, size):
        raise ArgumentError("IMAGE", f"{path} of shape {images.shape}", f"an IDX file of {size}×{size} images")
    if row >= len(images):
        raise ArgumentError("IMAGE", f"{path}:{row}", f"a row from 0 to {len(images) - 1}")
    return np.asarray(images[row])


def half_blocks(image: "np.ndarray[Any, Any]") -> str:
    """A grey image (H, W) as Rich markup, two pixels a character, so that they come out nearly square.

    >>> import numpy as np
    >>> half_blocks(np.array([[0], [255]], np.uint8))
    '[rgb(0,0,0) on rgb(255,255,255)]▀[/]'
    """
    rows = [*image, *([image[-1] * 0] if len(image) % 2 else [])]
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        pixels = zip(upper.tolist(), lower.tolist(), strict=True)
        lines.append("".join(f"[rgb({u},{u},{u}) on rgb({v},{v},{v})]▀[/]" for u, v in pixels))
    return "\n".join(lines)

"""`handgrad explain`: the formulas of a layer, loss or optimizer, and an example in numbers."""

import difflib
import inspect
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from handgrad.cli.console import output_console
from handgrad.errors import ArgumentError

if TYPE_CHECKING:
    from handgrad.layers import Layer
    from handgrad.losses import Loss
    from handgrad.optimizers import Optimizer

    Kind: TypeAlias = type[Layer] | type[Loss] | type[Optimizer]

#: What else people call them; unique beginnings need no entry.
_ALIASES = {
    "batchnorm": "BatchNorm1d",
    "bce": "BinaryCrossEntropy",
    "ce": "CrossEntropy",
    "dense": "Linear",
    "convolution": "Conv2d",
    "momentum": "SGD",
    "mse": "MeanSquaredError",
}


def command(
    name: Annotated[
        str | None, typer.Argument(help="A layer, loss or optimizer, such as linear, conv or adam; all if left out.")
    ] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Only the formulas, as LaTeX.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Other numbers in the example.")] = 0,
) -> None:
    """Show the formulas of a layer, loss or optimizer, forward and backward, and an example worked in numbers."""
    from handgrad.cli.explain.explanation import Explanation

    explanation = Explanation(output_console())
    if name is None:
        explanation.overview(kinds())
    elif latex:
        _print_latex(find(name))
    else:
        explanation.show(find(name), seed)


def _print_latex(kind: "Kind") -> None:
    """Every formula on a line of its own, as the class states it."""
    from handgrad.optimizers import Optimizer

    if issubclass(kind, Optimizer):
        typer.echo(kind.formula)
    else:
        typer.echo("\n".join([kind.formulas.forward, *kind.formulas.backward.values()]))


def kinds() -> "dict[str, list[Kind]]":
    """Everything that can be explained, by group.

    >>> [len(group) > 3 for group in kinds().values()]
    [True, True, True]
    """
    from handgrad import layers, losses, optimizers
    from handgrad.layers import Layer

    exported = [vars(layers)[name] for name in sorted(layers.__all__, key=str.lower)]
    found = [kind for kind in exported if issubclass(kind, Layer) and not inspect.isabstract(kind)]
    return {"Layers": found, "Losses": [*losses.NAMED.values()], "Optimizers": [*optimizers.NAMED.values()]}


def find(name: str) -> "Kind":
    """The class that a name means: whatever its case and separators, another name for it, or its unique beginning.

    Args:
        name: as somebody typed it.

    Raises:
        ArgumentError: nothing is called that, or several begin so.

    >>> find("max-pool").__name__, find("adam").__name__
    ('MaxPool2d', 'Adam')
    """
    known = {_plain(kind.__name__): kind for group in kinds().values() for kind in group}
    wanted = _plain(_ALIASES.get(_plain(name), name))
    beginning = [kind for plain, kind in known.items() if wanted and plain.startswith(wanted)]
    if wanted in known or len(beginning) == 1:
        return known.get(wanted) or beginning[0]
    if beginning:
        raise ArgumentError("name", name, f"one of {_names(beginning)}", "type more of it")
    close = difflib.get_close_matches(wanted, known, n=1)
    remedy = f"did you mean {known[close[0]].__name__}?" if close else ""
    raise ArgumentError("name", name, f"one of {_names(known.values())}", remedy)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _names(found: "Iterable[Kind]") -> str:
    return ", ".join(kind.__name__ for kind in found)

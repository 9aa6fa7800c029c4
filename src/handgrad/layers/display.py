"""Models as a notebook shows them: a table of the layers, and their formulas to unfold."""

import math
import re
from collections.abc import Iterable, Iterator

from handgrad.display.formulas import formula, parts
from handgrad.display.html import Html, element, folded, joined, muted, output, paragraph, table
from handgrad.display.numbers import counted
from handgrad.layers.layer import Formulas, Layer
from handgrad.layers.linear import Linear
from handgrad.layers.parameters import dotted
from handgrad.layers.sequential import Sequential, stages
from handgrad.layers.summary import SummaryRow, summary_rows
from handgrad.ops import Shape

#: Characters of a layer's settings at most.
_SETTINGS = 120


def model_html(model: Layer) -> str:
    """The layers with their settings, output shapes where the first layer says what it takes, and parameters.

    Args:
        model: any layer, initialised or not.

    >>> "7,850 parameters" in model_html(handgrad.Sequential(handgrad.Linear(784, 10)))
    True
    """
    layers, shapes = dict(computing_layers(model)), known_shapes(model)
    output_column = ["output"] if shapes else []
    rows = [
        [_named(name, type(layer).__name__), _settings(layer), *shapes.get(name, ()), f"{_own_parameters(layer):,}"]
        for name, layer in layers.items()
    ]
    return output(
        paragraph(element("strong", type(model).__name__), ": ", _state(model, len(layers))),
        table(["layer", "settings", *output_column, "parameters"], rows, "lt" + "l" * len(output_column) + "r"),
        Html("") if shapes else _ask_for_shape(),
        formulas_html(layers.values()),
    )


def summary_html(rows: list[SummaryRow]) -> str:
    """What `summary` tells, as a table."""
    cells: list[list[object]] = [
        [_named(row.name, row.kind), _times(row.output_shape), f"{row.parameters:,}", f"{row.flops:,}"] for row in rows
    ]
    totals = sum(row.parameters for row in rows), sum(row.flops for row in rows)
    cells.append([element("strong", text) for text in ("total", "", f"{totals[0]:,}", f"{totals[1]:,}")])
    return output(table(["layer", "output", "parameters", "FLOPs"], cells, "llrr"))


def computing_layers(model: Layer, name: str = "") -> Iterator[tuple[str, Layer]]:
    """Every layer but a Sequential, with its dotted name, in the order of the forward pass.

    >>> [name for name, _ in computing_layers(handgrad.Sequential(handgrad.Residual(handgrad.Linear(2, 2))))]
    ['0.branch', '0']
    """
    for key, layer in model.sublayers().items():
        yield from computing_layers(layer, dotted(name, key))
    if not isinstance(model, Sequential):
        yield name, model


def known_shapes(model: Layer) -> dict[str, tuple[str]]:
    """Each layer's output shape, by name, if the first layer with parameters is linear.

    Empty where that is none: a convolution takes images of any size.

    >>> known_shapes(handgrad.Sequential(handgrad.ReLU(), handgrad.Linear(3, 2)))
    {'0': ('3',), '1': ('2',)}
    """
    first = next((layer for _, layer in stages(model) if _has_parameters(layer)), None)
    if not isinstance(first, Linear):
        return {}
    try:
        return {row.name: (_times(row.output_shape),) for row in summary_rows(model, (first.in_features,))}
    except Exception:  # what stands before it needs images, or is a layer that somebody has only begun to write
        return {}


def formulas_html(layers: Iterable[Layer]) -> Html:
    """The formulas of each kind of layer once, folded; nothing for layers that state none."""
    kinds = dict.fromkeys(type(layer) for layer in layers)
    stated = [_formulas(kind.__name__, kind.formulas) for kind in kinds if kind.formulas.forward]
    return folded("Formulas, forward and backward", *stated) if stated else Html("")


def _formulas(name: str, stated: Formulas) -> Html:
    lines = [_labelled("forward", _wrapping(stated.forward))]
    lines += [_labelled(f"backward, {of}", _wrapping(latex)) for of, latex in stated.backward.items()]
    if stated.shapes:
        shapes = ([formula(letter), " ", formula(shape)] for letter, shape in stated.shapes.items())
        lines.append(_labelled("shapes", joined(map(joined, shapes), ", ")))
    notes = [_labelled("", muted(stated.notes))] if stated.notes else []
    return element("div", element("strong", name), *lines, *notes, style="margin:8px 0")


def _labelled(label: str, content: Html) -> Html:
    """A line with its name in a column of its own."""
    name = element("span", label, style="flex:0 0 10em;opacity:.75")
    return element("div", name, element("span", content), style="display:flex;margin:3px 0 3px 16px")


def _wrapping(latex: str) -> Html:
    """A formula that may be broken where LaTeX has room."""
    return joined([formula(part) for part in parts(latex)], "\u2003")


def _state(model: Layer, count: int) -> str:
    parameters = sum(_own_parameters(layer) for _, layer in model.walk())
    said = f"{counted(count, 'layer')}, {counted(parameters, 'parameter')}"
    if "parameters" in vars(model):
        return f"{said}, {model.parameters.dtype}"
    return said if not parameters else f"{said}; not initialized yet"


def _named(name: str, kind: str) -> Html:
    return joined([muted(name), " ", kind] if name else [kind])


def _has_parameters(model: Layer) -> bool:
    return any(layer.parameter_specs() for _, layer in model.walk())


def _own_parameters(layer: Layer) -> int:
    return sum(math.prod(spec.shape) for spec in layer.parameter_specs().values())


def _settings(layer: Layer) -> str:
    """What stands in the parentheses of the layer's text; a layer of one's own may have quite another text."""
    found = re.fullmatch(r"\w+\((.*)\)", repr(layer), re.DOTALL)
    text = found[1] if found and not layer.sublayers() else ""
    return text if len(text) <= _SETTINGS else text[: _SETTINGS - 1] + "…"


def _ask_for_shape() -> Html:
    call = element("code", "handgrad.summary(model, input_shape)")
    return paragraph(muted("Output shapes follow from the input's: ", call))


def _times(shape: Shape) -> str:
    return " × ".join(map(str, shape))

"""A model as a table."""

import math
from dataclasses import dataclass

from handgrad.layers.layer import Layer
from handgrad.layers.parameters import dotted
from handgrad.layers.sequential import Residual, Sequential
from handgrad.ops import Shape


@dataclass(frozen=True)
class SummaryRow:
    """One layer in the table.

    Args:
        name: its dotted name.
        kind: its class.
        output_shape: of one example.
        parameters: values that training changes.
        flops: floating-point operations of one example's forward pass.
    """

    name: str
    kind: str
    output_shape: Shape
    parameters: int
    flops: int


def summary_rows(model: Layer, input_shape: Shape, name: str = "") -> list[SummaryRow]:
    """A row for every layer that computes, in the order of the forward pass.

    Args:
        model: any layer; containers are opened up.
        input_shape: of one example.
        name: the model's own dotted name.

    >>> [row.parameters for row in summary_rows(handgrad.Sequential(handgrad.Linear(2, 3), handgrad.ReLU()), (2,))]
    [9, 0]
    """
    inner: list[SummaryRow] = []
    shape = input_shape
    for key, layer in model.sublayers().items():
        inner += summary_rows(layer, shape, dotted(name, key))
        shape = layer.output_shape(shape)
    if isinstance(model, Sequential):
        return inner
    own = sum(math.prod(spec.shape) for spec in model.parameter_specs().values())
    flops = math.prod(input_shape) if isinstance(model, Residual) else model.flops(input_shape)
    return [*inner, SummaryRow(name, type(model).__name__, model.output_shape(input_shape), own, flops)]


class Summary(str):
    """A table of text, which a notebook shows as a table."""

    rows: list[SummaryRow]

    def _repr_html_(self) -> str:
        from handgrad.layers.display import summary_html  # which needs the rows above

        return summary_html(self.rows)


def summary(model: Layer, input_shape: Shape) -> Summary:
    """Layers, output shapes, parameters and operations as a table of text, with totals.

    Args:
        model: any layer.
        input_shape: of one example, without the batch.

    Raises:
        ShapeError: the input does not fit the model.

    >>> print(summary(handgrad.Sequential(handgrad.Linear(784, 10)), (784,)))
    layer     output  parameters   FLOPs
    0 Linear  10           7,850  15,680
    total                  7,850  15,680
    """
    rows = summary_rows(model, input_shape)
    total = sum(row.parameters for row in rows), sum(row.flops for row in rows)
    cells = [("layer", "output", "parameters", "FLOPs")]
    for row in rows:
        shape = " × ".join(map(str, row.output_shape))
        cells.append((f"{row.name} {row.kind}".strip(), shape, f"{row.parameters:,}", f"{row.flops:,}"))
    cells.append(("total", "", f"{total[0]:,}", f"{total[1]:,}"))
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    table = Summary("\n".join(_line(line, widths) for line in cells))
    table.rows = rows
    return table


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Two columns of words to the left, two of numbers to the right."""
    layer, shape, parameters, flops = cells
    return f"{layer:<{widths[0]}}  {shape:<{widths[1]}}  {parameters:>{widths[2]}}  {flops:>{widths[3]}}"

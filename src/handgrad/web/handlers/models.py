"""The models: which there are, what they are made of, and their numbers."""

import re
from math import prod
from typing import Any

import numpy as np
from starlette.responses import Response

from handgrad.errors import ArgumentError, HandgradError
from handgrad.layers import BatchNorm1d, Conv2d, Layer, LayerNorm, Linear
from handgrad.layers.pool import Pool2d
from handgrad.layers.sequential import stages
from handgrad.ops import Shape
from handgrad.web.arrays import arrays_response
from handgrad.web.catalog import OpenModel
from handgrad.web.context import Context
from handgrad.web.mathematics import formulas, mathematics


def index(context: Context) -> dict[str, Any]:
    """Every model: recipes as they start, then runs, the newest first."""
    return {"models": [entry.to_dict() for entry in context.catalog.index()]}


def describe(context: Context, *, kind: str, name: str) -> dict[str, Any]:
    """A model's layers with shapes and formulas, its loss and its optimizer."""
    opened = context.catalog.open(kind, name)
    return context.catalog.entry(kind, name).to_dict() | {
        "input_shape": list(opened.input_shape),
        "parameters": opened.model.parameters.count,
        "loss": {"name": opened.recipe.loss["name"], "formulas": formulas(opened.loss.formulas)},
        "optimizer": _optimizer(opened),
        "layers": _layers(opened.model, opened.input_shape),
    }


def weights(context: Context, *, kind: str, name: str, arrays: str | None = None) -> Response:
    """Parameters and buffers, all of them or those named."""
    opened = context.catalog.open(kind, name)
    state = opened.model.parameters.state_dict()
    wanted = list(state) if arrays is None else [part for part in arrays.split(",") if part]
    for wish in wanted:
        if wish not in state:
            raise ArgumentError("arrays", wish, f"names among {', '.join(state)}")
    headers = {"ETag": f'"{opened.version}"', "Cache-Control": "no-cache"}
    return arrays_response({wish: state[wish] for wish in wanted}, {"version": opened.version}, headers=headers)


def predict(context: Context, *, kind: str, name: str, body: dict[str, Any]) -> Response:
    """What a model answers to rows of raw inputs: probabilities of a classifier, else its outputs, (N, C)."""
    opened = context.catalog.open(kind, name)
    size = prod(opened.raw_shape)
    for place, row in enumerate(body["inputs"]):
        if len(row) != size:
            raise HandgradError(
                f"inputs[{place}] has {len(row)} numbers, expected {size}, as one input of {opened.id} has."
            )
    inputs = np.array(body["inputs"], np.float32).reshape(-1, *opened.raw_shape)  # (N, D) → (N, …)
    return arrays_response({"outputs": opened.probabilities(inputs)}, {"version": opened.version})


def _layers(model: Layer, shape: Shape) -> list[dict[str, Any]]:
    described = []
    for name, layer in stages(model):
        output_shape = layer.output_shape(shape)
        slots = [(f"{name}.{place}".lstrip("."), place, slot) for place, slot in layer.slots().items()]
        described.append(
            {
                "name": name,
                "kind": type(layer).__name__,
                "title": _title(layer),
                "input_shape": list(shape),
                "output_shape": list(output_shape),
                "parameters": [
                    {"name": full, "shape": list(slot.spec.shape), "letter": _letter(layer, place)}
                    for full, place, slot in slots
                    if slot.trained
                ],
                "buffers": [
                    {"name": full, "shape": list(slot.spec.shape)} for full, place, slot in slots if not slot.trained
                ],
                "formulas": formulas(layer.formulas),
            }
        )
        shape = output_shape
    return described


def _title(layer: Layer) -> str:
    """What a person calls it: its kind, and the sizes that matter."""
    kind = type(layer).__name__
    if isinstance(layer, Linear):
        return f"{kind}({layer.in_features} → {layer.out_features})"
    if isinstance(layer, Conv2d):
        channels, inputs, height, width = layer.parameter_specs()["weight"].shape
        return f"{kind}({inputs} → {channels}, {height}×{width})"
    if isinstance(layer, Pool2d):
        return f"{kind}({'×'.join(map(str, layer.kernel_size))})"
    if isinstance(layer, BatchNorm1d | LayerNorm):
        return f"{kind}({layer.num_features})"
    return repr(layer).removesuffix("()")


def _letter(layer: Layer, place: str) -> str | None:
    r"""The letter that the formulas have for a parameter, as LaTeX: W of `\bar W = …`."""
    found = re.match(r"\\bar\s*(\\?[A-Za-z]+)", layer.formulas.backward.get(place, ""))
    return found[1] if found else None


def _optimizer(opened: OpenModel) -> dict[str, Any]:
    optimizer = opened.optimizer
    owners = [base for base in type(optimizer).__mro__ if "formula" in vars(base)]
    settings = {key: value for key, value in vars(optimizer).items() if isinstance(value, int | float)}
    stated = [mathematics(vars(owner)["formula"]) for owner in owners]  # AdamW's refers to Adam's
    return {
        "name": opened.recipe.optimizer["name"],
        "settings": settings,
        "formula": stated[0],
        "formulas": stated,
    }

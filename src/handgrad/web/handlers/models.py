"""The models: which there are, what they are made of, and their numbers."""

import re
from typing import Any

from starlette.responses import Response

from handgrad.errors import ArgumentError
from handgrad.layers import Layer
from handgrad.layers.parameters import dotted
from handgrad.layers.sequential import stages
from handgrad.ops import Shape
from handgrad.web.arrays import arrays_response
from handgrad.web.catalog import OpenModel
from handgrad.web.context import Context
from handgrad.web.description import optimizer_settings, title
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
    views = opened.model.parameters.views
    wanted = list(views) if arrays is None else [part for part in arrays.split(",") if part]
    for wish in wanted:
        if wish not in views:
            raise ArgumentError("arrays", wish, f"names among {', '.join(views)}")
    headers = {"ETag": f'"{opened.version}"', "Cache-Control": "no-cache"}
    return arrays_response({wish: views[wish] for wish in wanted}, {"version": opened.version}, headers=headers)


def predict(context: Context, *, kind: str, name: str, body: dict[str, Any]) -> Response:
    """What a model answers to rows of raw inputs: probabilities of a classifier, else its outputs, (N, C)."""
    opened = context.catalog.open(kind, name)
    outputs = opened.probabilities(opened.batch(body["inputs"]))
    return arrays_response({"outputs": outputs}, {"version": opened.version})


def _layers(model: Layer, shape: Shape) -> list[dict[str, Any]]:
    described = []
    for name, layer in stages(model):
        output_shape = layer.output_shape(shape)
        slots = [(dotted(name, place), place, slot) for place, slot in layer.slots().items()]
        described.append(
            {
                "name": name,
                "kind": type(layer).__name__,
                "title": title(layer),
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


def _letter(layer: Layer, place: str) -> str | None:
    r"""The letter that the formulas have for a parameter, as LaTeX: W of `\bar W = …`."""
    found = re.match(r"\\bar\s*(\\?[A-Za-z]+)", layer.formulas.backward.get(place, ""))
    return found[1] if found else None


def _optimizer(opened: OpenModel) -> dict[str, Any]:
    optimizer = opened.optimizer
    owners = [base for base in type(optimizer).__mro__ if "formula" in vars(base)]
    stated = [mathematics(vars(owner)["formula"]) for owner in owners]  # AdamW's refers to Adam's
    return {
        "name": opened.recipe.optimizer["name"],
        "settings": optimizer_settings(optimizer),
        "formula": stated[0],
        "formulas": stated,
    }

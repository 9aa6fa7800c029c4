"""One example inside a network: its arrays, where a number comes from, and whether a gradient is right."""

import json
from copy import deepcopy
from typing import Any

import numpy as np
from starlette.responses import Response

from handgrad.data.loader import one_hot
from handgrad.display.formulas import typeset
from handgrad.errors import ArgumentError
from handgrad.inspection.cell import Cell, Part
from handgrad.inspection.cell import explain as explain_cell
from handgrad.inspection.trace import Trace
from handgrad.inspection.trace import trace as follow
from handgrad.inspection.trace_check import check as check_gradient
from handgrad.layers import Layer
from handgrad.losses import ClassificationLoss
from handgrad.optimizers import SGD, Adam, Optimizer
from handgrad.web.arrays import arrays_response
from handgrad.web.catalog import OpenModel
from handgrad.web.context import Context
from handgrad.web.description import optimizer_settings
from handgrad.web.mathematics import mathematics

#: So many addends of a sum are listed, the largest; of the others there is the sum.
_LISTED = 12
#: Seconds that the measuring of slopes may take.
_SECONDS = 1.0


def trace(context: Context, *, kind: str, name: str, body: dict[str, Any]) -> Response:
    """The arrays asked for, and what there is besides."""
    opened = context.catalog.open(kind, name)
    found = _trace(context, opened, body)
    wanted = {array: found[array] for array in body.get("arrays", [])}
    about: dict[str, Any] = {
        "version": opened.version,
        "loss": found.loss_value,
        "probabilities": found.probabilities.ravel().tolist(),
        "prediction": int(found.probabilities.argmax()) if opened.classes else None,
        "shapes": {array: list(values.shape) for array, values in found.arrays.items()},
    }
    if found.update is not None:
        about |= {"step": found.update.step, "optimizer": _optimizer_of(found.update.optimizer)}
    return arrays_response(wanted, about)


def cell(context: Context, *, kind: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Where one number comes from."""
    found = _trace(context, context.catalog.open(kind, name), body)
    return _cell(found, explain_cell(found, body["array"], tuple(body["index"])))


def check(context: Context, *, kind: str, name: str, body: dict[str, Any]) -> Response:
    """A gradient beside the slopes of the loss."""
    found = _trace(context, context.catalog.open(kind, name), body)
    result, slopes = check_gradient(found, body["array"], seconds=_SECONDS)
    analytic, numeric = (np.full(found[body["array"]].shape, np.nan, np.float32) for _ in range(2))
    analytic.flat[slopes.places], numeric.flat[slopes.places] = slopes.analytic, slopes.numeric
    about = {
        "passed": result.passed,
        "compared": result.compared,
        "size": analytic.size,
        "kinks": result.kinks,
        "error": result.error,
        "tolerance": result.tolerance,
        "worst": {"index": list(result.index), "analytic": result.analytic, "numeric": result.numeric},
        "hint": result.hint,
    }
    return arrays_response({"analytic": analytic, "numeric": numeric}, about)


def _trace(context: Context, opened: OpenModel, body: dict[str, Any]) -> Trace:
    """The trace of a situation, which most requests after each other share."""
    situation = {key: body.get(key) for key in ("input", "label", "updates", "optimizer", "edits")}
    key = json.dumps([opened.id, situation])
    return context.traces.get(key, lambda: _follow(opened, situation), version=opened.version)


def _follow(opened: OpenModel, situation: dict[str, Any]) -> Trace:
    inputs = opened.preprocessing(opened.batch([situation["input"]]))  # of one example
    model = _edited(opened.model, situation["edits"] or [])
    if situation["label"] is None:
        return follow(model, opened.loss, inputs)
    target, optimizer = _target(opened, situation["label"]), _optimizer(opened, situation["optimizer"])
    return follow(model, opened.loss, inputs, target, optimizer=optimizer, updates=situation["updates"] or 0)


def _target(opened: OpenModel, label: int) -> "np.ndarray[Any, Any]":
    """A class, or a number, as the loss takes it."""
    if opened.classes is None:
        return np.array([[label]], np.float32)
    if label >= opened.classes:
        raise ArgumentError("label", label, f"a class from 0 to {opened.classes - 1}")
    if isinstance(opened.loss, ClassificationLoss):
        return np.array([label])
    return one_hot(np.array([label]), opened.classes)  # (1, C)


def _optimizer(opened: OpenModel, wanted: dict[str, Any] | None) -> Optimizer:
    """The recipe's optimizer, or another."""
    if wanted is None:
        return opened.optimizer
    if wanted["name"] == "adam":
        return Adam(wanted["learning_rate"])
    return SGD(wanted["learning_rate"], momentum=wanted.get("momentum", 0.0))


def _optimizer_of(optimizer: Optimizer) -> dict[str, Any]:
    return {
        "name": type(optimizer).__name__,
        "settings": optimizer_settings(optimizer),
        "formula": mathematics(optimizer.formula),
    }


def _edited(model: Layer, edits: list[dict[str, Any]]) -> Layer:
    """A copy with some weights scaled or shifted; the model itself if there are no edits."""
    if not edits:
        return model
    model = deepcopy(model)
    for edit in edits:
        name, index = edit["parameter"], tuple(edit["index"])
        if name not in model.parameters.names:
            raise ArgumentError("parameter", name, f"one of {', '.join(model.parameters.names)}")
        view = model.parameters.views[name]
        if len(index) > view.ndim or any(at >= size for at, size in zip(index, view.shape, strict=False)):
            raise ArgumentError("index", list(index), f"a place in {name}, whose shape is {tuple(view.shape)}")
        view[index] = edit["factor"] * view[index] + edit["offset"]
    return model


def _cell(found: Trace, explained: Cell) -> dict[str, Any]:
    parts = sorted(explained.account.parts, key=lambda part: -abs(part.product))
    rest = parts[_LISTED:]
    return {
        "array": explained.array,
        "index": list(explained.index),
        "value": explained.value,
        "layer": explained.layer,
        "rule": mathematics(explained.rule) if explained.rule else None,
        "lines": [[typeset(step, inline=False) for step in line] for line in explained.account.lines],
        "parts": [_part(part) for part in parts[:_LISTED]],
        "rest": {"count": len(rest), "sum": sum(part.product for part in rest)},
        "sources": {
            array: [int(np.ravel_multi_index(place, found[array].shape)) if place else 0 for place in places]
            for array, places in explained.sources.items()
        },
        "remark": explained.account.remark,
    }


def _part(part: Part) -> dict[str, Any]:
    factors = [
        {"symbol": typeset(each.symbol), "value": each.value, "array": each.array, "index": list(each.index)}
        for each in part.factors
    ]
    return {"factors": factors, "product": part.product}

"""Drawings, and the images of the test data."""

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.data.digits import mnist_steps
from handgrad.errors import DataError
from handgrad.web.catalog import OpenModel
from handgrad.web.context import Context
from handgrad.web.errors import ContractError

#: Steps that the page shows. The drawing itself is with whoever sent it, and drawn ink needs no stretching: those two
#: would be most of the answer, which follows every move of the pen.
_STEPS = ("light_on_dark", "cropped", "scaled", "centred")


def look(context: Context, *, kind: str, name: str, side: int, body: bytes) -> dict[str, Any]:
    """What a drawing looks like after each step towards MNIST's images, and what the model says of it."""
    opened = context.catalog.open(kind, name)
    size = opened.image_size
    if len(body) != side * side:
        raise ContractError(f"The body has {len(body):,} bytes, expected side² = {side * side:,} grey levels.")
    try:
        steps = mnist_steps(np.frombuffer(body, np.uint8).reshape(side, side), size)
    except DataError as error:
        return {"empty": True, "error": str(error)}
    probabilities = opened.probabilities(steps.centred[None])[0]  # (1, C) → (C,)
    return {
        "steps": [{"name": step, **_picture(getattr(steps, step))} for step in _STEPS],
        "image": _bytes(steps.centred),
        "probabilities": probabilities.tolist(),
        "prediction": int(probabilities.argmax()),
    }


def examples(context: Context, *, kind: str, name: str, start: int, count: int, mistakes: bool) -> dict[str, Any]:
    """Test examples in order, or those that are classified wrongly, by their loss, the largest first."""
    opened = context.catalog.open(kind, name)
    # All test data is scored only where its mistakes are asked for: with a large network that takes seconds.
    chosen = context.catalog.mistakes(opened) if mistakes else np.arange(len(opened.test.inputs))
    rows = chosen[start : start + count]
    outputs: Iterable[NDArray[Any]] = opened.probabilities(opened.test.inputs[rows]) if len(rows) else ()  # (count, C)
    shown = [_example(opened, output, int(row)) for output, row in zip(outputs, rows, strict=True)]
    return {"total": len(chosen), "examples": shown}


def _example(opened: OpenModel, outputs: NDArray[Any], row: int) -> dict[str, Any]:
    image, label = opened.test.inputs[row], opened.test.labels[row]
    shown = {"pixels": _bytes(image)} if image.dtype == np.uint8 else {"inputs": image.tolist()}
    if opened.classes is None:
        return {"index": row, "target": label.tolist(), "outputs": outputs.tolist(), **shown}
    best = int(outputs.argmax())
    return {"index": row, "label": int(label), "prediction": best, "probability": float(outputs[best]), **shown}


def _picture(image: NDArray[np.uint8]) -> dict[str, Any]:
    return {"shape": list(image.shape), "pixels": _bytes(image)}


def _bytes(array: NDArray[np.uint8]) -> str:
    return base64.b64encode(array.tobytes()).decode()  # row by row, however it lies in memory

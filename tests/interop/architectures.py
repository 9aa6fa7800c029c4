"""Random networks of every kind of layer, each from a number, and how far other libraries are from them.

`python tests/interop/architectures.py` prints the greatest differences.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad import layers
from handgrad.errors import HandgradError
from handgrad.layers import Layer, Sequential
from handgrad.ops import Shape

COUNT = 200
ODD_SIZES = (1, 2, 3, 5, 7, 13, 17, 33)
Maker = Callable[[np.random.Generator], Layer]
ELEMENTWISE: list[Maker] = [
    lambda rng: layers.ReLU(),
    lambda rng: layers.LeakyReLU(float(rng.uniform(-0.5, 1.5))),
    lambda rng: layers.Sigmoid(),
    lambda rng: layers.Tanh(),
    lambda rng: layers.GELU(),
    lambda rng: layers.Softmax(),
    lambda rng: layers.LogSoftmax(),
    lambda rng: layers.Dropout(float(rng.uniform(0, 0.9))),
]


@dataclass(frozen=True)
class Architecture:
    """A network with random weights, and a batch for it."""

    model: Sequential
    input_shape: Shape
    x: npt.NDArray[Any]


def architecture(number: int, dtype: str = "float32") -> Architecture:
    """The network of a number, always the same: on rows, rows of rows or images, one to nine layers deep."""
    rng = np.random.default_rng([20261122, number])
    shape = _input_shape(rng)
    model = Sequential(*_layers(rng, shape, int(rng.integers(1, 10)), depth=0)).initialize(rng, dtype=dtype)
    _move(model, rng)
    x = rng.normal(size=(int(rng.integers(1, 6)), *shape)).astype(dtype)
    return Architecture(model, shape, x)


def _input_shape(rng: np.random.Generator) -> Shape:
    kinds = [(ODD_SIZES,), ((1, 2, 5), ODD_SIZES), ((1, 2, 3), (4, 7, 9, 13), (4, 6, 11))]
    return tuple(int(rng.choice(sizes)) for sizes in kinds[int(rng.choice([0, 1, 2, 2]))])


def _move(model: Layer, rng: np.random.Generator) -> None:
    """Give biases, scales and running averages values that are not special."""
    for name, view in model.parameters.views.items():
        kind = name.rpartition(".")[2]
        if kind in ("bias", "running_mean"):
            model.parameters.assign(name, 0.3 * rng.normal(size=view.shape))
        elif kind == "running_var" or view.ndim == 1:
            model.parameters.assign(name, rng.uniform(0.5, 1.5, view.shape))


def _layers(rng: np.random.Generator, shape: Shape, count: int, depth: int) -> Iterator[Layer]:
    """That many layers which fit each other."""
    for _ in range(count):
        layer = _layer(rng, shape, depth)
        shape = layer.output_shape(shape)
        yield layer


def _layer(rng: np.random.Generator, shape: Shape, depth: int) -> Layer:
    """One layer that fits the shape; one that does not is drawn again."""
    makers: list[Maker] = [*ELEMENTWISE, lambda rng: layers.Flatten()]
    makers += [lambda rng: _linear(rng, shape), lambda rng: layers.LayerNorm(shape[-1], 10 ** rng.uniform(-5, -1))] * 2
    if len(shape) == 1:
        makers += [lambda rng: layers.BatchNorm1d(shape[0], epsilon=10 ** rng.uniform(-5, -1))] * 3
    if len(shape) == 3:
        makers += [lambda rng: layers.BatchNorm2d(shape[0], epsilon=10 ** rng.uniform(-5, -1))] * 3
        makers += [lambda rng: _conv(rng, shape)] * 6
        makers += [lambda rng: _pool(rng, layers.MaxPool2d), lambda rng: _pool(rng, layers.AvgPool2d)] * 2
    if depth < 2:
        makers += [lambda rng: _residual(rng, shape, depth), lambda rng: _nested(rng, shape, depth)] * 2
    while True:
        try:
            layer = makers[int(rng.integers(len(makers)))](rng)
            layer.output_shape(shape)
            return layer
        except HandgradError:
            continue


def _linear(rng: np.random.Generator, shape: Shape) -> Layer:
    return layers.Linear(shape[-1], int(rng.choice(ODD_SIZES)), bias=bool(rng.integers(2)))


def _pair(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    down, across = rng.integers(low, high, 2).tolist()
    return down, across


def _conv(rng: np.random.Generator, shape: Shape) -> Layer:
    settings: dict[str, Any] = {
        "kernel_size": _pair(rng, 1, 5),
        "stride": _pair(rng, 1, 3),
        "padding": _pair(rng, 0, 3),
    }
    return layers.Conv2d(shape[0], int(rng.choice(ODD_SIZES)), **settings, bias=bool(rng.integers(2)))


def _pool(rng: np.random.Generator, kind: type[layers.MaxPool2d] | type[layers.AvgPool2d]) -> Layer:
    return kind(_pair(rng, 1, 4), _pair(rng, 1, 4), _pair(rng, 0, 2))


def _nested(rng: np.random.Generator, shape: Shape, depth: int) -> Layer:
    return Sequential(*_layers(rng, shape, int(rng.integers(0, 4)), depth + 1))


def _residual(rng: np.random.Generator, shape: Shape, depth: int) -> Layer:
    """Around some layers, and one more that gives the shape back."""
    branch = list(_layers(rng, shape, int(rng.integers(0, 3)), depth + 1))
    reached = Sequential(*branch).output_shape(shape)
    if len(reached) == 3 and reached[1:] == shape[1:]:
        branch.append(layers.Conv2d(reached[0], shape[0], 3, padding=1))
    elif reached[:-1] == shape[:-1]:
        branch.append(layers.Linear(reached[-1], shape[-1]))
    return layers.Residual(Sequential(*branch))


def difference(theirs: npt.NDArray[Any], ours: npt.NDArray[Any]) -> float:
    """The greatest difference of two arrays, as a part of the largest number in ours (of 1, if that is smaller)."""
    assert theirs.shape == ours.shape
    assert theirs.dtype == ours.dtype
    scale = max(1.0, float(np.abs(ours).max()))
    return float(np.abs(theirs.astype(np.float64) - ours.astype(np.float64)).max()) / scale


def main() -> None:
    from handgrad.interop.onnx import run_onnx, to_onnx
    from handgrad.interop.torch import to_torch
    from handgrad.interop.torch_modules import torch

    greatest: dict[str, tuple[float, int]] = {}
    kinds: dict[str, int] = {}
    for number in range(COUNT):
        for dtype in ("float32", "float64"):
            case = architecture(number, dtype)
            ours = case.model(case.x)
            found = {f"PyTorch {dtype}": to_torch(case.model)(torch.from_numpy(case.x)).detach().numpy()}
            if dtype == "float32":
                found["onnxruntime"] = run_onnx(to_onnx(case.model, case.input_shape), case.x)
                for _, layer in case.model.walk():
                    kinds[type(layer).__name__] = kinds.get(type(layer).__name__, 0) + 1
            for name, theirs in found.items():
                greatest[name] = max(greatest.get(name, (0.0, 0)), (difference(theirs, ours), number))
    for name, (value, number) in greatest.items():
        print(f"{name:<16} {value:.1e}  in network {number}")
    print(", ".join(f"{count} {name}" for name, count in sorted(kinds.items())))


if __name__ == "__main__":
    main()

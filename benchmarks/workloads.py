"""The work that everyone is given: a network, its data, its optimizer, and how much of it is timed."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: What a layer does, and its sizes: ("linear", 784, 128), ("conv", 1, 32), or without: relu, sigmoid, pool, flatten.
LayerSpec = tuple[Any, ...]

#: From which the order of the batches follows: `default_rng(ORDER_SEED).permutation(N)` once an epoch.
ORDER_SEED = 1
_WEIGHTS_SEED = 0


@dataclass(frozen=True)
class Workload:
    """A network and its training.

    Args:
        name: one word for the command line.
        title: for reading.
        kind: "mlp" (softmax cross-entropy), "cnn" (the same, 3×3 kernels with padding 1, 2×2 pools) or "xor" (half the
            squared error, summed; no biases).
        layers: what the network does, first to last.
        batch_size: examples a step; None for all of them, in order.
        learning_rate: of plain SGD, or of Adam for a "cnn".
        examples: the first so many training images are used.
        warm_up: epochs before the timing starts.
        epochs: epochs in a timed pass.
        passes: timed passes in a process; its figure is their median.
        unit: what is reported: "s an epoch", "ms a step" or "s for all steps".
        mean: subtracted from pixels in [0, 1].
        std: divides them after that.
        bars: by contestant, the largest ratio of our time to theirs that we accept.
    """

    name: str
    title: str
    kind: str
    layers: tuple[LayerSpec, ...]
    batch_size: int | None
    learning_rate: float
    examples: int = 60_000
    warm_up: int = 1
    epochs: int = 1
    passes: int = 3
    unit: str = "s an epoch"
    mean: float = 0.0
    std: float = 1.0
    bars: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def steps(self) -> int:
        """Updates in a timed pass."""
        return self.epochs * math.ceil(self.examples / (self.batch_size or self.examples))

    def in_unit(self, seconds: float) -> float:
        """A timed pass's seconds as they are reported."""
        return {"s an epoch": seconds / self.epochs, "ms a step": 1000 * seconds / self.steps}.get(self.unit, seconds)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(**{**values, "layers": tuple(tuple(layer) for layer in values["layers"])})


def mlp(hidden: int, batch_size: int, learning_rate: float, **settings: Any) -> Workload:
    """One hidden layer on MNIST, by plain SGD."""
    layers = (("linear", 784, hidden), ("relu",), ("linear", hidden, 10))
    settings = {"name": f"mlp-{hidden}", "title": f"784-{hidden}-10, batch {batch_size}, SGD"} | settings
    return Workload(kind="mlp", layers=layers, batch_size=batch_size, learning_rate=learning_rate, **settings)


_CNN_LAYERS: tuple[LayerSpec, ...] = (
    *(("conv", 1, 32), ("relu",), ("pool",)),
    *(("conv", 32, 64), ("relu",), ("pool",), ("flatten",)),
    *(("linear", 3136, 128), ("relu",), ("linear", 128, 10)),
)
_XOR_LAYERS: tuple[LayerSpec, ...] = (("linear", 2, 3), ("sigmoid",), ("linear", 3, 1), ("sigmoid",))

#: What `python -m benchmarks` times, with the ratios that the project has set itself.
WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        mlp(128, 64, 0.01, bars={"jax": 0.9, "pytorch": 0.35, "sklearn": 0.4}),
        mlp(1024, 16, 0.01, passes=1, bars={"jax": 0.9, "pytorch": 0.4, "sklearn": 0.4}),
        mlp(512, 128, 0.01, bars={"jax": 0.9, "pytorch": 0.65, "sklearn": 0.4}),
        Workload(
            "cnn",
            "two convolutions, two linear layers, batch 64, Adam",
            "cnn",
            _CNN_LAYERS,
            batch_size=64,
            learning_rate=0.0001,  # with more, Adam enlarges rounding until losses no longer agree to 1e-3
            examples=6_400,  # 100 steps
            passes=1,
            unit="ms a step",
            mean=0.1307,
            std=0.3081,
            bars={"pytorch": 0.8, "pytorch-channels-last": 0.8},
        ),
        Workload(
            "xor",
            "XOR, 2-3-1, 10,000 full-batch steps",
            "xor",
            _XOR_LAYERS,
            batch_size=None,
            learning_rate=0.5,
            examples=4,
            warm_up=1_000,
            epochs=10_000,
            passes=1,
            unit="s for all steps",
            bars={"pytorch": 0.1},
        ),
    )
}


def orders(workload: Workload) -> Iterator[NDArray[np.int64]]:
    """The order of the examples in each epoch, one after another, as our own `Loader` draws it."""
    rng = np.random.default_rng(ORDER_SEED)
    while True:
        yield np.arange(workload.examples) if workload.batch_size is None else rng.permutation(workload.examples)


def batches(workload: Workload, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The rows of each batch; the last one may be shorter."""
    size = workload.batch_size or len(order)
    for start in range(0, len(order), size):
        yield order[start : start + size]


def draw_weights(workload: Workload) -> dict[str, Array]:
    """First weights by PyTorch's names, in its shapes (out, in) and (out, in, kh, kw): He's law, or U(0, 1) for XOR."""
    rng = np.random.default_rng(_WEIGHTS_SEED)
    weights: dict[str, Array] = {}
    for index, (kind, *sizes) in enumerate(workload.layers):
        if kind not in ("linear", "conv"):
            continue
        shape = (sizes[1], sizes[0]) if kind == "linear" else (sizes[1], sizes[0], 3, 3)
        if workload.kind == "xor":
            weights[f"{index}.weight"] = rng.uniform(0, 1, shape).astype(np.float32)
            continue
        scale = math.sqrt(2 / math.prod(shape[1:]))
        weights[f"{index}.weight"] = (scale * rng.standard_normal(shape)).astype(np.float32)
        weights[f"{index}.bias"] = np.zeros(sizes[1], np.float32)
    return weights


@dataclass(frozen=True)
class Job:
    """A workload with its arrays: what a contestant gets.

    Args:
        workload: what to do.
        inputs: uint8 images (N, 28, 28), or XOR's float32 rows (4, 2).
        targets: int64 labels (N,), or XOR's float32 targets (4, 1).
        weights: as `draw_weights` names and shapes them.
        threads: how many may be used.
    """

    workload: Workload
    inputs: Array
    targets: Array
    weights: Mapping[str, Array]
    threads: int

    @classmethod
    def load(cls, workload: Workload, directory: Path, threads: int) -> Self:
        """Read what `benchmarks.prepare` wrote."""
        data = "xor" if workload.kind == "xor" else "train"
        inputs, targets = (
            np.load(directory / f"{data}-{part}.npy")[: workload.examples] for part in ("inputs", "targets")
        )
        with np.load(directory / f"{workload.name}.npz") as weights:
            return cls(workload, inputs, targets, dict(weights), threads)

    def floats(self) -> Array:
        """The inputs as a network sees them: float32 rows (N, D), or images (N, 1, 28, 28) for a "cnn"."""
        if self.workload.kind == "xor":
            return self.inputs
        shape = (len(self.inputs), 1, 28, 28) if self.workload.kind == "cnn" else (len(self.inputs), 784)
        scale, mean = 1 / (255 * self.workload.std), 255 * self.workload.mean
        pixels: Array = self.inputs.reshape(shape).astype(np.float32)
        return (pixels - np.float32(mean)) * np.float32(scale)

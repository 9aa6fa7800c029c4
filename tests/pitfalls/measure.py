"""What each pitfall does to training, on MNIST: `python tests/pitfalls/measure.py` measures and rewrites the page.

It writes docs/pitfalls/measured.json and, from that, the tables of docs/pitfalls.md. One thread, fixed seeds: the same
machine gives the same figures. MNIST's test data take no part: networks learn from the first 32,000 training
images and are scored on the last 10,000 of them.
"""

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import broken
import numpy as np
import threadpoolctl
from pitfall_checks import optimism
from pitfall_page import MEASURED, rewrite
from pitfall_training import (
    BATCH,
    CANDIDATE_IMAGES,
    EPOCHS,
    HIDDEN,
    LEARNING_IMAGES,
    RATE,
    REFERENCE,
    SCORING_IMAGES,
    UNIT,
    Row,
    candidate_hits,
    images,
    network,
    train,
)

import handgrad
from handgrad.data import Preprocessing
from handgrad.layers import Layer, Linear, ReLU, Sequential, Sigmoid, Softmax
from handgrad.losses import CrossEntropy, Loss, SoftmaxCrossEntropy
from handgrad.ops import limit_threads, usable_cores
from handgrad.optimizers import SGD, Adam, Optimizer

CANDIDATES, SAMPLE, DRAWS = 100, 100, 1000

MEASUREMENTS: dict[str, Callable[[], list[Row]]] = {}


def measures(anchor: str) -> Callable[[Callable[[], list[Row]]], Callable[[], list[Row]]]:
    """Register the function that measures what belongs under an anchor of the page."""

    def register(function: Callable[[], list[Row]]) -> Callable[[], list[Row]]:
        MEASUREMENTS[anchor] = function
        return function

    return register


@measures("baseline")
def _baseline() -> list[Row]:
    return [train(f"seed {seed}", network(), SoftmaxCrossEntropy(), seed=seed) for seed in range(5)]


@measures("softmax-without-the-row-maximum")
def _softmax_without_maximum() -> list[Row]:
    def run(name: str, linear: Callable[[int, int], Layer], softmax: Layer) -> Row:
        return train(name, network(linear, tail=(softmax,)), CrossEntropy())

    return [
        run("right, weights from N(0, 1)", broken.linear_from_standard_normal, Softmax()),
        run("wrong, weights from N(0, 1)", broken.linear_from_standard_normal, broken.SoftmaxWithoutMaximum()),
        run("right, He's law", Linear, Softmax()),
        run("wrong, He's law", Linear, broken.SoftmaxWithoutMaximum()),
    ]


@measures("cross-entropy-averaged-over-the-wrong-axis")
def _wrong_axis() -> list[Row]:
    return [
        train("right, batches of 64", network(), SoftmaxCrossEntropy()),
        train("wrong, batches of 64", network(), broken.CrossEntropyOverTheWrongAxis()),
        train("right, batches of 1000", network(), SoftmaxCrossEntropy(), batch=1000),
        train("wrong, batches of 1000", network(), broken.CrossEntropyOverTheWrongAxis(), batch=1000),
    ]


@measures("log-of-zero")
def _log_of_zero() -> list[Row]:
    def run(name: str, loss: Loss, *tail: Layer) -> Row:
        return train(name, network(broken.linear_from_standard_normal, tail=tail), loss, SGD(0.01))

    return [
        run("right: `SoftmaxCrossEntropy`, on scores", SoftmaxCrossEntropy()),
        run("right: `CrossEntropy`, with its floor", CrossEntropy(), Softmax()),
        run("wrong: no floor", broken.CrossEntropyWithoutFloor(), Softmax()),
    ]


@measures("gradient-not-divided-by-n")
def _not_divided() -> list[Row]:
    return [
        train("right", network(), SoftmaxCrossEntropy()),
        train("wrong", network(), broken.CrossEntropyNotDivided()),
        train("wrong, learning rate divided by 64", network(), broken.CrossEntropyNotDivided(), SGD(RATE / BATCH)),
    ]


@measures("gradient-divided-twice")
def _divided_twice() -> list[Row]:
    wrong = broken.LinearThatDivides
    return [
        train("right", network(), SoftmaxCrossEntropy()),
        train("wrong", network(wrong), SoftmaxCrossEntropy()),
        train("wrong, learning rate times 64", network(wrong), SoftmaxCrossEntropy(), SGD(RATE * BATCH)),
    ]


@measures("backward-that-returns-dw")
def _returns_dw() -> list[Row]:
    return [
        train("right, batches of 10", network(), SoftmaxCrossEntropy(), batch=10),
        train("wrong, batches of 10", network(last=broken.LinearReturningDW), SoftmaxCrossEntropy(), batch=10),
        train("wrong, batches of 64", network(last=broken.LinearReturningDW), SoftmaxCrossEntropy()),
    ]


@measures("softmax-jacobian-left-out")
def _jacobian_left_out() -> list[Row]:
    def run(name: str, rate: float) -> Row:
        return train(name, network(tail=(broken.SoftmaxWithoutJacobian(),)), CrossEntropy(), SGD(rate))

    return [
        train("right", network(tail=(Softmax(),)), CrossEntropy()),
        run("wrong", RATE),
        run("wrong, learning rate 0.01", 0.01),
        run("wrong, learning rate 0.001", 0.001),
    ]


@measures("softmax-jacobian-applied-twice")
def _jacobian_twice() -> list[Row]:
    return [
        train("right", network(tail=(Softmax(),)), CrossEntropy()),
        train("wrong", network(tail=(Softmax(),)), broken.CrossEntropyWithTheJacobian()),
    ]


@measures("softmax-applied-twice")
def _softmax_twice() -> list[Row]:
    tail, loss = broken.softmax_twice()
    return [train("right", network(), SoftmaxCrossEntropy()), train("wrong", network(tail=(tail,)), loss)]


@measures("labels-one-hot-on-one-side")
def _labels() -> list[Row]:
    return [
        train("right", network(), SoftmaxCrossEntropy()),
        train("wrong", network(), broken.CrossEntropyThatBroadcasts()),
        train("wrong, learning rate 0.001", network(), broken.CrossEntropyThatBroadcasts(), SGD(0.001)),
    ]


@measures("normal-weights-on-784-inputs")
def _normal_weights() -> list[Row]:
    def run(name: str, linear: Callable[[int, int], Layer], activation: Callable[[], Layer]) -> Row:
        row = train(name, model := network(linear, activation=activation), SoftmaxCrossEntropy())
        model.initialize(np.random.default_rng([0, 0]), ops=REFERENCE)  # as before the first step
        sums, _ = model[0].forward(UNIT(images()[0][:1000].inputs), ops=REFERENCE)
        return row | {"hidden sums beyond ±5 at the start": float(np.mean(np.abs(sums) > 5))}

    return [
        run("right: He's law, ReLU", Linear, ReLU),
        run("wrong: N(0, 1), ReLU", broken.linear_from_standard_normal, ReLU),
        run("right: He's law, sigmoid", Linear, Sigmoid),
        run("wrong: N(0, 1), sigmoid", broken.linear_from_standard_normal, Sigmoid),
    ]


@measures("sigmoid-derivative-at-the-wrong-place")
def _sigmoid_derivative() -> list[Row]:
    def run(name: str, activation: Callable[[], Layer], rate: float = RATE) -> Row:
        return train(name, network(activation=activation), SoftmaxCrossEntropy(), SGD(rate))

    return [
        run("right", Sigmoid),
        run("wrong", broken.SigmoidDerivativeAtX),
        run("right, learning rate 0.01", Sigmoid, 0.01),
        run("wrong, learning rate 0.01", broken.SigmoidDerivativeAtX, 0.01),
    ]


@measures("sign-flipped-twice")
def _sign() -> list[Row]:
    def run(name: str, loss: Loss, optimizer: Optimizer) -> Row:
        row = train(name, model := network(), loss, optimizer)
        return row | {"length of the weights": float(np.linalg.norm(model.parameters.vector))}

    return [
        run("right", SoftmaxCrossEntropy(), SGD(RATE)),
        run("wrong: both flips", broken.CrossEntropyFlipped(), broken.SGDThatAdds(RATE)),
        run("right, weight decay 0.01", SoftmaxCrossEntropy(), SGD(RATE, weight_decay=0.01)),
        run("wrong, weight decay 0.01", broken.CrossEntropyFlipped(), broken.SGDThatAdds(RATE, weight_decay=0.01)),
        run("right, with Adam", SoftmaxCrossEntropy(), Adam(0.001)),
        run("wrong error, with Adam", broken.CrossEntropyFlipped(), Adam(0.001)),
    ]


@measures("activation-overwritten-before-backward")
def _overwritten() -> list[Row]:
    def deep(linear: Callable[[int, int], Layer]) -> Sequential:
        hidden = [layer for _ in range(2) for layer in (linear(HIDDEN, HIDDEN), ReLU())]
        return Sequential(linear(784, HIDDEN), ReLU(), *hidden, linear(HIDDEN, 10))

    return [
        train("right", deep(Linear), SoftmaxCrossEntropy()),
        train("wrong", deep(broken.LinearIntoSharedBuffer), SoftmaxCrossEntropy()),
    ]


@measures("test-data-used-to-choose")
def _test_data() -> list[Row]:
    rng = np.random.default_rng(0)
    hits = np.stack([candidate_hits(rng) for _ in range(CANDIDATES)])
    found = optimism(hits, SAMPLE, DRAWS, rng)
    return [
        {
            "chosen by": f"{name} images",
            "accuracy quoted": (quoted := found[f"{key} quoted"]),
            "accuracy on fresh images": (fresh := found[f"{key} fresh"]),
            "too high by": quoted - fresh,
        }
        for name, key in ((f"right: {SAMPLE} validation", "validation"), (f"wrong: the same {SAMPLE} test", "test"))
    ]


@measures("unscaled-pixels")
def _unscaled() -> list[Row]:
    def run(name: str, preprocessing: Preprocessing, optimizer: Optimizer) -> Row:
        return train(name, network(), SoftmaxCrossEntropy(), optimizer, preprocessing=preprocessing)

    return [
        run("right", UNIT, SGD(RATE)),
        run("wrong", broken.raw_pixels(), SGD(RATE)),
        run("wrong, learning rate 0.001", broken.raw_pixels(), SGD(0.001)),
        run("right, with Adam", UNIT, Adam(0.001)),
        run("wrong, with Adam", broken.raw_pixels(), Adam(0.001)),
    ]


def about() -> dict[str, Any]:
    """Where and how it was measured."""
    blas = {f"{info['internal_api']} {info['version']}" for info in threadpoolctl.threadpool_info()}
    return {
        "command": "python tests/pitfalls/measure.py",
        "machine": f"{_processor()}, {usable_cores()} cores, one thread used",
        "versions": {
            "handgrad": handgrad.__version__,
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            "BLAS": ", ".join(sorted(blas)),
        },
        "settings": {
            "images to learn from": LEARNING_IMAGES,
            "images to score": SCORING_IMAGES,
            "hidden units": HIDDEN,
            "batch": BATCH,
            "epochs": EPOCHS,
            "learning rate": RATE,
            "candidates": CANDIDATES,
            "images a candidate learns from": CANDIDATE_IMAGES,
            "draws": DRAWS,
        },
    }


def _processor() -> str:
    """The processor's name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _short(value: float | str | None) -> float | str | None:
    """A float to four digits."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    """Measure everything, keep it, and rewrite the page."""
    started = time.perf_counter()
    with limit_threads(1):
        tables = {anchor: measure() for anchor, measure in MEASUREMENTS.items()}
    rounded = {anchor: [{k: _short(v) for k, v in row.items()} for row in rows] for anchor, rows in tables.items()}
    found = about() | {"seconds": round(time.perf_counter() - started), "measured": rounded}
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    rewrite()


if __name__ == "__main__":
    main()

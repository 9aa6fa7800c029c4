"""One measurement in a process of its own: `python -m benchmarks.child TASK DIRECTORY`, the task as JSON.

The result is the last line of standard output, as JSON.
"""

import importlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import Job, Workload


def main(task: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Do what the task says."""
    job = Job.load(Workload.from_dict(task["workload"]), directory, task["threads"])
    started = time.perf_counter()
    module = importlib.import_module(f"benchmarks.contestants.{task['module']}")
    seconds = {"import_seconds": time.perf_counter() - started}
    measure = {"train": _train, "predict": _predict}[task["measure"]]
    result = seconds | measure(job, module, task["variant"], directory)
    return result | {"peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def _train(job: Job, module: Any, variant: str, directory: Path) -> dict[str, Any]:
    """The median pass after a warm-up, and how much longer the warm-up took than it would have at that speed."""
    workload = job.workload
    prepare_seconds, train = _timed(lambda: module.prepare(job, variant))
    warm_up_seconds, _ = _timed(lambda: train(workload.warm_up))
    passes = [_timed(lambda: train(workload.epochs)) for _ in range(workload.passes)]
    seconds = statistics.median(seconds for seconds, _ in passes)
    return {
        "prepare_seconds": prepare_seconds,
        "first_seconds": max(0.0, warm_up_seconds - seconds * workload.warm_up / workload.epochs),
        "seconds": seconds,
        "passes": [seconds for seconds, _ in passes],
        "loss": passes[-1][1],
    }


def _predict(job: Job, module: Any, variant: str, directory: Path) -> dict[str, Any]:
    """The median time of one image, and of all test images in the size of batch that suits the contestant best."""
    images = np.load(directory / "test-inputs.npy")
    test = Job(job.workload, images, job.targets, job.weights, job.threads).floats()
    prepare_seconds, predict = _timed(lambda: module.predictor(job, variant))
    first_seconds, _ = _timed(lambda: predict(test[:1]))
    latencies = [_timed(lambda n=n: predict(test[n : n + 1]))[0] for n in range(600)][100:]  # type: ignore[misc]
    if hasattr(module, "bulk_predictor"):
        predict_all = module.bulk_predictor(job, variant)
        rates, outputs = _throughput(len(images), lambda size: predict_all(images, size))
    else:
        rates, outputs = _throughput(len(images), lambda size: _in_batches(predict, test, size))
    best = max(rates, key=lambda size: rates[size])
    return {
        "prepare_seconds": prepare_seconds,
        "first_seconds": first_seconds,
        "seconds": statistics.median(latencies),
        "images_per_second": rates[best],
        "batch_size": best,
        "loss": float(np.abs(outputs).mean()),  # not a loss, but like one: equal if the outputs are
    }


def _throughput(count: int, predict_all: Callable[[int], Any]) -> tuple[dict[int, float], Any]:
    """Images a second for two sizes of batch, the best of three passes after one to warm up; and the outputs."""
    rates = {}
    for size in (100, 1_000):
        outputs = predict_all(size)
        rates[size] = count / min(_timed(lambda size=size: predict_all(size))[0] for _ in range(3))  # type: ignore[misc]
    return rates, outputs


def _in_batches(predict: Callable[[Any], Any], inputs: Any, size: int) -> Any:
    return np.concatenate([predict(inputs[start : start + size]) for start in range(0, len(inputs), size)])


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), Path(sys.argv[2]))))

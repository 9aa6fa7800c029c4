"""Write the data and the first weights, once, for all processes of a session: `python -m benchmarks.prepare DIRECTORY`.

The workloads come as JSON on standard input. This runs in a process of its own, so that the one that starts all others
stays small: Linux counts the memory of a process from that of the one that started it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import Workload, draw_weights


def main(directory: Path, workloads: list[Workload]) -> None:
    """Arrays as .npy, weights of each workload as .npz."""
    from handgrad import datasets

    mnist, xor = datasets.load("mnist"), datasets.load("xor").train
    for name, dataset in (("train", mnist.train), ("test", mnist.test)):
        np.save(directory / f"{name}-inputs.npy", dataset.inputs)
        np.save(directory / f"{name}-targets.npy", dataset.labels.astype(np.int64))
    np.save(directory / "xor-inputs.npy", xor.inputs.astype(np.float32))
    np.save(directory / "xor-targets.npy", xor.labels.astype(np.float32))
    for workload in workloads:
        weights: dict[str, Any] = draw_weights(workload)
        np.savez(directory / f"{workload.name}.npz", **weights)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Workload.from_dict(values) for values in json.load(sys.stdin)])

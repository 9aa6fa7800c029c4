"""What a process pays before it trains, as JSON: `python -m benchmarks.starting`.

The clock starts before NumPy is imported. `OMP_NUM_THREADS` says how many threads.
"""

import json
import os
import time


def main() -> dict[str, float]:
    """Seconds to import handgrad, and to get the default recipe's kernels ready."""
    begun = time.perf_counter()
    from handgrad import Experiment, Recipe, set_threads

    imported = time.perf_counter()
    set_threads(int(os.environ["OMP_NUM_THREADS"]))
    trainer = Experiment.prepare(Recipe.load("fast")).trainer
    built = time.perf_counter()
    trainer.prepare()
    return {"import_seconds": imported - begun, "prepare_seconds": time.perf_counter() - built}


if __name__ == "__main__":
    print(json.dumps(main()))

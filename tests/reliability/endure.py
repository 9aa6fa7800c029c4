"""Train and predict for half an hour of processor time in one process, and see that its memory stays where it was.

`python tests/reliability/endure.py` writes the figures of docs/reliability.md.
"""

import gc
import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from reliability_page import WARM_UP, record

from handgrad.data.datasets import Splits, load
from handgrad.inspection.pictures import draw
from handgrad.inspection.plots import save
from handgrad.ops import limit_threads
from handgrad.training.checkpoint import Checkpoint
from handgrad.training.experiment import Experiment
from handgrad.training.recipe import Recipe
from handgrad.training.run import RunDirectory
from handgrad.training.saved_run import SavedRun

#: What is trained, over and over: other shapes, other kernels, other recipes.
RECIPES = ("fast", "mlp-adam", "xor", "cnn", "points", "mlp")
#: Examples of a training, so that many fit into half an hour.
EXAMPLES = 3000


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def shortened(splits: Splits) -> Splits:
    """The first examples."""
    from dataclasses import replace

    train, test = (
        replace(d, inputs=d.inputs[:EXAMPLES], labels=d.labels[:EXAMPLES]) for d in (splits.train, splits.test)
    )
    return Splits(train, test)


def once(name: str, folder: Path) -> None:
    """Train, save, checkpoint, open, restore, predict, draw."""
    recipe = Recipe.load(name).override({"train.epochs": 1, "select.widths": ()})
    experiment = Experiment.prepare(recipe, splits=shortened(load(recipe.data.dataset)))
    list(experiment.trainer.run(1))
    Checkpoint.of(experiment.trainer).save(folder / "checkpoint")
    Checkpoint.load(folder / "checkpoint").restore(experiment.trainer)
    RunDirectory(folder).save(experiment, 1)
    run = SavedRun.open(folder)
    for count in (1, 7, 300):
        outputs = run.probabilities(experiment.test.dataset.inputs[:count])
        assert np.all(np.isfinite(outputs))
    for _, figure in draw(experiment):
        save(figure)


def main() -> None:
    """As many minutes as the first argument says, 30 by default."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    samples: list[dict[str, float]] = []
    trainings = 0
    with limit_threads(1), tempfile.TemporaryDirectory(prefix="handgrad-endure-") as folder:
        for name in itertools.cycle(RECIPES):
            once(name, Path(folder))
            trainings += 1
            if name != RECIPES[-1]:
                continue
            gc.collect()  # else it is a matter of chance how many trainings wait for Python to look for cycles
            seconds = time.process_time()
            samples.append({"seconds": round(seconds, 1), "megabytes": round(resident() / 1e6, 2)})
            print(f"{seconds:7.0f} s  {trainings:5} trainings  {samples[-1]['megabytes']:8.1f} MB", flush=True)
            if seconds > 60 * minutes:
                break
    rows: list[dict[str, Any]] = [{"trainings": trainings, "samples": samples}]
    spread = spread_of(samples)
    print(f"memory stayed within {100 * spread:.2f} % of its middle after the first {WARM_UP:g} s")
    if minutes >= 30:
        record("memory", "python tests/reliability/endure.py", rows)
    sys.exit(spread > 0.02)


def spread_of(samples: list[dict[str, float]]) -> float:
    """Half the distance between the least and the most, of their middle, after the warm-up."""
    sizes = [sample["megabytes"] for sample in samples if sample["seconds"] > WARM_UP]
    return (max(sizes) - min(sizes)) / (max(sizes) + min(sizes))


if __name__ == "__main__":
    main()

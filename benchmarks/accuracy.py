"""A recipe trained and scored once: `python -m benchmarks.accuracy RECIPE SEED`, the result as JSON.

The test images are looked at once, when training has ended. `OMP_NUM_THREADS` says how many threads.
"""

import json
import os
import sys
from typing import Any

import handgrad


def main(recipe: str, seed: int) -> dict[str, Any]:
    """Training time, the share of test images that is right, and the curve of the training loss."""
    handgrad.set_threads(int(os.environ["OMP_NUM_THREADS"]))
    experiment = handgrad.Experiment.prepare(handgrad.Recipe.load(recipe).override({"train.seed": seed}))
    trainer = experiment.trainer
    assert not trainer.monitors, "nothing but the training images may be seen before the end"
    trainer.prepare()
    for _ in trainer.run(experiment.recipe.train.epochs):
        pass
    scores = handgrad.evaluate(experiment.model, experiment.loss, experiment.test)
    epochs = trainer.history.epochs
    return {
        "seconds": sum(epoch.seconds for epoch in epochs),
        "accuracy": scores.accuracy,
        "test_loss": scores.loss,
        "train_losses": [float(f"{epoch.train_loss:.5g}") for epoch in epochs],
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))

"""The default recipe, trained and scored once: `python -m benchmarks.default_handgrad SEED`, the result as JSON.

`OMP_NUM_THREADS` says how many threads.
"""

import json
import os
import sys

import handgrad


def main(seed: int) -> dict[str, float]:
    """Training time, without reading data and preparing the step, and the accuracy on the test images."""
    handgrad.set_threads(int(os.environ["OMP_NUM_THREADS"]))
    experiment = handgrad.Experiment.prepare(handgrad.Recipe.load("fast").override({"train.seed": seed}))
    trainer = experiment.trainer
    trainer.prepare()
    for _ in trainer.run(experiment.recipe.train.epochs):
        pass
    scores = handgrad.evaluate(experiment.model, experiment.loss, experiment.test)
    return {"seconds": sum(epoch.seconds for epoch in trainer.history.epochs), "accuracy": scores.accuracy}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))

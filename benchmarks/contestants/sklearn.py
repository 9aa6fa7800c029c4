"""scikit-learn: MLPClassifier.partial_fit, which is one epoch of SGD."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.contestants import Train
from benchmarks.workloads import Job, orders


def prepare(job: Job, variant: str) -> Train:
    """The network's own weights are overwritten in place, after a first call has made them."""
    workload, inputs = job.workload, job.floats()
    order = orders(workload)
    model = MLPClassifier(
        hidden_layer_sizes=[layer[2] for layer in workload.layers if layer[0] == "linear"][:-1],
        solver="sgd",
        alpha=0.0,
        batch_size=workload.batch_size,
        learning_rate_init=workload.learning_rate,
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,  # the rows come in the order that everyone uses
    )
    classes = np.arange(10)
    model.partial_fit(inputs[: workload.batch_size], job.targets[: workload.batch_size], classes=classes)
    for index, name in enumerate(name for name in job.weights if name.endswith("weight")):
        model.coefs_[index][...] = job.weights[name].T
        model.intercepts_[index][...] = job.weights[name.replace("weight", "bias")]

    def train(epochs: int) -> float:
        for _ in range(epochs):
            rows = next(order)
            model.partial_fit(inputs[rows], job.targets[rows])
        return float(model.loss_)

    return train

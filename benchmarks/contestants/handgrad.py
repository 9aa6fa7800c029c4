"""handgrad, through its public names only: a Trainer fed by a Loader from uint8 images."""

from collections.abc import Callable
from typing import Any

import numpy as np

import handgrad
from benchmarks.contestants import Predict, PredictAll, Train
from benchmarks.workloads import ORDER_SEED, Job

_LAYERS: dict[str, Callable[..., handgrad.Layer]] = {
    "linear": handgrad.Linear,
    "conv": lambda inputs, outputs: handgrad.Conv2d(inputs, outputs, 3, padding=1),
    "relu": handgrad.ReLU,
    "sigmoid": handgrad.Sigmoid,
    "pool": lambda: handgrad.MaxPool2d(2),
    "flatten": handgrad.Flatten,
}


def prepare(job: Job, variant: str) -> Train:
    """A Trainer; each call runs its generator to the end."""
    workload = job.workload
    handgrad.set_threads(job.threads)
    xor = workload.kind == "xor"
    dataset = handgrad.data.Dataset(job.inputs, job.targets, workload.name, None if xor else 10)
    rng = None if workload.batch_size is None else np.random.default_rng(ORDER_SEED)
    loader = handgrad.Loader(dataset, workload.batch_size, preprocessing=_preprocessing(job), rng=rng)
    loss = handgrad.MeanSquaredError(reduction="half_sum") if xor else handgrad.SoftmaxCrossEntropy()
    optimizer = handgrad.Adam if workload.kind == "cnn" else handgrad.SGD
    trainer = handgrad.Trainer(_model(job), loss, optimizer(workload.learning_rate), train=loader)

    def train(epochs: int) -> float:
        for _ in trainer.run(epochs):
            pass
        return trainer.history.epochs[-1].train_loss

    return train


def predictor(job: Job, variant: str) -> Predict:
    """The model, compiled."""
    handgrad.set_threads(job.threads)
    return handgrad.compile(_model(job))


def bulk_predictor(job: Job, variant: str) -> PredictAll:
    """`handgrad.predict`, which scales the pixels as well."""
    handgrad.set_threads(job.threads)
    model, preprocessing = _model(job), _preprocessing(job)

    def predict(images: Any, batch_size: int) -> Any:
        dataset = handgrad.data.Dataset(images, np.zeros(len(images), np.int64), "mnist", 10)
        return handgrad.predict(model, handgrad.Loader(dataset, batch_size, preprocessing=preprocessing))

    return predict


def _preprocessing(job: Job) -> handgrad.Preprocessing:
    if job.workload.kind == "xor":
        return handgrad.Preprocessing(scale=1.0)
    layout: Any = "image" if job.workload.kind == "cnn" else "flat"
    return handgrad.Preprocessing(mean=job.workload.mean, std=job.workload.std, layout=layout)


def _model(job: Job) -> handgrad.Layer:
    biased = job.workload.kind != "xor"
    layers = [
        _LAYERS[kind](*sizes, **({} if biased or kind != "linear" else {"bias": False}))
        for kind, *sizes in job.workload.layers
    ]
    model = handgrad.Sequential(*layers).initialize(np.random.default_rng(0))
    model.parameters.load_state_dict(job.weights)
    return model

"""PyTorch: tensors in memory, batches by index; its DataLoader, channels_last and torch.compile as variants."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contestants import Predict, Train
from benchmarks.workloads import Job, batches, orders

_LAYERS: dict[str, Any] = {
    "linear": nn.Linear,
    "conv": lambda inputs, outputs: nn.Conv2d(inputs, outputs, 3, padding=1),
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "pool": lambda: nn.MaxPool2d(2),
    "flatten": nn.Flatten,
}


def prepare(job: Job, variant: str) -> Train:
    """The usual loop: forward, backward, step."""
    workload = job.workload
    model, inputs = _model(job, variant), _inputs(job.floats(), variant)
    targets = torch.from_numpy(job.targets)
    optimizer = _optimizer(model, job)
    loss_of = _loss(model, workload.kind)
    if variant == "compile":
        loss_of = torch.compile(loss_of, dynamic=False)  # the short last batch has a version of its own
    order = orders(workload)

    def train(epochs: int) -> float:
        for _ in range(epochs):
            total = 0.0
            for x, y in _batches(job, inputs, targets, next(order), variant):
                optimizer.zero_grad()
                loss = loss_of(x, y)
                loss.backward()
                optimizer.step()
                total += loss.item() * (1 if workload.kind == "xor" else len(x))
        return total / workload.examples

    return train


def predictor(job: Job, variant: str) -> Predict:
    """The model in inference mode, images channels last, which is faster for one and for many."""
    model = _model(job, "channels_last").eval()

    def predict(inputs: Any) -> Any:
        with torch.inference_mode():
            return model(_inputs(inputs, "channels_last")).numpy()

    return predict


def _model(job: Job, variant: str) -> Any:
    torch.set_num_threads(job.threads)
    biased = job.workload.kind != "xor"
    layers = [
        _LAYERS[kind](*sizes, **({} if biased or kind != "linear" else {"bias": False}))
        for kind, *sizes in job.workload.layers
    ]
    model: Any = nn.Sequential(*layers)
    model.load_state_dict({name: torch.from_numpy(values) for name, values in job.weights.items()})
    return model.to(memory_format=torch.channels_last) if variant in ("channels_last", "compile") else model


def _inputs(values: Any, variant: str) -> torch.Tensor:
    inputs = torch.from_numpy(values)
    if inputs.ndim == 4 and variant in ("channels_last", "compile"):
        return inputs.contiguous(memory_format=torch.channels_last)
    return inputs


def _optimizer(model: nn.Module, job: Job) -> torch.optim.Optimizer:
    if job.workload.kind == "cnn":  # fused: the fastest of PyTorch's three ways here
        return torch.optim.Adam(model.parameters(), lr=job.workload.learning_rate, fused=True)
    return torch.optim.SGD(model.parameters(), lr=job.workload.learning_rate)


def _loss(model: nn.Module, kind: str) -> Any:
    def cross_entropy(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(model(x), y)

    def half_squared_error(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 0.5 * functional.mse_loss(model(x), y, reduction="sum")

    return half_squared_error if kind == "xor" else cross_entropy


def _batches(
    job: Job, inputs: torch.Tensor, targets: torch.Tensor, order: Any, variant: str
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    if job.workload.batch_size is None:
        yield inputs, targets
    elif variant == "loader":
        dataset = TensorDataset(inputs, targets)
        yield from DataLoader(dataset, job.workload.batch_size, sampler=order.tolist())
    else:
        for rows in batches(job.workload, order):
            index = torch.from_numpy(rows)
            yield inputs.index_select(0, index), targets.index_select(0, index)

"""The default recipe as a PyTorch script: `python -m benchmarks.default_pytorch SEED`, the result as JSON.

The recipe's layers, optimizer, schedule, epochs and batches, and the same distortions, made of a whole batch at a time
by `affine_grid` and `grid_sample`. Images lie channels last and Adam is fused, the fastest way that we found.
`OMP_NUM_THREADS` says how many threads.
"""

import json
import math
import sys
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.cold_pytorch import read
from handgrad import Augmentation, Recipe

MEAN, STD = 0.1307, 0.3081
_LAYERS: dict[str, Any] = {"Conv2d": nn.LazyConv2d, "BatchNorm2d": nn.LazyBatchNorm2d}


def images(name: str) -> torch.Tensor:
    """(N, 1, 28, 28) in [0, 1], channels last."""
    pixels = read(name, 16).reshape(-1, 1, 28, 28).to(torch.float32).div_(255)
    return pixels.contiguous(memory_format=torch.channels_last)


def network(recipe: Recipe) -> nn.Module:
    """The recipe's layers with He's weights, channels last."""
    layers: list[nn.Module] = []
    for settings in recipe.model.features:
        sizes = {name: value for name, value in settings.items() if name != "name"}
        layers.append(_LAYERS[settings["name"]](**sizes) if settings["name"] in _LAYERS else _plain(settings["name"]))
    for width in recipe.model.hidden:
        layers += [nn.LazyLinear(width), nn.ReLU()]
    model = nn.Sequential(*layers, nn.LazyLinear(10))
    model(torch.zeros(2, 1, 28, 28))  # gives the lazy layers their sizes
    for layer in model:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.constant_(layer.bias, 0)  # type: ignore[arg-type]
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return,unused-ignore]


def _plain(name: str) -> nn.Module:
    plain: nn.Module = {"ReLU": nn.ReLU, "Flatten": nn.Flatten}[name]()
    return plain


def distort(batch: torch.Tensor, settings: Augmentation, numbers: torch.Tensor) -> torch.Tensor:
    """Square images each mapped affinely by six numbers from [0, 1), as `Augmentation.draw` draws them.

    `affine_grid` takes the inverse map, in units of half an image.
    """
    even, half = 2 * numbers.T - 1, batch.shape[3] / 2
    angle, shear = math.radians(settings.rotation) * even[0], settings.shear * even[1]
    wide, high = 1 + settings.scale * even[2], 1 + settings.scale * even[3]
    right, down = settings.translation * even[4], settings.translation * even[5]
    cos, sin = torch.cos(angle), torch.sin(angle)
    xx, xy, yx, yy = (cos + shear * sin) / wide, (sin - shear * cos) / wide, -sin / high, cos / high
    shift_x, shift_y = -(xx * right + xy * down) / half, -(yx * right + yy * down) / half
    matrix = torch.stack([xx, xy, shift_x, yx, yy, shift_y], dim=1).reshape(-1, 2, 3)
    grid = functional.affine_grid(matrix, list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, align_corners=False)


def main(seed: int) -> dict[str, float]:
    """Training time and the accuracy on the test images."""
    torch.manual_seed(seed)
    recipe = Recipe.load("fast")
    inputs, targets = images("train-images-idx3-ubyte"), read("train-labels-idx1-ubyte", 8).long()
    model, size, rate = network(recipe), recipe.train.batch_size, recipe.optimizer["learning_rate"]
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    steps = recipe.train.epochs * -(-len(inputs) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, cycle_momentum=False)
    started = time.perf_counter()
    for _ in range(recipe.train.epochs):
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), size):
            rows = order[start : start + size]
            batch = distort(inputs.index_select(0, rows), recipe.augment, torch.rand(len(rows), 6))
            batch = batch.sub_(MEAN).div_(STD)
            optimizer.zero_grad()
            functional.cross_entropy(model(batch), targets.index_select(0, rows)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - started
    model.eval()
    with torch.inference_mode():
        predicted = model(images("t10k-images-idx3-ubyte").sub_(MEAN).div_(STD)).argmax(1)
    accuracy = (predicted == read("t10k-labels-idx1-ubyte", 8)).double().mean()
    return {"seconds": seconds, "accuracy": float(accuracy)}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))

"""What `handgrad train mlp --epochs 1` does, as a PyTorch script: `python -m benchmarks.cold_pytorch WEIGHTS`.

The same files, network, rate and batches of the same size; the test images are scored and the weights saved. Unlike
ours it keeps no history and draws no pictures. `OMP_NUM_THREADS` says how many threads.
"""

import gzip
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

_FOLDER = Path(__file__).parents[1] / "src" / "handgrad" / "data" / "mnist"


def read(name: str, header: int) -> torch.Tensor:
    """The bytes of an IDX file behind its header."""
    content = gzip.decompress((_FOLDER / f"{name}.gz").read_bytes())
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header)


def images(name: str) -> torch.Tensor:
    """Rows (N, 784) in [0, 1]."""
    return read(name, 16).reshape(-1, 784).to(torch.float32).div_(255)


def main(path: Path) -> None:
    """Train an epoch, score the test images, save."""
    torch.manual_seed(0)
    inputs, targets = images("train-images-idx3-ubyte"), read("train-labels-idx1-ubyte", 8).long()
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    order = torch.randperm(len(inputs))
    for start in range(0, len(inputs), 64):
        rows = order[start : start + 64]
        optimizer.zero_grad()
        loss: Any = functional.cross_entropy(model(inputs.index_select(0, rows)), targets.index_select(0, rows))
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        predicted = model(images("t10k-images-idx3-ubyte")).argmax(1)
    accuracy = (predicted == read("t10k-labels-idx1-ubyte", 8)).float().mean()
    torch.save(model.state_dict(), path)
    print(f"{accuracy:.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""What every test may ask for."""

from pathlib import Path

import numpy as np
import pytest

from handgrad.data.idx import write_idx


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with MNIST's four file names: 8×8 images of three easy classes, 240 to train on and 60 to test."""
    directory = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(7)
    for name, count in (("train", 240), ("t10k", 60)):
        labels = rng.integers(0, 3, count).astype(np.uint8)
        labels[:3] = [0, 1, 2]
        images = rng.integers(0, 60, (count, 8, 8)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 3, 1:7] += 150  # a bright bar, lower for a higher class
        write_idx(directory / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(directory / f"{name}-labels-idx1-ubyte", labels)
    return directory

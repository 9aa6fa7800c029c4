"""What every test may ask for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from page import browser, learned_runs, open_page, server
from typer.testing import CliRunner

from handgrad.cli import app
from handgrad.data.idx import write_idx

#: Fixtures of the page in a browser, which are described where they are made.
__all__ = ["browser", "learned_runs", "open_page", "server"]

if TYPE_CHECKING:
    from served import Served


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


@pytest.fixture(scope="module")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run of `mlp`: six epochs of eight units on the tiny images."""
    out = tmp_path_factory.mktemp("finished") / "run"
    words = ["train", "mlp", "--data", tiny, "--epochs", "6", "--hidden", "8", "--lr", "0.5", "--out", out]
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, one that was left off, and what is no run."""
    from served import make_run, make_unfinished_run

    folder = tmp_path_factory.mktemp("runs")
    make_unfinished_run(folder, "left-off", "xor")
    make_run(folder, "finished")
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "run.json").write_text('{"recipe": 3}')
    (folder / "broken" / "model.safetensors").write_bytes(b"not one")
    (folder / "a file").write_text("")
    return folder


@pytest.fixture(scope="session")
def page(runs: Path) -> "Iterator[Served]":
    """A server of the page with that folder, for the tests that leave both as they are."""
    from served import served

    with served(runs) as server:
        yield server

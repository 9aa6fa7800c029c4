import gzip
import hashlib
from importlib import resources

import numpy as np
import pytest

from handgrad.data import Splits, load

# Size and SHA-256 of each decompressed file, from shared/workloads.md.
CONTENT = {
    "train-images-idx3-ubyte": (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


@pytest.fixture(scope="module")
def mnist() -> Splits:
    return load("mnist")


@pytest.mark.parametrize("name", CONTENT)
def test_embedded_files_are_the_published_ones(name: str) -> None:
    packed = resources.files("handgrad.data").joinpath("mnist", f"{name}.gz").read_bytes()
    content = gzip.decompress(packed)
    assert (len(content), hashlib.sha256(content).hexdigest()) == CONTENT[name]


def test_the_licence_lists_the_same_checksums() -> None:
    licence = resources.files("handgrad.data").joinpath("mnist", "LICENSE.md").read_text(encoding="utf-8")
    for name, (size, checksum) in CONTENT.items():
        assert f"| {name} | {size:,} | {checksum} |" in licence


def test_shapes_dtypes_and_counts(mnist: Splits) -> None:
    assert mnist.train.inputs.shape == (60_000, 28, 28)
    assert mnist.test.inputs.shape == (10_000, 28, 28)
    assert mnist.train.inputs.dtype == mnist.test.inputs.dtype == np.uint8
    assert mnist.train.labels.dtype == mnist.test.labels.dtype == np.int64
    assert (mnist.train.name, mnist.train.classes, mnist.test.classes) == ("mnist", 10, 10)
    assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.train.class_counts().sum() == 60_000
    assert mnist.test.class_counts().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_pixel_mean_and_standard_deviation(mnist: Splits) -> None:
    assert mnist.train.inputs.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert mnist.train.inputs.std() / 255 == pytest.approx(0.3081, abs=5e-5)

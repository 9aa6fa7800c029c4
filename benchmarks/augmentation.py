"""What distorting a batch of 64 MNIST images costs, piece by piece: `python -m benchmarks.augmentation`.

Also what the elastic displacement would cost if it were made literally, as one random number for each pixel and
direction, smoothed by a Gaussian. Everything runs on one core; times are the least of many.
"""

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from handgrad.data import Augmentation, Loader, Preprocessing, load
from handgrad.ops import Ops, for_device, set_threads

BATCH, SIGMA = 64, 4.0
AUGMENTATION = Augmentation(rotation=15, shear=0.15, scale=0.15, translation=1, elastic_alpha=1.38, elastic_sigma=SIGMA)


@numba.njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def smooth(noise: Any, taps: Any, strip: Any, field: Any) -> None:
    """A Gaussian filter of noise (F, H, W), zero outside, along y and then along x."""
    fields, height, width = noise.shape
    reach = taps.size // 2
    for n in range(fields):
        for y in range(height):
            strip[:] = 0
            for k in range(max(0, y - reach), min(height, y + reach + 1)):
                tap, row = taps[k - y + reach], noise[n, k]
                for x in range(width):
                    strip[x] += tap * row[x]
            out = field[n, y]
            out[:] = 0
            for k in range(-reach, reach + 1):
                tap, source, target = taps[k + reach], strip[max(0, k) :], out[max(0, -k) :]
                for x in range(width - abs(k)):
                    target[x] += tap * source[x]


def pieces() -> dict[str, Callable[[], Any]]:
    """What to time, by name."""
    train, rng = load("mnist").train, np.random.default_rng(0)
    images = train.inputs[rng.permutation(len(train))[:BATCH]]
    numbers = AUGMENTATION.draw(images.shape, rng)
    rows = images.reshape(BATCH, -1)  # (N, H, W) → (N, H·W)

    def distort(source: Any, numbers: Any, *, ops: Ops) -> Any:
        return AUGMENTATION.distort(source, None, numbers, (28, 28), ops=ops)

    compiled = for_device("cpu").compile(distort)
    offsets = np.arange(-12, 13)
    taps = np.exp(-(offsets**2) / (2 * SIGMA**2)).astype(np.float32)
    noise, strip = rng.random((2 * BATCH, 28, 28), np.float32), np.empty(28, np.float32)
    field = np.empty_like(noise)
    return {
        "a new generator": lambda: np.random.default_rng([2**62, 640]),
        "random numbers": lambda: AUGMENTATION.draw(images.shape, rng),
        "kernel": lambda: compiled(rows, numbers),
        "the whole call": lambda: AUGMENTATION(images, rng),
        "literally: random numbers": lambda: rng.random(noise.shape, np.float32),
        "literally: smoothing": lambda: smooth(noise, taps, strip, field),
    }


def epoch(augment: Augmentation | None) -> Callable[[], None]:
    """One pass over the 60,000 training images."""
    rng = np.random.default_rng(0)
    loader = Loader(load("mnist").train, BATCH, preprocessing=Preprocessing(), rng=rng, augment=augment)

    def run() -> None:
        for _ in loader:
            pass

    return run


def least(function: Callable[[], Any], repeats: int) -> float:
    """The shortest of many runs, in seconds: the one that was disturbed least."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == "__main__":
    set_threads(1)
    for name, piece in pieces().items():
        print(f"{name:28} {1e6 * least(piece, 1000):7.0f} µs")
    print(f"{'epoch of batches, as they are':28} {1e3 * least(epoch(None), 5):6.0f} ms")
    print(f"{'epoch of batches, distorted':28} {1e3 * least(epoch(AUGMENTATION), 5):6.0f} ms")

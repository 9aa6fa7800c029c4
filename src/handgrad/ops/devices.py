"""From a device's name to the operations that run there, and how many threads they may use."""

import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from handgrad.errors import ArgumentError, DeviceError, MissingExtraError
from handgrad.extras import load
from handgrad.ops.cores import use_threads
from handgrad.ops.fused import FusedOps
from handgrad.ops.interface import Ops
from handgrad.ops.reference import ReferenceOps

_NO_NUMBA = (
    "Numba is not installed, so training runs on NumPy alone, several times slower; `pip install numba` mends it."
)
_EXPECTED = "one of cpu, torch:cpu, torch:cuda, torch:cuda:N"


def for_device(name: str) -> Ops:
    """The operations for a device.

    `cpu` computes with NumPy, and with kernels what is compiled; without Numba it warns and does without them.
    `torch:cpu` and `torch:cuda` run the very same layers over PyTorch tensors, without autograd; `torch:cuda:1` picks a
    GPU by number.

    Raises:
        ArgumentError: the name is not a device's.
        DeviceError: PyTorch is not installed, or the GPU is not there.

    >>> for_device("cpu").device
    'cpu'
    """
    library, _, placement = name.partition(":")
    if name == "cpu":
        return _cpu_ops()
    if library == "torch" and placement.split(":")[0] in ("cpu", "cuda"):
        return _torch_ops(name, placement)
    raise ArgumentError("device", name, _EXPECTED)


def _cpu_ops() -> Ops:
    if importlib.util.find_spec("numba") is None:
        warnings.warn(_NO_NUMBA, RuntimeWarning, stacklevel=3)
        return ReferenceOps(np)
    return FusedOps(np)


def _torch_ops(name: str, placement: str) -> Ops:
    torch = _load("torch", name)
    try:
        torch.empty(1, device=placement)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DeviceError(
            f"device {name!r} is not available here ({reason}); use --device cpu or torch:cpu."
        ) from error
    return ReferenceOps(_load("array_api_compat.torch", name), device=name, placement=placement)


def _load(module: str, device: str) -> Any:
    """Import what only PyTorch's devices need."""
    try:
        return load(module, "torch")
    except (MissingExtraError, ImportError) as error:  # not there, or there and broken
        raise DeviceError(f"device {device!r} is not available here. {error} Or use --device cpu.") from error


@contextmanager
def limit_threads(count: int | None, device: str = "cpu") -> Iterator[int]:
    """Let `count` threads compute inside the block, in one pool.

    NumPy's own pool is held at one thread meanwhile: two pools on the same cores wait for each other, and a small
    product then takes a hundred times as long.

    Args:
        count: threads, at least 1; None is every usable core.
        device: PyTorch counts its threads itself, so its devices must be named.

    Raises:
        ArgumentError: count is below 1.

    >>> with limit_threads(1) as threads:
    ...     threads
    1
    """
    import threadpoolctl  # costs 10 ms to import, so only when asked for

    with use_threads(count) as number, threadpoolctl.threadpool_limits(limits=1), _limit_torch(number, device):
        yield number


@contextmanager
def _limit_torch(count: int, device: str) -> Iterator[None]:
    if not device.startswith("torch"):
        yield
        return
    for_device(device)  # a missing library or device is said in words
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

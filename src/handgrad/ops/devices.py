"""From a device's name to the operations that run there, and how many threads they may use."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from handgrad.errors import ArgumentError, DeviceError
from handgrad.ops.interface import Ops
from handgrad.ops.reference import ReferenceOps

_EXPECTED = "one of cpu, torch:cpu, torch:cuda, torch:cuda:N"


def for_device(name: str) -> Ops:
    """The operations for a device.

    `cpu` computes with NumPy. `torch:cpu` and `torch:cuda` run the very same layers over PyTorch tensors, without
    autograd; `torch:cuda:1` picks a GPU by number.

    Raises:
        ArgumentError: the name is not a device's.
        DeviceError: PyTorch is not installed, or the GPU is not there.

    >>> for_device("cpu").device
    'cpu'
    """
    library, _, placement = name.partition(":")
    if name == "cpu":
        return ReferenceOps(_namespace("numpy"))
    if library == "torch" and placement.split(":")[0] in ("cpu", "cuda"):
        return _torch_ops(name, placement)
    raise ArgumentError("device", name, _EXPECTED)


def _namespace(library: str) -> Any:
    """The array API namespace of a library, imported only when asked for."""
    return importlib.import_module(f"array_api_compat.{library}")


def _torch_ops(name: str, placement: str) -> Ops:
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise DeviceError(
            f"device {name!r} needs PyTorch, which is not installed; install it with "
            "`python -m pip install torch`, or use --device cpu."
        ) from error
    try:
        torch.empty(1, device=placement)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DeviceError(
            f"device {name!r} is not available here ({reason}); use --device cpu or torch:cpu."
        ) from error
    return ReferenceOps(_namespace("torch"), device=name, placement=placement)


def usable_cores() -> int:
    """Number of processors that this process may run on, at least 1.

    >>> usable_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@contextmanager
def limit_threads(count: int, device: str = "cpu") -> Iterator[int]:
    """Let matrix products use `count` threads inside the block.

    Args:
        count: threads, at least 1.
        device: PyTorch counts its threads itself, so its devices must be named.

    Raises:
        ArgumentError: count is below 1.

    >>> with limit_threads(1) as threads:
    ...     threads
    1
    """
    if count < 1:
        raise ArgumentError("threads", count, "an integer >= 1")
    import threadpoolctl  # costs 10 ms to import, so only when asked for

    with threadpoolctl.threadpool_limits(limits=count), _limit_torch(count, device):
        yield count


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

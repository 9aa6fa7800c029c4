"""How many processors there are for us, and how many threads compute."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from handgrad.errors import ArgumentError

_threads: int | None = None  # chosen by set_threads; None is all usable cores


def set_threads(count: int | None) -> None:
    """Choose how many threads compute, in the whole process, from now on.

    Results do not depend on it: every number is summed in the same order on any number of threads.

    Args:
        count: at least 1; None is every usable core.

    Raises:
        ArgumentError: count is below 1.

    >>> set_threads(1)
    >>> threads()
    1
    >>> set_threads(None)
    """
    global _threads
    if count is not None and count < 1:
        raise ArgumentError("threads", count, "an integer >= 1")
    _threads = count


def threads() -> int:
    """Number of threads that compute: what `set_threads` chose, or every usable core."""
    return _threads or usable_cores()


@contextmanager
def use_threads(count: int | None) -> Iterator[int]:
    """Let `count` threads compute inside the block.

    >>> with use_threads(1) as number:
    ...     number
    1
    """
    before = _threads
    set_threads(count)
    try:
        yield threads()
    finally:
        set_threads(before)


@cache
def processor() -> str:
    """The processor's name, where the system says it; else its kind."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@cache
def usable_cores() -> int:
    """Number of physical cores that this process may use: of its affinity, and within its control group's quota.

    Two hardware threads of one core share its arithmetic units, so a second one gains a product nothing.

    >>> usable_cores() >= 1
    True
    """
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = {_siblings(processor) for processor in allowed}
    return max(1, min(len(cores), _quota(Path("/sys/fs/cgroup/cpu.max"))))


def _siblings(processor: int) -> str:
    """The hardware threads of a processor's core, as Linux lists them; elsewhere each counts as a core."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(processor)


def _quota(limit: Path) -> int:
    """Processors a control group grants, rounded up; "max 100000" and a missing file are no limit."""
    try:
        granted, period = limit.read_text().split()
        return max(1, -(-int(granted) // int(period)))
    except (OSError, ValueError):
        return os.cpu_count() or 1

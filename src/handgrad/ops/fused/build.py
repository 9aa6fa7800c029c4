"""Compiling the kernels of a program before it runs, in several processes.

Compiling is mostly Python, of which a process runs one line at a time, so threads would gain nothing. Every process
takes its share first: kernels of one module go together, for they call the same helpers, which a process compiles once.
Then it takes, from the far end, what the others have not come to. What is done is what lies on disk: no process waits
for another, and if none can be started, this one compiles everything.
"""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from handgrad.ops.cores import threads
from handgrad.ops.fused.native import Native, kernel_folder

_MOST_PROCESSES = 4
_WORTH_A_PROCESS = 4  # kernels to compile for each process: it needs half a second before its first
_CODE = "import sys; from handgrad.ops.fused.build import compile_named; compile_named(sys.argv[1:])"


def build(kernels: Iterable[Native], report: Callable[[int, int], None] | None = None) -> None:
    """Compile those kernels of which there is no machine code on disk.

    Args:
        kernels: what a program needs, each once.
        report: called with the number of kernels that are ready, and of all.
    """
    kernels = list(kernels)
    missing = sorted((kernel for kernel in kernels if not kernel.path.exists()), key=lambda kernel: kernel.origin)
    processes = min(threads(), _MOST_PROCESSES, len(missing) // _WORTH_A_PROCESS)
    with _helpers([_order(missing, number, processes) for number in range(1, processes)]):
        for kernel in _order(missing, 0, max(1, processes)):
            if not kernel.path.exists():
                kernel.compile()
            if report:
                report(sum(kernel.path.exists() for kernel in kernels), len(kernels))
    if report:
        report(len(kernels), len(kernels))


def compile_named(names: Iterable[str]) -> None:
    """What another process does: compile the kernels that `origin` names, if nobody has by then."""
    for name in names:
        kernel = find(name.split(":"))
        if not kernel.path.exists():
            kernel.compile()


def find(origin: Sequence[str]) -> Native:
    """The kernel of a `Native.origin`."""
    module, name, *numbers = origin
    found = getattr(importlib.import_module(module), name)
    kernel = found(*map(int, numbers)) if numbers else found
    assert isinstance(kernel, Native)
    return kernel


def _order(missing: Sequence[Native], number: int, processes: int) -> list[Native]:
    """In what order one process goes through the kernels: its own share, then everyone else's from the end."""
    own = missing[len(missing) * number // processes : len(missing) * (number + 1) // processes]
    return [*own, *(kernel for kernel in reversed(missing) if kernel not in own)]


@contextmanager
def _helpers(orders: Sequence[Sequence[Native]]) -> Iterator[None]:
    """Other processes that compile as long as the block lasts, each in its own order."""
    path = os.pathsep.join(filter(None, sys.path))  # so that they find the same handgrad
    environment = os.environ | {"XDG_CACHE_HOME": str(kernel_folder().parents[1]), "PYTHONPATH": path}
    helpers = []
    try:
        for order in orders:
            names = [":".join(kernel.origin) for kernel in order]
            helpers.append(_start([sys.executable, "-P", "-c", _CODE, *names], environment))
        yield
    finally:
        for helper in filter(None, helpers):
            helper.terminate()
            helper.wait()
            for unfinished in kernel_folder().glob(f".*.{helper.pid}.tmp"):  # what it was writing
                unfinished.unlink()


def _start(command: Sequence[str | None], environment: dict[str, str]) -> "subprocess.Popen[bytes] | None":
    """A process without a voice; None where none can be started."""
    if not command[0] or getattr(sys, "frozen", False):  # Python inside another program, which is what would start
        return None
    silent = subprocess.DEVNULL
    try:
        return subprocess.Popen(
            [str(word) for word in command], env=environment, stdin=silent, stdout=silent, stderr=silent
        )
    except OSError:
        return None

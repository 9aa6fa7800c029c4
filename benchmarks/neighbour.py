"""A neighbour that wants every core for itself."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Ends with the process that started it, however that ends.
_SCRIPT = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(10_000))"


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Within the block, so many processes do nothing but count."""
    processes = [subprocess.Popen([sys.executable, "-c", _SCRIPT]) for _ in range(count)]
    try:
        time.sleep(0.2)  # until they have started
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()

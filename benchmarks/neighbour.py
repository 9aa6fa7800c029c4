"""A neighbour that wants every core for itself."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Within the block, so many processes do nothing but count."""
    command = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(command) for _ in range(count)]
    try:
        time.sleep(0.2)  # until they have started
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()

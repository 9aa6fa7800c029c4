"""Processes: each measurement has one of its own, with the same cores and the same number of threads for everyone."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.contestants import Contestant
from benchmarks.workloads import Workload

ROOT = Path(__file__).parents[1]

#: Whatever library a process loads, it finds the same number here.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class MeasurementError(Exception):
    """A process failed or took too long."""


@dataclass(frozen=True)
class Finished:
    """What is left of a process.

    Args:
        output: its standard output.
        seconds: from start to end.
        peak_bytes: the most memory it held at a time.
    """

    output: str
    seconds: float
    peak_bytes: int


@dataclass
class Session:
    """Measurements that share their data and first weights.

    Args:
        directory: where those lie.
        limit: seconds that a process may take.
    """

    directory: Path
    limit: float

    @classmethod
    @contextmanager
    def start(cls, workloads: Sequence[Workload], limit: float) -> Iterator[Self]:
        """Write the data and the weights of these workloads; they are gone after the block."""
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
            described = json.dumps([workload.to_dict() for workload in workloads])
            command = [sys.executable, "-m", "benchmarks.prepare", name]
            subprocess.run(command, input=described, text=True, check=True, cwd=ROOT)
            yield cls(Path(name), limit)

    def measure(
        self, contestant: Contestant, workload: Workload, threads: int, measure: str = "train"
    ) -> dict[str, Any]:
        """What `benchmarks.child` says of one contestant.

        Raises:
            MeasurementError: it failed or took longer than the limit.
        """
        task = {
            "module": contestant.module,
            "variant": contestant.variant,
            "workload": workload.to_dict(),
            "threads": threads,
            "measure": measure,
        }
        variables = {"TORCHINDUCTOR_CACHE_DIR": str(self.directory / "inductor")}
        command = [sys.executable, "-m", "benchmarks.child", json.dumps(task), str(self.directory)]
        try:
            finished = run(command, threads, self.limit, variables)
        except MeasurementError as error:
            raise MeasurementError(f"{contestant.title}: {error}") from error
        result: dict[str, Any] = json.loads(finished.output.splitlines()[-1])
        return result


def run(command: list[str], threads: int, limit: float, variables: dict[str, str] | None = None) -> Finished:
    """Run a process on the first so many of our cores.

    On Linux its peak memory is counted from that of the process that starts it, so this one must stay small.

    Raises:
        MeasurementError: it failed or took longer than the limit.
    """
    environment = _environment(threads) | (variables or {})
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors, _on_cores(threads):
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, cwd=ROOT, env=environment)
        peak_bytes = _wait(process, limit)
        seconds = time.perf_counter() - started
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            raise MeasurementError(_last_line(errors.read()) or f"exit code {process.returncode}")
        return Finished(output.read(), seconds, peak_bytes)


def _environment(threads: int) -> dict[str, str]:
    """Ours, with so many threads, and modules kept compiled as pip keeps those of an installed package."""
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads)) | {"JAX_PLATFORMS": "cpu"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every import of ours would compile it: 50 ms
    return environment


def _wait(process: "subprocess.Popen[bytes]", limit: float) -> int:
    """Wait for the end; returns the peak memory in bytes.

    Raises:
        MeasurementError: the process took longer than the limit; it is killed.
    """
    deadline = time.monotonic() + limit
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise MeasurementError(f"took longer than {limit:g} s")
        time.sleep(0.01)


def usable_cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextmanager
def _on_cores(count: int) -> Iterator[None]:
    """Within the block, new processes get only the first so many cores; where the system cannot, all."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""

"""Where and with what the measurements were made, for the record."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.runner import usable_cores
from handgrad.ops.cores import processor

_LIBRARIES = ("handgrad", "numpy", "numba", "torch", "jax", "scikit-learn", "onnxruntime")
_VECTORS = ("avx2", "avx512f", "asimd", "sve")
_BLAS = (
    "import numpy; b = numpy.show_config(mode='dicts')['Build Dependencies']['blas']; print(b['name'], b['version'])"
)


def describe() -> dict[str, Any]:
    """Processor, cores, memory, system, and the versions of every library that takes part."""
    info = _processor_info()
    flags = info.get("flags", info.get("Features", "")).split()
    blas = subprocess.run([sys.executable, "-c", _BLAS], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "processor": processor(),
        "vectors": [name for name in _VECTORS if name in flags],
        "cores": len(usable_cores()),
        "memory_bytes": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version for name in _LIBRARIES if (version := _version(name))},
        "blas": blas,
    }


def load() -> float | None:
    """How many processes wanted a core in the last minute, on average; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor_info() -> dict[str, str]:
    """The first processor's entries in Linux's list; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    entries = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    return {name.strip(): value.strip() for name, _, value in (entry.partition(":") for entry in entries)}


def _memory() -> int | None:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None

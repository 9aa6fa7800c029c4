"""Operations: the only place where arithmetic happens, one implementation for each kind of device."""

from handgrad.ops.cores import set_threads, threads, usable_cores
from handgrad.ops.devices import for_device, limit_threads
from handgrad.ops.interface import Array, Ops, Pair, Shape
from handgrad.ops.reference import ReferenceOps

__all__ = [
    "Array",
    "Ops",
    "Pair",
    "ReferenceOps",
    "Shape",
    "for_device",
    "limit_threads",
    "set_threads",
    "threads",
    "usable_cores",
]

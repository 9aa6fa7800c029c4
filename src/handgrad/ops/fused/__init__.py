"""Kernels for the processor, behind the same interface as the reference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from handgrad.ops.interface import Array
from handgrad.ops.reference import ReferenceOps


@dataclass(frozen=True)
class FusedOps(ReferenceOps):
    """NumPy's operations, and for functions that are compiled, kernels that all threads of one pool run together.

    Operations called one by one are the reference's. Functions of float64 arrays are not compiled: they are for checks.
    """

    def compile(self, function: Callable[..., Any], state: Sequence[Array] = ()) -> Callable[..., Any]:
        if any(array.dtype == "float64" for array in state):
            return super().compile(function, state)
        from handgrad.ops.fused.compiled import CompiledFunction  # imports Numba, 0.2 s

        return CompiledFunction(function, self, state)


__all__ = ["FusedOps"]

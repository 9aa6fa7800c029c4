"""The operations, written to be read: short functions in the Python array API standard.

They run unchanged on every array library that follows the standard (NumPy, PyTorch, CuPy, array-api-strict) and are
the oracle for every faster implementation. What each one computes is said in `handgrad.ops.interface`.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from handgrad.ops.interface import Array
from handgrad.ops.reference.convolution import ConvolutionOps
from handgrad.ops.reference.losses import LossOps
from handgrad.ops.reference.normalization import NormalizationOps
from handgrad.ops.reference.optimizers import OptimizerOps
from handgrad.ops.reference.pooling import PoolingOps


@dataclass(frozen=True)
class ReferenceOps(ConvolutionOps, PoolingOps, LossOps, NormalizationOps, OptimizerOps):
    """Every operation over one array namespace.

    Args:
        xp: a namespace of the array API standard, such as `numpy`.
        device: the name `handgrad.ops.for_device` knows these ops by.
        placement: what `xp` calls the device; None is its default.

    >>> import numpy as np
    >>> ops = ReferenceOps(np)
    >>> ops.relu(ops.asarray([-1.0, 2.0]))
    array([0., 2.])
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """How a copy is made, also one in another process: a module cannot be sent there, its name can."""
        return _with_namespace, (type(self), self.xp.__name__, self.device, self.placement)

    def compile(self, function: Callable[..., Any], state: Sequence[Array] = ()) -> Callable[..., Any]:
        return partial(_quietly, function, self)


def _with_namespace(kind: type[ReferenceOps], namespace: str, *settings: Any) -> ReferenceOps:
    return kind(importlib.import_module(namespace), *settings)


def _quietly(function: Callable[..., Any], ops: ReferenceOps, *arguments: Any) -> Any:
    """Call a function without NumPy's warnings: what is not finite is said by `require_finite`, or in the results."""
    with np.errstate(over="ignore", invalid="ignore"):
        return function(*arguments, ops=ops)


__all__ = ["ReferenceOps"]

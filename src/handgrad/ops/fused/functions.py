"""Mathematical functions of one float32 number, written so that the compiler can work on many numbers at a time.

The C library's `expf` is called number by number and took 5 ns each; these loops are turned into vectors.
"""

from typing import Any

import numpy as np
from llvmlite import ir

from handgrad.ops.fused.native import helper, intrinsic, types

_f = np.float32
_LOG2_E = _f(1.44269504)
_LN2_HIGH, _LN2_LOW = _f(0.693359375), _f(-2.12194440e-4)  # their sum is ln 2; n·high is exact for every exponent n
_SMALLEST, _LARGEST = _f(-87.3), _f(88.72)  # e^x is a normal number between them


@intrinsic
def _power_of_two(typing: Any, exponent: Any) -> Any:
    """2^n for −126 ≤ n ≤ 127, put together from its bits."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        biased = builder.add(arguments[0], ir.Constant(ir.IntType(32), 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(ir.IntType(32), 23)), ir.FloatType())

    return types.float32(types.int32), emit


@helper
def exponential(x):
    """eˣ = 2ⁿ eʳ with |r| ≤ ½ ln 2; 0 below the normal numbers, ∞ above."""
    bounded = _SMALLEST if x < _SMALLEST else x
    bounded = _LARGEST if bounded > _LARGEST else bounded
    n = np.floor(bounded * _LOG2_E + _f(0.5))
    r = bounded - n * _LN2_HIGH - n * _LN2_LOW
    series = _f(1 / 5040)  # Taylor's: the next term is below 3e-9
    for coefficient in (_f(1 / 720), _f(1 / 120), _f(1 / 24), _f(1 / 6), _f(0.5), _f(1), _f(1)):
        series = series * r + coefficient
    half = np.int32(n) >> np.int32(1)  # in two steps, since 2¹²⁸ is too large
    result = series * _power_of_two(half) * _power_of_two(np.int32(n) - half)
    return _f(0) if x < _SMALLEST else (_f(np.inf) if x > _LARGEST else result)


@helper
def logistic(x):
    """1 / (1 + e⁻ˣ); the exponent is never positive, so nothing overflows."""
    z = exponential(-abs(x))
    return (_f(1) if x >= 0 else z) / (_f(1) + z)


@helper
def hyperbolic_tangent(x):
    """tanh x: a series near 0, where (1 − z)/(1 + z) would cancel; Cephes' coefficients."""
    square = x * x
    near = _f(-5.70498872745e-3)
    for coefficient in (_f(2.06390887954e-2), _f(-5.37397155531e-2), _f(1.33314422036e-1), _f(-3.33332819422e-1)):
        near = near * square + coefficient
    z = exponential(_f(-2) * abs(x))
    far = (_f(1) - z) / (_f(1) + z)
    far = far if x >= 0 else -far
    return x + x * square * near if abs(x) < _f(0.625) else far

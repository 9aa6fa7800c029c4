"""The largest or the mean of every window."""

import math

from handgrad.ops.interface import Array, Pair, Shape
from handgrad.ops.reference.windows import WindowOps, windows_of, without_padding


class PoolingOps(WindowOps):
    """Pooling, and its gradients."""

    def max_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> tuple[Array, Array]:
        xp = self.xp
        windows = windows_of(self._pad(x, padding, -math.inf), kernel, stride)
        best = next(windows)
        index = xp.zeros_like(best, dtype=xp.uint8 if kernel[0] * kernel[1] <= 256 else xp.int64)
        for t, window in enumerate(windows, start=1):
            index = xp.where(window > best, xp.asarray(t, dtype=index.dtype, device=self.placement), index)
            best = xp.maximum(best, window)
        return best + 0.0, index  # + 0: a fresh array even for a 1×1 kernel

    def max_pool2d_dx(self, dy: Array, index: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        padded, taps = self._scatter_target(dy, shape, kernel, stride, padding)
        for t, window in enumerate(taps):
            window += self._where(index == t, dy, 0.0)
        return without_padding(padded, padding)

    def avg_pool2d(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        windows = windows_of(self._pad(x, padding, 0.0), kernel, stride)
        total = next(windows) + 0.0
        for window in windows:
            total += window
        return total / (kernel[0] * kernel[1])

    def avg_pool2d_dx(self, dy: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        padded, taps = self._scatter_target(dy, shape, kernel, stride, padding)
        share = dy / (kernel[0] * kernel[1])
        for window in taps:
            window += share
        return without_padding(padded, padding)

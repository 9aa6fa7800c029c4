"""Convolution as a product of matrices: every window becomes a row."""

from handgrad.ops.interface import Array, Pair, Shape
from handgrad.ops.reference.linear import LinearOps
from handgrad.ops.reference.windows import WindowOps, windows_of, without_padding


class ConvolutionOps(LinearOps, WindowOps):
    """Cross-correlation with filters, and its gradients."""

    def conv2d(self, x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair) -> Array:
        columns = self._im2col(x, weight.shape[2:], stride, padding)  # (N, H', W', K)
        y = self.linear(columns, self._kernel_matrix(weight), bias)  # (N, H', W', O)
        return self.xp.permute_dims(y, (0, 3, 1, 2))  # → (N, O, H', W'), channels last in memory

    def conv2d_dx(self, dy: Array, weight: Array, shape: Shape, stride: Pair, padding: Pair) -> Array:
        xp, channels = self.xp, weight.shape[1]
        rows = xp.permute_dims(dy, (0, 2, 3, 1))  # (N, O, H', W') → (N, H', W', O)
        columns = rows @ self._kernel_matrix(weight)  # → (N, H', W', K)
        padded, taps = self._scatter_target(dy, shape, weight.shape[2:], stride, padding)
        for t, window in enumerate(taps):  # overlapping windows add up
            block = columns[..., t * channels : (t + 1) * channels]  # (N, H', W', C)
            window += xp.permute_dims(block, (0, 3, 1, 2))
        return without_padding(padded, padding)

    def conv2d_grads(self, dy: Array, x: Array, out: tuple[Array, Array | None], stride: Pair, padding: Pair) -> None:
        xp, weight = self.xp, out[0]
        columns = self._im2col(x, weight.shape[2:], stride, padding)  # (N, H', W', K)
        rows = xp.permute_dims(dy, (0, 2, 3, 1))  # (N, O, H', W') → (N, H', W', O)
        matrix = xp.empty_like(self._kernel_matrix(weight))  # (O, K)
        self.linear_grads(rows, columns, out=(matrix, out[1]))
        o, c, kh, kw = weight.shape
        weight[...] = xp.permute_dims(xp.reshape(matrix, (o, kh, kw, c)), (0, 3, 1, 2))  # → (O, C, kh, kw)

    def _im2col(self, x: Array, kernel: Pair, stride: Pair, padding: Pair) -> Array:
        """Every window of x (N, C, H, W) as a row: (N, H', W', K), the channels of one tap side by side."""
        windows = windows_of(self._pad(x, padding, 0.0), kernel, stride)
        return self.xp.concat([self.xp.permute_dims(window, (0, 2, 3, 1)) for window in windows], axis=3)

    def _kernel_matrix(self, weight: Array) -> Array:
        """Weight (O, C, kh, kw) as a matrix (O, K), its columns in the order of `_im2col`."""
        return self.xp.reshape(self.xp.permute_dims(weight, (0, 2, 3, 1)), (weight.shape[0], -1))

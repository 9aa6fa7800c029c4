"""Windows that slide over images, as convolution and pooling see them."""

from collections.abc import Iterator

from handgrad.ops.interface import Array, Pair, Shape
from handgrad.ops.reference.arrays import ArrayOps


class WindowOps(ArrayOps):
    """Images with a border, and all their windows at once."""

    def _pad(self, x: Array, padding: Pair, value: float) -> Array:
        """x (N, C, H, W) with a border of `value`."""
        if padding == (0, 0):
            return x
        n, c, h, w = x.shape
        padded = self._channels_last((n, c, h + 2 * padding[0], w + 2 * padding[1]), x)
        padded += value
        without_padding(padded, padding)[...] = x
        return padded

    def _channels_last(self, shape: Shape, like: Array) -> Array:
        """Zeros of shape (N, C, H, W) whose channels lie next to each other in memory, as im2col reads them."""
        n, c, h, w = shape
        zeros = self.xp.zeros((n, h, w, c), dtype=like.dtype, device=self.placement)
        return self.xp.permute_dims(zeros, (0, 3, 1, 2))

    def _scatter_target(
        self, dy: Array, shape: Shape, kernel: Pair, stride: Pair, padding: Pair
    ) -> tuple[Array, Iterator[Array]]:
        """A zero array for padded x, and its kh·kw windows to add into."""
        n, c, h, w = shape
        padded = self._channels_last((n, c, h + 2 * padding[0], w + 2 * padding[1]), dy)
        return padded, windows_of(padded, kernel, stride)


def windows_of(padded: Array, kernel: Pair, stride: Pair) -> Iterator[Array]:
    """The kh·kw shifted views of padded (N, C, H, W): view t holds element t of every window, (N, C, H', W')."""
    rows, columns = ((padded.shape[2 + a] - kernel[a]) // stride[a] + 1 for a in range(2))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            row = slice(i, i + stride[0] * (rows - 1) + 1, stride[0])
            column = slice(j, j + stride[1] * (columns - 1) + 1, stride[1])
            yield padded[:, :, row, column]


def without_padding(padded: Array, padding: Pair) -> Array:
    """The view of padded (N, C, H, W) that leaves the border out."""
    h, w = padded.shape[2] - padding[0], padded.shape[3] - padding[1]
    return padded[:, :, padding[0] : h, padding[1] : w]

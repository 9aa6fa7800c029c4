"""What convolution and pooling share: windows that slide over an image."""

from handgrad.errors import ArgumentError, ShapeError
from handgrad.ops import Pair, Shape


def as_pair(name: str, value: int | Pair, least: int) -> Pair:
    """(height, width) from one number or two.

    Raises:
        ArgumentError: a number is not an integer of at least `least`.

    >>> as_pair("stride", 2, 1)
    (2, 2)
    """
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or any(not isinstance(v, int) or v < least for v in pair):
        raise ArgumentError(name, value, f"an integer >= {least}, or two of them")
    return pair[0], pair[1]


def window_grid(input_shape: Shape, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """How many windows fit: H' = ⌊(H + 2·padding − kernel) / stride⌋ + 1, and W' likewise.

    Args:
        input_shape: (..., H, W).
        kernel: (kh, kw).
        stride: (down, across).
        padding: (rows, columns) added on each side.

    Raises:
        ShapeError: no window fits.

    >>> window_grid((28, 28), (3, 3), (2, 2), (1, 1))
    (14, 14)
    """
    sizes = [input_shape[a] + 2 * padding[a] - kernel[a] for a in (-2, -1)]
    if min(sizes) < 0:
        raise ShapeError("input_shape", input_shape, f"an image of at least {kernel} with padding {padding}")
    return sizes[0] // stride[0] + 1, sizes[1] // stride[1] + 1


def require_batch(shape: Shape) -> Shape:
    """The shape (C, H, W) of one image of a batch (N, C, H, W).

    Raises:
        ShapeError: it has another number of axes.
    """
    if len(shape) != 4:
        raise ShapeError("x", shape, "an image batch (N, C, H, W)")
    return shape[1:]


def require_image(shape: Shape, channels: int | None = None) -> None:
    """Check that one example is an image (C, H, W) with the right number of channels.

    Raises:
        ShapeError: it is not.
    """
    if len(shape) != 3:
        raise ShapeError("input_shape", shape, "an image (C, H, W)")
    if channels is not None and shape[0] != channels:
        raise ShapeError("input_shape", shape, f"an image (C, H, W) with C = {channels} channels")

"""The gradients of a convolution.

Those of weight and bias are sums over all windows of all images. Images are summed in small groups, the same ones
whatever the number of threads, and then the groups' sums are. A group stays in a core's own cache while one tile of the
weight's gradient after the other goes over its images.

That of the images is a sum over the windows which a pixel lies in: every window adds to its pixels what it owes them.
"""

import numpy as np

from handgrad.ops.fused.native import Native, floats, helper, kernel, kernel_maker, literally
from handgrad.ops.fused.products import tile_width
from handgrad.ops.fused.tile import WIDE, add_product, add_window_product, load_tile, scaled_sum, store_tile, zero_tile

_f = np.float32


@helper
def _gradient_tile(elements, taps, rows, vectors, x, x_steps, dy, dy_pixel, out, columns, images, height, width):
    """Σ x ȳ over the windows of some images, for `elements` = taps · rows of a window and some output channels."""
    literally(elements)  # the compiler must know how large the tile is
    literally(taps)
    literally(rows)
    literally(vectors)
    x_image, x_row, x_pixel, x_tap = x_steps
    tile = zero_tile(elements, vectors)
    for image in range(images):
        for p in range(height):
            element = x + image * x_image + p * x_row
            for _ in range(width):
                tile = add_window_product(tile, taps, rows, vectors, element, x_tap, dy, columns)
                element += x_pixel
                dy += dy_pixel
    store_tile(tile, elements, vectors, out, dy_pixel, columns)


@kernel_maker
def weight_gradient(rows: int, taps: int) -> Native:
    """The kernel whose tiles have this many elements of each of so many rows of a window, itself called a tap."""
    elements = taps * rows

    @kernel
    def convolution_weight_gradient(words, begin, end, scratch):
        """W̄ (kh, kw·C, O) of each of the groups begin … end − 1 by itself."""
        images, together, height, width, outputs = words[3], words[4], words[5], words[6], words[7]
        blocks, depth, x_image, x_tap, x_row, x_pixel = words[8], words[9], words[10], words[11], words[12], words[13]
        x_steps, dy_pixel = (x_image, x_row, x_pixel, x_tap), 4 * outputs
        for block in range(begin * blocks, end * blocks):
            first = block // blocks * together
            count = min(together, images - first)
            for tile in range(-(-depth // rows)):
                row = min(tile * rows, depth - rows)  # the last tile may overlap the one before
                x = words[0] + first * x_image + block % blocks * taps * x_tap + 4 * row
                column = 0
                while column < outputs:
                    columns = tile_width(outputs - column)
                    dy = words[1] + first * height * width * dy_pixel + 4 * column
                    out = words[2] + (block * taps * depth + row) * dy_pixel + 4 * column
                    if columns == WIDE:
                        _gradient_tile(
                            elements, taps, rows, 2, x, x_steps, dy, dy_pixel, out, columns, count, height, width
                        )
                    else:
                        _gradient_tile(
                            elements, taps, rows, 1, x, x_steps, dy, dy_pixel, out, columns, count, height, width
                        )
                    column += columns

    return convolution_weight_gradient


@helper
def _sum_of_pixels(vectors, x, pixel, pixels, out, columns):
    literally(vectors)
    total = zero_tile(1, vectors)
    for _ in range(pixels):
        total = scaled_sum(total, _f(1), load_tile(1, vectors, x, 0, columns))
        x += pixel
    store_tile(total, 1, vectors, out, 0, columns)


@kernel
def sums_of_images(words, begin, end, scratch):
    """Each channel's Σ over the pixels, for images begin … end − 1."""
    pixels, channels = words[2], words[3]
    for image in range(begin, end):
        column = 0
        while column < channels:
            columns = tile_width(channels - column)
            x, out = words[0] + 4 * (image * pixels * channels + column), words[1] + 4 * (image * channels + column)
            if columns == WIDE:
                _sum_of_pixels(2, x, 4 * channels, pixels, out, columns)
            else:
                _sum_of_pixels(1, x, 4 * channels, pixels, out, columns)
            column += columns


@helper
def _add_to_windows(rows, vectors, dy, dy_pixel, depth, weight, dx, dx_pixel, columns):
    """Add ȳ Wᵀ of one tap to its pixel of `rows` windows side by side, `dx_pixel` bytes apart."""
    literally(rows)  # the compiler must know how large the tile is
    literally(vectors)
    tile = load_tile(rows, vectors, dx, dx_pixel, columns)
    for _ in range(depth):
        tile = add_product(tile, rows, vectors, dy, dy_pixel, weight, columns)
        dy += 4
        weight += 4 * columns
    store_tile(tile, rows, vectors, dx, dx_pixel, columns)


@kernel_maker
def images_gradient(rows: int) -> Native:
    """The kernel whose tiles have this many windows, a divisor of those in a row."""

    @kernel
    def convolution_dx(words, begin, end, scratch):
        """x̄ of images begin … end − 1 that no border surrounds; the weights of the columns of one tile lie together."""
        inputs, outputs, height, width, kernel_height, kernel_width = (
            words[3], words[4], words[5], words[6], words[7], words[8]
        )  # fmt: skip
        x_image, x_row, down, across = words[9], words[10], words[11], words[12]
        dy_pixel, x_pixel, taps = 4 * outputs, 4 * inputs, kernel_height * kernel_width
        for image in range(begin, end):
            x, dy = words[1] + image * x_image, words[0] + image * height * width * dy_pixel
            zeros = floats(x)
            for i in range(x_image // 4):
                zeros[i] = 0
            column = 0
            while column < inputs:
                columns = tile_width(inputs - column)
                for window in range(0, height * width, rows):
                    p, q = window // width, window % width
                    for tap in range(taps):
                        i, j = tap // kernel_width, tap % kernel_width
                        place = x + (p * down + i) * x_row + (q * across + j) * x_pixel + 4 * column
                        weight = words[2] + (column * taps + tap * columns) * dy_pixel
                        if columns == WIDE:
                            _add_to_windows(
                                rows,
                                2,
                                dy + window * dy_pixel,
                                dy_pixel,
                                outputs,
                                weight,
                                place,
                                across * x_pixel,
                                WIDE,
                            )
                        else:
                            _add_to_windows(
                                rows, 1, dy + window * dy_pixel, dy_pixel, outputs, weight, place, across * x_pixel,
                                columns,
                            )  # fmt: skip
                column += columns

    return convolution_dx

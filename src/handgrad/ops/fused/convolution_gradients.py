"""The gradients of a convolution's weight and bias: sums over all windows of all images.

Images are summed in small groups, the same ones whatever the number of threads, and then the groups' sums are. A group
stays in a core's own cache while one tile of the weight's gradient after the other goes over its images.
"""

import numpy as np

from handgrad.ops.fused.native import Native, helper, kernel, kernels, literally
from handgrad.ops.fused.products import tile_width
from handgrad.ops.fused.tile import WIDE, add_window_product, load_tile, scaled_sum, store_tile, zero_tile

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


@kernels
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

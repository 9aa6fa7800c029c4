"""The weights of a first layer as one picture."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.display.images import data_uri


def heat_sheet(tiles: NDArray[Any], columns: int) -> str:
    """Tiles of numbers as the address of one PNG: blue above 0, white at 0, red below; nothing between the tiles.

    Args:
        tiles: (n, H, W).
        columns: tiles beside each other.

    >>> heat_sheet(np.zeros((3, 2, 2)), 2)[:22]
    'data:image/png;base64,'
    """
    from matplotlib import colormaps
    from PIL import Image

    bound = float(np.quantile(np.abs(tiles), 0.995)) or 1.0
    levels = np.rint(128 + 127 * np.clip(tiles / bound, -1, 1)).astype(np.uint8)  # 1 to 255; 0 is see-through
    enlarged = max(1, 28 // max(tiles.shape[1:]))  # small kernels get several pixels a number
    levels = levels.repeat(enlarged, axis=1).repeat(enlarged, axis=2)  # (n, H, W) → (n, h, w)
    (height, width), gap = levels.shape[1:], 3
    sheet = np.zeros((-(-len(tiles) // columns) * (height + gap), columns * (width + gap)), np.uint8)
    for place, tile in enumerate(levels):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        sheet[top : top + height, left : left + width] = tile
    image = Image.fromarray(sheet, "P")
    colours = colormaps["RdBu"](np.linspace(0, 1, 255))[:, :3]
    image.putpalette(bytes(3) + np.rint(255 * colours).astype(np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "png", optimize=True, transparency=0)
    return data_uri(buffer.getvalue())

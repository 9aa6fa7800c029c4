"""Pictures of examples as data URIs, which a page holds in itself."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """A file's content as an address that holds it.

    >>> data_uri(b"hello", "text/plain")
    'data:text/plain;base64,aGVsbG8='
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(image: NDArray[Any], low: float, high: float) -> str:
    """An image as the address of a PNG, pixel by pixel; grey ones dark on light, as they are drawn everywhere.

    Args:
        image: (H, W), (H, W, 1), or in colours (H, W, 3) or (H, W, 4).
        low: the number that means no light; 0 for pixels that are bytes.
        high: the number that means most light; 255 for pixels that are bytes.

    >>> picture(np.zeros((2, 2), np.uint8), 0, 255)[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    scaled = (np.asarray(image, np.float64) - low) / ((high - low) or 1.0)
    pixels = np.rint(255 * np.clip(np.nan_to_num(scaled), 0, 1)).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = 255 - pixels.reshape(pixels.shape[:2])  # (H, W[, 1]) → (H, W)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png", optimize=True)
    return data_uri(buffer.getvalue())


def brightness(images: NDArray[Any]) -> tuple[float, float]:
    """What means no light and most light in images.

    Args:
        images: (N, …), bytes or floating-point; of the latter it is the smallest and the largest number.

    >>> brightness(np.zeros((1, 2, 2), np.uint8)), brightness(np.array([[[0.0, 0.5]]]))
    ((0.0, 255.0), (0.0, 0.5))
    """
    return (0.0, 255.0) if images.dtype == np.uint8 else (float(np.nanmin(images)), float(np.nanmax(images)))


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

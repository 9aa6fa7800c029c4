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


def picture(image: NDArray[Any], low: float, high: float, *, longest: int | None = None) -> str:
    """An image as the address of a PNG, pixel by pixel; grey ones dark on light, as they are drawn everywhere.

    Args:
        image: (H, W), (H, W, 1), or in colours (H, W, 3) or (H, W, 4).
        low: the number that means no light; 0 for pixels that are bytes.
        high: the number that means most light; 255 for pixels that are bytes.
        longest: side that the picture may have at most; a larger one is made smaller.

    >>> picture(np.zeros((2, 2), np.uint8), 0, 255)[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    scaled = (np.asarray(image, np.float64) - low) / ((high - low) or 1.0)
    pixels = np.rint(255 * np.clip(np.nan_to_num(scaled), 0, 1)).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = 255 - pixels.reshape(pixels.shape[:2])  # (H, W[, 1]) → (H, W)
    buffer = io.BytesIO()
    drawn = Image.fromarray(pixels)
    if longest is not None:
        drawn.thumbnail((longest, longest))
    drawn.save(buffer, "png", optimize=True)
    return data_uri(buffer.getvalue())


def brightness(images: NDArray[Any]) -> tuple[float, float]:
    """What means no light and most light in images.

    Args:
        images: (N, …), bytes or floating-point; of the latter it is the smallest and the largest finite number.

    >>> brightness(np.zeros((1, 2, 2), np.uint8)), brightness(np.array([[[0.0, 0.5]]]))
    ((0.0, 255.0), (0.0, 0.5))
    """
    if images.dtype == np.uint8:
        return 0.0, 255.0
    numbers = images[np.isfinite(images)]
    return (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 1.0)

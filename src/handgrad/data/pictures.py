"""Pictures of any kind as pixels of one size: for folders of images, and for networks trained on them."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L")  # grey levels up to 65,535
_GREY = ("1", "L", "LA", *_SIXTEEN_BITS)


def read_pixels(source: str | Path | BinaryIO, shape: Sequence[int]) -> NDArray[np.uint8]:
    """Read a picture as pixels of a wanted size.

    It is turned upright as its EXIF data says, scaled until it covers that size, and what sticks out on two sides is
    cut off. Transparent pixels show white paper.

    Args:
        source: a file in any format that Pillow reads, by path or open in binary mode.
        shape: (H, W) for grey levels or (H, W, 3) for colours.

    Returns:
        uint8 of that shape.

    Raises:
        DataError: the file is missing, is not an image, or is damaged.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (40, 20), (255, 0, 0)).save(file, "PNG")
        >>> read_pixels(file, (1, 2, 3))
        array([[[255,   0,   0],
                [255,   0,   0]]], dtype=uint8)
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    name = str(source) if isinstance(source, str | Path) else "the picture"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source) as image:
                image.draft(None, (2 * max(shape[:2]),) * 2)  # a JPEG then decodes at a part of its size
                return as_pixels(ImageOps.exif_transpose(image), shape)
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file, expected an image; check the path.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not an image that Pillow can read; save it as PNG or JPEG.") from error
    except Exception as error:  # damaged files make Pillow's decoders raise almost anything
        raise DataError(f"{name} cannot be decoded: {error}; save it again as PNG or JPEG.") from error


def as_pixels(image: "PillowImage", shape: Sequence[int]) -> NDArray[np.uint8]:
    """A Pillow image as `read_pixels` returns it.

    Args:
        image: in any mode.
        shape: (H, W) or (H, W, 3).
    """
    from PIL import Image, ImageOps

    size = shape[1], shape[0]
    if image.mode in _SIXTEEN_BITS:  # Pillow would clip these levels at 255 instead of scaling them
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) // 257).astype(np.uint8))
    elif image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("RGB").convert("L") if len(shape) == 2 and image.mode not in _GREY else image
    image = image.convert("L" if len(shape) == 2 else "RGB")
    if image.size != size:
        image = ImageOps.fit(image, size, Image.Resampling.BICUBIC)
    return np.array(image, np.uint8)


def describe_picture(path: Path) -> tuple[int, int, bool]:
    """Height, width and whether it has colours, from the head of a file, without decoding it.

    Raises:
        DataError: the file is not an image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):  # EXIF: it lies on its side
                width, height = height, width
            return height, width, image.mode not in _GREY
    except Exception as error:
        raise DataError(f"{path} is not an image that Pillow can read: {error}; remove it or save it again.") from error


def check_image_size(image_size: Sequence[Any]) -> None:
    """Refuse what is neither () nor (height, width).

    Raises:
        ArgumentError: it is something else.
    """
    if len(image_size) not in (0, 2) or not all(isinstance(side, int) and side > 0 for side in image_size):
        raise ArgumentError("image_size", list(image_size), "[height, width] in pixels, or [] for pictures of one size")

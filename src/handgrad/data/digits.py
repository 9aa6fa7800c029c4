"""A picture of a handwritten digit, made to look like MNIST's."""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import ArgumentError, DataError, ShapeError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# Pillow is imported where it is used: it costs half as much time as NumPy, and training needs none of it.

_MIN_CONTRAST = 16  # grey levels between paper and ink; less is paper grain
_GRAIN = 8  # times the median deviation along the border, 5 standard deviations of normal noise, is still paper
_MOST_PIXELS, _ENOUGH_PIXELS = 24_000_000, 4_000_000  # read at all, and kept: four bytes each, in several copies
_ORIENTATION = 0x0112  # EXIF's tag
_MEANS = ("L", "LA", "RGB", "RGBA", "CMYK")  # modes of which Pillow takes means
_INK_LEVEL = 25  # above a tenth of the peak is ink when the box is drawn: JPEG leaves fainter rings around strokes


def read_image(source: str | Path | BinaryIO) -> NDArray[np.uint8]:
    """Read a picture as grey levels, whatever its format and colour mode.

    Colours become luminance L = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), transparent pixels show white
    paper, 16-bit levels are divided by 257, and a photo is turned upright as its EXIF data says. Of an animation
    the first frame is taken. A picture of more than four million pixels is made smaller by a whole number.

    Args:
        source: a file in any format that Pillow reads, by path or open in binary mode.

    Returns:
        uint8 (H, W), 0 black to 255 white.

    Raises:
        DataError: the file is missing, is not an image, is damaged, or has more than 24 million pixels (a JPEG, which
            can be read at a part of its size, 89 million).

    Example:
        >>> import io
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("RGBA", (3, 2), (0, 0, 0, 0)).save(file, "PNG")
        >>> read_image(file)
        array([[255, 255, 255],
               [255, 255, 255]], dtype=uint8)
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    name = str(source) if isinstance(source, str | Path) else "the image"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source) as image:
                return _grey_levels(ImageOps.exif_transpose(_reduced(image, name)))
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file, expected an image; check the path.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not an image that Pillow can read; save it as PNG or JPEG.") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{name} is too large: {error} Scale it down; 28×28 pixels are kept in the end.") from error
    except DataError:
        raise
    except Exception as error:  # damaged files make Pillow's decoders raise almost anything
        raise DataError(f"{name} cannot be decoded: {error}; save it again as PNG or JPEG.") from error


def _reduced(image: "PillowImage", name: str) -> "PillowImage":
    """The picture, smaller by a whole number if it has many pixels; without reading more of it than needs be."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("floating-point pixels do not say which value is white")
    side = math.isqrt(_ENOUGH_PIXELS)
    image.draft(image.mode, (side, side))  # JPEG decodes to a half, a quarter or an eighth where that is enough
    pixels = image.width * image.height
    if pixels > _MOST_PIXELS:
        raise DataError(
            f"{name} has {pixels / 1e6:.0f} million pixels, expected at most {_MOST_PIXELS / 1e6:.0f}; scale it down, "
            "28×28 are kept in the end."
        )
    if pixels <= _ENOUGH_PIXELS:
        return image
    image.load()  # which turns a TIFF upright, and takes the tag away
    orientation, factor = image.getexif().get(_ORIENTATION), math.ceil(math.sqrt(pixels / _ENOUGH_PIXELS))
    if image.mode.startswith("I"):  # of 16-bit levels Pillow has no means
        size = max(1, image.width // factor), max(1, image.height // factor)
        smaller = image.resize(size, Image.Resampling.NEAREST)
    else:
        mode = image.mode if image.mode in _MEANS else "RGBA" if image.has_transparency_data else "RGB"
        smaller = image.convert(mode).reduce(factor)
    if orientation is not None:
        smaller.getexif()[_ORIENTATION] = orientation
    return smaller


def _grey_levels(image: "PillowImage") -> NDArray[np.uint8]:
    from PIL import Image

    if image.mode.startswith("I"):  # Pillow would clip 16-bit levels at 255 instead of scaling them
        levels: NDArray[np.uint8] = (np.clip(np.asarray(image), 0, 65535) // 257).astype(np.uint8)
        return levels
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    elif image.mode not in ("1", "L", "P"):
        image = image.convert("RGB")  # modes such as HSV have no direct way to L
    return np.array(image.convert("L"), np.uint8)


@dataclass(frozen=True, eq=False)
class MnistSteps:
    """A picture on its way to MNIST's form, after each step; all arrays are uint8.

    Attributes:
        original: (H, W), as given.
        light_on_dark: (H, W), inverted where the ink was darker than the paper.
        stretched: (H, W), paper at 0 and the strongest ink at 255.
        cropped: (h, w), the box around the ink.
        scaled: at most 20×20 for a 28×28 result, the aspect kept.
        centred: (size, size), the centre of mass in the middle.

    Example:
        >>> image = np.full((40, 40), 200, np.uint8)
        >>> image[5:35, 10:14] = 40
        >>> steps = mnist_steps(image)
        >>> steps.cropped.shape, steps.scaled.shape, steps.centred.shape
        ((30, 4), (20, 3), (28, 28))
    """

    original: NDArray[np.uint8]
    light_on_dark: NDArray[np.uint8]
    stretched: NDArray[np.uint8]
    cropped: NDArray[np.uint8]
    scaled: NDArray[np.uint8]
    centred: NDArray[np.uint8]


def as_mnist(image: NDArray[np.uint8], size: int = 28) -> NDArray[np.uint8]:
    """Bring a picture of one digit into the form a network trained on MNIST expects.

    The last step of `mnist_steps`, where the arguments and errors are described.

    Example:
        >>> image = np.zeros((60, 60), np.uint8)
        >>> image[10:50, 10:50] = 255
        >>> np.argwhere(as_mnist(image)).min(axis=0), np.argwhere(as_mnist(image)).max(axis=0)
        (array([4, 4]), array([23, 23]))
    """
    return mnist_steps(image, size).centred


def mnist_steps(image: NDArray[np.uint8], size: int = 28) -> MnistSteps:
    """Do to a picture what the makers of MNIST did to the NIST digits, and keep every step.

    The paper's grey level is the median along the border; what differs from it no more than the border itself
    does is paper too. The ink is scaled with its aspect kept and anti-aliased to fit a box of 20/28 of `size`, then
    shifted by whole pixels until its centre of mass Σ level · (row, column) / Σ level lies in the pixel
    (size/2, size/2), as it does for every MNIST image.

    Args:
        image: uint8 (H, W), one digit, dark on light or light on dark.
        size: height and width of the result.

    Raises:
        ShapeError: `image` is not uint8 (H, W) with at least one pixel.
        ArgumentError: `size` is not an integer of at least 4.
        DataError: there is no ink: no pixel differs from the paper by 16 levels, or by more than the paper varies.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", first section.

    Example:
        >>> image = np.full((9, 9), 255, np.uint8)
        >>> image[4, 4] = 0
        >>> mnist_steps(image, size=4).centred
        array([[  0,   0,   0,   0],
               [  0, 255, 255, 255],
               [  0, 255, 255, 255],
               [  0, 255, 255, 255]], dtype=uint8)
    """
    if image.dtype != np.uint8 or image.ndim != 2 or not image.size:
        found = f"{image.dtype} of shape {image.shape}"
        raise ShapeError("image", found, "uint8 grey levels of shape (H, W)", "read it with read_image")
    if not isinstance(size, int | np.integer) or size < 4:
        raise ArgumentError("size", size, "an integer of at least 4", "use 28, MNIST's size")
    light_on_dark = _light_on_dark(image)
    stretched = _stretch(light_on_dark)
    cropped = _crop(stretched)
    scaled = _scale(cropped, box=round(size * 20 / 28))
    return MnistSteps(image, light_on_dark, stretched, cropped, scaled, _centre(scaled, size))


def _border(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])  # (2W + 2H,)


def _light_on_dark(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    paper = np.median(_border(image))
    # Ink is whatever is farther from the paper than anything on the paper's other side.
    dark_ink = paper - image.min() > image.max() - paper
    return 255 - image if dark_ink else image.copy()


def _stretch(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    border = _border(image)
    paper = float(np.median(border))
    contrast = float(image.max()) - paper
    # Grain and shade of the paper show along the border; the median holds while a digit covers less than half of it.
    grain = _GRAIN * float(np.median(np.abs(border - paper)))
    needed = max(_MIN_CONTRAST, grain)
    if contrast < needed:
        raise DataError(
            f"the image holds no ink: its pixels differ from the border by at most {contrast:.0f} of 255 grey "
            f"levels, expected {needed:.0f} or more; draw or photograph the digit with more contrast."
        )
    levels = np.arange(256) - paper  # one entry per grey level: the map is looked up, not computed per pixel
    ink = np.where(levels >= grain, np.clip(levels * 255 / contrast, 0, 255), 0)  # (256,)
    table: NDArray[np.uint8] = np.rint(ink).astype(np.uint8)
    return table[image]


def _crop(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    ink = image > _INK_LEVEL
    rows = np.flatnonzero(ink.any(axis=1))  # over columns
    columns = np.flatnonzero(ink.any(axis=0))  # over rows
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scale(image: NDArray[np.uint8], box: int) -> NDArray[np.uint8]:
    from PIL import Image

    height, width = image.shape
    factor = box / max(height, width)
    target = max(1, round(width * factor)), max(1, round(height * factor))  # Pillow counts (width, height)
    # As floating point, or a thin pen in a large picture would round to nothing.
    resized = Image.fromarray(image.astype(np.float32)).resize(target, Image.Resampling.BICUBIC)
    scaled = np.clip(np.asarray(resized), 0, None)  # cubic weights undershoot beside an edge
    # Averaging fades thin strokes, where MNIST's are white: so make the strongest tenth of them white again.
    white = np.percentile(scaled[scaled > 0], 90)
    result: NDArray[np.uint8] = np.rint(np.clip(scaled * (255 / white), 0, 255)).astype(np.uint8)
    return result


def _centre(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    mass = float(image.sum(dtype=np.int64))
    centred = np.zeros((size, size), np.uint8)
    corner = []
    for axis, extent in enumerate(image.shape):
        profile = image.sum(axis=1 - axis, dtype=np.int64)  # over the other axis → (extent,)
        middle = float(profile @ np.arange(extent)) / mass
        shift = size // 2 - math.floor(middle + 0.5)
        corner.append(min(max(shift, 0), size - extent))  # a lopsided digit stays whole
    top, left = corner
    centred[top : top + image.shape[0], left : left + image.shape[1]] = image
    return centred

"""A folder of pictures for each class, as people sort their photographs."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from handgrad.data.datasets import Dataset, Progress, Splits, with_test_part
from handgrad.data.large import finished, new_array
from handgrad.data.pictures import check_image_size, describe_picture, read_pixels
from handgrad.errors import DataError
from handgrad.ops.cores import usable_cores

_SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".avif")
_TEST_FOLDERS = ("test", "testing", "val", "valid", "validation")
_TRAIN_FOLDERS = ("train", "training")

_AHEAD = 256  # pictures that are decoded before somebody asks for them

T = TypeVar("T")


def load_image_folder(
    directory: Path,
    *,
    image_size: Sequence[int] = (),
    held_out: float = 0.2,
    progress: Progress | None = None,
) -> Splits:
    """Read pictures that lie in a folder for each class, such as `photos/cat/1.jpg`, or `photos/train/cat/1.jpg`.

    The names of the folders are the names of the classes, in alphabetical order; files in folders below belong to the
    class too, and files that are no pictures are passed over. Pictures are colours (H, W, 3) unless every one of them
    is grey (H, W). Where all of them together are too large for memory, the pixels lie in a file: `large.new_array`.

    Args:
        directory: holds the classes, or `train` and, if there is one, `test` with the same classes. Where there is no
            `test`, `val` or `validation` takes its place.
        image_size: (height, width) to which every picture is brought, see `read_pixels`; () where all have one size.
        held_out: the part kept for testing where there are no folders for that.
        progress: told how many pictures have been read.

    Returns:
        uint8 pixels and class numbers with their names.

    Raises:
        ArgumentError: `image_size` or `held_out` is impossible.
        DataError: a class has no pictures, a picture cannot be read, or sizes differ and none is asked for.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> photos = Path(tempfile.mkdtemp())
        >>> for name in ("cat", "dog"):
        ...     (photos / name).mkdir()
        ...     for number in range(5):
        ...         Image.new("RGB", (4 + number, 3)).save(photos / name / f"{number}.png")
        >>> train, test = load_image_folder(photos, image_size=(2, 2))
        >>> train.inputs.shape, test.inputs.shape, train.class_names
        ((8, 2, 2, 3), (2, 2, 2, 3), ('cat', 'dog'))
    """
    check_image_size(image_size)
    name = directory.resolve().name
    train_folder, test_folder = _parts(directory)
    train, names = _files_by_class(train_folder)
    if len(names) < 2:
        raise DataError(
            f"{train_folder} holds {len(names)} folders, expected one with pictures for each class, at least two: "
            f"{train_folder.name}/cat/1.jpg, {train_folder.name}/dog/1.jpg."
        )
    test, test_names = _files_by_class(test_folder) if test_folder else ([], names)
    unknown = sorted(set(test_names) - set(names))
    if unknown:
        raise DataError(f"{test_folder} has the classes {', '.join(unknown)}, which {train_folder} does not have.")
    shape = _common_shape([path for path, _ in (*train, *test)], image_size)
    reader = _Reader(shape, len(train) + len(test), progress)
    dataset = reader.read(train, names, name)
    return Splits(dataset, reader.read(test, names, name)) if test_folder else with_test_part(dataset, held_out)


def _parts(directory: Path) -> tuple[Path, Path | None]:
    """Where the training pictures are, and those for testing, if they are apart."""
    children = {child.name.lower(): child for child in _folders(directory)}
    train = [children[name] for name in _TRAIN_FOLDERS if name in children]
    test = [children[name] for name in _TEST_FOLDERS if name in children]
    return (train[0], test[0] if test else None) if train else (directory, None)


def _folders(directory: Path) -> list[Path]:
    return sorted(child for child in directory.iterdir() if child.is_dir() and not child.name.startswith("."))


def _files_by_class(directory: Path) -> tuple[list[tuple[Path, str]], tuple[str, ...]]:
    """Every picture with the name of its class, and the names; in an order that no file system decides."""
    found: list[tuple[Path, str]] = []
    folders = _folders(directory)
    for folder in folders:
        files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))
        if not files:
            raise DataError(f"{folder} holds no pictures ({', '.join(_SUFFIXES)}); add some, or remove the folder.")
        found += [(file, folder.name) for file in files]
    return found, tuple(folder.name for folder in folders)


def _common_shape(paths: Sequence[Path], image_size: Sequence[int]) -> tuple[int, ...]:
    """(H, W), or (H, W, 3) where at least one picture has colours."""
    heads = list(_in_threads(describe_picture, paths))
    sizes = Counter((height, width) for height, width, _ in heads)
    if not image_size and len(sizes) > 1:
        (common, _), (other, _) = sizes.most_common(2)
        example = next(path for path, head in zip(paths, heads, strict=True) if head[:2] == other)
        raise DataError(
            f"The pictures have {len(sizes)} sizes: most are {common[0]}×{common[1]} (height × width), but {example} "
            f"is {other[0]}×{other[1]}; name one for all, such as image_size = [64, 64], in a recipe data.image_size."
        )
    height, width = image_size or next(iter(sizes))
    return (height, width, 3) if any(has_colours for *_, has_colours in heads) else (height, width)


class _Reader:
    """Reads pictures into arrays, on all cores, and says how far it is."""

    def __init__(self, shape: tuple[int, ...], total: int, progress: Progress | None) -> None:
        self.shape = shape
        self.total = total
        self.progress = progress
        self.done = 0

    def read(self, files: Sequence[tuple[Path, str]], names: tuple[str, ...], name: str) -> Dataset:
        """A data set of these files, each with the name of its class."""
        inputs = new_array((len(files), *self.shape), np.uint8)
        pixels = _in_threads(lambda path: read_pixels(path, self.shape), [path for path, _ in files])
        for row, picture in enumerate(pixels):
            inputs[row] = picture
            self.done += 1
            if self.progress is not None:
                self.progress(self.done, self.total)
        labels = np.array([names.index(class_name) for _, class_name in files], np.int64)
        return Dataset(finished(inputs), labels, name, len(names), class_names=names)


def _in_threads(function: Callable[[Path], T], paths: Sequence[Path]) -> Iterator[T]:
    """The function of each path, in order, a few hundred ahead; Pillow lets other threads run while it decodes."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        for first in range(0, len(paths), _AHEAD):
            yield from pool.map(function, paths[first : first + _AHEAD])

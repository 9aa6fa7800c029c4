import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from handgrad.data import Dataset, as_mnist, load, mnist_steps, read_image
from handgrad.errors import ArgumentError, DataError, ShapeError


@pytest.fixture(scope="module")
def mnist_test() -> Dataset:
    return load("mnist").test


def seven(ink: int = 30, paper: int = 230, width: int = 25, shift: int = 0) -> NDArray[np.uint8]:
    image = Image.new("L", (300, 400), paper)
    ImageDraw.Draw(image).line([(80 + shift, 90), (210 + shift, 90), (120 + shift, 330)], fill=ink, width=width)
    return np.asarray(image)


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int64) - other).mean())  # over all pixels


def saved(image: Image.Image, kind: str = "PNG") -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind)
    return file


def test_mnist_digits_stay_nearly_as_they_are(mnist_test: Dataset) -> None:
    distances = np.array([distance(as_mnist(image), image) for image in mnist_test.inputs[:1000]])
    assert distances.mean() < 0.5  # of 255 levels
    assert np.mean(distances < 2) > 0.99  # in the others a faint edge moves the centre over a pixel's border


def test_an_enlarged_inverted_digit_comes_back(mnist_test: Dataset) -> None:
    distances = []
    for image in mnist_test.inputs[:100]:
        paper = (255 - image // 2).repeat(11, axis=0).repeat(11, axis=1)  # (28, 28) → (308, 308)
        distances.append(distance(as_mnist(paper), image))
    assert np.median(distances) < 3  # of 255 levels, against 31 between a digit and an empty picture
    assert np.mean(np.array(distances) < 5) > 0.95  # in the others the centre moved over a pixel's border


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    margin=st.integers(1, 40),
    dark=st.booleans(),
    size=st.sampled_from([4, 8, 28, 29, 64]),
)
def test_box_centre_and_peak(height: int, width: int, margin: int, dark: bool, size: int) -> None:
    image = np.zeros((height + 2 * margin, width + 3 * margin), np.uint8)
    image[margin : margin + height, 2 * margin : 2 * margin + width] = 120
    steps = mnist_steps(200 - image if dark else image + 20, size)
    box = round(size * 20 / 28)
    assert steps.cropped.shape == (height, width)
    assert max(steps.scaled.shape) == box
    assert steps.centred.shape == (size, size)
    assert steps.centred.max() == 255
    rows, columns = np.nonzero(steps.centred)
    assert abs(rows.mean() - size // 2) <= 0.5
    assert abs(columns.mean() - size // 2) <= 0.5


def test_ink_may_be_dark_or_light_and_anywhere() -> None:
    expected = as_mnist(seven())
    assert distance(as_mnist(255 - seven()), expected) == 0
    assert distance(as_mnist(seven(ink=100, paper=180)), expected) == 0
    assert distance(as_mnist(seven(ink=255, paper=140)), expected) == 0
    assert distance(as_mnist(seven(shift=-80)), expected) == 0


def test_grain_and_shade_of_the_paper_are_cut() -> None:
    rng = np.random.default_rng(0)
    shade = np.linspace(-12, 12, 300)
    photo = np.clip(seven() + shade + rng.normal(0, 3, (400, 300)), 0, 255).astype(np.uint8)
    steps, clean = mnist_steps(photo), mnist_steps(seven())
    assert steps.cropped.shape == clean.cropped.shape
    assert distance(steps.scaled, clean.scaled) < 10  # the shade lies on the ink too


def test_jpeg_rings_do_not_widen_the_box() -> None:
    image = read_image(saved(Image.fromarray(seven()), "JPEG"))
    assert np.abs(np.subtract(mnist_steps(image).cropped.shape, mnist_steps(seven()).cropped.shape)).max() <= 2
    assert distance(as_mnist(image), as_mnist(seven())) < 4


def test_a_thin_pen_stays_visible() -> None:
    digit = as_mnist(seven(width=2))
    assert digit.max() == 255
    assert (digit > 128).sum() > 20


def test_the_steps_in_order() -> None:
    image = seven()
    steps = mnist_steps(image)
    np.testing.assert_array_equal(steps.original, image)
    np.testing.assert_array_equal(steps.light_on_dark, 255 - image)
    assert set(np.unique(steps.stretched)) == {0, 255}
    assert steps.scaled.shape[0] == 20
    np.testing.assert_array_equal(steps.centred, as_mnist(image))
    np.testing.assert_array_equal(image, seven())  # the input is left as it is


@pytest.mark.parametrize("image", [np.zeros((9, 9)), np.zeros((1, 1)), np.full((30, 20), 255)])
def test_an_empty_picture_is_a_data_error(image: NDArray[np.float64]) -> None:
    with pytest.raises(DataError, match="no ink"):
        as_mnist(image.astype(np.uint8))


def test_bare_paper_is_a_data_error() -> None:
    paper = np.random.default_rng(0).normal(200, 5, (300, 300)).astype(np.uint8)
    with pytest.raises(DataError, match="no ink"):
        as_mnist(paper)


def test_impossible_arguments_are_named() -> None:
    broken: list[NDArray[Any]] = [np.zeros((3, 3)), np.zeros((3, 3, 3), np.uint8), np.zeros((0, 3), np.uint8)]
    for image in broken:
        with pytest.raises(ShapeError, match="image"):
            as_mnist(image)
    with pytest.raises(ArgumentError, match="size"):
        as_mnist(seven(), size=3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_every_png_mode_reads_as_grey_levels(mode: str, tmp_path: Path) -> None:
    grey = np.zeros((2, 3), np.uint8)
    grey[0, 1] = 255
    wide = mode == "I;16"
    image = Image.fromarray(grey.astype(np.uint16) * 257) if wide else Image.fromarray(grey).convert(mode)
    image.save(tmp_path / "image.png")
    read = read_image(tmp_path / "image.png")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, grey)


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "CMYK"), ("TIFF", "LAB"), ("TIFF", "I"), ("GIF", "P"), ("BMP", "RGB")]
)
def test_other_formats_read(kind: str, mode: str) -> None:
    image = Image.new(mode, (4, 3))
    assert read_image(saved(image, kind)).shape == (3, 4)


def test_transparent_pixels_are_white_paper() -> None:
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    image.putpixel((2, 0), (0, 0, 0, 51))
    assert read_image(saved(image)).tolist() == [[255, 0, 204]]
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 90, 90, 90])
    palette.putpixel((1, 0), 1)
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=0)
    assert read_image(file).tolist() == [[255, 90]]


def test_a_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the camera was held on its side
    file = io.BytesIO()
    Image.new("L", (4, 2), 255).save(file, "JPEG", exif=exif)
    assert read_image(file).shape == (4, 2)


def test_unreadable_files_are_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "missing.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(DataError, match=r"text\.png is not an image"):
        read_image(tmp_path / "text.png")
    (tmp_path / "cut.png").write_bytes(saved(Image.fromarray(seven())).getvalue()[:-200])
    with pytest.raises(DataError, match=r"cut\.png cannot be decoded"):
        read_image(tmp_path / "cut.png")
    Image.new("F", (2, 2)).save(tmp_path / "float.tiff")
    with pytest.raises(DataError, match="floating-point"):
        read_image(tmp_path / "float.tiff")


@pytest.mark.parametrize("limit", [60, 20])  # Pillow warns above its limit and refuses above twice that
def test_too_many_pixels_are_a_data_error(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match="too large"):
        read_image(saved(Image.new("L", (10, 10))))
    assert read_image(saved(Image.new("L", (4, 5)))).shape == (5, 4)


@settings(deadline=None, max_examples=80)
@given(kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF"]), data=st.data())
def test_a_damaged_image_is_a_data_error_or_an_array(kind: str, data: st.DataObject) -> None:
    content = bytearray(saved(Image.fromarray(seven()[::10, ::10]), kind).getvalue())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DataError):
        assert read_image(io.BytesIO(content)).ndim == 2


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16", "LA"])
def test_a_large_picture_is_made_smaller_and_looks_the_same(mode: str) -> None:
    small = np.full((60, 90), 255, np.uint8)
    small[10:50, 30:40] = 0
    large = small.repeat(50, axis=0).repeat(50, axis=1)  # 13.5 million pixels
    picture = Image.fromarray(large.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(large).convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG")
    read = read_image(file)
    assert read.shape == (1500, 2250)
    np.testing.assert_array_equal(as_mnist(read), as_mnist(small))


def test_a_large_photo_is_decoded_at_a_part_of_its_size_and_turned_upright() -> None:
    picture = Image.new("RGB", (8000, 6000), "white")  # 48 million pixels, as telephones take them
    picture.paste("black", (3000, 1000, 3800, 5000))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=exif)
    assert read_image(file).shape == (4000 // 2, 3000 // 2)


def test_more_pixels_than_are_needed_for_anything_are_refused() -> None:
    file = io.BytesIO()
    Image.new("1", (6000, 5000)).save(file, "PNG")
    with pytest.raises(DataError, match="the image has 30 million pixels, expected at most 24; scale it down"):
        read_image(file)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG"])
def test_a_large_picture_is_turned_upright_as_a_small_one_is(kind: str, orientation: int) -> None:
    read = []
    for scale in (1, 8):
        picture = Image.new("L", (360 * scale, 260 * scale), 255)
        picture.paste(0, (20 * scale, 10 * scale, 60 * scale, 200 * scale))
        exif, file = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        picture.save(file, kind, exif=exif)
        read.append(read_image(file))
    small, large = read
    assert large.shape == tuple(4 * size for size in small.shape)  # 6 million pixels, halved
    np.testing.assert_array_equal(large[2::4, 2::4] > 128, small > 128)


def test_large_pixels_without_a_white_are_refused_as_small_ones_are() -> None:
    file = io.BytesIO()
    Image.new("F", (3000, 2000)).save(file, "TIFF")
    with pytest.raises(DataError, match="do not say which value is white"):
        read_image(file)

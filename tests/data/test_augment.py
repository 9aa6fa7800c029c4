import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handgrad.data import Augmentation
from handgrad.errors import ArgumentError, ShapeError
from handgrad.ops import ReferenceOps, for_device
from handgrad.ops.distortion import knots

ALL = Augmentation(
    rotation=20, shear=0.2, scale=0.2, translation=2.5, elastic_alpha=1.4, elastic_sigma=3
)  # each large enough that leaving it out changes many pixels


REFERENCE = ReferenceOps(np)


class Fixed(np.random.Generator):
    """Draws the same number again and again: 1 is the upper end of every range, ½ is no distortion."""

    def __init__(self, **numbers: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.numbers = [numbers.get(name, 0.5) for name in ("angle", "shear", "width", "height", "right", "down")]

    def random(self, size: Any = None, dtype: Any = None, out: Any = None) -> Any:
        drawn = np.full(size, 0.5, dtype)
        drawn[:, :6] = self.numbers
        return drawn


def random_images(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def distorted_by_definition(image: NDArray[np.uint8], settings: Augmentation, numbers: NDArray[Any]) -> NDArray[Any]:
    """One image (H, W), pixel by pixel, as the docstring says it, in float64."""
    height, width = image.shape
    angle, shear, *rest = 2 * numbers[:6].astype(np.float64) - 1
    angle, shear = math.radians(settings.rotation) * angle, settings.shear * shear
    scales, translation = 1 + settings.scale * np.array(rest[:2]), settings.translation * np.array(rest[2:])
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = rotation @ np.array([[1, shear], [0, 1]]) @ np.diag(scales)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    result = np.empty(image.shape)
    for y, x in np.ndindex(height, width):
        place = np.array([x, y])
        source = centre + np.linalg.solve(matrix, place - centre - translation)
        if settings.elastic_alpha:
            source = source + displacement(place, image.shape, settings, numbers[6:])
        result[y, x] = bilinear(image, source)
    return result


def displacement(place: NDArray[Any], shape: tuple[int, ...], settings: Augmentation, noise: NDArray[Any]) -> Any:
    """u(p) = Σₖ aₖ β³(p/h − k), the coefficients scaled to the root mean square that was asked for."""
    spacing = settings.elastic_sigma * math.sqrt(3)
    grid = [knots(extent, spacing) for extent in shape]
    coefficients = 2 * noise.astype(np.float64).reshape(*grid, 2) - 1
    along_y, along_x = (
        cubic_spline(place[axis] / spacing - (np.arange(count) - 1)) for axis, count in zip((1, 0), grid, strict=True)
    )
    mean_square = (151 / 315) ** 2 / 3  # of Σ a β³, a drawn evenly from [−1, 1]
    field = np.einsum("jkc,j,k->c", coefficients, along_y, along_x)  # (knots_y, knots_x, 2) → (2,): x and y
    return settings.elastic_alpha / math.sqrt(mean_square) * field


def cubic_spline(x: NDArray[Any]) -> NDArray[Any]:
    """β³ by truncated powers: Σₙ (−1)ⁿ C(4, n) max(0, x + 2 − n)³ / 6."""
    return sum((-1) ** n * math.comb(4, n) * np.maximum(x + 2 - n, 0) ** 3 for n in range(5)) / 6  # type: ignore[no-any-return]


def bilinear(image: NDArray[np.uint8], source: NDArray[Any]) -> float:
    x, y = (math.floor(value) for value in source)
    fx, fy = source - (x, y)
    total = 0.0
    for row, column, weight in (
        (y, x, (1 - fx) * (1 - fy)),
        (y, x + 1, fx * (1 - fy)),
        (y + 1, x, (1 - fx) * fy),
        (y + 1, x + 1, fx * fy),
    ):
        if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
            total += weight * float(image[row, column])
    return total


@pytest.mark.parametrize("shape", [(28, 28), (7, 12), (1, 9), (9, 1), (1, 1), (40, 33)])
@pytest.mark.parametrize(
    "augmentation",
    [
        ALL,
        Augmentation(rotation=180, shear=2, scale=0.9),
        Augmentation(elastic_alpha=3, elastic_sigma=0.5),
        Augmentation(translation=3, elastic_alpha=2, elastic_sigma=1000),
    ],
)
def test_every_pixel_follows_the_formula(shape: tuple[int, int], augmentation: Augmentation) -> None:
    images = random_images(3, *shape)
    numbers = augmentation.draw(images.shape, np.random.default_rng(5))
    by_reference = augmentation.distort(images, None, numbers, shape, ops=REFERENCE).reshape(images.shape)
    for outputs in (augmentation(images, np.random.default_rng(5)), by_reference):
        for image, output, drawn in zip(images, outputs, numbers, strict=True):
            expected = distorted_by_definition(image, augmentation, drawn)
            # Half a level for rounding to bytes, and 0.01 for places in float32, on noise with steps of 255 a pixel.
            assert np.abs(output - expected).max() <= 0.51


@settings(deadline=None, max_examples=40)
@given(
    shape=st.sampled_from(
        [(0, 4, 4), (2, 0, 4), (2, 4, 0), (3, 5, 8), (2, 1, 7), (2, 7, 1), (2, 6, 5, 3), (1, 129, 3), (2, 4, 4, 1)]
    ),
    sigma=st.floats(0.5, 1000),
    seed=st.integers(0, 99),
)
def test_with_everything_off_images_stay_as_they_are(shape: tuple[int, ...], sigma: float, seed: int) -> None:
    images = random_images(*shape)
    outputs = Augmentation(elastic_sigma=sigma)(images, np.random.default_rng(seed))
    np.testing.assert_array_equal(outputs, images)
    assert not np.shares_memory(outputs, images)


def test_rotation() -> None:
    images = random_images(2, 9, 9)
    outputs = Augmentation(rotation=90)(images, Fixed(angle=1))
    np.testing.assert_array_equal(outputs, np.rot90(images, -1, axes=(1, 2)))  # clockwise: y points down
    np.testing.assert_array_equal(Augmentation(rotation=180)(images, Fixed(angle=0)), images[:, ::-1, ::-1])


def test_shear_moves_each_row_sideways_by_its_height() -> None:
    image = np.zeros((1, 5, 5), np.uint8)
    image[0, :, 2] = 200
    np.testing.assert_array_equal(Augmentation(shear=1)(image, Fixed(shear=1))[0], 200 * np.eye(5))


def test_scale_is_drawn_apart_for_width_and_height() -> None:
    image = np.arange(25, dtype=np.uint8).reshape(1, 5, 5)
    narrow = np.zeros((1, 5, 5), np.uint8)
    narrow[0, :, 1:4] = image[0, :, ::2]  # half as wide: every second column, about the middle
    np.testing.assert_array_equal(Augmentation(scale=0.5)(image, Fixed(width=0)), narrow)
    low = np.zeros((1, 5, 5), np.uint8)
    low[0, 1:4] = image[0, ::2]
    np.testing.assert_array_equal(Augmentation(scale=0.5)(image, Fixed(height=0)), low)


def test_translation_moves_zeros_in() -> None:
    images = random_images(2, 6, 7)
    moved = np.zeros_like(images)
    moved[:, 4:, 2:] = images[:, :-4, :-2]
    np.testing.assert_array_equal(Augmentation(translation=4)(images, Fixed(right=0.75, down=1)), moved)
    assert not Augmentation(translation=1000)(images, Fixed(right=0, down=1)).any()


def test_the_elastic_displacement_is_as_large_and_as_smooth_as_asked_for() -> None:
    ramp = np.broadcast_to(np.arange(28, dtype=np.uint8) * 9, (3000, 28, 28))  # grey level / 9 is the column
    alpha, sigma = 1.2, 4.0
    outputs = Augmentation(elastic_alpha=alpha, elastic_sigma=sigma)(ramp, np.random.default_rng(0))
    columns = np.arange(9, 19)
    u = outputs[:, 4:24, columns] / 9 - columns  # (N, 20, 10), away from the border
    assert abs(u.mean()) < 0.02
    assert np.sqrt(np.mean(u**2)) == pytest.approx(alpha, rel=0.03)
    for lag in (2, 4, 8, 12):
        correlation = np.mean(u[:, lag:] * u[:, :-lag]) / np.mean(u**2)
        assert correlation == pytest.approx(math.exp(-(lag**2) / (4 * sigma**2)), abs=0.05)


def test_every_image_is_distorted_in_its_own_way_and_again_the_same_from_the_same_generator() -> None:
    images = np.repeat(random_images(1, 12, 12), 20, axis=0)
    outputs = ALL(images, np.random.default_rng(2))
    assert len(np.unique(outputs, axis=0)) == 20
    np.testing.assert_array_equal(ALL(images, np.random.default_rng(2)), outputs)
    assert not np.array_equal(ALL(images, np.random.default_rng(3)), outputs)


def test_the_affine_maps_are_the_same_with_and_without_an_elastic_displacement() -> None:
    affine = Augmentation(rotation=5).draw((5, 8, 8), np.random.default_rng(4))
    both = Augmentation(rotation=5, elastic_alpha=1).draw((5, 8, 8), np.random.default_rng(4))
    assert both.shape[1] > affine.shape[1] == 6
    np.testing.assert_array_equal(both[:, :6], affine)


def test_images_are_chosen_by_number() -> None:
    images, rows = random_images(7, 9, 8), np.array([3, 3, 0, 6])
    numbers = ALL.draw((4, 9, 8), np.random.default_rng(0))
    chosen = ALL.distort(images, rows, numbers, (9, 8), ops=REFERENCE)
    alone = ALL.distort(images[rows], None, numbers, (9, 8), ops=REFERENCE)
    np.testing.assert_array_equal(chosen, alone)
    assert chosen.shape == (4, 72)


def test_pytorch_tensors_are_distorted_in_the_same_way() -> None:
    pytest.importorskip("torch")
    images, rows, on_torch = random_images(7, 9, 8, 3), np.array([3, 0, 6]), for_device("torch:cpu")
    numbers = ALL.draw((3, 9, 8, 3), np.random.default_rng(0))
    theirs = on_torch.to_numpy(ALL.distort(images, rows, numbers, (9, 8, 3), ops=on_torch))
    ours = ALL.distort(images, rows, numbers, (9, 8, 3), ops=REFERENCE)
    assert theirs.dtype == np.uint8
    assert np.abs(theirs.astype(int) - ours).max() <= 1  # places may be a rounding apart


def test_channels_move_together() -> None:
    images = random_images(4, 10, 13, 3)
    outputs = ALL(images, np.random.default_rng(6))
    assert outputs.shape == images.shape
    assert outputs.flags.c_contiguous
    for channel in range(3):
        alone = ALL(images[..., channel], np.random.default_rng(6))
        np.testing.assert_array_equal(outputs[..., channel], alone)


def test_images_may_lie_anyhow_in_memory_and_are_left_as_they_are() -> None:
    images = random_images(6, 9, 8)
    before = images.copy()
    images.flags.writeable = False
    expected = ALL(images, np.random.default_rng(0))
    transposed = np.ascontiguousarray(images.transpose(2, 1, 0)).transpose(2, 1, 0)
    np.testing.assert_array_equal(ALL(transposed, np.random.default_rng(0)), expected)
    np.testing.assert_array_equal(ALL(np.repeat(images, 2, axis=0)[::2], np.random.default_rng(0)), expected)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    "images", [np.zeros((2, 4, 4), np.float32), np.zeros((4, 4), np.uint8), np.zeros((1, 1, 1, 1, 1), np.uint8)]
)
def test_what_is_no_batch_of_images_is_refused(images: NDArray[Any]) -> None:
    with pytest.raises(ShapeError, match="images"):
        ALL(images, np.random.default_rng(0))


@pytest.mark.parametrize(
    "fields",
    [
        {"rotation": -1.0},
        {"rotation": 181},
        {"shear": math.nan},
        {"scale": 1.0},
        {"translation": math.inf},
        {"translation": "2"},
        {"elastic_alpha": True},
        {"elastic_sigma": 0.0},
        {"elastic_sigma": None},
    ],
)
def test_impossible_fields_are_named(fields: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="|".join(fields)):
        Augmentation(**fields)


@pytest.mark.parametrize("name", ["rotation", "shear", "scale", "translation", "elastic_alpha"])
def test_any_distortion_makes_it_active(name: str) -> None:
    assert Augmentation(**{name: 0.5}).active
    assert not Augmentation(elastic_sigma=2.0).active

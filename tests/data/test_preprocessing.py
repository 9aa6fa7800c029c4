import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from handgrad.data import Dataset, Preprocessing, load
from handgrad.data.preprocessing import Layout, Normalize
from handgrad.errors import ArgumentError, ShapeError


def dataset(inputs: NDArray[Any]) -> Dataset:
    return Dataset(inputs, np.zeros(len(inputs), np.int64), "given", 1)


def random_images(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.sampled_from([(0, 3, 2), (1, 1, 1), (3, 4, 5), (7, 5, 4, 3), (2, 1, 3, 1)]),
    layout=st.sampled_from(["flat", "image"]),
    mean=st.floats(-2, 2),
    std=st.floats(0.1, 3),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_every_layout_follows_the_formula(
    shape: tuple[int, ...], layout: Layout, mean: float, std: float, dtype: type
) -> None:
    images = random_images(*shape)
    preprocessing = Preprocessing(mean=mean, std=std, layout=layout)
    outputs = preprocessing(images, dtype)
    expected = (images.astype(np.float64) / 255 - mean) / std
    if layout == "image":
        expected = expected[:, None] if images.ndim == 3 else np.moveaxis(expected, -1, 1)
    assert outputs.dtype == dtype
    assert outputs.flags.c_contiguous
    assert outputs.shape == (shape[0], *preprocessing.output_shape(shape[1:]))
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(outputs, expected.reshape(outputs.shape), rtol=0, atol=tolerance * (1 + abs(mean)) / std)


def test_the_result_is_new_and_the_input_untouched() -> None:
    for inputs in (random_images(2, 3, 3), np.ones((2, 3), np.float32)):
        before = inputs.copy()
        outputs = Preprocessing(scale=1.0)(inputs)
        assert not np.shares_memory(outputs, inputs)
        np.testing.assert_array_equal(inputs, before)


def test_ones_are_appended_as_the_last_column() -> None:
    images = random_images(3, 2, 2)
    outputs = Preprocessing(mean=0.5, append_ones=True)(images)
    assert outputs.shape == (3, 5)
    np.testing.assert_array_equal(outputs[:, :-1], Preprocessing(mean=0.5)(images))
    np.testing.assert_array_equal(outputs[:, -1], 1)


def test_a_large_mean_does_not_swallow_a_small_spread() -> None:
    rows = np.array([[2000.0], [2000.001]])
    outputs = Preprocessing(scale=1.0, mean=2000.0, std=0.001)(rows)
    np.testing.assert_allclose(outputs, [[0], [1]], atol=1e-6)


def test_output_shapes() -> None:
    assert Preprocessing().output_shape((7,)) == (7,)
    assert Preprocessing(append_ones=True).output_shape((28, 28)) == (785,)
    assert Preprocessing().output_shape((8, 8, 3)) == (192,)
    assert Preprocessing(layout="image").output_shape((6, 8)) == (1, 6, 8)
    assert Preprocessing(layout="image").output_shape((6, 8, 3)) == (3, 6, 8)
    with pytest.raises(ShapeError, match=r"\(7,\).*'image'"):
        Preprocessing(layout="image").output_shape((7,))
    with pytest.raises(ShapeError, match="input_shape"):
        Preprocessing().output_shape(())


def test_mnist_statistics() -> None:
    preprocessing = Preprocessing.for_dataset(load("mnist").train, "standard")
    np.testing.assert_allclose(preprocessing.mean, 0.1307, atol=5e-5)
    np.testing.assert_allclose(preprocessing.std, 0.3081, atol=5e-5)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), pixels=st.booleans(), layout=st.sampled_from(["flat", "image"]))
def test_standard_gives_mean_zero_and_deviation_one(seed: int, pixels: bool, layout: Layout) -> None:
    inputs = random_images(9, 5, 4, 2, seed=seed) if pixels else np.random.default_rng(seed).normal(5, 3, (9, 4))
    if not pixels:
        layout = "flat"
    outputs = Preprocessing.for_dataset(dataset(inputs), "standard", layout=layout)(inputs, np.float64)
    assert outputs.mean() == pytest.approx(0, abs=1e-12)
    assert outputs.std() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("inputs", [np.full((3, 2, 2), 7, np.uint8), np.full((7, 3), 0.1), np.zeros((1, 1))])
def test_a_constant_data_set_is_not_divided_by_zero(inputs: NDArray[Any]) -> None:
    preprocessing = Preprocessing.for_dataset(dataset(inputs), "standard")
    assert preprocessing.std == 1.0
    np.testing.assert_allclose(preprocessing(inputs), 0, atol=1e-6)


def test_the_other_normalizations() -> None:
    pixels, rows = dataset(random_images(2, 3, 3)), dataset(np.ones((2, 3)))
    assert Preprocessing.for_dataset(pixels, "unit", layout="image") == Preprocessing(1 / 255, layout="image")
    assert Preprocessing.for_dataset(rows, "none", append_ones=True) == Preprocessing(1.0, append_ones=True)
    np.testing.assert_array_equal(
        Preprocessing.for_dataset(pixels, "none")(pixels.inputs)[0, 0], pixels.inputs[0, 0, 0]
    )


@pytest.mark.parametrize(
    ("inputs", "normalize", "pattern"),
    [
        (np.ones((2, 3)), "unit", "'none', 'standard' or 'featurewise'"),
        (np.ones((2, 3)), "zscore", "'none', 'unit', 'standard' or 'featurewise'"),
        (np.ones((0, 3)), "standard", "at least one input"),
        (np.array([[1.0, np.nan]]), "standard", "finite"),
    ],
)
def test_what_cannot_be_normalized(inputs: NDArray[Any], normalize: Normalize, pattern: str) -> None:
    with pytest.raises(ArgumentError, match=pattern):
        Preprocessing.for_dataset(dataset(inputs), normalize)


@pytest.mark.parametrize(
    "fields",
    [
        {"std": 0.0},
        {"std": -1.0},
        {"scale": 0.0},
        {"mean": math.inf},
        {"mean": "0.5"},
        {"scale": True},
        {"layout": "rows"},
        {"layout": "image", "append_ones": True},
        {"append_ones": 1},
    ],
)
def test_impossible_fields_are_named(fields: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="|".join(fields)):
        Preprocessing(**fields)


def test_json_keeps_every_field() -> None:
    preprocessing = Preprocessing(1 / 255, 0.1306604762738429, 0.30810780385646264, "flat", True)
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing
    with pytest.raises(ArgumentError, match="exactly the keys"):
        Preprocessing.from_dict({"scale": 1.0})
    with pytest.raises(ArgumentError, match="exactly the keys"):
        Preprocessing.from_dict({**preprocessing.to_dict(), "crop": 2})


@pytest.mark.parametrize("layout", ["flat", "image"])
def test_each_channel_has_a_mean_and_a_deviation_of_its_own(layout: Layout) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (7, 4, 3, 3)).astype(np.uint8)
    pixels[..., 1] = pixels[..., 1] // 4 + 90
    dataset = Dataset(pixels, np.zeros(7, np.int64), "photos", 2)
    outputs = Preprocessing.for_dataset(dataset, "featurewise", layout=layout)(pixels, np.float64)
    if layout == "flat":
        outputs = outputs.reshape(7, 4, 3, 3).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(outputs.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(outputs.std(axis=(0, 2, 3)), 1, rtol=1e-12)


def test_each_column_has_a_mean_and_a_deviation_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3)) * (1, 1e3, 0) + (0, 1e6, 7)
    dataset = Dataset(rows, np.zeros(50, np.int64), "table", 2)
    whole = Preprocessing.for_dataset(dataset, "featurewise", append_ones=True)
    outputs = whole(rows, np.float64)
    np.testing.assert_allclose(outputs[:, :2], (rows[:, :2] - rows[:, :2].mean(axis=0)) / rows[:, :2].std(axis=0))
    assert not outputs[:, 2].any()  # all its values are equal
    assert (outputs[:, 3] == 1).all()
    assert Preprocessing.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    monkeypatch.setattr("handgrad.data.preprocessing._PIECE", 21)  # seven rows at a time
    np.testing.assert_allclose(Preprocessing.for_dataset(dataset, "featurewise").std, whole.std, rtol=1e-12)


def test_means_must_fit() -> None:
    with pytest.raises(ArgumentError, match="as many numbers as there are in mean, 2"):
        Preprocessing(mean=(0.0, 1.0))
    with pytest.raises(ShapeError, match=r"\(2,\) or \(H, W, 2\)"):
        Preprocessing(mean=(0.0, 1.0), std=(1.0, 1.0)).output_shape((3,))

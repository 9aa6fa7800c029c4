"""Folders of pictures: what is found, in which order, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handgrad.data import load
from handgrad.data.image_folder import load_image_folder
from handgrad.data.pictures import read_pixels
from handgrad.errors import ArgumentError, DataError


def picture(path: Path, size: tuple[int, int] = (4, 3), colour: Any = (255, 0, 0), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)
    return path


def pets(root: Path, counts: dict[str, int], **options: Any) -> Path:
    for name, count in counts.items():
        for number in range(count):
            picture(root / name / f"{number}.png", **options)
    return root


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    pets(tmp_path / "pets", {"dog": 10, "cat": 5})
    picture(tmp_path / "pets" / "cat" / "more" / "x.PNG", colour=(0, 0, 255))
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "pets" / ".hidden").mkdir()
    train, test = load(tmp_path / "pets")
    assert train.name == "pets"
    assert train.class_names == test.class_names == ("cat", "dog")
    assert train.inputs.shape[1:] == (3, 4, 3)
    assert (train.class_counts() + test.class_counts()).tolist() == [6, 10]
    assert test.class_counts().tolist() == [1, 2]
    again = load(tmp_path / "pets").test
    np.testing.assert_array_equal(again.inputs, test.inputs)
    np.testing.assert_array_equal(again.labels, test.labels)


@pytest.mark.parametrize(("train_name", "test_name"), [("train", "test"), ("Training", "Val"), ("train", "validation")])
def test_parts_of_their_own(tmp_path: Path, train_name: str, test_name: str) -> None:
    pets(tmp_path / train_name, {"cat": 3, "dog": 2})
    pets(tmp_path / test_name, {"dog": 4})
    train, test = load_image_folder(tmp_path)
    assert train.labels.tolist() == [0, 0, 0, 1, 1]
    assert test.labels.tolist() == [1, 1, 1, 1]
    assert test.classes == 2


def test_classes_that_training_does_not_know(tmp_path: Path) -> None:
    pets(tmp_path / "train", {"cat": 1, "dog": 1})
    pets(tmp_path / "test", {"cat": 1, "owl": 1})
    with pytest.raises(DataError, match="owl"):
        load_image_folder(tmp_path)


def test_grey_stays_grey_and_one_colour_makes_all_of_them_colours(tmp_path: Path) -> None:
    pets(tmp_path, {"a": 5, "b": 5}, mode="L", colour=100)
    assert load_image_folder(tmp_path).train.inputs.shape == (8, 3, 4)
    picture(tmp_path / "b" / "red.png")
    assert load_image_folder(tmp_path).train.inputs.shape[1:] == (3, 4, 3)


def test_other_sizes_need_a_common_one(tmp_path: Path) -> None:
    pets(tmp_path, {"a": 5, "b": 5})
    odd = picture(tmp_path / "b" / "z.png", size=(40, 20))
    with pytest.raises(DataError) as caught:
        load_image_folder(tmp_path)
    for part in ("2 sizes", "3×4", str(odd), "20×40", "image_size"):
        assert part in str(caught.value)
    assert load_image_folder(tmp_path, image_size=(2, 5)).train.inputs.shape[1:] == (2, 5, 3)


@pytest.mark.parametrize("size", [(3,), (0, 4), (2.5, 3), (1, 2, 3)])
def test_impossible_sizes(tmp_path: Path, size: Any) -> None:
    pets(tmp_path, {"a": 1, "b": 1})
    with pytest.raises(ArgumentError, match="image_size"):
        load_image_folder(tmp_path, image_size=size)


def test_progress_is_told(tmp_path: Path) -> None:
    pets(tmp_path, {"a": 300, "b": 5})
    told: list[tuple[int, int]] = []
    load_image_folder(tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 305) for number in range(1, 306)]


def test_what_is_no_such_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        load_image_folder(tmp_path)
    pets(tmp_path, {"empty": 1})
    with pytest.raises(DataError, match="at least two"):
        load_image_folder(tmp_path)
    pets(tmp_path, {"other": 1})
    broken = tmp_path / "other" / "broken.jpg"
    broken.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.jpg is not an image"):
        load_image_folder(tmp_path)
    whole = picture(tmp_path / "whole.png", size=(64, 64)).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"broken\.jpg"):
        load_image_folder(tmp_path, image_size=(4, 4))


def test_what_sticks_out_is_cut_off_and_not_squeezed(tmp_path: Path) -> None:
    wide = Image.new("RGB", (60, 20), (0, 0, 255))
    wide.paste((255, 0, 0), (20, 0, 40, 20))  # the middle third is red
    wide.save(tmp_path / "wide.png")
    pixels = read_pixels(tmp_path / "wide.png", (4, 4, 3))
    assert (pixels[:, 1:3] == (255, 0, 0)).all()
    assert pixels[..., 2].max() < 30  # at the borders a little blue is mixed in


def test_a_photo_is_turned_upright(tmp_path: Path) -> None:
    image = Image.new("L", (8, 4), 0)
    image.paste(255, (0, 0, 4, 4))  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise is needed
    image.save(tmp_path / "turned.png", exif=exif)
    pixels = read_pixels(tmp_path / "turned.png", (8, 4))
    assert pixels[:4].min() == 255
    assert pixels[4:].max() == 0
    pets(tmp_path / "all", {"a": 1, "b": 1}, size=(4, 8), mode="L", colour=0)
    (tmp_path / "turned.png").rename(tmp_path / "all" / "b" / "turned.png")
    assert load_image_folder(tmp_path / "all", held_out=0.5).train.inputs.shape[1:] == (8, 4)  # one size for all


@pytest.mark.parametrize(
    ("mode", "colour", "grey"),
    [("1", 1, 255), ("LA", (0, 0), 255), ("RGBA", (0, 0, 0, 0), 255), ("I;16", 65535, 255), ("RGB", (255, 0, 0), 76)],
)
def test_every_mode_becomes_grey_levels(tmp_path: Path, mode: str, colour: Any, grey: int) -> None:
    path = picture(tmp_path / "x.png", mode=mode, colour=colour)
    assert (read_pixels(path, (3, 4)) == grey).all()
    assert read_pixels(path, (3, 4, 3)).shape == (3, 4, 3)

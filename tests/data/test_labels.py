"""Labels as people have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from handgrad.data.labels import Targets, encode_targets, renumbered
from handgrad.errors import DataError


@pytest.mark.parametrize(
    ("targets", "labels", "names"),
    [
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        ([2, 0, 1], [2, 0, 1], None),
        ([[2], [0], [1]], [2, 0, 1], None),
        ([10, 9, 10], [1, 0, 1], ("9", "10")),  # as numbers, not as texts
        ([-1, 1, 1], [0, 1, 1], ("-1", "1")),
        ([1.0, 0.0, 1.0], [1, 0, 1], None),
        ([True, False, True], [1, 0, 1], ("False", "True")),
    ],
)
def test_classes(targets: list[object], labels: list[int], names: tuple[str, ...] | None) -> None:
    found, classes, found_names = encode_targets(np.array(targets), "data")
    assert found.tolist() == labels
    assert found.dtype == np.int64
    assert (classes, found_names) == (len(set(labels)), names)


@pytest.mark.parametrize("targets", [[0.5, 1.0], [[0.5], [1.0]], [[0.5, 1.0], [2.0, 3.0]]])
def test_numbers(targets: list[object]) -> None:
    found, classes, names = encode_targets(np.array(targets), "data")
    np.testing.assert_array_equal(found, np.array(targets).reshape(2, -1))
    assert found.dtype == np.float32
    assert (classes, names) == (None, None)


def test_whole_numbers_may_be_amounts() -> None:
    prices = np.arange(150) * 1000
    with pytest.raises(DataError, match="150 different whole numbers"):
        encode_targets(prices, "houses")
    assert encode_targets(prices, "houses", "numbers")[1] is None
    assert encode_targets(prices, "houses", "classes")[1] == 150
    assert encode_targets(np.arange(2000) % 150, "many")[1] == 150  # each of them often enough


@pytest.mark.parametrize(
    ("targets", "kind", "pattern"),
    [
        (np.array([]), "auto", "no examples"),
        (np.array([0.5, np.nan]), "auto", "example 1"),
        (np.array(["a"]), "numbers", "texts such as 'a'"),
        (np.array([[1, 2]]), "auto", r"\(1, 2\)"),
        (np.array([None]), "auto", "object"),
    ],
)
def test_what_cannot_be_a_label(targets: NDArray[np.generic], kind: Targets, pattern: str) -> None:
    with pytest.raises(DataError, match=pattern):
        encode_targets(targets, "data", kind)


@given(st.lists(st.text(alphabet="abc ", max_size=3), min_size=1))
def test_names_bring_the_labels_back(texts: list[str]) -> None:
    labels, classes, names = encode_targets(np.array(texts), "data", "classes")
    assert names is not None
    assert [names[label] for label in labels] == [str(text) for text in np.array(texts)]
    assert classes == len(names)


def test_classes_of_another_data_set() -> None:
    with pytest.raises(DataError, match="has the classes owl, expected some of cat, dog"):
        renumbered(np.array([0]), ["owl"], ["cat", "dog"], "pets")

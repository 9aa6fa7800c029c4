import numpy as np
import pytest

import handgrad as hg
from handgrad.data import Dataset
from handgrad.training import count_correct, evaluate, predict


def test_several_columns_are_judged_by_the_largest() -> None:
    outputs = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert count_correct(outputs, np.array([1, 1, 1])) == 2
    assert count_correct(outputs, np.array([[0, 1], [0, 1], [0, 1]])) == 2


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, 2), (0.0, 3)])
def test_one_column_is_judged_by_the_threshold(threshold: float, expected: int) -> None:
    outputs = np.array([[0.9], [0.2], [-1.0]])
    assert count_correct(outputs, np.array([[1.0], [1.0], [0.0]]), threshold) == expected


def test_scores_do_not_depend_on_the_batch_size() -> None:
    rng = np.random.default_rng(0)
    dataset = Dataset(rng.normal(size=(11, 3)), rng.integers(0, 2, 11), "random", 2)
    model = hg.Sequential(hg.Linear(3, 5), hg.BatchNorm1d(5), hg.Dropout(0.9), hg.Linear(5, 2)).initialize(rng)
    preprocessing = hg.Preprocessing(scale=1.0)
    loaders = [hg.Loader(dataset, size, preprocessing=preprocessing) for size in (1, 4, 11)]
    scores = [evaluate(model, hg.SoftmaxCrossEntropy(), loader) for loader in loaders]
    assert {score.accuracy for score in scores} == {scores[0].accuracy}
    assert [score.loss for score in scores] == pytest.approx([scores[0].loss] * 3, rel=1e-5)
    assert np.allclose(predict(model, loaders[0]), predict(model, loaders[2]), atol=1e-6)

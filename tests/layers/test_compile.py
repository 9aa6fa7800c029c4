import logging
import threading
from typing import Any

import numpy as np
import pytest

import handgrad
from handgrad.errors import HandgradError
from handgrad.ops.fused import compiled


def network(dtype: str = "float32", device: str = "cpu") -> handgrad.Layer:
    model = handgrad.Sequential(
        *(handgrad.Conv2d(1, 6, 3), handgrad.BatchNorm2d(6), handgrad.ReLU(), handgrad.MaxPool2d(2)),
        *(handgrad.Flatten(), handgrad.Dropout(0.5), handgrad.Linear(6 * 9, 10)),
    )
    return model.initialize(np.random.default_rng(0), dtype=dtype, ops=handgrad.ops.for_device(device))


def images(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 1, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_predicts_what_the_model_predicts(dtype: str) -> None:
    model = network(dtype)
    fast = handgrad.compile(model)
    for count in (1, 5, 1, 64):
        expected = model(images(count))
        outputs = fast(images(count))
        assert outputs.dtype == expected.dtype
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)


def test_outputs_are_never_overwritten() -> None:
    fast = handgrad.compile(network())
    first = fast(images(3))
    kept = first.copy()
    fast(images(3, seed=1))
    np.testing.assert_array_equal(first, kept)


def test_it_follows_the_parameters() -> None:
    model = network()
    fast = handgrad.compile(model)
    before = fast(images(2))
    model.parameters.vector[...] *= 2
    after = fast(images(2))
    assert not np.allclose(after, before)
    np.testing.assert_allclose(after, model(images(2)), rtol=1e-5, atol=1e-5)


def test_lists_are_inputs_too() -> None:
    model = handgrad.Linear(2, 3).initialize(np.random.default_rng(0))
    np.testing.assert_allclose(handgrad.compile(model)([[1, 2]]), model([[1, 2]]), rtol=1e-6)


def test_only_the_latest_shapes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_MOST_PROGRAMS", 3)
    model = handgrad.Linear(2, 3).initialize(np.random.default_rng(0))
    function: Any = model.parameters.ops.compile(
        lambda x, *, ops: model.forward(x, ops=ops)[0], (model.parameters.vector,)
    )
    for count in (1, 2, 3, 4, 1, 5):
        x = np.ones((count, 2), np.float32)
        np.testing.assert_allclose(function(x), model(x), rtol=1e-6)
        assert len(function._programs) <= 3


def test_an_input_that_does_not_fit_is_said_as_the_model_says_it() -> None:
    model = network()
    with pytest.raises(HandgradError) as expected:
        model(np.ones((1, 2, 8, 8), np.float32))
    with pytest.raises(type(expected.value), match="shape"):
        handgrad.compile(model)(np.ones((1, 2, 8, 8), np.float32))


def test_before_initializing_it_says_so() -> None:
    with pytest.raises(HandgradError, match="initialize"):
        handgrad.compile(handgrad.Linear(2, 3))


def test_threads_may_share_it() -> None:
    model, results = network(), {}
    fast = handgrad.compile(model)

    def work(seed: int) -> None:
        for _ in range(20):
            results[seed] = fast(images(4, seed))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, outputs in results.items():
        np.testing.assert_allclose(outputs, model(images(4, seed)), rtol=1e-5, atol=1e-5)


def test_a_layer_of_ones_own_that_cannot_be_compiled_still_predicts(caplog: pytest.LogCaptureFixture) -> None:
    class Doubled(handgrad.Layer):
        def forward(self, x: Any, *, ops: Any, training: bool = False, rng: Any = None) -> Any:
            return np.multiply(x, 2), None

        def backward(self, dy: Any, cache: Any, *, ops: Any, grads: Any) -> Any:
            return 2 * dy

        def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return input_shape

    model = Doubled().initialize(np.random.default_rng(0))
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(handgrad.compile(model)(np.ones((2, 3), np.float32)), 2)
    assert "not compiled" in caplog.text

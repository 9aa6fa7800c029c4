"""Optimizers: what all of them promise, and each update by hand."""

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from cases import OPTIMIZERS, Values
from expect import rejected
from prepare import CPU

from handgrad.ops import Ops
from handgrad.optimizers import SGD, Adam, AdamW, Optimizer, OptimizerState, RMSProp, clip_by_global_norm

START = np.array([1.0, -2.0, 0.5, 3.0])
STIFFNESS = np.array([0.5, 1.0, 2.0, 1.5])
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)


def descend(optimizer: Optimizer, w: Values, state: OptimizerState, steps: int) -> None:
    """Steps down ½ Σ c w², whose gradient is c w."""
    for _ in range(steps):
        optimizer.step(w, STIFFNESS * w, state, ops=CPU)


# -- what all promise ----------------------------------------------------------------------------------


@every_optimizer
def test_it_descends_a_quadratic(optimizer: Optimizer) -> None:
    w = START.copy()
    descend(optimizer, w, optimizer.start(w, ops=CPU), 250)
    assert np.sum(STIFFNESS * w**2) < 0.01 * np.sum(STIFFNESS * START**2)


@every_optimizer
def test_it_leaves_the_gradient_as_it_is(optimizer: Optimizer) -> None:
    w, gradient = START.copy(), np.array([1.0, -1.0, 0.0, 2.0])
    state = optimizer.start(w, ops=CPU)
    for _ in range(3):
        optimizer.step(w, gradient, state, ops=CPU)
    assert gradient.tolist() == [1.0, -1.0, 0.0, 2.0]


@every_optimizer
def test_without_a_gradient_it_only_decays(optimizer: Optimizer) -> None:
    w = START.copy()
    optimizer.step(w, np.zeros(4), optimizer.start(w, ops=CPU), ops=CPU)
    assert (np.abs(w) < np.abs(START)).all() if optimizer.weight_decay else (w == START).all()


@every_optimizer
def test_a_copied_state_continues_identically(optimizer: Optimizer) -> None:
    w = START.copy()
    state = optimizer.start(w, ops=CPU)
    descend(optimizer, w, state, 5)
    resumed, copied = w.copy(), deepcopy(state)
    descend(optimizer, w, state, 5)
    descend(optimizer, resumed, copied, 5)
    np.testing.assert_array_equal(resumed, w)
    assert copied.step == state.step == 10


@every_optimizer
def test_two_runs_of_one_optimizer_share_nothing(optimizer: Optimizer) -> None:
    one, other = START.copy(), START.copy()
    descend(optimizer, one, optimizer.start(one, ops=CPU), 3)
    descend(optimizer, other, optimizer.start(other, ops=CPU), 3)
    np.testing.assert_array_equal(one, other)


@every_optimizer
def test_its_state_starts_as_zeros_in_the_precision_of_the_parameters(optimizer: Optimizer) -> None:
    state = optimizer.start(START.astype(np.float32), ops=CPU)
    assert state.step == 0
    assert tuple(state.slots) == optimizer.slot_names()
    for slot in state.slots.values():
        assert (slot.dtype, slot.tolist()) == (np.float32, [0.0] * 4)


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        (SGD(), ()),
        (SGD(momentum=0.5), ("velocity",)),
        (RMSProp(), ("v",)),
        (Adam(), ("m", "v")),
        (AdamW(), ("m", "v")),
    ],
)
def test_it_remembers_no_more_vectors_than_it_needs(optimizer: Optimizer, names: tuple[str, ...]) -> None:
    assert optimizer.slot_names() == names


def test_only_adamw_decays_unless_told_to() -> None:
    assert [kind().weight_decay for kind in (SGD, RMSProp, Adam, AdamW)] == [0.0, 0.0, 0.0, 0.01]


@every_optimizer
def test_it_works_in_place_and_keeps_single_precision(optimizer: Optimizer) -> None:
    vector = START.astype(np.float32)
    view, state = vector[1:3], optimizer.start(vector, ops=CPU)
    slots = dict(state.slots)
    optimizer.step(vector, np.ones(4, np.float32), state, ops=CPU)
    assert vector.dtype == np.float32
    assert view.tolist() == vector[1:3].tolist() != START[1:3].tolist()
    assert all(state.slots[name] is slot and slot.dtype == np.float32 for name, slot in slots.items())


@every_optimizer
def test_a_learning_rate_given_to_a_step_replaces_its_own(optimizer: Optimizer) -> None:
    one, other = START.copy(), START.copy()
    half = type(optimizer)(**{**vars(optimizer), "learning_rate": optimizer.learning_rate / 2})
    optimizer.step(one, STIFFNESS, optimizer.start(one, ops=CPU), ops=CPU, learning_rate=optimizer.learning_rate / 2)
    half.step(other, STIFFNESS, half.start(other, ops=CPU), ops=CPU)
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, START)


@every_optimizer
def test_it_states_its_formula(optimizer: Optimizer) -> None:
    assert r"w \leftarrow" in optimizer.formula


def test_an_optimizer_of_ones_own_needs_only_its_update() -> None:
    class SignDescent(Optimizer):
        def update(
            self,
            vector: Values,
            gradient: Values,
            slots: Mapping[str, Values],
            step: int,
            *,
            ops: Ops,
            learning_rate: float,
        ) -> None:
            vector -= learning_rate * np.sign(gradient)

    w, optimizer = START.copy(), SignDescent(0.5)
    state = optimizer.start(w, ops=CPU)
    optimizer.step(w, w.copy(), state, ops=CPU)
    assert w.tolist() == [0.5, -1.5, 0.0, 2.5]
    assert (state.step, state.slots) == (1, {})


# -- each by hand, from w = 1 --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "gradients", "w"),
    [
        (SGD(0.1), [2.0, -4.0], 1.0 - 0.2 + 0.4),
        (SGD(0.1, weight_decay=0.5), [2.0], 1.0 - 0.1 * (2.0 + 0.5)),
        (SGD(0.1, momentum=0.75), [2.0, 4.0], 1.0 - 0.1 * 2.0 - 0.1 * (0.75 * 2.0 + 4.0)),
        (SGD(0.1, momentum=0.75, nesterov=True), [2.0, 4.0], 1.0 - 0.1 * (2.0 + 1.5) - 0.1 * (4.0 + 0.75 * 5.5)),
        (RMSProp(0.1, alpha=0.75, epsilon=1.0), [4.0], 1.0 - 0.1 * 4.0 / (2.0 + 1.0)),
        (RMSProp(0.1, alpha=0.75, epsilon=1.0, weight_decay=2.0), [2.0], 1.0 - 0.1 * 4.0 / (2.0 + 1.0)),
        (Adam(0.1, epsilon=1.0), [3.0], 1.0 - 0.1 * 3.0 / (3.0 + 1.0)),
        (Adam(0.1, epsilon=1.0, weight_decay=2.0), [1.0], 1.0 - 0.1 * 3.0 / (3.0 + 1.0)),
        (AdamW(0.1, epsilon=1.0, weight_decay=2.0), [3.0], 0.8 - 0.1 * 3.0 / (3.0 + 1.0)),
    ],
)
def test_updates_are_those_computed_by_hand(optimizer: Optimizer, gradients: list[float], w: float) -> None:
    vector = np.ones(1)
    state = optimizer.start(vector, ops=CPU)
    for gradient in gradients:
        optimizer.step(vector, np.array([gradient]), state, ops=CPU)
    assert vector[0] == pytest.approx(w, rel=1e-14)
    assert state.step == len(gradients)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_the_first_step_of_adam_has_the_length_of_the_learning_rate(size: float) -> None:
    w = np.zeros(2)
    optimizer = Adam(0.01, epsilon=1e-12)
    optimizer.step(w, np.array([size, -size]), optimizer.start(w, ops=CPU), ops=CPU)
    np.testing.assert_allclose(w, [-0.01, 0.01], rtol=1e-8)


def test_the_second_step_of_adam_corrects_both_averages() -> None:
    w, optimizer = np.zeros(1), Adam(1.0, beta1=0.25, beta2=0.75, epsilon=1e-12)
    state = optimizer.start(w, ops=CPU)
    optimizer.step(w, np.array([2.0]), state, ops=CPU)
    w[...] = 0.0
    optimizer.step(w, np.array([6.0]), state, ops=CPU)
    m, v = 0.25 * (0.75 * 2.0) + 0.75 * 6.0, 0.75 * (0.25 * 4.0) + 0.25 * 36.0
    assert w[0] == pytest.approx(-(m / (1 - 0.25**2)) / math.sqrt(v / (1 - 0.75**2)), rel=1e-10)


# -- clipping ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gradient", "max_norm", "clipped"),
    [
        ([3.0, 4.0], 1.0, [0.6, 0.8]),
        ([3.0, 4.0], 5.1, [3.0, 4.0]),
        ([0.0, 0.0], 1.0, [0.0, 0.0]),
        ([-30.0, 40.0], 5.0, [-3.0, 4.0]),
    ],
)
def test_clipping_shortens_what_is_too_long_and_keeps_the_direction(
    gradient: list[float], max_norm: float, clipped: list[float]
) -> None:
    vector = np.array(gradient)
    assert clip_by_global_norm(vector, max_norm, ops=CPU) == math.hypot(*gradient)
    np.testing.assert_allclose(vector, clipped, rtol=1e-6)
    assert np.linalg.norm(vector) <= max_norm


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda: SGD(0.0), "learning_rate", 0.0),
        (lambda: Adam(-0.1), "learning_rate", -0.1),
        (lambda: SGD(0.1, weight_decay=-1.0), "weight_decay", -1.0),
        (lambda: SGD(0.1, momentum=1.0), "momentum", 1.0),
        (lambda: SGD(0.1, nesterov=True), "nesterov", True),
        (lambda: RMSProp(0.1, alpha=1.0), "alpha", 1.0),
        (lambda: RMSProp(0.1, epsilon=0.0), "epsilon", 0.0),
        (lambda: Adam(0.1, beta1=1.0), "beta1", 1.0),
        (lambda: AdamW(0.1, beta2=-0.1), "beta2", -0.1),
        (lambda: Adam(0.1, epsilon=-1e-8), "epsilon", -1e-8),
        (lambda: clip_by_global_norm(np.ones(2), 0.0, ops=CPU), "max_norm", 0.0),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(make: Callable[[], Any], name: str, value: object) -> None:
    with rejected(name, value):
        make()


def test_a_learning_rate_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="learning_rate is nan"):
        SGD(math.nan)


@every_optimizer
def test_a_numpy_learning_rate_gives_the_same_update_as_a_python_one(optimizer: Optimizer) -> None:
    vectors = []
    for rate in (0.1, np.float64(0.1)):
        w, g = np.ones(5, np.float32) / 3, np.ones(5, np.float32) / 7
        optimizer.step(w, g, optimizer.start(w, ops=CPU), ops=CPU, learning_rate=rate)
        vectors.append(w)
    assert np.array_equal(vectors[0], vectors[1])

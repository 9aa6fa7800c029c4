"""Recording: what can be written down is, and whatever cannot is done by the function itself."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compare import REFERENCE, Numbers, pool_of, programs, share_everything
from op_cases import numbers

from handgrad.errors import ShapeError
from handgrad.ops import Ops, for_device
from handgrad.ops.fused.compiled import CompiledFunction, RecordingOps
from handgrad.ops.fused.recorder import NotTraceable, Scalar, Value

FIVE = np.arange(5, dtype=np.float32)
#: What a function may try with an array that has no numbers yet.
LOOKS: list[Callable[[Any], Any]] = [
    float,
    int,
    bool,
    len,
    list,
    np.asarray,
    np.exp,
    operator.neg,
    lambda x: x[0],
    lambda x: operator.setitem(x, 0, 1.0),
    *(
        lambda x, act=act: act(x, 2.0)
        for act in (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul)
    ),
    *(lambda x, act=act: act(2.0, x) for act in (operator.add, operator.sub, operator.mul, operator.truediv)),
    *(lambda x, act=act: act(x, 2.0) for act in (operator.lt, operator.le, operator.gt, operator.ge)),
    *(lambda x, act=act: act(FIVE, x) for act in (operator.add, operator.mul, operator.matmul)),
    lambda x: np.add(np.zeros(5), x),
    lambda x: np.copyto(np.zeros(5), x),
]


def compiled(function: Callable[..., Any], *state: Numbers, threads: int = 1) -> CompiledFunction:
    return CompiledFunction(function, REFERENCE, state, lambda: pool_of(threads))


def is_recorded(function: CompiledFunction) -> bool:
    (program,) = function._programs.values()
    return program is not None


# -- stand-ins ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("look", LOOKS)
def test_a_stand_in_shows_no_numbers(look: Callable[[Any], Any]) -> None:
    with pytest.raises(NotTraceable):
        look(RecordingOps(()).new((5,)))


@pytest.mark.parametrize(
    "look",
    [float, int, bool, operator.neg, lambda r: r * 2, lambda r: 1 - r, lambda r: r**2, lambda r: 2**r, lambda r: r < 1],
)
def test_a_number_that_changes_from_call_to_call_shows_none_either(look: Callable[[Any], Any]) -> None:
    with pytest.raises(NotTraceable):
        look(Scalar(0, is_integer=False))


@pytest.mark.parametrize("unknown", [np.zeros(3, np.float32), [1.0, 2.0], 3.0, None, np.float32(2)])
def test_only_arguments_and_the_state_are_known(unknown: Any) -> None:
    with pytest.raises(NotTraceable):
        RecordingOps((FIVE,)).relu(unknown)


def test_views_of_the_state_are_known_and_lie_where_they_lie() -> None:
    state = np.zeros(20, np.float32)
    value = RecordingOps((FIVE, state)).value(state[4:10].reshape(2, 3))
    assert (value.shape, value.offset, value.address) == ((2, 3), 16, state.ctypes.data + 16)


def test_an_array_in_another_order_than_the_kernels_read_is_not_known() -> None:
    array = np.zeros((3, 4), np.float32)
    ops = RecordingOps((array,))
    with pytest.raises(NotTraceable):
        ops.linear(ops.new((2, 4)), array, None)  # a weight (out, in) that lies so
    with pytest.raises(NotTraceable):
        ops.relu(array.T)
    assert ops.linear(ops.new((2, 3)), array.T, None).shape == (2, 4)
    assert ops.relu(array).shape == (3, 4)


@pytest.mark.parametrize("kind", [np.float64, np.int64, np.uint8, np.float16])
def test_kernels_of_float32_are_given_nothing_else(kind: Any) -> None:
    ops = RecordingOps((np.zeros(5, kind),))
    for x in (ops.new((5,), kind), ops.blocks[0].array):
        with pytest.raises(NotTraceable):
            ops.relu(x)


@pytest.mark.parametrize("ask", [lambda ops, x: ops.to_numpy(x), lambda ops, x: ops.permute(x, (1, 0))])
def test_some_operations_are_never_recorded(ask: Callable[..., Any]) -> None:
    ops = RecordingOps(())
    with pytest.raises(NotTraceable):
        ask(ops, ops.new((2, 3)))


@pytest.mark.parametrize(
    ("old", "new"), [((2, 6), (2, 2, 3)), ((12,), (3, 4)), ((4, 9), (4, 9, 1, 1)), ((4, 1, 3, 3), (4, 9))]
)
def test_another_shape_of_the_same_memory_costs_nothing(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    ops = RecordingOps(())
    x = ops.new(old)
    y = ops.reshape(x, new)
    assert (y.shape, y.block) == (new, x.block)
    assert ops.instructions == []


# -- what happens instead ----------------------------------------------------------------------------------

WEIGHT = numbers((4, 5))
VECTOR = np.concatenate([WEIGHT.T.reshape(-1), numbers((5,), seed=3)])  # a weight (out, in) = (4, 5) and five numbers
STORED = VECTOR[:20].reshape(5, 4).T
X = numbers((8, 5), seed=1)
#: Functions of an array (8, 5), as people write them.
UNRECORDED: dict[str, Callable[..., Any]] = {
    "arithmetic": lambda x, ops: ops.relu(2 * x + 1),
    "a number looked at": lambda x, ops: ops.affine(x, 2.0 if float(ops.norm(x)) > 1 else 3.0, 0.0),
    "numpy": lambda x, ops: ops.relu(np.sin(x)),
    "an array of its own": lambda x, ops: ops.multiply(x, np.full_like(x, 3.0)),
    "rows picked": lambda x, ops: ops.relu(x[1:3]),
    "a method of arrays": lambda x, ops: ops.relu(x.clip(-1, 1)),
    "double precision": lambda x, ops: ops.relu(x.astype(np.float64)),
    "broadcast": lambda x, ops: ops.add(x, ops.reshape(VECTOR[20:], (1, 5))),
    "a list": lambda x, ops: [ops.relu(x)],
    "the state itself": lambda x, ops: VECTOR,
    "a parameter as a number": lambda x, ops: ops.affine(x, float(VECTOR[0]), 0.0),
    "axes exchanged": lambda x, ops: ops.relu(ops.permute(x, (1, 0))),
    "moments over all": lambda x, ops: ops.moments(x, (0, 1)),
    "a weight that is computed": lambda x, ops: ops.linear(
        x, ops.reshape(ops.affine(VECTOR[:20], 2.0, 0.0), (4, 5)), None
    ),
    "a derivative broadcast": lambda x, ops: ops.relu_dx(ops.reshape(VECTOR[20:], (1, 5)), x),
    "targets broadcast": lambda x, ops: ops.squared_error(x, ops.zeros((1, 5), "float32"), ops.full((8,), 1.0, like=x)),
    "labels that are not int64": lambda x, ops: ops.one_hot(np.arange(3, dtype=np.int32), 3, like=x),
}
#: Functions of another array, and the array.
UNUSUAL: dict[str, tuple[Callable[..., Any], Numbers]] = {
    "double": (lambda x, ops: ops.relu(x), numbers((3, 5)).astype(np.float64)),
    "integers": (lambda x, ops: ops.add(x, x), np.arange(6)),
    "bytes": (lambda x, ops: ops.relu(x), np.arange(6, dtype=np.uint8)),
    "linear over the width of images": (lambda x, ops: ops.linear(x, STORED, None), numbers((2, 3, 4, 5))),
    "softmax over the width of images": (lambda x, ops: ops.softmax(x), numbers((2, 3, 4, 5))),
    "statistics over the width of images": (lambda x, ops: ops.moments(x, (-1,)), numbers((2, 3, 4, 5))),
    "examples (N, H, W, C)": (lambda x, ops: ops.take(x, None, 0.0, 1.0, (5, 3, 4)), numbers((2, 3, 4, 5))),
    "images in another shape": (lambda x, ops: ops.reshape(x, (2, 6, 2, 5)), numbers((2, 3, 4, 5))),
}


@pytest.mark.parametrize("name", [*UNRECORDED, *UNUSUAL])
def test_what_cannot_be_recorded_is_done_by_the_function_itself(name: str) -> None:
    function, x = UNUSUAL[name] if name in UNUSUAL else (UNRECORDED[name], X)
    run = compiled(function, VECTOR)
    for _ in range(2):
        ours, theirs = run(x), function(x, ops=REFERENCE)
        for mine, reference in zip(_list(ours), _list(theirs), strict=True):
            assert np.asarray(mine).dtype == np.asarray(reference).dtype
            np.testing.assert_array_equal(mine, reference)
    assert not is_recorded(run)


def _list(results: Any) -> list[Any]:
    return list(results) if isinstance(results, list | tuple) else [results]


def test_a_parameter_read_as_a_number_is_read_at_every_call() -> None:
    state = np.array([2.0], np.float32)
    run = compiled(lambda x, ops: ops.affine(x, float(state[0]), 0.0), state)
    np.testing.assert_array_equal(run(FIVE), 2 * FIVE)
    state[0] = 3.0
    np.testing.assert_array_equal(run(FIVE), 3 * FIVE)


@pytest.mark.parametrize(
    "choose", [lambda ops, x, y: ops.relu(y), lambda ops, x, y: y, lambda ops, x, y: ops.add(x, x)]
)
def test_a_parameter_that_decides_what_is_done_decides_at_every_call(choose: Callable[..., Any]) -> None:
    """The ways differ in nothing but the values that they take."""
    state = np.array([2.0], np.float32)

    def function(x: Numbers, y: Numbers, *, ops: Ops) -> Any:
        return choose(ops, x, y) if state[0] > 0 else choose(ops, y, x)

    run = compiled(function, state)
    for sign in (1, -1, 1):
        state[0] = sign
        np.testing.assert_array_equal(run(FIVE, -FIVE), function(FIVE, -FIVE, ops=REFERENCE))


def test_a_state_that_is_changed_past_the_operations_is_changed_once_a_call() -> None:
    state = np.zeros(5, np.float32)

    def count(x: Numbers, *, ops: Ops) -> Any:
        state[...] += 1
        return ops.add(x, state)

    run = compiled(count, state)
    for calls in (1, 2, 3):
        np.testing.assert_array_equal(run(FIVE), FIVE + calls)


def test_recording_leaves_the_state_alone() -> None:
    state = numbers((5,))
    before = state.copy()
    run = compiled(lambda x, ops: ops.move_average(state, x, 0.5), state)
    run.prepare((FIVE,))
    np.testing.assert_array_equal(state, before)
    run(FIVE)
    np.testing.assert_allclose(state, (before + FIVE) / 2, rtol=1e-6)


def test_an_error_of_the_function_is_its_own() -> None:
    def fail(x: Numbers, *, ops: Ops) -> Numbers:
        ops.relu(x)
        raise ShapeError("x", tuple(x.shape), "another shape")

    with pytest.raises(ShapeError, match="expected another shape"):
        compiled(fail)(FIVE)


@pytest.mark.parametrize(
    "call",
    [
        lambda ops, x: ops.linear(x, STORED[:, :4], None),
        lambda ops, x: ops.linear(x, STORED, VECTOR[20:23]),
        lambda ops, x: ops.linear_grads(x, x, out=(STORED, None)),
        lambda ops, x: ops.add(x, VECTOR[:3]),
        lambda ops, x: ops.sgd(VECTOR, VECTOR[:7], None, lr=0.1, momentum=0.0, nesterov=False, decay=0.0),
        lambda ops, x: ops.move_average(VECTOR[:3], VECTOR[:7], 0.1),
        lambda ops, x: ops.normalize_grads(x, x, out=(VECTOR[:2], VECTOR[2:4]), axes=(0,)),
        lambda ops, x: ops.squared_error(x, x, VECTOR[:3]),
        lambda ops, x: ops.reshape(x, (7, 7)),
    ],
)
def test_shapes_that_do_not_fit_are_an_error_and_not_memory_of_others(call: Callable[..., Any]) -> None:
    run = compiled(lambda x, ops: call(ops, x), VECTOR)
    with pytest.raises((ValueError, ShapeError)):
        run(X)
    assert not is_recorded(run)


# -- programs ----------------------------------------------------------------------------------------------


def test_a_function_is_recorded_once_for_each_set_of_shapes() -> None:
    calls = []

    def double(x: Numbers, y: Numbers, *, ops: Ops) -> Any:
        calls.append(x.shape)
        return ops.add(x, y)

    run = compiled(double)
    for rows in (3, 7, 3, 1, 7, 3):
        x = numbers((rows, 5))
        np.testing.assert_array_equal(run(x, x), x + x)
    assert len(programs(run)) == 3
    assert {shape: calls.count(shape) for shape in calls} == {(3, 5): 2, (7, 5): 2, (1, 5): 2}  # and compared


def test_dtypes_have_programs_of_their_own() -> None:
    run = compiled(lambda x, ops: ops.relu(x))
    for x in (X, X.astype(np.float64), X):
        np.testing.assert_array_equal(run(x), np.maximum(x, 0))
        assert run(x).dtype == x.dtype


def test_numbers_are_passed_anew_at_each_call() -> None:
    w, g, m, v = (np.abs(numbers((50,), seed=seed)) for seed in range(4))
    settings: dict[str, Any] = {"betas": (0.9, 0.99), "epsilon": 1e-8, "decay": 0.0, "decoupled": False}
    theirs = [array.copy() for array in (w, m, v)]
    run = compiled(lambda rate, step, ops: ops.adam(w, g, m, v, lr=rate, step=step, **settings), w, g, m, v)
    for step in range(1, 6):
        rate = 0.1 / step
        assert run(rate, step) is None
        REFERENCE.adam(theirs[0], g, *theirs[1:], lr=rate, step=step, **settings)
        np.testing.assert_allclose(w, theirs[0], rtol=1e-5)
    assert len(programs(run)) == 1


def test_results_are_none_a_float_an_array_or_a_tuple() -> None:
    assert compiled(lambda x, ops: None)(X) is None
    norm = compiled(lambda x, ops: ops.norm(x))(X)
    assert type(norm) is float
    assert norm == pytest.approx(float(np.linalg.norm(X)), rel=1e-5)
    pair = compiled(lambda x, ops: (ops.relu(x), ops.norm(x)))(X)
    assert [type(each) for each in pair] == [np.ndarray, float]
    np.testing.assert_array_equal(compiled(lambda x, ops: x)(X), X)
    both = compiled(lambda x, ops: (x, x))(X)
    assert both[0] is not both[1]


def test_a_result_is_never_overwritten_by_a_later_call() -> None:
    run = compiled(lambda x, ops: ops.relu(x))
    first = run(X)
    kept = first.copy()
    run(-X)
    np.testing.assert_array_equal(first, kept)


def test_an_argument_is_never_written_to() -> None:
    run = compiled(lambda x, ops: (ops.clip(x, 0.1), x)[1])
    given = X.copy()
    assert np.linalg.norm(run(given)) == pytest.approx(0.1, rel=1e-4)
    np.testing.assert_array_equal(given, X)


def forget(run: CompiledFunction, *arguments: Any) -> None:
    """Put NaN where the values of the last call still are."""
    run(*arguments)
    for program in programs(run):
        program._memory.fill(0xFF)


def test_a_bias_that_is_computed_is_read_whole_by_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many examples as outputs it has as many rows as they have, but is not theirs row by row."""
    share_everything(monkeypatch)
    state = numbers((24 * 24 + 24,))
    weight, bias = state[: 24 * 24].reshape(24, 24).T, state[24 * 24 :]
    x = numbers((24, 24))

    def biased(x: Numbers, *, ops: Ops) -> Any:
        return ops.linear(x, weight, ops.affine(bias, 2.0, 0.5))

    run = compiled(biased, state, threads=2)
    forget(run, x)
    np.testing.assert_allclose(run(x), biased(x, ops=REFERENCE), rtol=1e-4, atol=1e-4)


def test_a_weight_that_is_computed_scales_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    share_everything(monkeypatch)
    weight = numbers((24,))
    x = numbers((24, 24))

    def scaled(x: Numbers, *, ops: Ops) -> Any:
        gamma = ops.affine(weight, 2.0, 0.5)
        return ops.normalize(x, *ops.moments(x, (-1,)), 1e-5, gamma, ops.affine(weight, 1.0, 0.0))

    run = compiled(scaled, weight, threads=2)
    forget(run, x)
    for mine, reference in zip(run(x), scaled(x, ops=REFERENCE), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(24, 24), (24, 24, 3, 3)])
def test_statistics_that_are_computed_are_those_of_every_row(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    share_everything(monkeypatch)
    state = np.abs(numbers((24 * 4,)))
    x, broadcast = numbers(shape), (1, 24, *[1] * (len(shape) - 2))

    def normalized(x: Numbers, *, ops: Ops) -> Any:
        computed = [ops.affine(state[start : start + 24], 2.0, 0.5) for start in range(0, 96, 24)]
        mean, variance, weight, bias = (ops.reshape(each, broadcast) for each in computed)
        y, x_hat = ops.normalize(x, mean, variance, 1e-5, weight, bias)
        return y, x_hat, ops.normalize_dx(x, x_hat, variance, 1e-5, weight, None)

    run = compiled(normalized, state, threads=2)
    forget(run, x)
    for mine, reference in zip(run(x), normalized(x, ops=REFERENCE), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-5)


def test_rows_that_are_computed_are_taken_when_all_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    share_everything(monkeypatch)
    x, index = numbers((24, 3)), np.arange(24)[::-1].copy()

    def taken(x: Numbers, index: Numbers, *, ops: Ops) -> Any:
        return ops.take(ops.affine(x, 2.0, 0.5), index, 0.0, 1.0, (3,))

    run = compiled(taken, threads=2)
    forget(run, x, index)
    np.testing.assert_allclose(run(x, index), taken(x, index, ops=REFERENCE), rtol=1e-6)


def test_gradients_of_two_batches_are_not_taken_for_each_other() -> None:
    """The sums that both gradients of a normalization need are made once; but only for the same ȳ and x̂."""
    variance, weight = np.ones((1, 5), np.float32), np.ones((1, 5), np.float32)
    other = numbers((8, 5), seed=7)

    def gradients(dy: Numbers, x_hat: Numbers, other: Numbers, variance: Numbers, weight: Numbers, *, ops: Ops) -> Any:
        return tuple(ops.normalize_dx(each, x_hat, variance, 1e-5, weight, (0,)) for each in (dy, other, dy))

    run = compiled(gradients)
    arguments = (X, numbers((8, 5), seed=2), other, variance, weight)
    for mine, reference in zip(run(*arguments), gradients(*arguments, ops=REFERENCE), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-5)
    assert programs(run)


def test_an_index_outside_gives_not_a_number_and_reads_no_memory_of_others() -> None:
    table = numbers((4, 3))
    taken = compiled(lambda index, ops: ops.take(table, index, 0.0, 1.0, (3,)), table)(
        np.array([1, 4, 10**12, -(10**12)])
    )
    np.testing.assert_array_equal(taken[0], table[1])
    assert np.isnan(taken[1:]).all()
    rows = compiled(lambda labels, like, ops: ops.one_hot(labels, 3, like=like))(np.array([1, 3, -1]), FIVE)
    np.testing.assert_array_equal(rows[0], [0, 1, 0])
    assert np.isnan(rows[1:]).all()


# -- the operations of the processor -----------------------------------------------------------------------


def test_the_device_cpu_compiles_functions_of_float32() -> None:
    ops = for_device("cpu")
    assert ops.device == "cpu" == RecordingOps(()).device
    assert isinstance(ops.compile(lambda x, ops: ops.relu(x), (VECTOR,)), CompiledFunction)


def test_functions_of_float64_are_for_checks_and_are_not_compiled() -> None:
    run = for_device("cpu").compile(lambda x, ops: ops.relu(x), (VECTOR.astype(np.float64),))
    assert not isinstance(run, CompiledFunction)
    np.testing.assert_array_equal(run(X), np.maximum(X, 0))


def test_a_value_says_what_it_is() -> None:
    value = RecordingOps(()).new((2, 3, 4, 5))
    assert isinstance(value, Value)
    assert (value.ndim, value.size, value.end) == (4, 120, 480)

"""Planning: what is left out, what runs side by side, and that no two values lie in one place at one time."""

from collections.abc import Callable
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from compare import REFERENCE, Numbers, assert_identical, pool_of, programs, share_everything
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import numbers

from handgrad.errors import NonFiniteError
from handgrad.layers import Conv2d, Flatten, Layer, Linear, ReLU, Sequential
from handgrad.ops import Ops, Shape
from handgrad.ops.fused import plan, tile
from handgrad.ops.fused.arrays import add
from handgrad.ops.fused.compiled import CompiledFunction, RecordingOps
from handgrad.ops.fused.recorder import Block, Instruction, Recording, Value, Written
from handgrad.ops.fused.threads import CHUNK, WAIT


def record(function: Callable[..., Any], *shapes: Shape, state: tuple[Numbers, ...] = ()) -> Recording:
    """What a function does with arrays of these shapes."""
    ops = RecordingOps(state)
    inputs = [ops.new(shape) for shape in shapes]
    return Recording(ops, inputs, function(*inputs, ops=ops))


def names(instructions: list[Instruction]) -> list[str]:
    """Of their kernels, without the files these are in."""
    return [instruction.kernel.name.rpartition("-")[2] for instruction in instructions]


def phases_of(recording: Recording) -> list[list[str]]:
    return [names(phase) for phase in plan._phases(recording.recorder.instructions)]


# -- what is left out --------------------------------------------------------------------------------------


def backward_instructions(model: Layer, shape: Shape) -> list[Instruction]:
    """What is left of a forward and a backward pass whose input gradient nobody wants."""
    model.initialize(np.random.default_rng(0), ops=REFERENCE)
    gradients = model.parameters.gradients()

    def step(x: Numbers, *, ops: Ops) -> None:
        y, cache = model.forward(x, ops=ops, training=True)
        model.backward(y, cache, ops=ops, grads=gradients.tree)

    recording = record(step, shape, state=(model.parameters.vector, model.parameters.buffers, gradients.vector))
    return plan.Program(recording).instructions


def test_the_first_layers_input_gradient_is_left_out() -> None:
    one = names(backward_instructions(Sequential(Linear(5, 4)), (3, 5)))
    three = names(backward_instructions(Sequential(Linear(5, 4), ReLU(), Linear(4, 6), ReLU(), Linear(6, 2)), (3, 5)))
    assert one.count("transpose") == 0  # which is how an input gradient begins
    assert three.count("transpose") == 2
    assert three.count("relu_dx") == 2


def test_so_is_that_of_a_convolution() -> None:
    images = (2, 1, 6, 6)
    one = names(backward_instructions(Sequential(Conv2d(1, 2, 3), Flatten()), images))
    two = names(backward_instructions(Sequential(Conv2d(1, 2, 3), Conv2d(2, 2, 3), Flatten()), images))
    assert one.count("correlate") == 1
    assert two.count("correlate") == 3


def test_nothing_is_left_out_that_a_result_or_the_state_needs() -> None:
    state = numbers((3, 5))

    def step(x: Numbers, *, ops: Ops) -> Any:
        ops.tanh(x)  # for nobody
        ops.move_average(state, ops.sigmoid(x), 0.5)
        return ops.relu(ops.add(x, x))

    assert names(plan.Program(record(step, (3, 5), state=(state,))).instructions) == [
        "sigmoid", "add", "relu", "move_average"
    ]  # fmt: skip


# -- what runs side by side --------------------------------------------------------------------------------


def test_independent_gradients_share_a_phase() -> None:
    state = numbers((200,))
    weights = [state[:20].reshape(5, 4).T, state[20:40].reshape(5, 4).T]
    biases = [state[40:44], state[44:48]]

    def gradients(x: Numbers, dy: Numbers, *, ops: Ops) -> None:
        for weight, bias in zip(weights, biases, strict=True):
            ops.linear_grads(dy, x, out=(weight, bias))

    (phase,) = phases_of(record(gradients, (3, 5), (3, 4), state=(state,)))
    assert len(phase) == 4


def test_what_goes_row_by_row_needs_no_waiting() -> None:
    def chain(x: Numbers, *, ops: Ops) -> Any:
        return ops.tanh(ops.relu(ops.affine(x, 2.0, 1.0)))

    recording = record(chain, (8, 5))
    assert phases_of(recording) == [["affine", "relu", "tanh"]]
    assert plan.Program(recording)._table[:, WAIT].sum() == 1


def test_rows_of_another_number_are_waited_for() -> None:
    def chain(x: Numbers, *, ops: Ops) -> Any:
        return ops.relu(ops.reshape(ops.tanh(x), (4, 10)))

    assert phases_of(record(chain, (8, 5))) == [["tanh"], ["relu"]]


def test_what_every_row_reads_whole_is_waited_for() -> None:
    state = numbers((40,))
    weight, bias = state[:25].reshape(5, 5).T, state[25:30]

    def product(x: Numbers, *, ops: Ops) -> Any:
        return ops.linear(x, weight, ops.affine(bias, 2.0, 0.0))

    assert phases_of(record(product, (5, 5), state=(state,))) == [["affine"], ["linear_by_rows"]]


def test_nothing_is_overwritten_before_it_was_read() -> None:
    state = numbers((5,))

    def update(*, ops: Ops) -> Any:
        before = ops.affine(state, 1.0, 0.0)
        ops.move_average(state, before, 0.5)
        return before, ops.affine(state, 1.0, 0.0)

    assert phases_of(record(update, state=(state,))) == [["affine"], ["move_average"], ["affine"]]


def test_long_work_is_cut_into_chunks_that_fit_the_cache() -> None:
    program = plan.Program(record(lambda x, ops: ops.relu(ops.tanh(x)), (4096, 1024)))
    chunk = int(program._table[0][CHUNK])
    assert plan._CHUNK_ROWS <= chunk < 4096
    assert chunk * 1024 * 4 <= plan._CHUNK_BYTES


@pytest.mark.parametrize("width", [1024, 700, 100_000])
def test_chunks_are_of_whole_tiles(width: int) -> None:
    program = plan.Program(record(lambda x, ops: ops.relu(ops.tanh(x)), (400, width)))
    assert int(program._table[0][CHUNK]) % tile.ROWS == 0


#: A value of the programs below: its shapes are views of one another.
ROWS: list[Shape] = [(12, 5), (60,), (3, 20), (6, 2, 5), (4, 15)]
STEP = st.tuples(st.sampled_from(["add", "multiply", "relu", "affine", "clip"]), *[st.integers(0, 100)] * 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=25))
def test_any_program_gives_the_references_results_on_any_number_of_threads(steps: list[Any]) -> None:
    def run(x: Numbers, y: Numbers, *, ops: Ops) -> Any:
        values = [x, y]
        for name, first, second, shape in steps:
            new = ROWS[shape % len(ROWS)]
            a, b = (ops.reshape(values[each % len(values)], new) for each in (first, second))
            if name == "clip":
                ops.clip(a, 3.0)
            else:
                values.append(_apply(ops, name, a, b))
        return tuple(ops.reshape(value, (60,)) for value in values[-4:])

    arguments = numbers((12, 5)), numbers((12, 5), seed=1)
    expected = run(*(each.copy() for each in arguments), ops=REFERENCE)
    results = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        for threads in (1, 2, 3):
            compiled = CompiledFunction(run, REFERENCE, (), partial(pool_of, threads))
            compiled(*arguments)
            (program,) = programs(compiled)
            program._memory.fill(0xFF)
            results.append(compiled(*arguments))
            share_everything(monkeypatch)  # from the second on
    for ours in results:
        assert_identical(results[0], ours)
        for mine, reference in zip(ours, expected, strict=True):
            np.testing.assert_allclose(mine, reference, rtol=1e-5, atol=1e-6)


def _apply(ops: Ops, name: str, a: Any, b: Any) -> Any:
    if name == "affine":
        return ops.affine(a, -0.75, 0.5)
    return ops.relu(a) if name == "relu" else getattr(ops, name)(a, ops.affine(b, 0.125, 0.0))


@settings(max_examples=100, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=25))
def test_what_depends_on_each_other_keeps_its_order(steps: list[Any]) -> None:
    instructions = random_instructions(steps)
    phase_of = {i: number for number, phase in enumerate(plan._phases(instructions)) for i in phase}
    place_in_phase = {i: place for phase in plan._phases(instructions) for place, i in enumerate(phase)}
    assert set(phase_of) == set(instructions)
    for earlier, later in combinations(instructions, 2):
        blocks = [{value.block for value in values} for values in (earlier.writes, earlier.reads)]
        after = [{value.block for value in values} for values in (later.writes, later.reads)]
        if blocks[0] & (after[0] | after[1]) or blocks[1] & after[0]:
            same_rows = earlier.by_rows and later.by_rows and earlier.items == later.items
            assert phase_of[earlier] < phase_of[later] or (
                same_rows and phase_of[earlier] == phase_of[later] and place_in_phase[earlier] < place_in_phase[later]
            )


# -- where everything lies ---------------------------------------------------------------------------------


def random_instructions(steps: list[Any]) -> list[Instruction]:
    """Instructions over values of many sizes, by rows and not, some written more than once."""
    values = [_value(size) for size in (1, 60, 1000)]
    instructions = []
    for name, first, second, size in steps:
        reads = [values[first % len(values)], values[second % len(values)]]
        if name == "clip":
            written = Written(reads[0], also_read=True)
        else:
            values.append(_value(1 + size * size))
            written = Written(values[-1])
        instructions.append(Instruction(add, (*reads, written), 1 + size % 3, by_rows=name != "add", flops=1))
    return instructions


def _value(size: int) -> Value:
    return Value((size,), np.dtype(np.float32), Block(4 * size))


@settings(max_examples=200, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=40))
def test_values_that_are_in_use_at_one_time_never_share_a_byte(steps: list[Any]) -> None:
    instructions = random_instructions(steps)
    phases = plan._phases(instructions)
    inputs, kept, drawn = [*instructions[0].reads], [instructions[-1].writes[0]], [_value(100)]
    memory = plan._place(phases, inputs, kept, drawn)
    spans = lifetimes(phases, inputs, kept, drawn)
    start, end = memory.ctypes.data, memory.ctypes.data + memory.nbytes
    for block in spans:
        assert block.address % 64 == 0  # a cache line
        assert start <= block.address
        assert block.address + block.size <= end
    for one, other in combinations(spans, 2):
        if spans[one][0] <= spans[other][1] and spans[other][0] <= spans[one][1]:
            assert one.address + one.size <= other.address or other.address + other.size <= one.address


def lifetimes(
    phases: list[list[Instruction]], inputs: list[Value], kept: list[Value], drawn: list[Value]
) -> dict[Block, tuple[int, int]]:
    """From the phase in which a block is first touched to the last; inputs come before all, results stay after all."""
    touched: dict[Block, list[int]] = {}
    for number, phase in enumerate(phases):
        for instruction in phase:
            for value in (*instruction.reads, *instruction.writes):
                touched.setdefault(value.block, []).append(number)
    for value in (*inputs, *drawn):
        touched.setdefault(value.block, []).append(-1)
    for value in kept:
        touched[value.block].append(len(phases))
    return {block: (min(numbers), max(numbers)) for block, numbers in touched.items()}


def test_memory_is_used_again() -> None:
    def chain(x: Numbers, *, ops: Ops) -> Any:
        for shape in [(20, 50), (50, 20)] * 10:  # turned, so that one row does not follow from the same row
            x = ops.relu(ops.reshape(x, shape))
        return x

    program = plan.Program(record(chain, (1000,)))
    assert len(program.instructions) == 20
    assert program._memory.nbytes <= 4 * 4096


def test_the_state_is_used_where_it_lies() -> None:
    state = numbers((5,))
    recording = record(lambda x, ops: ops.add(x, state), (5,), state=(state,))
    program = plan.Program(recording)
    assert program.instructions[0].reads[1].address == state.ctypes.data


# -- numbers that must be finite ---------------------------------------------------------------------------

UPDATES: dict[str, tuple[int, dict[str, Any]]] = {
    "sgd": (0, {"momentum": 0.0, "nesterov": False}),
    "sgd with momentum": (1, {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (1, {"alpha": 0.9, "epsilon": 1e-8}),
    "adam": (2, {"step": 3, "betas": (0.9, 0.99), "epsilon": 1e-8, "decoupled": True}),
}


@pytest.mark.parametrize("name", UPDATES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("first", [True, False])
def test_a_step_that_is_not_finite_is_not_taken(name: str, bad: float, first: bool) -> None:
    """Whichever of two checked numbers it is; and the error names it."""
    memories, options = UPDATES[name]
    state = [np.abs(numbers((300,), seed=seed)) for seed in range(2 + memories)]
    before = [array.copy() for array in state]

    def step(loss: Numbers, norm: Numbers, rate: float, *, ops: Ops) -> Any:
        ops.require_finite("loss", loss)
        ops.require_finite("norm", norm)
        w, g, *memory = state
        slots: list[Any] = [*memory] or ([None] if name == "sgd" else [])
        getattr(ops, name.split()[0])(w, g, *slots, lr=rate, decay=0.1, **options)

    compiled = CompiledFunction(step, REFERENCE, state, lambda: pool_of(2))
    good, wrong = np.array(1.0, np.float32), np.array(bad, np.float32)
    with pytest.raises(NonFiniteError) as caught:
        compiled(*((wrong, good) if first else (good, wrong)), 0.1)
    assert caught.value.what == ("loss" if first else "norm")
    assert not np.isfinite(caught.value.value)
    assert_identical(state, before)
    compiled(good, good, 0.1)
    assert programs(compiled)
    assert not np.array_equal(state[0], before[0])


def test_of_two_numbers_that_are_not_finite_the_first_is_named() -> None:
    def check(loss: Numbers, norm: Numbers, *, ops: Ops) -> None:
        ops.require_finite("loss", loss)
        ops.require_finite("norm", norm)

    wrong = np.array(np.nan, np.float32)
    with pytest.raises(NonFiniteError) as caught:
        CompiledFunction(check, REFERENCE, (), lambda: pool_of(1))(wrong, wrong)
    assert caught.value.what == "loss"

"""The pool: any number of threads give the same bits, wake up when they sleep, and end when they are told to."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
from compare import REFERENCE, Numbers, assert_identical, share_everything
from op_cases import numbers

from handgrad.errors import NonFiniteError
from handgrad.ops import Ops, for_device, threads
from handgrad.ops.cores import use_threads
from handgrad.ops.fused.compiled import CompiledFunction
from handgrad.ops.fused.threads import _ASLEEP, _FUTEX, Pool, shared_pool

STATE = numbers((64 * 64 + 64,))
WEIGHT, BIAS = STATE[: 64 * 64].reshape(64, 64).T, STATE[64 * 64 :]
X = numbers((50, 64))
PATIENCE = 60.0  # seconds, after which threads are taken to wait for each other for ever


@pytest.fixture(autouse=True)
def _every_program_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    share_everything(monkeypatch)


@contextmanager
def pool_with(count: int) -> Iterator[Pool]:
    pool = Pool(count)
    yield pool
    pool.close()  # not after a failure, when a thread may hold the pool for ever


def in_time(act: Callable[[], Any]) -> Any:
    """What a function returns, if it does."""
    results: list[Any] = []
    worker = threading.Thread(target=lambda: results.append(act()), daemon=True)
    worker.start()
    worker.join(PATIENCE)
    assert not worker.is_alive(), "the threads wait for each other"
    assert results, "it failed"
    return results[0]


def network(x: Numbers, *, ops: Ops) -> Any:
    """Work of several kinds: by rows, by columns, by pieces, by one thread."""
    y = ops.relu(ops.linear(x, WEIGHT, BIAS))
    mean, variance = ops.moments(y, (0,))
    one = ops.full((1, 64), 1.0, like=x)
    z, _ = ops.normalize(y, mean, variance, 1e-5, one, one)
    return ops.softmax(ops.linear(z, WEIGHT, None)), ops.norm(z)


def compiled(pool: Pool, function: Callable[..., Any] = network) -> CompiledFunction:
    return CompiledFunction(function, REFERENCE, (STATE,), lambda: pool)


def _arrays(run: CompiledFunction, x: Numbers) -> list[Numbers]:
    return [np.asarray(each) for each in run(x)]


def outcome(pool: Pool, x: Numbers = X) -> list[Numbers]:
    return _arrays(compiled(pool), x)


EXPECTED = [np.asarray(each) for each in network(X, ops=REFERENCE)]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_any_number_of_threads_gives_the_same_bits(count: int) -> None:
    with pool_with(1) as one, pool_with(count) as pool:
        assert pool.threads == count
        assert_identical(outcome(one), in_time(lambda: outcome(pool)))
        for ours, theirs in zip(outcome(one), EXPECTED, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_threads_without_an_item_only_wait() -> None:
    with pool_with(5) as pool:
        run = compiled(pool, lambda x, ops: ops.norm(ops.relu(x)))
        assert in_time(lambda: run(X[:1])) == pytest.approx(float(np.linalg.norm(np.maximum(X[:1], 0))), rel=1e-5)


@pytest.mark.skipif(not _FUTEX, reason="only there do waiting threads sleep")
def test_threads_that_wait_long_leave_the_core_to_others() -> None:
    row = np.zeros((1, 10_000_000), np.float32)  # for one thread
    with pool_with(2) as pool:
        run = compiled(pool, lambda x, ops: ops.norm(ops.gelu(x)))
        in_time(lambda: run(row))
        began, used = time.perf_counter(), time.process_time()
        for _ in range(5):
            in_time(lambda: run(row))
        assert (time.process_time() - used) / (time.perf_counter() - began) < 1.5


def test_many_small_programs_follow_each_other() -> None:
    with pool_with(2) as pool:
        run = compiled(pool, lambda x, ops: ops.affine(x, 1.0, 1.0))

        def count() -> Numbers:
            x = np.zeros((3, 1), np.float32)
            for _ in range(3000):
                x = run(x)
            return x

        np.testing.assert_array_equal(in_time(count), np.full((3, 1), 3000))


def test_programs_of_one_thread_and_of_all_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    with pool_with(3) as pool:
        shared = compiled(pool)
        shared(X)
        monkeypatch.undo()  # small programs are for one thread again
        alone = compiled(pool, lambda x, ops: ops.affine(x, 1.0, 1.0))
        first = [np.asarray(each) for each in shared(X)]
        for turn in range(200):
            x = np.array([[turn]], np.float32)
            np.testing.assert_array_equal(in_time(partial(alone, x)), [[turn + 1]])
            assert_identical(first, [np.asarray(each) for each in in_time(lambda: shared(X))])


def wait_until_asleep(pool: Pool) -> None:
    deadline = time.monotonic() + PATIENCE
    while not all(pool._control[_ASLEEP + worker] for worker in range(1, pool.threads)):
        assert time.monotonic() < deadline, "idle threads do not go to sleep"
        time.sleep(0.005)


def test_threads_that_sleep_are_woken() -> None:
    with pool_with(3) as pool:
        run = compiled(pool)
        first = [np.asarray(each) for each in run(X)]
        for _ in range(10):
            wait_until_asleep(pool)
            assert_identical(first, [np.asarray(each) for each in in_time(lambda: run(X))])


def test_threads_that_are_falling_asleep_are_woken() -> None:
    """Pauses of every length from none to longer than it takes to fall asleep."""
    with pool_with(2) as pool:
        run = compiled(pool, lambda x, ops: ops.affine(x, 1.0, 1.0))

        def count() -> Numbers:
            x = np.zeros((2, 1), np.float32)
            for step in range(300):
                x = run(x)
                time.sleep(step % 60 * 1e-4)
            return x

        np.testing.assert_array_equal(in_time(count), np.full((2, 1), 300))


@pytest.mark.parametrize("asleep", [True, False])
def test_closing_ends_the_threads(asleep: bool) -> None:
    pool = Pool(3)
    assert [worker.is_alive() for worker in pool._workers] == [True, True]
    if asleep:
        wait_until_asleep(pool)
    else:
        compiled(pool)(X)
    in_time(pool.close)
    assert [worker.is_alive() for worker in pool._workers] == [False, False]
    in_time(pool.close)  # a second time there is nothing left to do


def call_at_once(calls: Sequence[Callable[[], list[Numbers]]], expected: Sequence[list[Numbers]]) -> int:
    """How often threads of Python that call functions over and over, at one time, get another result."""
    failures: list[int] = []
    start = threading.Barrier(len(calls))

    def keep_calling(which: int) -> None:
        start.wait()
        for _ in range(25):
            got = calls[which]()
            if any(ours.tobytes() != theirs.tobytes() for ours, theirs in zip(got, expected[which], strict=True)):
                failures.append(which)

    callers = [threading.Thread(target=keep_calling, args=(which,), daemon=True) for which in range(len(calls))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE)
    assert not any(caller.is_alive() for caller in callers), "the threads wait for each other"
    return len(failures)


#: Long enough that one caller comes while another's program runs.
LONG = [numbers((4000, 64), seed=seed) for seed in range(3)]


def test_callers_with_functions_of_their_own_take_turns_at_one_pool() -> None:
    with pool_with(2) as pool:
        expected = [outcome(pool, x) for x in LONG]
        calls = [partial(_arrays, compiled(pool), x) for x in LONG]
        assert call_at_once(calls, expected) == 0


def test_callers_of_one_function_take_turns_at_its_memory() -> None:
    with pool_with(2) as pool:
        expected = [outcome(pool, x) for x in LONG]
        shared = compiled(pool)
        assert call_at_once([partial(_arrays, shared, x) for x in LONG], expected) == 0


def test_a_pool_works_on_after_a_number_that_was_not_finite() -> None:
    with pool_with(2) as pool:

        def checked(x: Numbers, *, ops: Ops) -> Any:
            norm = ops.norm(x)
            ops.require_finite("norm", norm)
            return norm

        run = compiled(pool, checked)
        for _ in range(20):
            with pytest.raises(NonFiniteError):
                run(np.full((4, 5), np.nan, np.float32))
            assert in_time(lambda: run(np.ones((4, 5), np.float32))) == pytest.approx(20**0.5)


# -- the pool of the process -------------------------------------------------------------------------------


def test_the_pool_of_the_process_has_the_threads_that_were_chosen() -> None:
    for count in (1, 2):
        with use_threads(count):
            assert threads() == shared_pool().threads == count
            assert shared_pool() is shared_pool()


def test_a_compiled_function_follows_a_change_of_the_number_of_threads() -> None:
    run = for_device("cpu").compile(network, (STATE,))
    results = []
    for count in (1, 2, 1):
        with use_threads(count):
            results.append([np.asarray(each) for each in in_time(lambda: run(X))])
    assert_identical(results[0], results[1])
    assert_identical(results[0], results[2])


def _in_a_child(results: Any) -> None:
    results.put([np.asarray(each) for each in for_device("cpu").compile(network, (STATE,))(X)])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="the system cannot fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    with use_threads(2):
        ours = [np.asarray(each) for each in for_device("cpu").compile(network, (STATE,))(X)]
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        child = context.Process(target=_in_a_child, args=(results,))
        child.start()
        assert_identical(ours, results.get(timeout=PATIENCE))
        child.join(PATIENCE)
        assert child.exitcode == 0

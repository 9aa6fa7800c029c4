"""One pool of threads that run a program together, each its share of every instruction.

A program is a table of 64-bit words, a row an instruction. All threads go through the whole table; where a row asks for
it, they wait for each other first, spinning at the beginning and then asleep. A thread that finds nothing to do for a
while goes to sleep in Python.

Where other processes want the cores too, one thread may be faster than all; each program's `Pace` finds that out.
"""

import atexit
import ctypes
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir

from handgrad.ops.cores import threads
from handgrad.ops.fused.native import Deferred, Native, cgutils, helper, integers, intrinsic, types
from handgrad.ops.fused.pace import Pace

# The words of a row, before the kernel's own.
KERNEL, ITEMS, WAIT, GROUP, CHUNK, FIRST_ARGUMENT = range(6)
ROW_WORDS = 32

# The words of the control block, each on a cache line of its own: threads spin on some while others write.
_LINE = 16
_WORDS = range(0, 10 * _LINE, _LINE)
_GENERATION, _ARRIVED, _BASE, _PROGRAM, _ROWS, _WORKERS, _SCRATCH, _BLOCKED, _ARRIVED_AT, _ASLEEP = _WORDS

_SPINS = 20_000  # waiting loops before a thread gives its core away: some tenths of a millisecond
_IDLE_SPINS = 4000  # the same without anything to do
_YIELDS = 2000  # and then before it goes to sleep
SCRATCH_BYTES = 1 << 20  # of every thread

#: Held by who records or runs a function: two may share parameters, which recording changes for a moment, every program
#: has only one memory, and all of them one pool.
ONE_AT_A_TIME = threading.RLock()

_YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
_yield_core = Deferred(lambda: types.ExternalFunction(_YIELD, types.int32()))
#: Linux's number for futex, by which a thread sleeps until a word changes and others wake it.
_FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine() if sys.platform == "linux" else "")
_FUTEX_WAIT, _FUTEX_WAKE = 128, 129  # among the threads of one process
_system_call = Deferred(lambda: types.ExternalFunction("syscall", types.int64(*[types.int64] * 7)))
_ON_X86 = platform.machine() in ("x86_64", "AMD64")


def _atomic(operation: str) -> Any:
    """Load, store or add that all threads see in one order; returns the word, for add the one before."""

    @intrinsic
    def perform(typing: Any, words: Any, index: Any, value: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = builder.gep(arguments[0], [arguments[1]], source_etype=ir.IntType(64))
            if operation == "load":
                return builder.load_atomic(place, "seq_cst", 8, typ=ir.IntType(64))
            if operation == "store":
                builder.store_atomic(arguments[2], place, "seq_cst", 8)
                return arguments[2]
            return builder.atomic_rmw("add", place, arguments[2], "seq_cst")

        return types.int64(types.CPointer(types.int64), types.int64, types.int64), emit

    return perform


_load, _store, _add = (_atomic(operation) for operation in ("load", "store", "add"))


@intrinsic
def _call(typing: Any, address: Any, words: Any, begin: Any, end: Any, scratch: Any) -> Any:
    """Call the kernel at an address."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word, word, word, word])  # an address is passed as a word is
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64, types.int64), emit


@intrinsic
def _pause(typing: Any) -> Any:
    """Tell the processor that this is a waiting loop."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _ON_X86:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), emit


@helper
def _sleep(control, arrived):
    """Until a thread that arrives last wakes all, or at once if another has arrived meanwhile."""
    _add(control, _BLOCKED, 1)
    _system_call(_FUTEX, control[_ARRIVED_AT], _FUTEX_WAIT, arrived & 0xFFFFFFFF, 0, 0, 0)
    _add(control, _BLOCKED, -1)


@helper
def _wake_all(control):
    """Those who sleep; who is about to sees that the number of arrivals has changed."""
    if _load(control, _BLOCKED, 0) != 0:
        _system_call(_FUTEX, control[_ARRIVED_AT], _FUTEX_WAKE, 0x7FFFFFFF, 0, 0, 0)


@helper
def _yield(control, arrived):
    """In place of `_sleep` where there is no futex."""
    _yield_core()


@helper
def _wake_none(control):
    """In place of `_wake_all`."""


# Beside processes that want the cores too, who spins uses up its share while it waits for a thread that is not running.
# Who sleeps keeps it, and runs at once when it is woken: an epoch took 2.4 times its idle time, and by spinning 4.2.
_block, _unblock = (_sleep, _wake_all) if _FUTEX else (_yield, _wake_none)


@helper
def _wait(control, arrivals):
    """Until as many arrivals have been counted since the pool began, the caller's among them."""
    arrived = _add(control, _ARRIVED, 1) + 1
    if arrived == arrivals:
        _unblock(control)
    spins = 0
    while arrived < arrivals:
        spins += 1
        if spins < _SPINS:
            _pause()
        else:
            _block(control, arrived)
        arrived = _load(control, _ARRIVED, 0)


@helper
def _work(control, program, rows, worker, workers):
    """One thread's way through a program. Rows of one group run chunk by chunk, while their data is in the cache."""
    scratch = control[_SCRATCH] + worker * SCRATCH_BYTES
    arrivals = control[_BASE]
    index = 0
    while index < rows:
        words = integers(program + 8 * ROW_WORDS * index)
        if words[WAIT] != 0 and workers > 1:
            arrivals += workers
            _wait(control, arrivals)
        last = words[ITEMS] * (worker + 1) // workers
        for begin in range(words[ITEMS] * worker // workers, last, words[CHUNK]):
            end = min(begin + words[CHUNK], last)
            for member in range(words[GROUP]):
                place = program + 8 * ROW_WORDS * (index + member)
                _call(integers(place)[KERNEL], place + 8 * FIRST_ARGUMENT, begin, end, scratch)
        index += words[GROUP]
    if workers > 1:
        _wait(control, arrivals + workers)


def _entry(function: Callable[..., int]) -> Native:
    """Decorate what Python calls: a function of the control block and three numbers."""
    return Native(function, "int64(CPointer(int64), int64, int64, int64)")


@_entry
def _launch(control, program, rows, workers):
    """Run a program on all threads; 0, or the number that must be woken before `_resume`, which then runs it."""
    if workers == 1:
        _work(control, program, rows, 0, 1)
        return 0
    control[_PROGRAM], control[_ROWS], control[_WORKERS] = program, rows, workers
    control[_BASE] = _load(control, _ARRIVED, 0)
    _add(control, _GENERATION, 1)
    asleep = 0
    for worker in range(1, workers):
        asleep += _load(control, _ASLEEP + worker, 0)
    if asleep == 0:
        _work(control, program, rows, 0, workers)
    return asleep


@_entry
def _resume(control, program, rows, workers):
    """The first thread's share, after the others have been woken."""
    _work(control, program, rows, 0, workers)
    return 0


@_entry
def _serve(control, worker, seen, unused):
    """What every other thread does: wait for the next program and work on it, until idle or told to stop.

    Returns the last generation seen, or −1 to stop.
    """
    while True:
        idle = 0
        while _load(control, _GENERATION, 0) == seen:
            idle += 1
            if idle < _IDLE_SPINS:
                _pause()
            elif idle < _IDLE_SPINS + _YIELDS:
                _yield_core()
            else:
                _store(control, _ASLEEP + worker, 1)
                if _load(control, _GENERATION, 0) == seen:
                    return seen
                _store(control, _ASLEEP + worker, 0)
        seen += 1
        if control[_WORKERS] == 0:
            return -1
        _work(control, control[_PROGRAM], control[_ROWS], worker, control[_WORKERS])


#: What every pool needs.
ENTRIES = (_launch, _resume, _serve)
#: What an entry is called with, made beforehand: to turn four integers into words takes as long as the call.
Word = ctypes.c_int64
_ONE = Word(1)
_C_ENTRY = ctypes.CFUNCTYPE(Word, *[Word] * 4)  # releases Python's lock while it runs


def shared_pool() -> "Pool":
    """The pool of this process."""
    return _pool(threads())


@cache
def _pool(threads: int) -> "Pool":
    pool = Pool(threads)
    atexit.register(pool.close)
    return pool


if hasattr(os, "register_at_fork"):  # a fork has the memory of its parent's threads, but not the threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


class Pool:
    """Threads that run programs together; the calling thread is one of them.

    Args:
        threads: how many, at least 1.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._control = np.zeros(_ASLEEP + threads, np.int64)
        self._scratch = np.empty(SCRATCH_BYTES * threads + 64, np.uint8)
        self._control[_SCRATCH] = -(-self._scratch.ctypes.data // 64) * 64  # on a cache line
        self._address, self._all = Word(self._control.ctypes.data), Word(threads)
        self._control[_ARRIVED_AT] = self._control[_ARRIVED:].ctypes.data
        self._launch, self._resume, self._serve = (_C_ENTRY(entry.address) for entry in ENTRIES)
        self._awake = [threading.Event() for _ in range(threads)]
        self._workers = [threading.Thread(target=self._loop, args=(n,), daemon=True) for n in range(1, threads)]
        for worker in self._workers:
            worker.start()

    def run(self, program: Word, rows: Word, workers: int, pace: Pace | None = None) -> None:
        """Run the program at an address; the caller holds `ONE_AT_A_TIME`.

        Args:
            program: address of its table.
            rows: rows of the table.
            workers: 1 for this thread alone; otherwise all take part.
            pace: on how many threads it is faster; None for all.
        """
        if workers == 1 or self.threads == 1:
            self._launch(self._address, program, rows, _ONE)
            return
        started = time.perf_counter()
        if self._launch(self._address, program, rows, _ONE if pace and pace.alone else self._all):
            self._wake()
            self._resume(self._address, program, rows, self._all)
        elif pace:  # a wake-up takes long by itself
            pace.note(time.perf_counter() - started)

    def close(self) -> None:
        """End the other threads."""
        with ONE_AT_A_TIME:
            self._control[_WORKERS] = 0
            self._control[_GENERATION] += 1
            for event in self._awake:
                event.set()
        for worker in self._workers:
            worker.join()

    def _wake(self) -> None:
        for worker in range(1, self.threads):
            if self._control[_ASLEEP + worker]:
                self._awake[worker].set()

    def _loop(self, worker: int) -> None:
        seen = 0
        while seen >= 0:
            seen = self._serve(self._address, worker, seen, 0)
            if seen >= 0:
                self._awake[worker].wait()
                self._awake[worker].clear()
                self._control[_ASLEEP + worker] = 0

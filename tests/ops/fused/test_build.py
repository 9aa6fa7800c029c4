"""Kernels are compiled by several processes, and by this one alone if there can be no others."""

import importlib
import pkgutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compare import REFERENCE

from handgrad.files import cache_folder
from handgrad.ops import fused
from handgrad.ops.cores import use_threads
from handgrad.ops.fused import activations, arrays, build, convolution, convolution_gradients, losses
from handgrad.ops.fused.compiled import CompiledFunction
from handgrad.ops.fused.native import Native, integers, kernel, kernel_folder
from handgrad.ops.fused.threads import Pool

KERNELS = [
    activations.relu, activations.relu_dx, arrays.fill, arrays.one_hot, losses.total, activations.tanh_dx,
    activations.sigmoid_dx,
]  # fmt: skip


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place for machine code in which there is none yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kernel_folder.cache_clear()
    cache_folder.cache_clear()
    yield
    kernel_folder.cache_clear()
    cache_folder.cache_clear()


@pytest.fixture
def compiled_here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the kernels that this process compiles."""
    names: list[str] = []
    original = Native.compile

    def compile(self: Native) -> None:
        names.append(self.name)
        original(self)

    monkeypatch.setattr(Native, "compile", compile)
    return names


def every_kernel() -> list[Native]:
    modules = [
        importlib.import_module(f"{fused.__name__}.{info.name}") for info in pkgutil.iter_modules(fused.__path__)
    ]
    alone = {x for module in modules for x in vars(module).values() if isinstance(x, Native)}
    return [
        *sorted(alone, key=lambda native: native.origin),
        convolution._correlation(14),
        convolution_gradients.weight_gradient(5, 1),
        convolution_gradients.images_gradient(4),
    ]


@pytest.mark.parametrize("kernel", every_kernel(), ids=lambda kernel: kernel.name)
def test_its_origin_leads_to_a_kernel(kernel: Native) -> None:
    assert build.find(kernel.origin) is kernel


def test_kernels_for_other_numbers_have_other_files() -> None:
    assert len({kernel.path for kernel in every_kernel()}) == len(every_kernel())
    assert convolution._correlation(7).path != convolution._correlation(14).path


def test_a_kernel_made_from_numbers_without_its_maker_named_is_refused() -> None:
    def make(number: int) -> Native:
        @kernel
        def made(words: Any, begin: int, end: int, scratch: int) -> None:
            integers(words[0])[0] = number

        return made

    with pytest.raises(TypeError, match=r"made is made by a function, which must be decorated with @kernel_maker"):
        _ = make(3).path


def test_what_a_helper_was_writing_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def unfinished(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        (kernel_folder() / f".half.o.{started[-1].pid}.tmp").write_bytes(b"half")
        return started[-1]

    monkeypatch.setattr(build, "_start", unfinished)
    monkeypatch.setattr(build, "_WORTH_A_PROCESS", 2)
    with use_threads(2):
        build.build(KERNELS[:4])
    assert started
    assert not list(kernel_folder().glob(".*.tmp"))


def test_another_process_compiles_its_share(compiled_here: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    helpers_share = build._order(KERNELS, 1, 2)[: len(KERNELS) // 2]
    compile = Native.compile

    def after_the_helper(self: Native) -> None:
        patience = time.monotonic() + 120
        while not all(kernel.path.exists() for kernel in helpers_share) and time.monotonic() < patience:
            time.sleep(0.01)
        compile(self)

    monkeypatch.setattr(Native, "compile", after_the_helper)
    monkeypatch.setattr(build, "_WORTH_A_PROCESS", 2)
    with use_threads(2):
        build.build(KERNELS)
    assert all(kernel.path.exists() for kernel in KERNELS)
    assert not {kernel.name for kernel in helpers_share} & set(compiled_here)


def test_on_one_thread_there_is_one_process(compiled_here: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_start", lambda *_: pytest.fail("another process was started"))
    with use_threads(1):
        build.build(KERNELS)
    assert sorted(compiled_here) == sorted(kernel.name for kernel in KERNELS)


@pytest.mark.parametrize("reason", ["no such program", "it fails at once", "inside another program", "frozen"])
def test_without_other_processes_all_is_compiled_here(
    reason: str, compiled_here: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if reason == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    elif reason == "inside another program":
        monkeypatch.setattr(sys, "executable", None)
    else:
        monkeypatch.setattr(sys, "executable", "/bin/false" if reason == "it fails at once" else str(tmp_path / "none"))
    monkeypatch.setattr(build, "_WORTH_A_PROCESS", 1)
    with use_threads(3):
        build.build(KERNELS)
    assert sorted(compiled_here) == sorted(kernel.name for kernel in KERNELS)


def test_what_lies_on_disk_is_not_compiled_again(compiled_here: list[str]) -> None:
    build.compile_named([":".join(kernel.origin) for kernel in KERNELS[:3]])
    assert compiled_here == [kernel.name for kernel in KERNELS[:3]]
    build.compile_named([":".join(kernel.origin) for kernel in KERNELS[:3]])
    with use_threads(1):
        build.build(KERNELS[:3])
    assert len(compiled_here) == 3


def test_reports_how_many_are_ready() -> None:
    reports: list[tuple[int, int]] = []
    with use_threads(1):
        build.build(KERNELS[:3], lambda *report: reports.append((report[0], report[1])))
        assert reports == [(1, 3), (2, 3), (3, 3), (3, 3)]
        reports.clear()
        build.build(KERNELS[:3], lambda *report: reports.append((report[0], report[1])))
    assert reports == [(3, 3)]


def test_what_runs_a_program_is_compiled_with_its_kernels(compiled_here: list[str]) -> None:
    reports: list[tuple[int, int]] = []
    x = np.ones(3, np.float32)
    twice = CompiledFunction(lambda x, ops: ops.add(x, x), REFERENCE, (), lambda: Pool(1))
    with use_threads(1):
        twice.prepare([x], lambda *report: reports.append((report[0], report[1])))
        assert len(compiled_here) == reports[-1][1]
        np.testing.assert_array_equal(twice(x), 2 * x)
    assert len(compiled_here) == reports[-1][1]


def test_kernels_of_one_module_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    of_two_modules = [activations.relu, activations.relu_dx, arrays.fill, arrays.one_hot]
    of_two_modules += [activations.tanh_dx, activations.sigmoid_dx, arrays.add, arrays.multiply]
    orders: list[Sequence[Native]] = []

    @contextmanager
    def helpers(of_helpers: Sequence[Sequence[Native]]) -> Iterator[None]:
        orders.extend(of_helpers)
        yield

    monkeypatch.setattr(build, "_helpers", helpers)
    with use_threads(2):
        build.build(of_two_modules)
    assert [kernel.origin[0] for kernel in orders[0][:4]] == [arrays.__name__] * 4


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_every_process_would_compile_everything_beginning_elsewhere(processes: int) -> None:
    orders = [build._order(KERNELS, number, processes) for number in range(processes)]
    assert all(len(order) == len(KERNELS) and set(order) == set(KERNELS) for order in orders)
    assert len({order[0] for order in orders}) == processes


def test_a_home_that_cannot_be_written_to_leaves_a_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    kernel_folder.cache_clear()
    cache_folder.cache_clear()
    folder = kernel_folder()
    assert folder.is_dir()
    assert folder.is_relative_to(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parents[1]))  # as helpers are started
    kernel_folder.cache_clear()
    cache_folder.cache_clear()
    assert kernel_folder() == folder

"""From a device's name to its operations, and what is said when it is not there."""

import sys
from types import SimpleNamespace
from typing import NoReturn

import numpy as np
import pytest
import threadpoolctl
from expect import rejected

from handgrad.errors import DeviceError
from handgrad.ops import for_device, limit_threads


def test_the_cpu_computes_with_numpy() -> None:
    ops = for_device("cpu")
    assert ops.device == "cpu"
    assert isinstance(ops.zeros((2, 3), "float32"), np.ndarray)
    assert ops.zeros((2, 3), "float32").dtype == np.float32


@pytest.mark.parametrize("name", ["gpu", "", "cuda", "torch", "torch:", "torch:tpu", "cpu:0", "jax:cpu"])
def test_a_device_that_nobody_knows_is_refused(name: str) -> None:
    with rejected("device", name):
        for_device(name)


@pytest.mark.parametrize("library", ["torch", "array_api_compat.torch"])
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(empty=lambda size, device: None))
    monkeypatch.setitem(sys.modules, library, None)  # makes importing it fail
    with pytest.raises(DeviceError, match=rf"'torch:cpu' .*needs {library}, .*pip install \"handgrad\[torch\]\""):
        for_device("torch:cpu")


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError("Found no NVIDIA driver on your system.\nPlease check"),
        AssertionError("Torch not compiled with CUDA enabled"),
    ],
)
def test_a_missing_gpu_is_explained_in_one_sentence(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def empty(size: int, device: str) -> NoReturn:
        raise failure

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(empty=empty))
    with pytest.raises(DeviceError) as caught:
        for_device("torch:cuda:1")
    reason = str(failure).splitlines()[0].rstrip(".")
    assert str(caught.value) == (
        f"device 'torch:cuda:1' is not available here ({reason}); use --device cpu or torch:cpu."
    )


def test_pytorch_on_the_cpu_is_found_where_it_is_installed() -> None:
    pytest.importorskip("torch")
    assert for_device("torch:cpu").device == "torch:cpu"


def test_threads_are_limited_inside_the_block_and_given_back() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))  # loads the BLAS that is to be limited
    before = blas_threads()
    with limit_threads(1) as threads:
        assert threads == 1
        assert blas_threads() == {1}
    assert blas_threads() == before


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}


def test_fewer_than_one_thread_is_refused() -> None:
    with rejected("threads", 0), limit_threads(0):
        pytest.fail("the block must not be entered")


def test_pytorchs_threads_are_limited_and_given_back() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    with limit_threads(1, "torch:cpu"):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before

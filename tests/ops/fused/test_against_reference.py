"""Every operation of the interface, as kernels compute it, beside the reference."""

from pathlib import Path

import pytest
from compare import Case, assert_close, assert_identical, by_kernels, by_reference, share_everything
from op_cases import CASES

from handgrad.ops import Ops

HERE = Path(__file__).parent
#: Operations that have no case here, and the file that tests them.
ELSEWHERE = {
    "device": "test_recorder.py",
    "compile": "test_recorder.py",
    "to_numpy": "test_recorder.py",
    "permute": "test_recorder.py",
    "dropout_mask": "test_dropout.py",
    "randomness": "test_training.py",
    "conv2d": "test_convolution.py",
    "conv2d_dx": "test_convolution.py",
    "conv2d_grads": "test_convolution.py",
    "max_pool2d": "test_pooling.py",
    "max_pool2d_dx": "test_pooling.py",
    "avg_pool2d": "test_pooling.py",
    "avg_pool2d_dx": "test_pooling.py",
}
OPERATIONS = sorted(name for name in vars(Ops) if not name.startswith("_"))


def test_every_operation_has_a_case() -> None:
    assert len(OPERATIONS) > 40, "nothing was discovered"
    tested = {case.operation for case in CASES}
    assert set(OPERATIONS) - tested - ELSEWHERE.keys() == set()
    assert tested - set(OPERATIONS) == set()
    assert tested & ELSEWHERE.keys() == set()


@pytest.mark.parametrize(("operation", "file"), ELSEWHERE.items())
def test_what_has_no_case_here_is_tested_elsewhere(operation: str, file: str) -> None:
    assert operation in OPERATIONS
    assert f"{operation}" in (HERE / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernels_agree_with_the_reference_on_any_number_of_threads(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    one = by_kernels(case)
    assert_close(case, one, by_reference(case))
    share_everything(monkeypatch)
    for threads in (2, 3):
        assert_identical(one, by_kernels(case, threads))

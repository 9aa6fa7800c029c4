from pathlib import Path

import pytest
from expect import rejected

from handgrad.ops import cores, set_threads, threads


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count anew, on a machine without hardware threads or quota."""
    monkeypatch.setattr(cores, "_siblings", str)
    monkeypatch.setattr(cores, "_quota", lambda limit: 64)


def test_usable_cores_are_those_this_process_may_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    count = cores.usable_cores.__wrapped__
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert count() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert count() == 6
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert count() == 1


def test_hardware_threads_of_one_core_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(cores, "_siblings", lambda processor: "0,2" if processor % 2 == 0 else "1,3")
    assert cores.usable_cores.__wrapped__() == 2


def test_a_control_groups_quota_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "_quota", lambda limit: 3)
    assert cores.usable_cores.__wrapped__() == 3


@pytest.mark.parametrize(("text", "quota"), [("250000 100000", 3), ("50000 100000", 1), ("max 100000", 5), ("", 5)])
def test_a_quota_is_rounded_up(text: str, quota: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    (tmp_path / "cpu.max").write_text(text)
    assert cores._quota(tmp_path / "cpu.max") == quota
    assert cores._quota(tmp_path / "missing") == 5


def test_chosen_threads_hold_until_they_are_given_back() -> None:
    before = threads()
    set_threads(3)
    try:
        assert threads() == 3
        with cores.use_threads(2) as inside:
            assert inside == threads() == 2
        assert threads() == 3
    finally:
        set_threads(None)
    assert threads() == before


def test_fewer_than_one_thread_is_refused() -> None:
    with rejected("threads", 0):
        set_threads(0)

"""The list of bugs fits the code as it is; `python tests/reliability/inject.py` shows that each is caught."""

from pathlib import Path

import pytest
from bugs import BUGS, Bug
from inject import ROOT, caught_by


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_the_line_is_still_there_once(bug: Bug) -> None:
    text = (ROOT / "src" / "handgrad" / Path(bug.file)).read_text(encoding="utf-8")
    assert text.count(bug.right) == 1
    assert bug.right != bug.wrong


def test_they_are_many_and_differ() -> None:
    assert len({bug.what for bug in BUGS}) == len({(bug.file, bug.right, bug.wrong) for bug in BUGS}) == len(BUGS) >= 60


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS[:: len(BUGS) // 2], ids=str)
def test_a_bug_put_into_a_copy_is_caught(bug: Bug) -> None:
    assert caught_by(bug)


@pytest.mark.slow
def test_without_a_bug_nothing_is() -> None:
    harmless = Bug("none", BUGS[0].file, BUGS[0].right, BUGS[0].right + " ")
    assert caught_by(harmless) == ""

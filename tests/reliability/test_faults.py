import errno

import pytest
from faults import CODES, attempts


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.__getitem__)
def test_a_write_that_fails_anywhere_leaves_a_checkpoint_to_go_on_from(code: int) -> None:
    seen = list(attempts(code))
    assert {"open", "write", "flush", "rename", "remove"} <= {operation for operation, _ in seen}
    assert all(good for _, good in seen), seen

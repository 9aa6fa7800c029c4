"""No request brings the server of the page down, or to an answer that is not as the contract says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("starlette", "uvicorn", "schemathesis"):
    pytest.importorskip(package)

#: A run of `python tests/reliability/fuzz_web.py` makes 10,000.
COUNT = 200


def test_whatever_is_asked_the_server_answers_in_order() -> None:
    program = Path(__file__).with_name("fuzz_web.py")
    command = [sys.executable, str(program), "--json", "--count", str(COUNT), "--seed", "1"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]
    result = json.loads(finished.stdout.splitlines()[-1])
    assert result["problems"] == []
    assert [failure for row in result["rows"] for failure in row["failures"]] == []
    assert sum(row["requests"] for row in result["rows"]) >= COUNT
    by_kind = {row["what"]: row for row in result["rows"]}
    assert by_kind["requests for what is there"]["understood"] > 5, "hardly anything was asked for that is there"
    assert by_kind["requests against the contract"]["refused"] > COUNT // 20
    assert by_kind["requests after damage"]["refused"] > COUNT // 20

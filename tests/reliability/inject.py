"""Put every bug into a copy of handgrad, one at a time, and see whether the suite notices.

`python tests/reliability/inject.py` does it, and writes the figures of docs/reliability.md.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bugs import BUGS, Bug
from reliability_page import record

ROOT = Path(__file__).parents[2]
#: What a change of a derivation is tested by; the rest of the suite would notice more, and later.
TESTS = ("tests/layers", "tests/test_losses.py", "tests/test_optimizers.py")


def injected(bug: Bug, folder: Path) -> Path:
    """A copy of the package with a bug in it; returns the directory to import it from."""
    shutil.copytree(ROOT / "src" / "handgrad", folder / "handgrad", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "handgrad" / bug.file
    text = path.read_text(encoding="utf-8")
    assert text.count(bug.right) == 1, f"{bug}: {bug.right!r} occurs {text.count(bug.right)} times"
    path.write_text(text.replace(bug.right, bug.wrong), encoding="utf-8")
    return folder


def caught_by(bug: Bug) -> str:
    """The first test that fails with a bug in the code, or "" if none does."""
    with tempfile.TemporaryDirectory(prefix="handgrad-bug-") as folder:
        path = injected(bug, Path(folder))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", *TESTS]
        environment = os.environ | {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
        finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    failed = [line for line in finished.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert finished.returncode in (0, 1, 2), finished.stdout[-2000:]
    return failed[0] if failed else ""


def main() -> None:
    """All of them; a line each."""
    started, rows = time.perf_counter(), []
    for number, bug in enumerate(BUGS, start=1):
        test = caught_by(bug).partition(" - ")[0].partition(" ")[2]
        rows.append({"what": bug.what, "file": bug.file, "caught_by": test})
        print(f"{number:2} {'caught' if test else 'MISSED':6} {bug.what}  {test[:90]}", flush=True)
    caught = sum(bool(row["caught_by"]) for row in rows)
    print(f"{caught} of {len(BUGS)} caught in {time.perf_counter() - started:.0f} s")
    record("bugs", "python tests/reliability/inject.py", rows)
    sys.exit(caught < len(BUGS))


if __name__ == "__main__":
    main()

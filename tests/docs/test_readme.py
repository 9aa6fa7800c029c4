"""The README's promises: its example runs and learns, its commands are what the gate runs, its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import handgrad

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_as_it_stands_and_learns() -> None:
    example = README.split("<!-- example -->")[1].split("```python\n")[1].split("```")[0]
    assert len(example.strip().splitlines()) <= 20
    printed = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True).stdout
    accuracy = re.search(r"accuracy=([0-9.]+)", printed)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.96


def test_the_gate_runs_the_readmes_own_test_command() -> None:
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'python -m pip install -e ".[test]" && python -m pytest\n' in README
    assert 'python -m pip install -e ".[test]" && python -m pytest\n' in gate


def test_every_link_leads_somewhere() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.findall(r"(?:\]\(|src=\")(?!https?:)([^)#\"]+)", text):
            assert (ROOT / link).exists(), f"{page}: {link}"


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 50


def test_the_changelog_knows_this_version() -> None:
    assert f"## {handgrad.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

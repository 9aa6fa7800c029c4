"""The README's promises: its example runs and learns, its commands are what the gate runs, its links lead somewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import handgrad

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def example_after(mark: str) -> str:
    """The Python code that follows a mark."""
    return README.split(f"<!-- {mark} -->")[1].split("```python\n")[1].split("```")[0]


def printed_by(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_example_runs_as_it_stands_and_learns() -> None:
    example = example_after("example")
    assert len(example.strip().splitlines()) <= 20
    printed = printed_by(example)
    accuracy = re.search(r"accuracy=([0-9.]+)", printed)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.96


def test_the_layer_of_ones_own_takes_fifteen_lines_and_is_right() -> None:
    example = example_after("example: a layer of your own")
    layer = example[example.index("class PReLU") : example.index("rng = ")]
    assert len([line for line in layer.splitlines() if line.strip()]) <= 15
    assert [line.split(": ")[1].split(";")[0] for line in printed_by(example).splitlines()] == ["right"] * 7
    wrong = example.replace("np.where(x > 0, dy, self.slope * dy)", "dy")
    assert "input (5, 4): WRONG" in printed_by(wrong)


def test_the_gate_runs_the_readmes_own_test_command() -> None:
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert 'python -m pip install -e ".[test]" && python -m pytest\n' in README
    assert 'python -m pip install -e ".[test]" && python -m pytest\n' in gate


def test_what_it_says_of_the_default_recipe_was_measured() -> None:
    runs = [run["ours"] for run in json.loads((ROOT / "docs" / "benchmarks.json").read_text())["default"]["runs"]]
    accuracy, seconds = sum(run["accuracy"] for run in runs) / len(runs), [run["seconds"] for run in runs]
    words = f"{100 * accuracy:.2f} % on the test images, the mean of {len(runs)} seeds, after {min(seconds):.1f} to "
    assert f"{words}{max(seconds):.1f} s" in " ".join(README.split())


def test_every_link_leads_somewhere() -> None:
    for page in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "ARCHITECTURE.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.findall(r"(?:\]\(|src=\")(?!https?:)([^)#\"]+)", text):
            assert (ROOT / link).exists(), f"{page}: {link}"


def test_contributing_is_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 50


def test_the_changelog_knows_this_version() -> None:
    assert f"## {handgrad.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

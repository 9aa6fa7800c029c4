"""Two of the hundred: `python tests/reliability/kill.py` shows the rest."""

import sys
from pathlib import Path

import pytest
from kill import RECIPES, Job, killed_and_resumed, make_data, whole_run, write_recipe
from reliability_page import PLACES

if sys.platform == "win32":
    pytest.skip("Windows has no SIGKILL", allow_module_level=True)

Whole = tuple[Path, str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A recipe, and what it leaves when nobody interrupts it."""
    folder = tmp_path_factory.mktemp("kill")
    tables = next(iter(RECIPES.values()))
    recipe = write_recipe(
        folder / "recipe.toml", tables | {"train": tables["train"] | {"epochs": 40}}, make_data(folder / "data")
    )
    return recipe, whole_run(recipe, folder / "whole")[0]


@pytest.mark.parametrize("place", PLACES)
def test_a_process_killed_inside_a_write_is_gone_on_with(place: str, whole: Whole, tmp_path: Path) -> None:
    row = killed_and_resumed(Job(whole[0], tmp_path / "run", place=place, write=3), whole[1])
    assert row is not None
    assert row["same"], row


def test_a_process_killed_at_any_moment_is_gone_on_with(whole: Whole, tmp_path: Path) -> None:
    row = killed_and_resumed(Job(whole[0], tmp_path / "run", seconds=0.01), whole[1])
    assert row is not None, "over before it could be killed"
    assert row["same"], row

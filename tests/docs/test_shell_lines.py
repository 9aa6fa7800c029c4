"""Every command on the pages is one: its options exist, its values can be read, and the cheap ones are run."""

import importlib.util
import re
from pathlib import Path

import pytest
from examples import PAGES, ROOT, extras
from PIL import Image
from shell_lines import OTHERS, Command, arguments, commands, commands_of, is_ours, parse
from typer.testing import CliRunner

from handgrad.cli import app

ALL = commands()
OURS = [command for command in ALL if is_ours(command)]
#: Commands that take no time.
CHEAP = {"recipes", "data", "explain", "--help"}
RUN = sorted(
    {tuple(arguments(c)) for c in OURS if arguments(c)[0] in CHEAP and "LAYER" not in c.words} - {("explain",)}
)


@pytest.mark.parametrize("command", OURS, ids=str)
def test_handgrad_understands_it(command: Command) -> None:
    words = arguments(command)
    if "--help" not in words:
        parse(words, whole=not command.in_text)


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_cheap_commands_run(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "dog"):  # the folder of pictures that the pages speak of
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / f"{number}.png")
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", [command for command in ALL if not is_ours(command)], ids=str)
def test_other_commands_name_what_there_is(command: Command) -> None:
    program, *words = command.words
    if program == "python" and words[0] == "-m":
        assert importlib.util.find_spec(words[1]) or (ROOT / words[1] / "__main__.py").exists()
    elif program in ("python", "bash"):
        assert (ROOT / words[0]).is_file()
    else:
        assert program in OTHERS, f"{program} is not known; is it a command at all?"
    for named in re.findall(r"(?:handgrad|\.)\[([a-z,]+)\]", " ".join(words)):
        assert set(named.split(",")) <= set(extras())


def test_commands_are_found_wherever_they_stand() -> None:
    text = "    handgrad train # now\n\n```bash\nhandgrad data && python x.py\n```\n\n```console\n$ mypy\nfine\n```\n\n"
    found = list(commands_of(PAGES[0], text + "as `handgrad explain [LAYER]` or `handgrad`\n\n    fine\n"))
    assert [" ".join(command.words) for command in found] == [
        "handgrad train",
        "handgrad data",
        "python x.py",
        "mypy",
        "handgrad explain LAYER",
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("trian", "No such command"),
        ("train --epoch 3", "No such option"),
        ("train --epochs many", "valid integer"),
        ("train a b c", "unexpected extra argument"),
        ("export RUN", "Missing"),
    ],
)
def test_a_wrong_command_fails(wrong: str, says: str) -> None:
    with pytest.raises(Exception, match=says):
        parse(wrong.split())


def test_in_running_text_an_option_must_exist_too() -> None:
    parse(["train", "--resume"], whole=False)
    with pytest.raises(AssertionError):
        parse(["train", "--resumed"], whole=False)

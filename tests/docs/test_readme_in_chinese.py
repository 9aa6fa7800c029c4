"""Both READMEs say the same: whoever changes one is told which part of the other to change."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")}

TEENS = "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()  # noqa: SIM905
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
UNITS = "one two three four five six seven eight nine".split()  # noqa: SIM905
DIGITS = "一二三四五六七八九"

CODE = re.compile(r"```.*?```|^    .*?$", re.DOTALL | re.MULTILINE)


def sections(name: str) -> list[str]:
    """A README cut at its headings."""
    return re.split(r"^(?=## )", TEXTS[name], flags=re.MULTILINE)


PAIRS = list(zip(*map(sections, TEXTS), strict=False))


def prose(section: str) -> str:
    """What is neither code nor picture nor link's target."""
    text = re.sub(r"<img[^>]*>|<!--.*?-->|\]\([^)]*\)", "", CODE.sub("", section))
    return " ".join(text.split())


def spelled_out(text: str) -> list[int]:
    """The numbers from eleven to ninety-nine that are written as words, in either language."""
    found = [11 + TEENS.index(word) for word in re.findall(rf"\b({'|'.join(TEENS)})\b", text.lower())]
    for tens, unit in re.findall(rf"\b({'|'.join(TENS)})(?:-({'|'.join(UNITS)}))?\b", text.lower()):
        found.append(10 * (2 + TENS.index(tens)) + (1 + UNITS.index(unit) if unit else 0))
    for tens, unit in re.findall(rf"([{DIGITS}]?)十(?![来多几])([{DIGITS}]?)", text):
        number = 10 * (1 + DIGITS.index(tens) if tens else 1) + (1 + DIGITS.index(unit) if unit else 0)
        found += [number] * (number > 10)
    return sorted(found)


def figures(section: str) -> list[str]:
    """Every number in digits that the reader sees, those in words after them."""
    digits = re.findall(r"(?<![\w.])\d[\d,.]*(?:e-?\d+)?(?: %)?", prose(section))
    return [*sorted(number.rstrip(".,") for number in digits), *map(str, spelled_out(prose(section)))]


def test_each_leads_to_the_other_in_its_first_lines() -> None:
    assert "[中文](README.zh-CN.md)" in "".join(TEXTS["README.md"].splitlines()[:3])
    assert "[English](README.md)" in "".join(TEXTS["README.zh-CN.md"].splitlines()[:3])


def test_they_have_as_many_parts_as_each_other() -> None:
    levels = [re.findall(r"^(#+) ", CODE.sub("", text), re.MULTILINE) for text in TEXTS.values()]
    assert levels[0] == levels[1]
    assert len(levels[0]) > 5


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[pair[0].split("\n")[0].lstrip("# ") for pair in PAIRS])
class TestPart:
    """A part in both languages."""

    def test_code_is_the_same(self, english: str, chinese: str) -> None:
        assert CODE.findall(english) == CODE.findall(chinese)
        marks = [re.findall(r"<!--.*?-->", part) for part in (english, chinese)]
        assert marks[0] == marks[1]

    def test_words_of_code_are_the_same(self, english: str, chinese: str) -> None:
        spans = [sorted(re.findall(r"`([^`]+)`", prose(part))) for part in (english, chinese)]
        assert spans[0] == spans[1]

    def test_pictures_are_the_same(self, english: str, chinese: str) -> None:
        pictures = [
            [re.sub(r' alt=".*?"', "", img) for img in re.findall("<img.*?>", part)] for part in (english, chinese)
        ]
        assert pictures[0] == pictures[1]
        assert all(re.search('alt="[^"]*[\u4e00-\u9fff]', img) for img in re.findall("<img.*?>", chinese))

    def test_figures_are_the_same(self, english: str, chinese: str) -> None:
        assert figures(english) == figures(chinese)

    def test_links_lead_to_the_same_places(self, english: str, chinese: str) -> None:
        links = [sorted(re.findall(r"\]\(([^)]+)\)", CODE.sub("", part))) for part in (english, chinese)]
        assert [link for link in links[0] if "README" not in link or "/" in link] == [
            link for link in links[1] if "README" not in link or "/" in link
        ]

    def test_rows_points_and_examples_are_as_many(self, english: str, chinese: str) -> None:
        for start in (r"\|", "- "):
            count = [len(re.findall(rf"^{start}", CODE.sub("", part), re.MULTILINE)) for part in (english, chinese)]
            assert count[0] == count[1]

    def test_it_is_translated(self, english: str, chinese: str) -> None:
        assert len(re.findall("[\u4e00-\u9fff]", prose(chinese))) > 10
        assert not re.search(r"\b(the|and|with|which|is)\b", re.sub("`[^`]*`", "", prose(chinese)))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Sixteen ways, sixty-six bugs, two cores", [16, 66]),
        ("十六种方式，六十六个错误，两个核，十来行，十个", [16, 66]),
        ("twenty seeds and ninety", [20, 90]),
        ("二十个种子和九十", [20, 90]),
    ],
)
def test_numbers_in_words_are_read_in_both_languages(text: str, numbers: list[int]) -> None:
    assert spelled_out(text) == numbers

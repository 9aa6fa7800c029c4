"""docs/pitfalls.md quotes the code and the measurements as they are, and leads from every symptom to a section."""

import json
import re

from pitfall_page import BLOCK, DOCS, MEASURED, PAGE, regenerated
from pitfall_registry import PITFALLS

TEXT = PAGE.read_text(encoding="utf-8")
RESULTS = json.loads(MEASURED.read_text(encoding="utf-8"))
PROSE = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)


def test_code_and_figures_are_the_generated_ones() -> None:
    assert regenerated(TEXT, RESULTS) == TEXT, "run python tests/pitfalls/pitfall_page.py"


def test_every_pitfall_has_a_section_with_all_its_parts() -> None:
    sections = {
        _slug(heading): body for heading, body in re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", TEXT, re.MULTILINE)
    }
    assert [anchor for anchor in sections if anchor in PITFALLS] == list(PITFALLS)
    for anchor in PITFALLS:
        kinds = {kind for kind, name in BLOCK.findall(sections[anchor]) if name == anchor}
        assert kinds == {"wrong", "right", "measured", "caught"}, anchor


def test_every_pitfall_is_found_by_a_symptom() -> None:
    symptoms = PROSE[: PROSE.index("\n## Softmax without the row maximum\n")]
    assert set(re.findall(r"\(#([\w-]+)\)", symptoms)) >= set(PITFALLS)


def test_links_lead_somewhere() -> None:
    anchors = {_slug(heading) for heading in re.findall(r"^#+ (.+)$", PROSE, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", PROSE):
        path, _, anchor = target.partition("#")
        assert (DOCS / path).exists(), target
        assert path or anchor in anchors, target


def test_figures_say_where_they_come_from() -> None:
    assert set(RESULTS["measured"]) == {"baseline", *PITFALLS}
    assert RESULTS["command"] == "python tests/pitfalls/measure.py"
    assert {"Python", "NumPy", "handgrad"} <= set(RESULTS["versions"])
    assert RESULTS["machine"]


def _slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")

"""docs/reliability.md says what reliability.json holds."""

import json

from endure import spread_of
from reliability_page import BLOCK, PAGE, RESULTS, SHOWN, regenerated

TEXT = PAGE.read_text(encoding="utf-8")
MEASURED = json.loads(RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_written_from_its_results() -> None:
    assert regenerated(TEXT, MEASURED) == TEXT
    assert set(BLOCK.findall(TEXT)) == set(SHOWN)


def test_what_was_measured_is_as_it_should_be() -> None:
    assert all(row["caught_by"] for row in MEASURED["bugs"]["rows"])
    assert len(MEASURED["bugs"]["rows"]) >= 60
    for row in MEASURED["damage"]["rows"]:
        assert row["inputs"] >= 10_000
        assert row["failures"] == []
        assert row["slowest"] <= 1
        assert row["megabytes"] <= 200
    kills, (memory,) = MEASURED["kills"]["rows"], MEASURED["memory"]["rows"]
    assert len(kills) == 100
    assert all(row["same"] for row in kills)
    assert sum(bool(row["place"]) for row in kills) >= 20
    assert all(row["good"] for row in MEASURED["faults"]["rows"])
    assert {"ENOSPC", "EIO"} <= {row["code"] for row in MEASURED["faults"]["rows"]}
    assert memory["samples"][-1]["seconds"] >= 1800
    assert spread_of(memory["samples"]) <= 0.02
    web = MEASURED["web"]["rows"]
    assert sum(row["requests"] for row in web) >= 10_000
    assert all(row["failures"] == [] and row["slowest"] <= 10 and row["megabytes"] <= 200 for row in web)


def test_a_section_that_was_not_measured_says_so() -> None:
    assert regenerated(TEXT, {}).count("Not measured.") == len(SHOWN)

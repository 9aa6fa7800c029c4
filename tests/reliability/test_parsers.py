"""Damaged input of every kind ends in handgrad's own error or in a result, in bounded time and memory."""

import numpy as np
import pytest
from fuzz import MOST_MEGABYTES, in_a_process
from mutations import MUTATIONS, mutated
from parsers import PARSERS, Parser

#: A run of `python tests/reliability/fuzz.py` takes 10,000 of each.
COUNT = 300


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_damage_is_refused_in_a_sentence_or_understood(parser: Parser) -> None:
    outcome = in_a_process(parser.name, COUNT, seed=1)
    assert outcome.failures == []
    assert outcome.inputs == COUNT
    assert outcome.refused > COUNT // 20, "hardly any damage was noticed: is it done at all?"
    assert outcome.megabytes <= MOST_MEGABYTES


@pytest.mark.parametrize("parser", PARSERS, ids=str)
def test_what_is_healthy_is_read(parser: Parser) -> None:
    for seed in parser.seeds():
        parser.parse(parser.wrap(seed))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
@pytest.mark.parametrize("content", [b"", b"7", b"epochs = 30, names = [1, 2]" * 9])
def test_every_kind_of_damage_takes_any_content(mutation: object, content: bytes) -> None:
    rng, seen = np.random.default_rng(0), set()
    for _ in range(50):
        damaged = bytearray(content)
        mutation(damaged, rng)  # type: ignore[operator]
        seen.add(bytes(damaged))
    assert len(seen) > 1 or len(content) < 2


def test_the_same_generator_does_the_same_damage() -> None:
    one, other = (mutated(b"epochs = 30" * 20, np.random.default_rng(4)) for _ in range(2))
    assert one == other != b"epochs = 30" * 20

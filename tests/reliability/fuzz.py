"""Damage healthy files again and again, and see what comes of it: `python tests/reliability/fuzz.py`."""

import argparse
import json
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass, field

import numpy as np
from mutations import mutated
from parsers import PARSERS
from reliability_page import record

from handgrad.errors import HandgradError

MOST_SECONDS = 1.0  # of a processor: a busy machine is not the parser's doing
MOST_MEGABYTES = 200


@dataclass
class Outcome:
    """What one parser made of its damaged inputs."""

    parser: str
    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    megabytes: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures and self.slowest <= MOST_SECONDS and self.megabytes <= MOST_MEGABYTES


def fuzz(name: str, count: int, seed: int) -> Outcome:
    """Give a parser so many damaged inputs; a failure holds the input, so that it can be tried again."""
    parser = next(parser for parser in PARSERS if parser.name == name)
    seeds, rng, outcome = parser.seeds(), np.random.default_rng(seed), Outcome(name)
    for healthy in seeds:
        parser.parse(healthy)
    before = _peak()
    for k in range(count):
        content = parser.wrap(mutated(seeds[k % len(seeds)], rng))
        started = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                parser.parse(content)
            outcome.accepted += 1
        except HandgradError:
            outcome.refused += 1
        except Exception as error:
            outcome.failures.append(f"{type(error).__name__}: {error}"[:200] + f" of {content[:4000].hex()}")
        seconds = time.process_time() - started
        if seconds > MOST_SECONDS:
            outcome.failures.append(f"{seconds:.1f} s of {content[:4000].hex()}")
        outcome.slowest = max(outcome.slowest, seconds)
    outcome.inputs, outcome.megabytes = count, _peak() - before
    return outcome


def in_a_process(name: str, count: int, seed: int, limit: float = 3600) -> Outcome:
    """The same in a process of its own, whose peak of memory is that of this parser."""
    command = [sys.executable, __file__, f"--only={name}", "--count", str(count), "--seed", str(seed)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    if finished.returncode:
        return Outcome(name, failures=[finished.stderr.strip()[-500:] or f"exit code {finished.returncode}"])
    return Outcome(**json.loads(finished.stdout.splitlines()[-1]))


def _peak() -> float:
    """Megabytes of memory that this process has had at most; 0 on Windows, which does not say."""
    if sys.platform == "win32":
        return 0.0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Every parser, or one; a table, or a line of JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only")
    arguments.add_argument("--write", action="store_true", help="into docs/reliability.md")
    chosen = arguments.parse_args()
    if chosen.only:
        print(json.dumps(asdict(fuzz(chosen.only, chosen.count, chosen.seed))))
        return
    outcomes = [in_a_process(parser.name, chosen.count, chosen.seed) for parser in PARSERS]
    for o in outcomes:
        print(
            f"{o.parser:28} {o.inputs:>7,} inputs {o.accepted:>7,} accepted {o.refused:>7,} refused "
            f"{len(o.failures):>5} failures {o.slowest:6.3f} s at most {o.megabytes:6.1f} MB"
        )
        for failure in o.failures[:5]:
            print("    ", failure[:300])
    if chosen.write:
        record(
            "damage", f"python tests/reliability/fuzz.py --count {chosen.count} --write", [asdict(o) for o in outcomes]
        )
    sys.exit(not all(o.passed for o in outcomes))


if __name__ == "__main__":
    main()

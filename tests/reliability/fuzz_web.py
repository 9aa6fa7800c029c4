"""Ask the server of the page for everything that the contract allows and much that it does not, and damage requests.

`python tests/reliability/fuzz_web.py` starts `handgrad serve` as a user would and counts what comes back.
"""

import argparse
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from mutations import mutated
from reliability_page import record
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok
from web_requests import healthy_requests, with_names

#: The longest that one answer may take: all test images through the largest network, on a busy machine.
MOST_SECONDS = 10.0
#: Of the server's memory, over what the healthy requests took.
MOST_MEGABYTES = 200.0
#: How long the answer to damaged bytes is waited for; the server may be waiting for the rest of them.
_PATIENCE = 0.3

_CONFORMS = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)


@dataclass
class Outcome:
    """What one kind of requests came to."""

    what: str
    requests: int = 0
    understood: int = 0
    refused: int = 0
    unanswered: int = 0
    slowest: float = 0.0
    megabytes: float = 0.0
    failures: list[str] = field(default_factory=list)

    def count(self, status: int | None, seconds: float, request: str) -> None:
        """Take one answer; None is none."""
        self.requests += 1
        self.slowest = max(self.slowest, seconds)
        if status is None:
            self.unanswered += 1
        elif status >= 500:
            self.failures.append(f"{status} to {request}"[:2000])
        elif status >= 400:
            self.refused += 1
        else:
            self.understood += 1
        if seconds > MOST_SECONDS:
            self.failures.append(f"{seconds:.1f} s for {request}"[:2000])


@dataclass(frozen=True)
class Server:
    """`handgrad serve` in a process of its own."""

    process: "subprocess.Popen[str]"
    port: int
    errors: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def megabytes(self) -> float:
        """Of memory that it has now; 0 where the system does not say."""
        with suppress(OSError):
            found = re.search(r"VmRSS:\s*(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
            return int(found[1]) / 1024 if found else 0.0
        return 0.0


@contextmanager
def serving() -> Iterator[Server]:
    """A server with an empty folder of runs."""
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(mode="w", delete=False) as errors:
        command = [sys.executable, "-m", "handgrad", "serve", "--no-browser", "--port", "0", "--runs", f"{folder}/runs"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            try:
                assert process.stdout is not None
                found = re.search(r":(\d+)/", process.stdout.readline())
                if found is None:
                    raise RuntimeError(f"it did not start: {Path(errors.name).read_text()}")
                yield Server(process, int(found[1]), Path(errors.name))
            finally:
                process.terminate()
                process.wait(30)
    Path(errors.name).unlink()


def from_the_contract(server: Server, count: int, number: int) -> Iterator[Outcome]:
    """Requests that schemathesis makes of openapi.json: with any names, with those that are there, and wrong ones."""
    contract = requests.get(f"{server.address}/api/openapi.json", timeout=60).json()
    (training, *_) = requests.get(f"{server.address}/api/trainings", timeout=60).json()["trainings"]
    named = with_names(contract, training["name"])
    kinds = [
        ("as the contract says", GenerationMode.POSITIVE, contract),
        ("for what is there", GenerationMode.POSITIVE, named),
        ("against the contract", GenerationMode.NEGATIVE, named),
    ]
    for what, mode, document in kinds:
        outcome = Outcome(f"requests {what}")
        results = schemathesis.openapi.from_dict(document).get_all_operations()
        operations = [result.ok() for result in results if isinstance(result, Ok)]
        with requests.Session() as session:
            for operation in operations:
                share = -(-count // len(kinds) // len(operations))
                _ask_again_and_again(operation, mode, share, number, server, session, outcome)
        yield outcome


def _ask_again_and_again(
    operation: Any,
    mode: GenerationMode,
    count: int,
    number: int,
    server: Server,
    session: requests.Session,
    outcome: Outcome,
) -> None:
    strategy = operation.as_strategy(generation_mode=mode)

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Any) -> None:
        request = f"{case.method} {case.formatted_path} {case.query} {case.body!r}"
        started = time.perf_counter()
        try:
            response = case.call(base_url=server.address, session=session, timeout=60)
            outcome.count(response.status_code, time.perf_counter() - started, request)
            case.validate_response(response, checks=_CONFORMS)
        except requests.RequestException as error:
            outcome.count(None, time.perf_counter() - started, request)
            outcome.failures.append(f"{type(error).__name__}: {error} for {request}"[:2000])
        except AssertionError as error:  # also a group of them
            outcome.failures.append(f"{error} for {request}"[:2000])
        except BaseExceptionGroup as error:
            outcome.failures.append(f"{error.exceptions} for {request}"[:2000])

    with suppress(_no_examples()):
        ask()


def _no_examples() -> type[BaseException]:
    """What hypothesis raises where nothing can be wrong, as with an operation without parameters."""
    from hypothesis.errors import Unsatisfiable

    return Unsatisfiable


def damaged_bytes(server: Server, count: int, number: int) -> Outcome:
    """Healthy requests after damage, some of them several on one connection, from several clients at once."""
    healthy, rng = healthy_requests(server.port), np.random.default_rng(number)
    outcome = Outcome("requests after damage")
    wholes = [
        b"".join(healthy[int(i)] for i in rng.integers(len(healthy), size=rng.integers(1, 3))) for _ in range(count)
    ]
    contents = [mutated(whole, rng) for whole in wholes]
    with ThreadPoolExecutor(8) as clients:
        for content, (status, seconds) in zip(contents, clients.map(lambda c: _send(server, c), contents), strict=True):
            outcome.count(status, seconds, content[:500].hex())
    return outcome


def _send(server: Server, content: bytes) -> tuple[int | None, float]:
    """The status of the first answer, and how long it took."""
    started = time.perf_counter()
    received = b""
    with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=MOST_SECONDS) as client:
        client.sendall(content)
        client.settimeout(_PATIENCE)
        received = client.recv(4096)
    seconds = time.perf_counter() - started
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", received)
    return (int(found[1]) if found else None), seconds


def fuzz(count: int, number: int) -> tuple[list[Outcome], list[str]]:
    """All kinds of requests, `count` altogether; outcomes, and what is wrong with the server afterwards."""
    with serving() as server:
        healthy = healthy_requests(server.port)
        for content in healthy:
            _whole_answer(server, content)
        outcomes, before = [], server.megabytes()
        for outcome in from_the_contract(server, count * 2 // 3, number):
            outcomes.append(outcome)
            outcome.megabytes = server.megabytes() - before
        rest = max(count - sum(outcome.requests for outcome in outcomes), count // 3)
        outcomes.append(damaged_bytes(server, rest, number))
        outcomes[-1].megabytes = server.megabytes() - before
        problems = [f"{o.what}: {o.megabytes:.0f} MB more" for o in outcomes if o.megabytes > MOST_MEGABYTES]
        last = requests.get(f"{server.address}/api/models", timeout=60)
        if last.status_code != 200 or server.process.poll() is not None:
            problems.append(f"afterwards it answered {last.status_code}")
        said = server.errors.read_text()
        if said:
            problems.append(f"on standard error: {said[-2000:]}")
    return outcomes, problems


def _whole_answer(server: Server, content: bytes) -> None:
    """Send a healthy request, and wait until the answer is there."""
    head, _, body = content.partition(b"\r\n\r\n")
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
        received = b""
        while part := client.recv(65536):
            received += part
    status = received[9:12].decode()
    if status not in ("200", "404"):  # the training that is not there
        raise RuntimeError(f"{head!r} was answered by {received[:500]!r}")


def main() -> None:
    """A table, or with --json a line of it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--write", action="store_true", help="into docs/reliability.md")
    chosen = arguments.parse_args()
    warnings.simplefilter("ignore")  # of what makes the requests
    outcomes, problems = fuzz(chosen.count, chosen.seed)
    rows = [asdict(outcome) for outcome in outcomes]
    if chosen.json:
        print(json.dumps({"rows": rows, "problems": problems}))
        return
    for o in outcomes:
        print(
            f"{o.what:32} {o.requests:>6,} sent {o.understood:>6,} understood {o.refused:>6,} refused "
            f"{o.unanswered:>6,} unanswered {len(o.failures):>4} failures {o.slowest:6.2f} s {o.megabytes:6.1f} MB"
        )
    kinds = Counter(failure[:160] for o in outcomes for failure in o.failures)
    for failure, times in kinds.most_common(20):
        print(f"    {times} × {failure}")
    for problem in problems:
        print("   ", problem)
    if chosen.write:
        record("web", f"python tests/reliability/fuzz_web.py --count {chosen.count} --write", rows)
    sys.exit(bool(problems or kinds))


if __name__ == "__main__":
    main()

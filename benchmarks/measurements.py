"""What is measured. Each function runs processes and yields its section of the JSON as it grows, in plain values.

A figure of ours and one of a peer are always taken one after the other, so that a ratio is of two neighbours in time.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS, PEERS, Contestant
from benchmarks.neighbour import busy_cores
from benchmarks.runner import MeasurementError, Session, run
from benchmarks.workloads import Workload, mlp
from handgrad.training.recipe import Recipe

Section = dict[str, Any]
#: By what grows: its value, the number of threads, and the workload.
Points = Mapping[str, Sequence[tuple[int, int, Workload]]]


@dataclass(frozen=True)
class Pairs:
    """Ours, peer, ours, next peer, …, for every workload and number of threads, round by round.

    Args:
        measure: "train" or "predict".
        workloads: what is done.
        peers: by whom; those who cannot do a workload are passed over.
        threads: numbers of threads.
        rounds: processes of each peer, and of ours beside each peer.
    """

    measure: str
    workloads: Sequence[Workload]
    peers: Sequence[Contestant]
    threads: Sequence[int]
    rounds: int

    def run(self, session: Session, show: Callable[[str], None]) -> Iterator[Section]:
        """Yield the section after every pair."""
        described = {workload.name: workload.to_dict() for workload in self.workloads}
        section: Section = {"rounds": self.rounds, "workloads": described, "pairs": [], "skipped": []}
        for workload in self.workloads:
            able = [peer for peer in self.peers if self.measure == "predict" or workload.kind in peer.kinds]
            for threads in self.threads:
                for number, peer in [(number, peer) for number in range(1, self.rounds + 1) for peer in able]:
                    place = {"workload": workload.name, "threads": threads, "peer": peer.name}
                    if any(skip.items() >= place.items() for skip in section["skipped"]):
                        continue
                    show(f"{workload.name}, {threads} threads, round {number} of {self.rounds}: {peer.title}")
                    try:
                        ours, theirs = (session.measure(who, workload, threads, self.measure) for who in (OURS, peer))
                    except MeasurementError as error:
                        section["skipped"].append(place | {"reason": str(error)})
                    else:
                        section["pairs"].append(place | {"round": number, "ours": ours, "theirs": theirs})
                    yield section


def growth_points(cores: int) -> Points:
    """One thing grows at a time, from 784-128-10 at batch 64; threads, from a network that is worth sharing."""
    base, wide = (replace(mlp(width, 64, 0.01), passes=1) for width in (128, 512))
    batches, widths, examples = (8, 16, 32, 64, 128, 256, 512, 1024), (32, 64, 128, 256, 512, 1024, 2048), 60_000
    return {
        "batch": [(n, cores, replace(base, name=f"batch-{n}", batch_size=n)) for n in batches],
        "width": [(n, cores, replace(base, name=f"width-{n}", layers=mlp(n, 64, 0.01).layers)) for n in widths],
        "threads": [(n, n, replace(wide, name=f"threads-{n}")) for n in range(1, cores + 1)],
        "examples": [
            (n, cores, replace(base, name=f"examples-{n}", examples=n)) for n in (examples >> k for k in (3, 2, 1, 0))
        ],
    }


def growth(
    session: Session, points: Points, peers: Sequence[Contestant], rounds: int, show: Callable[[str], None]
) -> Iterator[Section]:
    """How an epoch's time follows batch size, width, threads and the number of examples."""
    section: Section = {"rounds": rounds, "points": [], "skipped": []}
    for axis, series in points.items():
        for value, threads, workload in series:
            place = {"axis": axis, "value": value, "threads": threads}
            seconds: dict[str, list[float]] = {contestant.name: [] for contestant in (OURS, *peers)}
            for number, contestant in itertools.product(range(1, rounds + 1), (OURS, *peers)):
                if contestant.name not in seconds:
                    continue
                show(f"growth with {axis} {value}, round {number} of {rounds}: {contestant.title}")
                try:
                    seconds[contestant.name].append(session.measure(contestant, workload, threads)["seconds"])
                except MeasurementError as error:
                    del seconds[contestant.name]
                    section["skipped"].append(place | {"contestant": contestant.name, "reason": str(error)})
            section["points"] += [place | {"contestant": name, "seconds": took} for name, took in seconds.items()]
            yield section


def neighbour(
    session: Session,
    workload: Workload,
    contestants: Sequence[Contestant],
    cores: int,
    rounds: int,
    show: Callable[[str], None],
) -> Iterator[Section]:
    """An epoch on the machine as it is, and beside processes that keep every core busy, one after the other."""
    section: Section = {"rounds": rounds, "workload": workload.to_dict(), "threads": cores, "runs": [], "skipped": []}
    for number in range(1, rounds + 1):
        for contestant in contestants:
            show(f"beside a busy neighbour, round {number} of {rounds}: {contestant.title}")
            place = {"contestant": contestant.name, "round": number}
            try:
                idle = session.measure(contestant, workload, cores)["seconds"]
                with busy_cores(cores):
                    busy = session.measure(contestant, workload, cores)["seconds"]
            except MeasurementError as error:
                section["skipped"].append(place | {"reason": str(error)})
            else:
                section["runs"].append(place | {"idle": idle, "busy": busy})
            yield section


def cold(threads: int, rounds: int, limit: float, show: Callable[[str], None]) -> Iterator[Section]:
    """Whole processes that train one epoch: ours, PyTorch's, ours, …."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:

        def train(out: str) -> Section:
            command = [sys.executable, "-m", "handgrad", "train", "mlp", "--epochs", "1"]
            return _finished([*command, "--threads", str(threads), "--out", f"{name}/{out}"], threads, limit)

        train("first")  # compiles its kernels, if nobody has
        section: Section = {"rounds": rounds, "threads": threads, "runs": []}
        for number in range(1, rounds + 1):
            show(f"whole processes, round {number} of {rounds}")
            result = {"round": number, "ours": train(f"ours-{number}")}
            if not PEERS["pytorch"].absence():
                script = [sys.executable, "-m", "benchmarks.cold_pytorch", str(Path(name) / "weights.pt")]
                result["theirs"] = _finished(script, threads, limit)
            section["runs"].append(result)
            yield section


def start(threads: int, rounds: int, limit: float, show: Callable[[str], None]) -> Iterator[Section]:
    """What comes before the first step: compiling kernels, where a cache has none and where it has them all."""
    section: Section = {"rounds": rounds, "threads": threads, "runs": []}
    for number in range(1, rounds + 1):
        show(f"starting, round {number} of {rounds}")
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as cache:
            command = [sys.executable, "-m", "benchmarks.starting"]
            first, later = (
                json.loads(run(command, threads, limit, {"XDG_CACHE_HOME": cache}).output) for _ in range(2)
            )
        help_seconds = run([sys.executable, "-m", "handgrad", "--help"], threads, limit).seconds
        seconds = {"import": later["import_seconds"], "help": help_seconds}
        seconds |= {"compile": first["prepare_seconds"], "prepare": later["prepare_seconds"]}
        section["runs"].append({"round": number} | seconds)
        yield section


def default(threads: int, rounds: int, limit: float, show: Callable[[str], None]) -> Iterator[Section]:
    """The default recipe trained to its end: ours, PyTorch's, ours, …, every time from another seed."""
    section: Section = {"rounds": rounds, "threads": threads, "runs": []}
    scripts = {"ours": ["benchmarks.accuracy", "fast"], "theirs": ["benchmarks.default_pytorch"]}
    if PEERS["pytorch"].absence():
        del scripts["theirs"]
    for seed in range(rounds):
        show(f"the default recipe, seed {seed}, of {rounds} seeds")
        result: Section = {"seed": seed}
        for key, script in scripts.items():
            command = [sys.executable, "-m", *script, str(seed)]
            result[key] = json.loads(run(command, threads, limit).output.splitlines()[-1])
        section["runs"].append(result)
        yield section


def accuracy(
    recipe: str, threads: int, rounds: int, limit: float, show: Callable[[str], None], before: Section
) -> Iterator[Section]:
    """A recipe trained to its end, once from each seed; the test images are scored then, and never before.

    If that was interrupted before, it goes on with the next seed, provided that the recipe is still the same.
    """
    work = {"threads": threads, "recipe": json.loads(json.dumps(Recipe.load(recipe).to_dict()))}
    same = all(before.get(name) == value for name, value in work.items())
    section: Section = {"rounds": rounds} | work | {"runs": []}
    if same and len(before["runs"]) < rounds:
        section["runs"] = list(before["runs"])
    for seed in range(len(section["runs"]), rounds):
        show(f"{recipe}, seed {seed}, of {rounds} seeds")
        command = [sys.executable, "-m", "benchmarks.accuracy", recipe, str(seed)]
        result = json.loads(run(command, threads, limit).output.splitlines()[-1])
        section["runs"].append({"seed": seed} | result)
        yield section


def _finished(command: list[str], threads: int, limit: float) -> Section:
    finished = run(command, threads, limit)
    return {"seconds": finished.seconds, "peak_bytes": finished.peak_bytes}

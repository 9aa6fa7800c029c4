"""The benchmarks are honest: everyone computes the same, and what is printed follows from what was measured."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handgrad
from benchmarks import estimators, machine, measurements, picture, starting
from benchmarks.contestants import OURS, PEERS, Contestant
from benchmarks.page import regenerated
from benchmarks.runner import Finished, MeasurementError, Session, run
from benchmarks.table import spread
from benchmarks.tables import ACCURACY_BARS, all_tables, disagreements
from benchmarks.workloads import WORKLOADS, Job, Workload, draw_weights

ROOT = Path(__file__).parents[2]
#: All but torch.compile, which takes half a minute.
TRAINED = [
    pytest.param(peer, name, id=f"{peer.name}-{name}")
    for name in ("mlp-128", "cnn", "xor")
    for peer in PEERS.values()
    if WORKLOADS[name].kind in peer.kinds and not peer.compiles
]


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    yield
    handgrad.set_threads(None)


def job(name: str) -> Job:
    """A tiny piece of a workload, with a short last batch; of XOR, all of it."""
    workload, rng = WORKLOADS[name], np.random.default_rng(3)
    if workload.kind == "xor":
        inputs, targets = (rng.random((4, width), dtype=np.float32) for width in (2, 1))
        return Job(workload, inputs, targets, draw_weights(workload), threads=1)
    workload = replace(workload, examples=40, batch_size=16)
    images, labels = rng.integers(0, 256, (40, 28, 28)).astype(np.uint8), rng.integers(0, 10, 40)
    return Job(workload, images, labels, draw_weights(workload), threads=1)


def losses(contestant: Contestant, given: Job) -> list[float]:
    train = import_module(f"benchmarks.contestants.{contestant.module}").prepare(given, contestant.variant)
    return [train(1) for _ in range(3)]


def skip_if_absent(contestant: Contestant) -> None:
    if contestant.absence():
        pytest.skip(contestant.absence())


@pytest.mark.parametrize(("peer", "workload"), TRAINED)
def test_everyone_reaches_our_losses(peer: Contestant, workload: str) -> None:
    skip_if_absent(peer)
    given = job(workload)
    np.testing.assert_allclose(losses(peer, given), losses(OURS, given), rtol=2e-5)


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime", "jax", "numpy"])
@pytest.mark.parametrize("workload", ["mlp-128", "cnn"])
def test_everyone_predicts_as_we_do(name: str, workload: str) -> None:
    skip_if_absent(PEERS[name])
    given = job(workload)
    ours, theirs = (
        import_module(f"benchmarks.contestants.{contestant.module}").predictor(given, contestant.variant)
        for contestant in (OURS, PEERS[name])
    )
    np.testing.assert_allclose(theirs(given.floats()), ours(given.floats()), rtol=1e-4, atol=1e-5)
    in_bulk = import_module("benchmarks.contestants.handgrad").bulk_predictor(given, "")
    np.testing.assert_allclose(in_bulk(given.inputs, 16), ours(given.floats()), rtol=1e-4, atol=1e-5)


def test_one_command_measures_and_keeps_what_it_measured(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "epochs", "--workloads", "mlp-128", "--peers", "numpy,numpy-out"]
    command += ["--examples", "200", "--rounds", "2", "--threads", "1", "--out", str(out)]
    shown = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "160"}
    )
    assert "plain NumPy" in shown.stdout
    results = json.loads(out.read_text(encoding="utf-8"))
    section = results["epochs"]
    assert [pair["peer"] for pair in section["pairs"]] == ["numpy", "numpy-out"] * 2
    assert not disagreements(results)
    assert section["machine"]["versions"]["numpy"] == np.__version__
    assert all(pair[who]["seconds"] > 0 for pair in section["pairs"] for who in ("ours", "theirs"))
    picture.training(section)


def test_growth_and_a_busy_neighbour_become_tables_and_plots() -> None:
    tiny = replace(WORKLOADS["mlp-128"], examples=100, passes=1)
    with Session.start([tiny], limit=100) as session:
        points = {"batch": [(64, 1, tiny)]}
        grown = list(measurements.growth(session, points, [PEERS["numpy"]], 1, lambda text: None))[-1]
        beside = list(measurements.neighbour(session, tiny, [OURS], 1, 1, lambda text: None))[-1]
    tables = all_tables({"growth": grown, "neighbour": beside})
    assert [row[0] for row in tables["growth"][0].rows] == ["64"]
    assert tables["growth"][0].columns == ("batch", "handgrad, s an epoch", "plain NumPy, s an epoch")
    (only,) = beside["runs"]
    assert tables["bars"][0].rows[0][2] == spread([only["busy"] / only["idle"]])
    picture.growth(grown)


def test_a_whole_process_is_compared_by_time_and_memory() -> None:
    ours, theirs = {"seconds": 1.0, "peak_bytes": 3 * 10**8}, {"seconds": 2.0, "peak_bytes": 4 * 10**8}
    results = {"cold": {"threads": 2, "runs": [{"round": 1, "ours": ours, "theirs": theirs}]}}
    tables = all_tables(results)
    assert tables["cold"][0].rows[2] == ("ours / PyTorch's", "**0.5**", "**0.75**")
    assert tables["bars"][0].rows[0][2:] == ("0.75", "0.6", "**missed**")


def test_starting_is_measured_with_and_without_compiled_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    caches: list[str | None] = []

    def pretended(
        command: Sequence[str], threads: int, limit: float, variables: dict[str, str] | None = None
    ) -> Finished:
        caches.append((variables or {}).get("XDG_CACHE_HOME"))
        figures = {"import_seconds": 0.1, "prepare_seconds": 5.0 / len(caches)}
        return Finished(json.dumps(figures), 0.4, 10**8)

    monkeypatch.setattr(measurements, "run", pretended)
    *_, section = measurements.start(2, 1, 60, lambda _: None)
    assert caches[0] == caches[1] != caches[2]
    assert section["runs"] == [{"round": 1, "import": 0.1, "help": 0.4, "compile": 5.0, "prepare": 2.5}]
    tables = all_tables({"start": section})
    assert [row[1] for row in tables["start"][0].rows] == ["0.1", "0.4", "5", "2.5"]
    assert [row[-1] for row in tables["bars"][0].rows] == ["kept", "**missed**", "kept", "**missed**"]


def test_what_is_timed_of_a_start_is_a_share_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    begun = time.perf_counter()
    figures = starting.main()
    assert set(figures) == {"import_seconds", "prepare_seconds"}
    assert 0 < figures["prepare_seconds"] < time.perf_counter() - begun


def test_the_default_recipe_is_judged_by_time_and_accuracy() -> None:
    runs = [
        {"seed": seed, "ours": {"seconds": ours, "accuracy": right}, "theirs": {"seconds": 5.0, "accuracy": 0.99}}
        for seed, ours, right in ((0, 2.0, 0.992), (1, 4.0, 0.991))
    ]
    tables = all_tables({"default": {"rounds": 2, "threads": 2, "runs": runs}})
    assert tables["default"][0].rows[0][1:] == ("3 (2–4)", "99.15% (99.10%–99.20%)")
    assert [row[2:] for row in tables["bars"][0].rows] == [
        ("3 (2–4)", "3", "kept"),
        ("99.15%", "at least 99%", "kept"),
        ("0.6 (0.4–0.8)", "0.5", "**missed**"),
    ]


@pytest.mark.parametrize(("second", "verdict"), [(0.992, "kept"), (0.9919, "**missed**")])
def test_recipes_for_accuracy_are_judged_by_their_mean_error(second: float, verdict: str) -> None:
    run = {"seconds": 100.0, "test_loss": 0.02, "train_losses": [0.3, 0.1]}
    section = {
        "rounds": 2,
        "threads": 2,
        "runs": [{"seed": n, "accuracy": x} | run for n, x in enumerate((0.994, second))],
    }
    tables = all_tables({"mlp-best": section})
    wrong = f"{1 - (0.994 + second) / 2:.2%} (0.60%–{1 - second:.2%})"
    assert tables["accuracy"][0].rows == [("mlp-best", "2", f"**{wrong}**", "2", "100 (100–100)")]
    assert tables["bars"][0].rows[0][2:] == (wrong, "0.70%", verdict)
    picture.accuracy({"mlp-best": section})


def test_seeds_interrupted_are_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def trained(command: list[str], *_: object) -> Finished:
        commands.append(command)
        return Finished(json.dumps({"accuracy": 0.99}), seconds=1.0, peak_bytes=1)

    def measured(recipe: str, before: dict[str, Any]) -> list[int]:
        commands.clear()
        sections = list(measurements.accuracy(recipe, 2, 3, 60, lambda _: None, json.loads(json.dumps(before))))
        assert [run["seed"] for run in sections[-1]["runs"]] == [0, 1, 2]
        section.update(sections[-1])
        return [int(command[-1]) for command in commands]

    section: dict[str, Any] = {}
    monkeypatch.setattr(measurements, "run", trained)
    assert measured("mlp-best", {}) == [0, 1, 2]
    interrupted = section | {"runs": section["runs"][:1]}
    assert measured("mlp-best", interrupted) == [1, 2]
    assert measured("mlp-best", section) == [0, 1, 2]  # it was complete: somebody wants to know anew
    assert measured("cnn-best", interrupted) == [0, 1, 2]  # another recipe
    assert measured("mlp-best", interrupted | {"threads": 1}) == [0, 1, 2]


def test_pytorch_trains_the_default_network_on_the_same_distortions() -> None:
    torch = pytest.importorskip("torch")
    from benchmarks import default_pytorch

    recipe = handgrad.Recipe.load("fast")
    ours = handgrad.Experiment.prepare(recipe).model
    theirs = default_pytorch.network(recipe)
    shapes = {name: tuple(value.shape) for name, value in theirs.named_parameters()}
    assert shapes == {name: slot.spec.shape for name, slot in ours.slots().items() if slot.trained}
    settings = handgrad.Augmentation(rotation=30, shear=0.3, scale=0.3, translation=4)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
    numbers = settings.draw(images.shape, np.random.default_rng(1))
    expected = settings(images, np.random.default_rng(1))
    given = torch.from_numpy(images[:, None].astype(np.float32))
    distorted = default_pytorch.distort(given, settings, torch.from_numpy(numbers))[:, 0].numpy()
    assert np.abs(distorted - expected).max() < 0.52  # ours are rounded to bytes


def test_growth_is_measured_in_turn_and_without_who_fails() -> None:
    asked: list[str] = []

    class Fake:
        def measure(self, contestant: Contestant, *_: object) -> dict[str, Any]:
            asked.append(contestant.name)
            if contestant.name == "numpy" and len(asked) > 3:
                raise MeasurementError("took too long")
            return {"seconds": float(len(asked))}

    points = {"batch": [(64, 1, WORKLOADS["mlp-128"])]}
    peers = [PEERS["numpy"], PEERS["jax"]]
    session: Any = Fake()
    section = list(measurements.growth(session, points, peers, 3, lambda text: None))[-1]
    assert asked == [OURS.name, "numpy", "jax", OURS.name, "numpy", "jax", OURS.name, "jax"]
    assert {each["contestant"]: each["seconds"] for each in section["points"]} == {
        OURS.name: [1, 4, 7],
        "jax": [3, 6, 8],
    }
    assert [each["contestant"] for each in section["skipped"]] == ["numpy"]


def test_growth_changes_one_thing_at_a_time() -> None:
    points = measurements.growth_points(cores=2)
    names = [workload.name for series in points.values() for *_, workload in series]
    assert len(set(names)) == len(names)
    assert [workload.batch_size for *_, workload in points["batch"]] == [value for value, *_ in points["batch"]]
    assert [workload.layers[0][2] for *_, workload in points["width"]] == [value for value, *_ in points["width"]]
    assert [workload.examples for *_, workload in points["examples"]] == [value for value, *_ in points["examples"]]
    assert [threads for _, threads, _ in points["threads"]] == [1, 2]


def test_a_process_that_takes_too_long_is_ended() -> None:
    with pytest.raises(MeasurementError, match=r"longer than 0\.5 s"):
        run([sys.executable, "-c", "while True: pass"], threads=1, limit=0.5)


def test_a_failure_says_its_last_words() -> None:
    with pytest.raises(MeasurementError, match="ValueError: no"):
        run([sys.executable, "-c", "raise ValueError('no')"], threads=1, limit=60)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system cannot confine processes")
def test_a_process_has_the_cores_and_threads_it_should() -> None:
    script = "import os; print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])"
    before = os.sched_getaffinity(0)
    assert run([sys.executable, "-c", script], threads=1, limit=60).output.split() == ["1", "1"]
    assert os.sched_getaffinity(0) == before


def test_a_process_keeps_compiled_modules_as_an_installed_package_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    command = [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"]
    assert run(command, threads=1, limit=60).output.split() == ["False"]


def test_peak_memory_is_that_of_the_process() -> None:
    """Asked from a small process, as `python -m benchmarks` is one."""
    script = (
        "import sys; from benchmarks.runner import run\n"
        "for size in (0, 300_000_000):\n"
        "    print(run([sys.executable, '-c', f'x = bytearray({size})'], 1, 60).peak_bytes)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    small, large = map(int, printed.split())
    assert small < 200_000_000
    assert 300_000_000 < large < 500_000_000


def measured(workload: Workload, ours: list[float], theirs: list[float], loss: float = 0.5) -> dict[str, Any]:
    """An epochs section as the command writes it."""
    figures = {"import_seconds": 0.1, "prepare_seconds": 0.1, "first_seconds": 0.0, "peak_bytes": 10**8}
    pairs = [
        {"workload": workload.name, "threads": 1, "peer": "jax", "round": number}
        | {"ours": figures | {"seconds": a, "loss": 0.5}, "theirs": figures | {"seconds": b, "loss": loss}}
        for number, (a, b) in enumerate(zip(ours, theirs, strict=True), start=1)
    ]
    return {
        "epochs": {
            "date": "2026-01-31",
            "command": "python -m benchmarks epochs",
            "load": None,
            "machine": machine.describe(),
            "rounds": len(pairs),
            "workloads": {workload.name: workload.to_dict()},
            "pairs": pairs,
            "skipped": [],
        }
    }


def test_ratios_are_medians_of_neighbours_and_judged_by_the_bar() -> None:
    kept = measured(WORKLOADS["mlp-128"], [1.0, 3.0, 2.0], [2.0, 4.0, 20.0])  # 0.5, 0.75, 0.1
    tables = all_tables(kept)
    assert tables["bars"][0].rows == [
        ("784-128-10, batch 64, SGD: time / JAX jit, scan", "1", "0.5 (0.1–0.75)", "0.9", "kept")
    ]
    assert tables["epochs"][0].rows == [("JAX jit, scan", "1", "2 (1–3)", "4 (2–20)", "**0.5 (0.1–0.75)**", "same")]
    missed = measured(WORKLOADS["mlp-128"], [1.0], [1.0])
    assert all_tables(missed)["bars"][0].rows[0][-1] == "**missed**"


def test_a_step_is_in_milliseconds_where_the_workload_says_so() -> None:
    tables = all_tables(measured(WORKLOADS["cnn"], [0.5], [1.0]))  # 100 steps
    assert tables["epochs"][0].rows[0][2:4] == ("5", "10")


@pytest.mark.parametrize(("loss", "same"), [(0.5004, True), (0.5006, False), (float("nan"), False)])
def test_another_loss_is_noticed(loss: float, same: bool) -> None:
    results = measured(WORKLOADS["mlp-128"], [1.0], [2.0], loss=loss)
    assert (not disagreements(results)) is same
    assert all_tables(results)["epochs"][0].rows[0][-1] == ("same" if same else "**differs**")


def test_figures_are_short() -> None:
    assert spread([0.12345]) == "0.123"
    assert spread([12345.6, 0.00012, 3]) == "3 (0.0001–12,346)"


@pytest.mark.parametrize("name", ["benchmarks", "benchmarks-xeon"])
def test_a_page_is_written_from_its_json(name: str) -> None:
    page, path = ROOT / "docs" / f"{name}.md", ROOT / "docs" / f"{name}.json"
    text, results = page.read_text(encoding="utf-8"), json.loads(path.read_text(encoding="utf-8"))
    assert regenerated(text, results) == text, "run python -m benchmarks page"
    changed = regenerated(text, measured(WORKLOADS["mlp-128"], [1.0], [2.5]))
    assert "**0.4**" in changed
    assert regenerated(changed, results) == text


@pytest.mark.parametrize("name", ACCURACY_BARS)
def test_the_accuracy_that_is_published_is_of_the_recipe_as_it_is(name: str) -> None:
    published = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))[name]["recipe"]
    measure = f"python -m benchmarks accuracy --recipes {name} --out docs/benchmarks.json"
    assert handgrad.Recipe.from_dict(published) == handgrad.Recipe.load(name), f"run {measure}"


def test_each_machine_is_told_with_what_was_measured_on_it() -> None:
    section = measured(WORKLOADS["mlp-128"], [1.0], [2.0])["epochs"]
    other = section | {"machine": section["machine"] | {"processor": "Abacus"}, "load": 0.5}
    text = regenerated("<!-- measured: machine -->\n<!-- end measured -->", {})
    assert "Not measured." in text
    told = regenerated(text, {"first": section, "second": other, "third": section}).splitlines()
    names = [line.partition(":")[0] for line in told if line.startswith("  - ")]
    assert names == ["  - first", "  - third", "  - second"]
    assert "  - second: `python -m benchmarks epochs` on 2026-01-31, 1 rounds, load 0.5 before" in told
    assert any(line.startswith("- Abacus") for line in told)


def test_estimators_are_fitted_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    everything = list(estimators.data_sets())
    assert [name for name, _, _ in everything] == list(dict.fromkeys(name for name, _, _ in everything))
    assert len(everything) == 10
    assert all(len(X) == len(y) for _, X, y in everything)
    monkeypatch.setattr(estimators, "data_sets", lambda: everything[:2])
    *_, section = estimators.measure(2, 1, lambda text: None)
    assert [len(found["fits"]) for found in section["sets"].values()] == [5, 5]
    (table,) = all_tables({"estimators": section})["estimators"]
    assert [row[:2] for row in table.rows] == [("iris", "150×4, 3 classes"), ("wine", "178×13, 3 classes")]
    (bars,) = all_tables({"estimators": section})["bars"]
    assert len(bars.rows) == 3


def test_estimators_bars_are_judged() -> None:
    def section(ours: float, seconds: float) -> dict[str, Any]:
        fit = {"ours": {"accuracy": ours, "seconds": seconds}, "theirs": {"accuracy": 0.9, "seconds": 1.0}}
        return {"threads": 2, "sets": {"moons": {"fits": [fit, fit]}}}

    assert [row[-1] for row in estimators.bars(section(0.9, 0.5))] == ["kept", "kept"]
    assert [row[-1] for row in estimators.bars(section(0.89, 0.51))] == ["**missed**", "**missed**"]

"""Kill a training again and again, at random moments and inside the writing of checkpoints, and see it go on.

`python tests/reliability/kill.py` does it a hundred times, and writes the figures of docs/reliability.md. A killed
run is resumed and, when it has ended, compared with one that was never interrupted: weights, history and scores, to the
last bit.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from reliability_page import PLACES, record

from handgrad.data.idx import write_idx

HERE = Path(__file__).parent

#: Trainings that between them use everything that has to be kept.
RECIPES: dict[str, dict[str, Any]] = {
    "distortions, batch norm, dropout, AdamW, one cycle, best weights": {
        "augment": {"rotation": 5.0, "elastic_alpha": 0.3},
        "data": {"layout": "image", "validation": 40},
        "model": {
            "features": [
                {"name": "Conv2d", "out_channels": 3, "kernel_size": 3},
                {"name": "BatchNorm2d"},
                {"name": "Flatten"},
            ],
            "hidden": [8],
            "dropout": 0.3,
        },
        "optimizer": {"name": "adamw", "learning_rate": 0.02},
        "schedule": {"name": "one_cycle"},
        "train": {"epochs": 150, "batch_size": 30, "keep_best": True},
    },
    "a search for the width": {
        "data": {"append_ones": True},
        "model": {"hidden": [4], "bias": False},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "select": {"widths": [4, 6, 8], "epochs": 250, "validation": 60},
        "train": {"epochs": 400, "batch_size": 0},
    },
    "SGD with momentum, halved rates, patience": {
        "data": {"validation": 60},
        "model": {"hidden": [16, 8]},
        "optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        "schedule": {"name": "step", "every_epochs": 40, "factor": 0.5},
        "train": {"epochs": 160, "batch_size": 20, "patience": 150},
    },
}


def make_data(folder: Path) -> Path:
    """Three classes of 8×8 images, 240 to train on and 60 to test; some labels are wrong, so that none is perfect."""
    folder.mkdir()
    rng = np.random.default_rng(11)
    for name, size in (("train", 240), ("t10k", 60)):
        labels = rng.integers(0, 3, size).astype(np.uint8)
        labels[:3] = [0, 1, 2]
        images = rng.integers(0, 120, (size, 8, 8)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 3, 1:7] += 60
        labels[10::12] = rng.integers(0, 3, len(labels[10::12]))
        write_idx(folder / f"{name}-images-idx3-ubyte", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", labels)
    return folder


def write_recipe(path: Path, tables: dict[str, Any], data: Path) -> Path:
    """As TOML; JSON's values are TOML's, tables apart."""

    def value(item: Any) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{key} = {value(inner)}" for key, inner in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        return json.dumps(item)

    tables = tables | {"data": {"dataset": str(data)} | tables.get("data", {})}
    path.write_text("\n".join(f"{name} = {value(table)}" for name, table in tables.items()), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Job:
    """One kill: after so many seconds of training, or at a place inside a certain write of a checkpoint."""

    recipe: Path
    out: Path
    seconds: float = 0.0
    place: str = ""
    write: int = 0

    def command(self) -> list[str]:
        program = [str(HERE / "dying_writer.py"), self.place, str(self.write)] if self.place else ["-m", "handgrad"]
        return [sys.executable, *program, "train", str(self.recipe), "--out", str(self.out), "--threads", "1"]


def train(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_until_training(process: "subprocess.Popen[bytes]", out: Path) -> None:
    while not (out / "run.json").exists() and process.poll() is None:
        time.sleep(0.002)


def kill(job: Job) -> bool:
    """Begin, and kill; whether it was killed before it ended."""
    process = train(job.command())
    if not job.place:
        wait_until_training(process, job.out)
        time.sleep(job.seconds)
        process.kill()
    errors = process.communicate(timeout=1800)[1]
    killed = process.returncode == -signal.SIGKILL
    assert killed or process.returncode == 0, errors.decode()
    return killed


def state(out: Path) -> str:
    """A digest of all that the run left behind, durations apart."""
    history = json.loads((out / "history.json").read_text())
    for epoch in history["epochs"]:
        del epoch["seconds"]
    result = json.loads((out / "result.json").read_text())
    for name in ("train_seconds", "epoch_seconds", "run_directory"):
        del result[name]
    content = json.dumps([history, result]).encode() + (out / "model.safetensors").read_bytes()
    return hashlib.sha256(content).hexdigest()


def whole_run(recipe: Path, out: Path) -> tuple[str, float]:
    """Never interrupted: what it leaves, and how long it takes from its first checkpoint to its end."""
    process = train(Job(recipe, out).command())
    wait_until_training(process, out)
    started = time.monotonic()
    errors = process.communicate(timeout=1800)[1]
    assert process.returncode == 0, errors.decode()
    return state(out), time.monotonic() - started


def killed_and_resumed(job: Job, expected: str) -> dict[str, Any] | None:
    """What became of it; None if it was over before it could be killed."""
    if not kill(job):
        return None
    files = sorted(path.name for path in (job.out / "checkpoints").glob("*") if path.is_file())
    process = train([sys.executable, "-m", "handgrad", "train", "--resume", str(job.out), "--threads", "1"])
    errors = process.communicate(timeout=1800)[1].decode()
    same = process.returncode == 0 and state(job.out) == expected
    left = [path.name for path in (job.out / "checkpoints").glob(".*")]
    row = {"place": job.place, "seconds": round(job.seconds, 3), "found": files[-1:], "same": same and not left}
    return row | ({} if row["same"] else {"errors": errors, "left": left})


def jobs(
    recipes: dict[str, Path], whole: dict[str, tuple[str, float]], kills: int, folder: Path
) -> list[tuple[str, Job]]:
    """Three in ten inside a write, the rest at any moment, the recipes in turn."""
    rng = np.random.default_rng(int(os.environ.get("HANDGRAD_SEED", "0")))
    chosen = []
    for number in range(kills):
        name = list(recipes)[number % len(recipes)]
        out = folder / f"run-{number}"
        if number % 10 < 3:
            place = list(PLACES)[number // 10 % len(PLACES)]
            chosen.append((name, Job(recipes[name], out, place=place, write=int(rng.integers(3, 9)))))
        else:
            chosen.append((name, Job(recipes[name], out, seconds=float(rng.uniform(0, whole[name][1])))))
    return chosen


def main() -> None:
    """So many kills as the first argument says, 100 by default; two at a time."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory(prefix="handgrad-kill-") as place:
        folder = Path(place)
        data = make_data(folder / "data")
        recipes = {
            name: write_recipe(folder / f"r{i}.toml", tables, data) for i, (name, tables) in enumerate(RECIPES.items())
        }
        whole = {name: whole_run(path, folder / f"whole-{path.stem}") for name, path in recipes.items()}
        again = {name: whole_run(path, folder / f"again-{path.stem}") for name, path in recipes.items()}
        assert all(whole[name][0] == again[name][0] for name in recipes), "two whole runs differ"
        print({name: round(seconds, 2) for name, (_, seconds) in whole.items()}, flush=True)

        def work(item: tuple[str, Job]) -> dict[str, Any] | None:
            row = killed_and_resumed(item[1], whole[item[0]][0])
            if row is not None:
                row["recipe"] = item[0]
            print("too late" if row is None else row, flush=True)
            return row

        with ThreadPoolExecutor(2) as pool:
            # More than asked for, since some runs are over before their moment comes.
            rows = [row for row in pool.map(work, jobs(recipes, whole, kills * 5 // 4, folder)) if row is not None][
                :kills
            ]
    good = sum(row["same"] for row in rows)
    inside = sum(bool(row["place"]) for row in rows)
    print(f"{good} of {len(rows)} went on to the same end, {inside} of them killed inside a write")
    if kills >= 100:
        record("kills", "python tests/reliability/kill.py", rows)
    sys.exit(good < kills)


if __name__ == "__main__":
    main()

"""Run directories: what a training run leaves behind; saved_run.py opens it again.

run.json            the recipe with every value, the data's name and preprocessing, versions, threads, device
model.safetensors   the parameters, under PyTorch's names and in its shapes
history.json        every step and epoch
result.json         the scores, as `handgrad train --json` prints them
checkpoints/        what training goes on from, see checkpoint.py
.lock               held by the process that trains; a crash lets go of it
*.png               pictures
"""

import errno
import importlib
import importlib.metadata
import itertools
import json
import logging
import math
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from handgrad.errors import RunError
from handgrad.files import write_atomically
from handgrad.ops.cores import processor
from handgrad.training.evaluation import evaluate, outputs_as_probabilities
from handgrad.training.experiment import Experiment

#: Seconds to wait for a lock.
_PATIENCE = 0.5

#: What a file system without locks says.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@dataclass(frozen=True)
class RunDirectory:
    """A directory that one training run writes into.

    >>> import tempfile
    >>> run = RunDirectory.create(Path(tempfile.mkdtemp()) / "first")
    >>> run.write_json("result.json", {"test_accuracy": 0.98})
    >>> run.read_json("result.json")
    {'test_accuracy': 0.98}
    """

    path: Path

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new, empty directory, parents included.

        Raises:
            RunError: there is something at that path already, or it cannot be made.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(f"{path} already exists and is not an empty directory; choose another with --out.")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"Directory {path} cannot be made ({error.strerror}); choose another with --out.") from error
        return cls(path)

    @classmethod
    def create_next(cls, parent: Path, name: str) -> Self:
        """A new directory below parent, named after the recipe and the time, such as `mlp-20260131-235959`.

        Raises:
            RunError: it cannot be made.
        """
        stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
        path = parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for number in itertools.count():
                path = parent / (f"{stem}-{number}" if number else stem)
                with suppress(FileExistsError):  # another was faster
                    path.mkdir()
                    break
        except OSError as error:
            raise RunError(f"Directory {path} cannot be made ({error.strerror}); choose one with --out.") from error
        return cls(path)

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints."""
        return self.path / "checkpoints"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in this directory; a crash lets go of the lock.

        Raises:
            RunError: another process trains in it, or it cannot be written to.
        """
        import filelock

        # A server that looks whether a run is trained takes the lock for a moment.
        lock = filelock.FileLock(self.path / ".lock", timeout=_PATIENCE)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise RunError(
                f"Another process trains in {self.path}; let it end, or choose another directory."
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise RunError(f"{self.path} cannot be written to ({error.strerror}).") from error
            logging.getLogger(__name__).warning("%s cannot be locked; do not train in it twice at a time", self.path)
        try:
            yield
        finally:
            lock.release()

    def write_json(self, name: str, values: Any) -> None:
        """Write a JSON file, wholly or not at all; NaN and infinity, which JSON lacks, become null.

        Raises:
            RunError: it cannot be written.
        """
        self.write(name, (json.dumps(finite(values), indent=1, ensure_ascii=False) + "\n").encode())

    def write(self, name: str, content: bytes) -> None:
        """Write a file, wholly or not at all.

        Raises:
            RunError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)  # somebody may have removed it meanwhile
            write_atomically(self.path / name, content)
        except OSError as error:
            raise RunError(f"{self.path / name} cannot be written ({error.strerror}).") from error

    def read_json(self, name: str) -> Any:
        """Read a JSON file.

        Raises:
            RunError: it is missing, not JSON, or nested too deeply.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(f"{path} not found; expected the directory of a handgrad run.") from error
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} cannot be read as JSON ({error}).") from error

    def save(self, experiment: Experiment, threads: int) -> None:
        """Write run.json, model.safetensors and history.json.

        Raises:
            RunError: one of them cannot be written.
        """
        import safetensors.numpy

        self.write("model.safetensors", safetensors.numpy.save(experiment.model.parameters.state_dict()))
        self.write_json("history.json", experiment.trainer.history.to_dict())
        self.describe(experiment, threads)

    def describe(self, experiment: Experiment, threads: int, *, saved: bool = True) -> None:
        """Write run.json, which is known before the training.

        Args:
            experiment: what is trained.
            threads: that compute.
            saved: whether the weights beside it are what was learned; not so while a run goes on.

        Raises:
            RunError: it cannot be written.
        """
        self.write_json(
            "run.json",
            {
                "recipe": experiment.recipe.to_dict(),
                "dataset": experiment.dataset,
                "preprocessing": experiment.preprocessing.to_dict(),
                "raw_shape": list(experiment.test.dataset.inputs.shape[1:]),
                "input_shape": list(experiment.input_shape),
                "outputs": experiment.model.output_shape(experiment.input_shape)[0],
                "classes": experiment.classes,
                "class_names": experiment.class_names,
                "feature_names": experiment.feature_names,
                "saved": saved,
                "environment": environment(threads, experiment.model.parameters.ops.device),
            },
        )


def result_of(experiment: Experiment, threads: int, path: Path) -> dict[str, Any]:
    """Score the test data, once, and say in plain values what the run was and what came of it.

    Args:
        experiment: trained.
        threads: that the matrix products used.
        path: the run's directory.
    """
    recipe, trainer = experiment.recipe, experiment.trainer
    epochs = trainer.history.epochs
    scores = evaluate(experiment.model, experiment.loss, experiment.test)
    validation = trainer.best[0] if trainer.best and recipe.train.keep_best else epochs[-1].scores.get("validation")
    result: dict[str, Any] = {
        "recipe": recipe.name,
        "dataset": experiment.dataset,
        "seed": recipe.train.seed,
        "device": experiment.model.parameters.ops.device,
        "threads": threads,
        "hidden": list(recipe.model.hidden),
        "epochs": len(epochs),
        "parameters": experiment.model.parameters.count,
        "train_seconds": sum(epoch.seconds for epoch in epochs),
        "epoch_seconds": [epoch.seconds for epoch in epochs],
        "train_loss": [epoch.train_loss for epoch in epochs],
        "test_loss": scores.loss,
        "test_accuracy": scores.accuracy,
        "validation_accuracy": validation.accuracy if validation else None,
        "stopped_by": trainer.stopped_by,
        "run_directory": str(path),
    }
    if recipe.queries:
        inputs = experiment.preprocessing(np.array(recipe.queries))
        outputs = outputs_as_probabilities(experiment.model, experiment.loss, inputs)
        result["queries"] = [[list(q), row.tolist()] for q, row in zip(recipe.queries, outputs, strict=True)]
    return dict(finite(result))


def finite(values: Any) -> Any:
    """The same nested values with None for every float that is not finite."""
    if isinstance(values, Mapping):
        return {key: finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def environment(threads: int, device: str) -> dict[str, Any]:
    """All that the last bit of a number depends on besides the recipe: versions, machine, threads and device."""
    from handgrad import __version__

    blas: Mapping[str, Any] = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "handgrad": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": _version("numba"),
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "threads": threads,
        "device": device,
    } | (_torch(device) if device.startswith("torch") else {})


def _torch(device: str) -> dict[str, str]:
    """PyTorch's version, and the name of its accelerator."""
    torch = importlib.import_module("torch")
    is_cuda = device.partition(":")[2].startswith("cuda")
    return {"torch": torch.__version__} | ({"accelerator": torch.cuda.get_device_name()} if is_cuda else {})


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"

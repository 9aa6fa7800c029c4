"""Checkpoints: everything that training needs to go on as if it had never stopped.

A checkpoint is one safetensors file. The weights stand under PyTorch's names and in its shapes, so that any reader of
that format finds them; what else is an array has a slash in its name. Plain values are JSON in the file's metadata.

0.weight               every parameter and buffer
optimizer/m/0.weight   what the optimizer remembers of it
best/0.weight          the parameters with the best validation score, where the trainer keeps them
history/loss           every step's loss, and so on
history/epochs         every epoch, as the bytes of JSON: the metadata may not be so large
"""

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import RunError
from handgrad.files import write_atomically
from handgrad.training.history import Epoch, History, Scores, Step
from handgrad.training.recipe import checked
from handgrad.training.trainer import Position, Trainer

#: Raised when the file's content changes its meaning. The first had the epochs among the plain values.
FORMAT = 2

Arrays = dict[str, NDArray[Any]]

#: Where the epochs stand in the file. In memory they are among the plain values.
_EPOCHS = "history/epochs"

#: The columns of a history's steps, so that nothing is rounded.
_STEP = {name: np.dtype("int64" if kind is int else "float64") for name, kind in Step.__annotations__.items()}


@dataclass(frozen=True)
class Checkpoint:
    """A trainer at one moment, between two steps.

    `restore` brings a trainer that was made of the same model, data and settings to that moment. From there it takes
    the same steps, to the last bit, on the same machine.

    Args:
        arrays: by name.
        values: step, position in the epoch, random states, scores; "about" is the caller's own.

    >>> import tempfile
    >>> def trainer() -> handgrad.Trainer:
    ...     splits = handgrad.datasets.load("points")
    ...     preprocessing = handgrad.Preprocessing.for_dataset(splits.train, normalize="none")
    ...     loader = handgrad.Loader(splits.train, 4, preprocessing=preprocessing, rng=np.random.default_rng(0))
    ...     model = handgrad.Linear(2, 2).initialize(np.random.default_rng(1))
    ...     return handgrad.Trainer(model, handgrad.SoftmaxCrossEntropy(), handgrad.Adam(0.1), train=loader)
    >>> whole, half, resumed = trainer(), trainer(), trainer()
    >>> path = Path(tempfile.mkdtemp()) / "half.safetensors"
    >>> _, _ = list(whole.run(4)), list(half.run(2))
    >>> Checkpoint.of(half).save(path)
    >>> Checkpoint.load(path).restore(resumed)
    >>> _ = list(resumed.run(2))
    >>> bool((resumed.model.parameters.vector == whole.model.parameters.vector).all())
    True
    """

    arrays: Arrays
    values: Mapping[str, Any]

    @classmethod
    def of(cls, trainer: Trainer, about: Mapping[str, Any] | None = None) -> Self:
        """Copy all that the trainer's next steps depend on.

        Args:
            trainer: between two steps; `run` may be waiting in its loop.
            about: more plain values to keep with it, for JSON.
        """
        position = trainer.position or Position(len(trainer.history.epochs) + 1, trainer.train.random_state)
        best, history = trainer.best, trainer.history
        best_weights = {} if best is None else {f"best/{name}": array for name, array in best[1].items()}
        return cls(
            trainer.model.parameters.state_dict() | _slots(trainer) | _step_columns(history) | best_weights,
            {
                "format": FORMAT,
                "step": trainer.state.step,
                "schedule_offset": trainer.schedule_offset,
                "position": asdict(position),
                "random": _random_state(trainer),
                "epochs": History(epochs=history.epochs).to_dict()["epochs"],
                "every": history.every,
                "best": None if best is None else asdict(best[0]),
                "optimizer": repr(trainer.optimizer),  # for whoever reads the file, as is the schedule
                "schedule": repr(trainer.schedule),
                "about": dict(about or {}),
            },
        )

    def restore(self, trainer: Trainer) -> None:
        """Bring a trainer to this moment.

        Args:
            trainer: new, of the same model, optimizer and data as the one that was saved.

        Raises:
            RunError: it was another trainer's, or it is damaged.
        """
        self._check_arrays(trainer)
        try:
            step, position, history = self._progress(trainer)
            best = None if self.values["best"] is None else checked(Scores, self.values["best"], "best")
            trainer.train.random_state = position.randomness  # so that one that cannot be set is found now
            _set_random_state(trainer, self.values["random"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RunError(f"The checkpoint does not fit this training: {type(error).__name__}, {error}") from error
        parameters = trainer.model.parameters
        parameters.load_state_dict({name: self.arrays[name] for name in parameters.views})
        for slot, vector in trainer.state.slots.items():
            for name, view in parameters.named(vector).items():
                view[...] = parameters.ops.asarray(self.arrays[f"optimizer/{slot}/{name}"], parameters.dtype)
        trainer.state.step, trainer.position, trainer.history = step, position, history
        trainer.schedule_offset = self.values.get("schedule_offset", 0)
        trainer.best = None if best is None else (best, self._under("best/"))
        trainer.stopped_by = "patience" if trainer.is_out_of_patience else ""

    def _progress(self, trainer: Trainer) -> tuple[int, Position, History]:
        """The step, the position in the epoch and the history, each value of its kind and in its range."""
        values, loader = self.values, trainer.train
        position: Position = checked(Position, values["position"], "position")
        history = self._history()
        epochs = history.epochs
        in_order = [epoch.number for epoch in epochs] == list(range(1, len(epochs) + 1))
        _require(in_order, "epochs", "numbers from 1 on")
        _require(position.epoch == len(epochs) + 1, "position.epoch", len(epochs) + 1)
        _require(0 <= position.batch <= len(loader), "position.batch", f"0 to {len(loader)}")
        seen = min(position.batch * loader.batch_size, len(loader.dataset))
        _require(position.examples == seen, "position.examples", seen)
        sums = (position.loss, position.norm, position.learning_rate, position.seconds)
        _require(all(map(math.isfinite, sums)), "position", "finite numbers")
        _require_count(values["step"], "step", 0)
        offset = values.get("schedule_offset", 0)  # older files have none
        _require(type(offset) is int and -(2**63) < offset <= values["step"], "schedule_offset", "an integer <= step")
        return values["step"], position, history

    def history(self) -> History:
        """Every step and epoch until then.

        Raises:
            RunError: they are damaged.
        """
        try:
            return self._history()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"The checkpoint's history is damaged: {type(error).__name__}, {error}.") from error

    def _history(self) -> History:
        epochs = [checked(Epoch, epoch, f"epochs[{number}]") for number, epoch in enumerate(self.values["epochs"])]
        _require_count(self.values["every"], "every", 1)
        return History(self._steps(), epochs, self.values["every"])

    def _steps(self) -> list[Step]:
        columns = []
        for name, kind in _STEP.items():
            column = self.arrays[f"history/{name}"]
            _require((column.dtype, column.ndim) == (kind, 1), f"history/{name}", f"{kind} in one dimension")
            columns.append(column.tolist())
        return [Step(*row) for row in zip(*columns, strict=True)]

    def save(self, path: Path | str) -> None:
        """Write one file, wholly or not at all.

        Raises:
            OSError: it cannot be written; what was there before is there still.
            RunError: there is more of the plain values than safetensors takes, 100 MB.
        """
        import safetensors.numpy

        values = dict(self.values)
        epochs = json.dumps(values.pop("epochs"), default=_plain).encode()
        arrays = self.arrays | {_EPOCHS: np.frombuffer(epochs, np.uint8)}
        text = json.dumps(values, default=_plain)
        metadata = {"handgrad": text, "crc32": str(_checksum(text, arrays))}
        try:
            content = safetensors.numpy.save(arrays, metadata)
        except safetensors.SafetensorError as error:
            raise RunError(f"{path} cannot be written: {error}.") from error
        write_atomically(Path(path), content)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a checkpoint.

        Raises:
            RunError: it is missing, damaged, or of a newer format.
        """
        import safetensors

        try:
            with safetensors.safe_open(path, "numpy") as file:
                metadata = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a dict
            values = json.loads(metadata["handgrad"])
            _require(values["format"] in (1, FORMAT), f"format {values['format']!r}", f"at most {FORMAT}")
            _require(metadata["crc32"] == str(_checksum(metadata["handgrad"], arrays)), "crc32", "that of the content")
            if values["format"] == FORMAT:
                values["epochs"] = json.loads(arrays.pop(_EPOCHS).tobytes())
            return cls(arrays, values | {"format": FORMAT})
        except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
            reason = str(error).rstrip(".")
            raise RunError(f"{path} is not a checkpoint that can be read: {reason}.") from error
        except RecursionError as error:
            raise RunError(f"{path} is not a checkpoint that can be read: its values are nested too deeply.") from error

    @property
    def step(self) -> int:
        """Steps taken until then."""
        return int(self.values["step"])

    @property
    def weights(self) -> Arrays:
        """Every parameter and buffer; what else is an array has a slash in its name."""
        return {name: array for name, array in self.arrays.items() if "/" not in name}

    @property
    def not_finite(self) -> str:
        """The name of an array with NaN or infinity in it, from which there is no going on; "" if there is none."""
        names = (name for name, array in self._state.items() if not np.all(np.isfinite(array)))
        return next(names, "")

    @property
    def about(self) -> dict[str, Any]:
        """What the caller kept with it."""
        return dict(self.values["about"])

    def _check_arrays(self, trainer: Trainer) -> None:
        """Refuse arrays of another network or optimizer, before anything is changed."""
        weights = trainer.model.parameters.views
        shapes = {name: tuple(view.shape) for name, view in weights.items()}
        shapes |= {name: array.shape for name, array in _slots(trainer).items()}
        if self.values.get("best") is not None and trainer.keep_best:
            shapes |= {f"best/{name}": tuple(view.shape) for name, view in weights.items()}
        expected = {name: f"{trainer.model.parameters.dtype} {shape}" for name, shape in shapes.items()}
        found = {name: f"{array.dtype} {array.shape}" for name, array in self._state.items()}
        if found != expected:
            name = next(name for name in [*expected, *found] if expected.get(name) != found.get(name))
            raise RunError(
                f"The checkpoint is of another training: {name} is {found.get(name, 'not there')} in it, "
                f"expected {expected.get(name, 'none')}."
            )
        if self.not_finite:
            raise RunError(f"{self.not_finite} holds NaN or infinity in the checkpoint.")

    @property
    def _state(self) -> Arrays:
        """What later steps depend on."""
        return {name: array for name, array in self.arrays.items() if not name.startswith("history/")}

    def _under(self, prefix: str) -> Arrays:
        return {name.removeprefix(prefix): array for name, array in self.arrays.items() if name.startswith(prefix)}


def _slots(trainer: Trainer) -> Arrays:
    """What the optimizer remembers, under the parameters' names."""
    parameters = trainer.model.parameters
    return {
        f"optimizer/{slot}/{name}": np.array(parameters.ops.to_numpy(view), order="C")
        for slot, vector in trainer.state.slots.items()
        for name, view in parameters.named(vector).items()
    }


def _step_columns(history: History) -> Arrays:
    """A column for each field of the steps."""
    return {
        f"history/{name}": np.array([getattr(s, name) for s in history.steps], kind) for name, kind in _STEP.items()
    }


def _plain(value: Any) -> Any:
    """For JSON, what some generators have in their state."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a checkpoint's plain values")


def _random_state(trainer: Trainer) -> dict[str, Any]:
    """Where every generator stands that training draws from."""
    return {
        "train": trainer.train.random_state,
        "monitors": {name: loader.random_state for name, loader in trainer.monitors.items()},
        "dropout": None if trainer.rng is None else trainer.rng.bit_generator.state,
    }


def _set_random_state(trainer: Trainer, state: Mapping[str, Any]) -> None:
    trainer.train.random_state = state["train"]
    for name, loader in trainer.monitors.items():
        loader.random_state = state["monitors"][name]
    if trainer.rng is not None:
        trainer.rng.bit_generator.state = state["dropout"]


def _checksum(text: str, arrays: Arrays) -> int:
    """Of everything in the file that may be damaged and still be read."""
    checksum = zlib.crc32(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        checksum = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), checksum)
        checksum = zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data, checksum)
    return checksum


def _require_count(value: object, name: str, least: int) -> None:
    _require(type(value) is int and least <= value < 2**63, name, f"an integer >= {least}")


def _require(holds: bool, name: str, expected: object) -> None:
    if not holds:
        raise RunError(f"{name} is not as expected, {expected}.")

"""Everything of handgrad that reads what it did not write: how it is called, and healthy inputs to damage."""

import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import safetensors.numpy
from PIL import Image

from handgrad import losses, optimizers
from handgrad.cli.train import assignment
from handgrad.data import archives, read_idx, write_idx
from handgrad.data.datasets import load
from handgrad.data.digits import as_mnist, read_image
from handgrad.data.pictures import read_pixels
from handgrad.training.assembly import build_schedule
from handgrad.training.checkpoint import Checkpoint, _checksum
from handgrad.training.construct import construct
from handgrad.training.experiment import Phase, build_model, phases
from handgrad.training.recipe import Recipe, recipe_names
from handgrad.training.resumption import Resumption
from handgrad.training.run import environment
from handgrad.training.saved_run import SavedRun


@dataclass(frozen=True)
class Parser:
    """One of them.

    Args:
        name: for people.
        parse: reads bytes, and returns or raises.
        seeds: healthy inputs.
        wrap: what is done to damaged bytes so that the damage gets past a checksum.
    """

    name: str
    parse: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    wrap: Callable[[bytes], bytes] = bytes

    def __str__(self) -> str:
        return self.name


@cache
def _temporary() -> "TemporaryDirectory[str]":
    """Removed when the process ends."""
    return TemporaryDirectory(prefix="handgrad-fuzz-")


def folder() -> Path:
    """Where damaged files are put."""
    return Path(_temporary().name)


def from_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A parser of bytes, of one that takes a path."""

    def parse(content: bytes) -> object:
        path = folder() / name
        path.write_bytes(content)
        return read(path)

    return parse


# -- data ----------------------------------------------------------------------------------------------


def archive_files() -> list[bytes]:
    """Uncompressed, compressed, of one part and of two."""
    pixels, labels = np.arange(48, dtype=np.uint8).reshape(6, 4, 2), np.arange(6) % 2
    rows, names = np.linspace(0, 1, 12).reshape(6, 2), np.array(list("ababab"))
    contents = []
    for save, arrays in (
        (np.savez, {"x": pixels, "y": labels}),
        (np.savez_compressed, {"x_train": rows, "y_train": names, "x_test": rows, "y_test": names}),
    ):
        file = io.BytesIO()
        save(file, **arrays)
        contents.append(file.getvalue())
    return contents


def read_mapped(path: Path) -> object:
    """As an archive that is larger than memory, of which no checksum is looked at."""
    with mock.patch.object(archives, "most_bytes_in_memory", return_value=0):
        splits = load(path)
        return [np.array(part.inputs) for part in splits]


def tables() -> list[bytes]:
    rows = "size,colour,kind\n" + "1.5,red,a\n2,blue,b\n" * 5
    return [rows.encode(), rows.replace(",", ";").encode("utf-8-sig"), b"x\ty\n" + b"1\t0.5\n2\t0.25\n" * 5]


def idx_files() -> list[bytes]:
    arrays: list[np.ndarray[Any, Any]] = [
        np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        np.arange(5, dtype=np.int16),
        np.ones((2, 2), np.float64),
    ]
    path = folder() / "seed.idx"
    files = []
    for array in arrays:
        write_idx(path, array)
        files.append(path.read_bytes())
    return files


def read_folder(content: bytes) -> object:
    """A directory of MNIST's four files, one of them damaged."""
    directory = folder() / "data"
    directory.mkdir(exist_ok=True)
    images, labels = np.zeros((2, 3, 4), np.uint8), np.array([0, 1], np.uint8)
    for part in ("train", "t10k"):
        write_idx(directory / f"{part}-images-idx3-ubyte", images)
        write_idx(directory / f"{part}-labels-idx1-ubyte", labels)
    (directory / "train-images-idx3-ubyte").write_bytes(content)
    return load(str(directory))


# -- pictures ------------------------------------------------------------------------------------------


def pictures() -> list[bytes]:
    """A small digit in several formats and modes."""
    grey = Image.new("L", (24, 20), 255)
    grey.paste(0, (9, 4, 13, 16))
    seeds = []
    for kind, mode in [
        ("PNG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "I;16"), ("JPEG", "L"), ("JPEG", "RGB"), ("GIF", "L"),
        ("BMP", "RGB"), ("TIFF", "L"), ("WEBP", "RGB"), ("PPM", "L"), ("ICO", "RGBA"), ("TGA", "RGB"), ("PCX", "L"),
    ]:  # fmt: skip
        file = io.BytesIO()
        picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
        picture.save(file, kind)
        seeds.append(file.getvalue())
    return seeds


def png_files() -> list[bytes]:
    return [seed for seed in pictures() if seed.startswith(b"\x89PNG")]


def with_checksums(content: bytes) -> bytes:
    """A PNG whose chunks have right checksums, so that damage inside them is looked at."""
    repaired, rest = content[:8], content[8:]
    while len(rest) >= 12:
        length = struct.unpack(">I", rest[:4])[0]
        if length > len(rest) - 12:
            break
        chunk = rest[4 : 8 + length]
        repaired += rest[: 8 + length] + struct.pack(">I", zlib.crc32(chunk))
        rest = rest[12 + length :]
    return repaired + rest


# -- recipes -------------------------------------------------------------------------------------------


def recipe_files() -> list[bytes]:
    folder_of_recipes = Path(build_model.__code__.co_filename).parent / "recipes"
    return [(folder_of_recipes / f"{name}.toml").read_bytes() for name in recipe_names()]


def read_recipe(path: Path) -> object:
    """Everything up to the first array: the file, the layers, the loss, the optimizer, the schedule."""
    return built(Recipe.load(str(path)))


def built(recipe: Recipe) -> object:
    """What a recipe describes."""
    shape = (1, 28, 28) if recipe.data.layout == "image" or recipe.model.features else (784,)
    return (
        build_model(recipe.model, shape, 10),
        construct(losses.NAMED, recipe.loss, "loss"),
        construct(optimizers.NAMED, recipe.optimizer, "optimizer"),
        build_schedule(recipe.schedule, 100, recipe.train.epochs),
    )


def changes() -> list[bytes]:
    """Values behind --set."""
    return [
        b"train.epochs=3", b"optimizer.learning_rate = 0.1", b"model.hidden=[3, 4]", b'model.activation="Tanh"',
        b"augment.rotation=10.5", b"train.keep_best=true", b"schedule.name=cosine", b"data.normalize=unit",
        b'model.features=[{name="Conv2d",out_channels=3,kernel_size=3},{name="Flatten"}]',
    ]  # fmt: skip


def change(content: bytes) -> object:
    place, value = assignment(content.decode(errors="replace"))
    return built(Recipe.load("mlp").override({place: value}))


# -- runs ----------------------------------------------------------------------------------------------


@cache
def run_files() -> dict[str, bytes]:
    """The files of a small run."""
    from handgrad.ops import limit_threads
    from handgrad.training.experiment import Experiment
    from handgrad.training.run import RunDirectory

    recipe = Recipe.load("points").override({"train.epochs": 2, "model.hidden": (3,)})
    with limit_threads(1, "cpu"):
        experiment = Experiment.prepare(recipe)
        list(experiment.trainer.run(2))
    RunDirectory.create(folder() / "run").save(experiment, 1)
    return {path.name: path.read_bytes() for path in (folder() / "run").iterdir()}


def opened(name: str) -> Callable[[bytes], object]:
    """Opens the run with one of its files damaged."""

    def parse(content: bytes) -> object:
        for other, healthy in run_files().items():
            (folder() / "run" / other).write_bytes(content if other == name else healthy)
        run = SavedRun.open(folder() / "run")
        return run.probabilities(np.zeros((1, *run.raw_shape), np.float32)), run.history()

    return parse


def run_file(name: str) -> Callable[[], list[bytes]]:
    return lambda: [run_files()[name]]


def compact_json(name: str) -> Callable[[], list[bytes]]:
    """As it is, and without the white space, so that damage meets more of what matters."""
    return lambda: [run_files()[name], json.dumps(json.loads(run_files()[name]), separators=(",", ":")).encode()]


@cache
def checkpointed() -> Phase:
    """A training that checkpoints are read into."""
    recipe = Recipe.load("points").override({"train.epochs": 2, "model.hidden": (3,), "train.batch_size": 4})
    (phase,) = phases(recipe.with_optimizer("adam"))
    return phase


@cache
def checkpoint_files() -> list[bytes]:
    """In the middle of an epoch, and after one."""
    phase = checkpointed()
    trainer = phase.experiment.trainer
    about = Resumption.of(phase.experiment.recipe, phase, environment(1, "cpu")).to_dict()
    contents = []
    for events in (2, 2):
        for _ in islice(trainer.run_to(2), events):
            pass
        Checkpoint.of(trainer, about).save(folder() / "checkpoint")
        contents.append((folder() / "checkpoint").read_bytes())
    return contents


def checkpoint_values() -> list[bytes]:
    """Their plain values, and after a line's end their epochs."""
    contents = []
    for file in checkpoint_files():
        (folder() / "checkpoint").write_bytes(file)
        values = dict(Checkpoint.load(folder() / "checkpoint").values)
        epochs = values.pop("epochs")
        contents.append(f"{json.dumps(values)}\n{json.dumps(epochs)}".encode())
    return contents


def read_checkpoint(path: Path) -> object:
    """Everything that `train --resume` does with it, one step included."""
    checkpoint = Checkpoint.load(path)
    before = Resumption.read(checkpoint)
    trainer = checkpointed().experiment.trainer
    before.check_data(checkpointed().experiment)
    checkpoint.restore(trainer)
    return list(before.differences(environment(1, "cpu"))), next(trainer.run_to(len(trainer.history.epochs) + 1), None)


def read_checkpoint_values(content: bytes) -> object:
    """A checkpoint whose arrays are healthy and whose values and epochs are these, with the right checksum."""
    values, _, epochs = content.partition(b"\n")
    arrays = safetensors.numpy.load(checkpoint_files()[0]) | {"history/epochs": np.frombuffer(epochs, np.uint8)}
    text = values.decode(errors="replace")
    path = folder() / "y.safetensors"
    path.write_bytes(safetensors.numpy.save(arrays, {"handgrad": text, "crc32": str(_checksum(text, arrays))}))
    return read_checkpoint(path)


PARSERS = [
    Parser("IDX", from_file("x.idx", read_idx), idx_files),
    Parser("IDX, gzipped", from_file("x.gz", read_idx), lambda: [gzip.compress(seed) for seed in idx_files()]),
    Parser("IDX, inside gzip", from_file("y.gz", read_idx), idx_files, lambda content: gzip.compress(content, 1)),
    Parser("directory of data", read_folder, lambda: [idx_files()[0]]),
    Parser("archive", from_file("x.npz", load), archive_files),
    Parser("archive, mapped", from_file("y.npz", read_mapped), archive_files),
    Parser("picture of a folder", from_file("z.png", lambda path: read_pixels(path, (5, 4, 3))), pictures),
    Parser("picture", from_file("x.png", lambda path: as_mnist(read_image(path))), pictures),
    Parser(
        "PNG, inside its checksums", from_file("y.png", lambda p: as_mnist(read_image(p))), png_files, with_checksums
    ),
    *([Parser("table", from_file("x.csv", load), tables)] if find_spec("pandas") else []),
    Parser("recipe", from_file("x.toml", read_recipe), recipe_files),
    Parser("--set", change, changes),
    Parser("run.json", opened("run.json"), compact_json("run.json")),
    Parser("model.safetensors", opened("model.safetensors"), run_file("model.safetensors")),
    Parser("history.json", opened("history.json"), compact_json("history.json")),
    Parser("checkpoint", from_file("x.safetensors", read_checkpoint), checkpoint_files),
    Parser("checkpoint, inside its checksum", read_checkpoint_values, checkpoint_values),
]

"""TensorBoard's event files: numbers, histograms, pictures, texts, settings and a graph, one behind the other.

A file is written by the thread that trains, not by one in the background as tensorboardX's own writer does: whoever
writes hears of it when the disk is full.
"""

import itertools
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from handgrad.extras import load

summary: Any = load("tensorboardX.summary", "tensorboard")
record_writer: Any = load("tensorboardX.record_writer", "tensorboard")
event_pb2: Any = load("tensorboardX.proto.event_pb2", "tensorboard")
summary_pb2: Any = load("tensorboardX.proto.summary_pb2", "tensorboard")

#: Bars of a histogram.
_BINS = 64

_numbers = itertools.count()  # two files of one process and one second


class EventFile:
    """A new file of events.

    Args:
        folder: it is made there, with a name of its own; TensorBoard shows all files of a folder as one run.
        start: the step at which a training goes on: what older files of the folder say of later ones no longer holds.

    Raises:
        OSError: from everything that writes, when it cannot.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> events = EventFile(folder)
    >>> events.scalar("loss", 0.5, step=1)
    >>> events.close()
    >>> [path.name.startswith("events.out.tfevents.") for path in folder.iterdir()]
    [True]
    """

    def __init__(self, folder: Path, start: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._records = record_writer.RecordWriter(str(folder / name))
        try:
            self._write(file_version="brain.Event:2")
            if start is not None:
                restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
                self._write(step=start + 1, session_log=restart)
        except OSError:
            self._records.close()
            raise

    def scalar(self, name: str, value: float, step: int) -> None:
        """A point of a curve."""
        self._write(step=step, summary=summary.scalar(name, value))

    def histogram(self, name: str, values: ArrayLike, step: int) -> None:
        """How numbers are spread; what is not finite is left out."""
        numbers = np.asarray(values, np.float64).ravel()
        finite = numbers[np.isfinite(numbers)]
        if len(finite):
            self._write(step=step, summary=summary.histogram(name, finite, _BINS))

    def image(self, name: str, png: bytes, step: int) -> None:
        """A picture, as the content of a PNG file."""
        width, height = (int.from_bytes(png[place : place + 4]) for place in (16, 20))  # of its first chunk
        picture = summary_pb2.Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=png)
        value = summary_pb2.Summary.Value(tag=name, image=picture)
        self._write(step=step, summary=summary_pb2.Summary(value=[value]))

    def text(self, name: str, markdown: str, step: int) -> None:
        """A text in Markdown."""
        self._write(step=step, summary=summary.text(name, markdown))

    def settings(self, values: Mapping[str, bool | float | str], scores: Mapping[str, float], step: int) -> None:
        """What a run was given, and what came of it: a row of the table of hyperparameters."""
        for part in summary.hparams(dict(values), dict(scores)):
            self._write(step=step, summary=part)
        for name, score in scores.items():
            self.scalar(name, score, step)

    def graph(self, definition: Any) -> None:
        """A network, as a `GraphDef`."""
        self._write(graph_def=definition.SerializeToString())

    def flush(self) -> None:
        """See to it that everything so far can be read."""
        self._records.flush()

    def close(self) -> None:
        """Nothing more is written."""
        try:
            self._records.flush()
        finally:
            self._records.close()

    def _write(self, **content: Any) -> None:
        self._records.write(event_pb2.Event(wall_time=time.time(), **content).SerializeToString())

"""The trainings of this server: each a process of its own, whose events the page follows."""

import json
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from handgrad.errors import HandgradError
from handgrad.training.recipe import Recipe
from handgrad.training.run import RunDirectory
from handgrad.web.errors import BusyError, NotFoundError
from handgrad.web.event_log import EventLog
from handgrad.web.processes import kill, start
from handgrad.web.runs import RunFolder

#: Trainings at the same time, and ended ones that are remembered.
AT_ONCE, REMEMBERED = 2, 20
#: How long one may take, and how many bytes of memory.
SECONDS, MEMORY = 6 * 3600.0, 4 * 2**30
#: Seconds after which a paused training that nobody follows makes room for another.
ABANDONED = 60.0
#: Seconds for a process to save what it learned and end, when it is asked to; and more, when its time is over.
_FAREWELL, _OVERDUE = 10.0, 120.0
#: Commands that may wait for a process to read them.
_MOST_UNREAD = 64

#: Where a training stands.
STARTING, RUNNING, PAUSED, ENDED, FAILED = "starting", "running", "paused", "ended", "failed"


class Training:
    """One process that trains, and what it has told so far.

    Args:
        run: the directory that it writes into.
        order: its first line of input.

    Raises:
        HandgradError: the process cannot be started.
    """

    def __init__(self, run: Path, order: Mapping[str, Any]) -> None:
        self.run = run
        self.log = EventLog()
        self.state = STARTING
        self.message = ""
        self._errors: deque[str] = deque(maxlen=20)  # the last lines of its standard error
        self._is_new = not order["resume"]
        self._unread: queue.Queue[Mapping[str, Any] | None] = queue.Queue(_MOST_UNREAD)  # None after the last
        self._unread.put(order)
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self._process = start("handgrad.web.worker", **pipes, encoding="utf-8", errors="replace")
        self._watchdog = threading.Timer(order["seconds"] + _OVERDUE, kill, args=(self._process,))
        self._watchdog.daemon = True
        self._watchdog.start()
        threading.Thread(target=self._send, args=(self._process.stdin,), daemon=True).start()
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()

    @property
    def name(self) -> str:
        """That of its run directory."""
        return self.run.name

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in (ENDED, FAILED)

    def to_dict(self) -> dict[str, Any]:
        """As the contract has it."""
        return {"name": self.name, "model": f"runs/{self.name}", "state": self.state, "message": self.message}

    def command(self, command: str, values: Mapping[str, Any]) -> None:
        """Pass on what the page asks.

        Raises:
            HandgradError: it is over.
            BusyError: it has not read what it was asked before.
        """
        if self.is_over:
            raise HandgradError(f"The training {self.name} is over; go on with it, or start another.")
        try:
            self._unread.put_nowait({"command": command, "values": dict(values)})
        except queue.Full:
            sentence = f"The training {self.name} has not taken the last commands yet; try again in a moment."
            raise BusyError(sentence) from None

    def _send(self, stream: IO[str]) -> None:
        """Pass lines on; a process that does not read them holds up this thread alone."""
        with suppress(OSError), stream:  # once it has ended, which its follower tells
            while (line := self._unread.get()) is not None:
                stream.write(json.dumps(line) + "\n")
                stream.flush()

    def _follow(self) -> None:
        """Take every event until there are no more, then see how the process ended."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        listener.start()
        message = "What the process told could not be understood, so it was ended."
        try:
            for line in self._process.stdout:
                with suppress(ValueError):  # half a line, of a process that was killed
                    self._take(json.loads(line))
            code = self._process.wait()
            listener.join(1.0)  # longer, where a process that it started lives on
            message = self._obituary(code)
        finally:  # whatever happens, nobody waits for more
            kill(self._process)
            self._process.wait()
            self._process.stdout.close()
            self._conclude(message)

    def _conclude(self, message: str) -> None:
        """Say that it is over; with this message, if the process has not done so."""
        self._watchdog.cancel()
        if not self.is_over:
            self._take({"event": FAILED, "message": message})
        if self._is_new:
            with suppress(OSError):  # only of a training that never began
                self.run.rmdir()
        with suppress(queue.Full):  # else there is a line to send, which fails
            self._unread.put_nowait(None)
        self.log.close()

    def _listen(self, stream: IO[str]) -> None:
        with stream:
            self._errors.extend(line.strip() for line in stream if line.strip())

    def _take(self, event: dict[str, Any]) -> None:
        """Note where the training stands, before anybody hears of the event."""
        kind = event["event"]
        if kind == "started":
            self.state = RUNNING
        elif kind == "state":
            self.state = event["state"]
        elif kind in (ENDED, FAILED):
            self.state, self.message = kind, event.get("message", "")
        self.log.append(event)

    def _obituary(self, code: int) -> str:
        """Why a process ended that had not said goodbye."""
        last = self._errors[-1].rstrip(".") if self._errors else ""
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        reason = f": {last}" if last else ""
        is_saved = any((self.run / "checkpoints").glob("*.safetensors"))
        hint = " It can be gone on with from its latest checkpoint." if is_saved else ""
        return f"The process that trained {how}{reason}.{hint}"

    def stop(self) -> None:
        """Ask it to save what it learned and to end; does not wait."""
        with suppress(queue.Full):  # it reads nothing, and will have to be killed
            self._unread.put_nowait({"command": "stop"})

    def end(self, seconds: float) -> None:
        """Wait until it has ended, and kill it if that takes longer."""
        self._follower.join(seconds)
        if self._follower.is_alive():
            kill(self._process)
            self._follower.join(seconds)


def _signal_name(number: int) -> str:
    """Such as SIGKILL; those for real-time programs have a number only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Trainings:
    """All trainings, by the name of their run.

    Args:
        runs: the folder that run directories are made in.
        at_once: how many may run, or wait, at the same time.
        seconds: that each may take.
        threads: that compute in each; None for all cores.
        abandoned: seconds after which a paused training that nobody follows is ended, where another needs its place.
    """

    def __init__(
        self,
        runs: Path,
        *,
        at_once: int = AT_ONCE,
        seconds: float = SECONDS,
        threads: int | None = None,
        abandoned: float = ABANDONED,
    ) -> None:
        self._folder = RunFolder(runs.resolve())
        self._abandoned = abandoned
        self._at_once = at_once
        self._limits = {"seconds": seconds, "memory": MEMORY, "threads": threads}
        self._trainings: dict[str, Training] = {}  # never changed but replaced, so that nobody waits to look
        self._lock = threading.Lock()  # held by who starts one

    def start(self, recipe: Recipe, name: str, changes: Mapping[str, Any], *, paused: bool) -> Training:
        """Train a recipe in a new run directory.

        Args:
            recipe: as it will be trained, for the directory's name.
            name: of the package's recipe that it was made from.
            changes: made to it, by place.
            paused: whether it waits before its first step.

        Raises:
            BusyError: too many train already.
            RunError: the directory cannot be made.
            HandgradError: the process cannot be started.
        """
        order = {"recipe": name, "changes": dict(changes), "paused": paused, "resume": False}
        with self._lock:
            self._make_room()
            run = RunDirectory.create_next(self._folder.directory, recipe.name).path
            try:
                return self._begin(run, order)
            except HandgradError:
                run.rmdir()
                raise

    def resume(self, name: str, changes: Mapping[str, Any], *, paused: bool) -> Training:
        """Go on with a run of the folder.

        Args:
            name: of its directory.
            changes: to its recipe, by place.
            paused: whether it waits before its next step.

        Raises:
            NotFoundError: there is no such run.
            HandgradError: it is being trained, the folder cannot be read, or the process cannot be started.
            BusyError: too many train already.
        """
        with self._lock:
            run = self._folder.path(name)
            if name in self._trainings and not self._trainings[name].is_over:
                raise HandgradError(f"The run {name} is being trained already; follow it, or stop it first.")
            self._make_room()
            order = {"changes": dict(changes), "paused": paused, "resume": True}
            return self._begin(run, order)

    def _make_room(self) -> None:
        self._end_abandoned()
        over = [name for name, training in self._trainings.items() if training.is_over]
        if len(self._trainings) - len(over) >= self._at_once:
            raise BusyError(f"{self._at_once} trainings run already, which is the most; stop one of them first.")
        forgotten = over[: max(0, len(over) - REMEMBERED)]
        self._trainings = {name: training for name, training in self._trainings.items() if name not in forgotten}

    def _end_abandoned(self) -> None:
        """If all places are taken, end a training that waits for a page which is gone; what it learned is saved."""
        alive = [training for training in self._trainings.values() if not training.is_over]
        if len(alive) < self._at_once:
            return
        for training in alive:
            if training.state == PAUSED and training.log.unread_seconds >= self._abandoned:
                training.stop()
                training.end(_FAREWELL)
                return

    def _begin(self, run: Path, order: Mapping[str, Any]) -> Training:
        training = Training(run, {**order, **self._limits, "run": str(run)})
        others = {name: other for name, other in self._trainings.items() if name != run.name}
        self._trainings = others | {run.name: training}  # as the newest
        return training

    def get(self, name: str) -> Training:
        """The training of that name.

        Raises:
            NotFoundError: there is none.
        """
        training = self._trainings.get(name)
        if training is None:
            raise NotFoundError(f"There is no training {name!r}; it may be a run that was trained before.")
        return training

    def index(self) -> list[Training]:
        """All of them, the newest first."""
        return list(self._trainings.values())[::-1]

    def close(self) -> None:
        """End every training, which saves what it learned; may be called twice."""
        with self._lock:  # after a start that is in progress
            alive = [training for training in self.index() if not training.is_over]
        for training in alive:
            training.stop()
        for training in alive:
            training.end(_FAREWELL)

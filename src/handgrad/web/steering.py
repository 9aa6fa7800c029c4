"""What the page has asked of a training, read by one thread and looked at by the one that trains."""

import json
import threading
import time
from collections.abc import Mapping
from typing import IO, Any

from handgrad.observer import Interruption
from handgrad.training.history import Epoch, Step

#: Ways of going on: without end, not at all, for one update, to the end of the epoch.
RUN, PAUSE, STEP, EPOCH = "resume", "pause", "step", "epoch"


class Steering:
    """Commands as lines of JSON: pause, resume, step, epoch, stop, and set with values.

    A step that is asked for while another is taken is taken after it, and so are epochs; any other way of going on
    forgets them.

    Args:
        paused: whether the training waits before its first step.
        seconds: after which it is stopped, as by the command.
    """

    def __init__(self, *, paused: bool, seconds: float) -> None:
        self.interruption = Interruption()
        self.timed_out = False
        self._mode = PAUSE if paused else RUN
        self._owed = 0  # steps or epochs, where it goes on for so many
        self._settings: dict[str, float] = {}
        self._has_new_settings = False
        self.pace = 0.0  # steps in a second at most; 0 for as many as can be
        self._next_step = 0.0  # when it may be taken; 0 for at once
        self._deadline = time.monotonic() + seconds
        self._changed = threading.Condition()

    def follow(self, lines: IO[str]) -> None:
        """Obey every line until there are no more; then stop, since nobody is left to ask."""
        for line in lines:
            values = json.loads(line)
            self.obey(values["command"], values.get("values") or {})
        self.obey("stop", {})

    def obey(self, command: str, values: Mapping[str, Any]) -> None:
        """Take a command; it is acted upon between two steps."""
        with self._changed:
            if command == "stop":
                self.interruption.requested = True
            elif command == "set":
                self._set(dict(values))
            else:
                self._owed = self._owed + 1 if command == self._mode else 1
                self._mode = command
            self._changed.notify_all()

    def _set(self, values: dict[str, float]) -> None:
        pace = values.pop("steps_per_second", None)
        if pace is not None:
            self.pace, self._next_step = pace, 0.0
        self._settings |= values
        self._has_new_settings |= bool(values)

    @property
    def single(self) -> bool:
        """Whether it goes on step by step."""
        return self._mode == STEP

    def is_pause(self, event: Step | Epoch | None) -> bool:
        """Whether to wait now.

        Args:
            event: that has just happened; None before the first step.
        """
        if not self.interruption.requested and time.monotonic() > self._deadline:
            self.interruption.requested = self.timed_out = True
        reached = {STEP: isinstance(event, Step), EPOCH: isinstance(event, Epoch)}
        with self._changed:
            if reached.get(self._mode):
                self._owed -= 1
                if not self._owed:
                    self._mode = PAUSE
            return self._mode == PAUSE and not self.interruption.requested

    def wait(self, *, pace: float) -> bool:
        """Wait until it is to go on, a setting is to change, it is to stop, or the pace is another.

        Args:
            pace: that is known.

        Returns:
            whether it is to wait on.
        """

        def is_over() -> bool:
            return self._mode != PAUSE or self._is_asked() or self.pace != pace

        with self._changed:
            if not self._changed.wait_for(is_over, max(0.0, self._deadline - time.monotonic())):
                self.interruption.requested = self.timed_out = True
            return self.pauses and not self._has_new_settings

    def slow_down(self) -> None:
        """Wait until the next step may be taken, where the page wants to see them one by one."""
        if not self.pace:
            return

        def is_over() -> bool:
            return self._mode == PAUSE or self._is_asked() or not self._next_step  # which another pace forgets

        with self._changed:
            left = min(self._next_step, self._deadline) - time.monotonic()
            self._changed.wait_for(is_over, max(0.0, left))
            if self.pace:
                self._next_step = max(self._next_step, time.monotonic()) + 1 / self.pace

    def _is_asked(self) -> bool:
        return self._has_new_settings or self.interruption.requested

    def take_settings(self, *, between_epochs: bool) -> dict[str, float]:
        """Settings that are to change now. Another batch size waits for the end of the epoch."""
        if not self._settings:
            return {}
        with self._changed:
            self._has_new_settings = False
            postponed = () if between_epochs else ("batch_size",)
            taken = {name: value for name, value in self._settings.items() if name not in postponed}
            self._settings = {name: value for name, value in self._settings.items() if name in postponed}
            return taken

    @property
    def postponed(self) -> dict[str, float]:
        """Settings that wait for the end of the epoch."""
        return self._settings

    @property
    def pauses(self) -> bool:
        """Whether it is to wait, or wait on."""
        return self._mode == PAUSE and not self.interruption.requested

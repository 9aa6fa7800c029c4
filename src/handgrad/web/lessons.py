"""What the lessons have measured: each network once, in a process of its own, one at a time."""

import subprocess
import threading
from typing import Any

from handgrad.errors import HandgradError
from handgrad.web.errors import BusyError, NotFoundError
from handgrad.web.lesson_cases import CASES
from handgrad.web.processes import kill, start

#: That a measurement may take. It takes one or two, more where no kernel has been compiled before.
SECONDS = 120.0


class Lessons:
    """Measurements by lesson and variant, kept once they are made.

    Args:
        seconds: that each may take.
    """

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._measured: dict[tuple[str, str], bytes] = {}  # at most as many as there are cases
        self._at_work = threading.Lock()
        self._process: subprocess.Popen[Any] | None = None  # the last

    def measure(self, lesson: str, variant: str) -> bytes:
        """A safetensors file with what `handgrad.web.measuring.measure` returns.

        Nobody waits here for a measurement that another has asked for: that would take places from those who draw.

        Args:
            lesson: its name.
            variant: one of its networks.

        Raises:
            NotFoundError: there is no such lesson or network.
            BusyError: another measurement is being made.
            HandgradError: it took too long, or ended early.
        """
        if variant not in CASES.get(lesson, {}):
            raise NotFoundError(f"There is no lesson {lesson[:60]!r} with a network {variant[:60]!r} to measure.")
        key = (lesson, variant)
        if key not in self._measured:
            if not self._at_work.acquire(blocking=False):
                raise BusyError("Another lesson is being measured; try again in a moment.")
            try:
                self._measured[key] = self._run(lesson, variant)
            finally:
                self._at_work.release()
        return self._measured[key]

    def _run(self, lesson: str, variant: str) -> bytes:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with start("handgrad.web.measuring", lesson, variant, **pipes) as process:
            self._process = process
            try:
                output, errors = process.communicate(timeout=self._seconds)
            except subprocess.TimeoutExpired as error:
                raise HandgradError(f"Measuring took more than {self._seconds:g} s, so it was ended.") from error
            finally:
                kill(process)
        if process.returncode != 0:
            last = errors.decode(errors="replace").strip().rpartition("\n")[2].rstrip(".")
            raise HandgradError(f"Measuring ended with exit code {process.returncode}: {last[:200]}.")
        return bytes(output)

    def close(self) -> None:
        """End the measurement that is being made, if there is one; may be called twice."""
        if self._process is not None:
            kill(self._process)

"""What the lessons have measured: each network once, in a process of its own, one at a time."""

import subprocess
import sys
import threading

from handgrad.errors import HandgradError
from handgrad.web.errors import BusyError, NotFoundError
from handgrad.web.lesson_cases import CASES

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
        command = [sys.executable, "-m", "handgrad.web.measuring", lesson, variant]
        try:
            # A session of its own: Ctrl-C in the server's terminal is the server's business.
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._seconds,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise HandgradError(f"Measuring took more than {self._seconds:g} s, so it was ended.") from error
        if ended.returncode != 0:
            last = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2].rstrip(".")
            raise HandgradError(f"Measuring ended with exit code {ended.returncode}: {last[:200]}.")
        return ended.stdout

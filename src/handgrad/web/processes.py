"""Modules of ours that run in a process of their own, and the end of such a process."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from handgrad.errors import HandgradError


def start(module: str, *arguments: str, **options: Any) -> "subprocess.Popen[Any]":
    """Run a module; in a session of its own, so that Ctrl-C in the terminal is the server's business.

    Args:
        module: as `python -m` takes it.
        arguments: of its command line.
        options: of `subprocess.Popen`.

    Raises:
        HandgradError: there is no room for another process.
    """
    try:
        return subprocess.Popen([sys.executable, "-m", module, *arguments], start_new_session=True, **options)
    except OSError as error:
        reason = error.strerror or error
        raise HandgradError(f"A process for this cannot be started ({reason}); close other programs first.") from error


def give_way() -> None:
    """Let other processes go first, where the system can see to that; Windows has no such number."""
    with suppress(AttributeError, OSError):
        os.nice(5)


def kill(process: "subprocess.Popen[Any]") -> None:
    """End a process that `start` made, and the compilers that it may have started; nothing if it has ended."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":  # which has no such groups
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):  # it has ended just now
            os.killpg(process.pid, signal.SIGKILL)

"""A training in a process of its own: `python -m handgrad.web.worker`.

The first line of standard input says what to train, every further line is a command; every line of standard output is
an event. All of them are JSON.
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from handgrad.errors import HandgradError
from handgrad.session import Saving, begin, resume
from handgrad.training.recipe import Recipe
from handgrad.training.run import finite
from handgrad.web.observer import PageObserver
from handgrad.web.processes import give_way
from handgrad.web.steering import Steering

#: Seconds between two checkpoints, which are also what the page sees of the weights.
_SAVING = 1.0


def main() -> int:
    """Train, and tell what happens; returns the exit code."""
    stream = _own_output()

    def tell(event: dict[str, Any]) -> None:
        # A server that is gone is noticed by the end of its commands.
        with suppress(BrokenPipeError):
            stream.write(json.dumps(finite(event), separators=(",", ":")) + "\n")
            stream.flush()

    order = json.loads(sys.stdin.readline())
    _be_modest(order["memory"])
    steering = Steering(paused=order["paused"], seconds=order["seconds"])
    threading.Thread(target=steering.follow, args=(sys.stdin,), daemon=True).start()
    try:
        _train(order, PageObserver(tell, steering))
        return 0
    except MemoryError:
        message = "There is not enough memory for this; take a smaller network or a smaller batch."
    except HandgradError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename or 'A file'}: {error.strerror or error}."
    except Exception as error:  # a bug of ours: the page gets a sentence, and whoever reads the log the rest
        traceback.print_exc()
        message = f"Internal error, {type(error).__name__}: {error}."
    tell({"event": "failed", "message": message})
    return 1


def _train(order: Mapping[str, Any], observer: PageObserver) -> None:
    saving, run = Saving(minutes=_SAVING / 60, keep=2), Path(order["run"])
    if order["resume"]:
        resume(run, order["changes"], device=None, threads=order["threads"], saving=saving, observer=observer)
    else:
        recipe = Recipe.load(order["recipe"]).tailored(order["changes"])
        begin(recipe, run, device="cpu", threads=order["threads"], saving=saving, observer=observer)


def _own_output() -> IO[str]:
    """Standard output for events alone: what anybody else prints goes to standard error."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return stream


def _be_modest(memory: int) -> None:
    """Let others go first, and take no more than so many bytes, where the system can see to that."""
    give_way()
    with suppress(ImportError, OSError, ValueError):
        import resource

        # Of data, not of addresses: threads reserve many of those without using them.
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


if __name__ == "__main__":
    sys.exit(main())

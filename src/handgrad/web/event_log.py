"""What has happened in a training: kept for those who come later, thinned out where there is too much of it."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

#: Events that are kept, and kinds of which only the last is of use.
MOST_EVENTS = 3000
_LATEST_ONLY = ("weights", "confusion", "compiling", "state", "postponed", "pace")
#: Kinds of which every second is left out when there are too many.
_MANY = ("step", "signals", "epoch", "settings", "warning", "started")

Event = dict[str, Any]


class EventLog:
    """Events in order, each with a number under "id", for any number of readers, each at its own pace.

    A reader who is slow holds up nobody: nothing is kept for it, and it misses what was thinned out meanwhile.

    >>> log = EventLog()
    >>> for loss in (0.7, 0.6):
    ...     log.append({"event": "step", "loss": loss})
    >>> [event["loss"] for event in log.after(1)]
    [0.6]
    """

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._events: list[Event] = []
        self._most = most
        self._count = 0
        self._closed = False
        self._lock = threading.Lock()
        self._readers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._left = time.monotonic()  # when the last reader went

    def append(self, event: Event) -> None:
        """Add an event; may be called from any thread."""
        with self._lock:
            self._count += 1
            if event["event"] in _LATEST_ONLY:
                self._events = [other for other in self._events if other["event"] != event["event"]]
            self._events.append({"id": self._count, **event})
            if len(self._events) > self._most:
                self._thin_out()
            self._wake_readers()

    def _thin_out(self) -> None:
        """Leave out every second event of the kinds that come often, but for the latest of each."""
        kept: list[Event] = []
        seen = dict.fromkeys(_MANY, 0)
        for event in reversed(self._events):
            kind = event["event"]
            if kind not in seen or seen[kind] % 2 == 0:
                kept.append(event)
            if kind in seen:
                seen[kind] += 1
        self._events = kept[::-1]

    def close(self) -> None:
        """Say that nothing more will come, so that readers end."""
        with self._lock:
            self._closed = True
            self._wake_readers()

    def _wake_readers(self) -> None:
        for loop, signal in self._readers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(signal.set)

    def after(self, number: int) -> list[Event]:
        """Events that came after the one of that number; 0 for all."""
        with self._lock:
            start = len(self._events)
            while start and self._events[start - 1]["id"] > number:
                start -= 1
            return self._events[start:]

    async def follow(self, number: int = 0, *, patience: float = 15.0) -> AsyncIterator[Event | None]:
        """Every event from the one after `number` on, as they come; None where there was none for a while.

        Args:
            number: of the last event that is known.
            patience: seconds until None.
        """
        reader = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._readers.add(reader)
        try:
            while True:
                reader[1].clear()
                closed = self._closed  # before looking: what comes later is not missed
                for event in self.after(number):
                    number = event["id"]
                    yield event
                if closed:
                    return
                if not reader[1].is_set():
                    try:
                        await asyncio.wait_for(reader[1].wait(), patience)
                    except TimeoutError:
                        yield None
        finally:
            with self._lock:
                self._readers.discard(reader)
                self._left = time.monotonic()

    @property
    def unread_seconds(self) -> float:
        """For how long nobody has followed it."""
        with self._lock:
            return 0.0 if self._readers else time.monotonic() - self._left

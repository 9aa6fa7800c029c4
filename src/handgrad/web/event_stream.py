"""Server-sent events: the answer that goes on, and how many of them there may be."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from handgrad.web.answers import refusal
from handgrad.web.errors import BusyError


class OpenStreams:
    """The streams that are being sent; of the event loop alone.

    Args:
        most: at the same time.
        most_of_one: of one training.

    >>> streams = OpenStreams(most_of_one=1)
    >>> with streams.place("run"), streams.place("run"):
    ...     pass
    Traceback (most recent call last):
    ...
    handgrad.web.errors.BusyError: Too many pages follow run already; close one of them first.
    """

    def __init__(self, most: int = 32, most_of_one: int = 8) -> None:
        self.most, self.most_of_one = most, most_of_one
        self._open: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many there are."""
        return self._open.total()

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """A place for the block.

        Args:
            name: of the training.

        Raises:
            BusyError: they are all taken.
        """
        if self._open[name] >= self.most_of_one or self.count >= self.most:
            raise BusyError(f"Too many pages follow {name} already; close one of them first.")
        self._open[name] += 1
        try:
            yield
        finally:
            self._open[name] -= 1
            self._open += Counter()  # which leaves out the names that have none


class EventStream(StreamingResponse):
    """Messages as they come, or a refusal where too many streams are open; to HEAD, the headers alone.

    Args:
        streams: among which it takes its place while it is sent.
        name: of the training.
        messages: in the form of server-sent events.
    """

    def __init__(self, streams: OpenStreams, name: str, messages: AsyncIterator[str]) -> None:
        super().__init__(messages, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._streams, self._name = streams, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as an ASGI application."""
        if scope["method"] == "HEAD":  # the events would go on, and nobody would read them
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body"})
            return
        try:
            with self._streams.place(self._name):
                await super().__call__(scope, receive, send)
        except BusyError as error:  # before anything was sent
            await refusal(error)(scope, receive, send)

"""Connections that are cut off: those that send or read too slowly, or too much.

uvicorn waits for a request as long as the client likes, which lets a few clients keep every connection busy. This
protocol sets a time for the head of a request, for its body, and for reading the answer.
"""

import asyncio
import socket
from dataclasses import dataclass
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True)
class Limits:
    """What a client may take.

    Args:
        head_seconds: for a request's line and headers, from its first byte, or from the connection's beginning.
        body_seconds: for its body.
        read_seconds: for reading what is ready to be sent.
        idle_seconds: between two requests on one connection.
        head_bytes: of a request's line and headers.
        most_bytes: of one request altogether, read or thrown away after a refusal.
        connections: at once; further ones hear that the server is busy, and twice as many hear nothing.
    """

    head_seconds: float = 10.0
    body_seconds: float = 10.0
    read_seconds: float = 30.0
    idle_seconds: int = 5
    head_bytes: int = 2**14
    most_bytes: int = 2**22
    connections: int = 128


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, within limits.

    Args:
        limits: of each connection.
        settings: uvicorn's own.
    """

    def __init__(self, limits: Limits, **settings: Any) -> None:
        super().__init__(**settings)
        self._limits = limits
        self._awaited = ""  # the part of a request that is on its way
        self._received = 0  # bytes of this request
        self._send_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request, but not for long."""
        super().connection_made(cast(asyncio.Transport, transport))
        # Or the body of an answer waits 40 ms for its head to be acknowledged. asyncio turns this on only for sockets
        # that were made with the protocol's number, which socket.create_server does not do.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > 2 * self._limits.connections:
            self._cut_off()
        else:
            self._wait_for("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._wait_for("")
        self._stop_read_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see what is still to come."""
        self._received += len(data)
        if self._received > self._limits.most_bytes:
            self._cut_off()
            return
        super().data_received(data)
        self._wait_for({h11.IDLE: "head", h11.SEND_BODY: "body"}.get(self.conn.their_state, ""))

    def on_response_complete(self) -> None:
        """The next request may take its time to begin: uvicorn's own limit for idle connections holds until then."""
        super().on_response_complete()
        self._wait_for("body" if self.conn.their_state is h11.SEND_BODY else "")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; where an answer has begun already, all that can be done is to hang up."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self._cut_off()

    def pause_writing(self) -> None:
        """The client does not read; it is given some time."""
        super().pause_writing()
        self._stop_read_timer()
        self._read_timer = self.loop.call_later(self._limits.read_seconds, self._cut_off)

    def resume_writing(self) -> None:
        """It has read."""
        self._stop_read_timer()
        super().resume_writing()

    def _wait_for(self, part: str) -> None:
        """Start the time for a part of a request, unless it runs already; "" for none."""
        if part == self._awaited:
            return
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None
        if part != "body":
            self._received = 0
        self._awaited = part
        if part:
            # The application refuses a slow body itself, in a sentence; this is for one that nobody reads.
            seconds = self._limits.head_seconds if part == "head" else self._limits.body_seconds + 2
            self._send_timer = self.loop.call_later(seconds, self._cut_off)

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _cut_off(self) -> None:
        self.transport.abort()

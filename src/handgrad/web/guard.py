"""What stands in front of everything: who may ask, how much may be sent, and what a browser is told to refuse.

The server is for the machine it runs on. A page from elsewhere, open in the same browser, can send requests to it all
the same; so can one whose name was made to point to this machine (DNS rebinding). Both give themselves away: the first
by `Origin` and `Sec-Fetch-Site`, which a page cannot forge, the second by `Host`.
"""

from collections.abc import Collection, MutableMapping
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handgrad.web.answers import refusal
from handgrad.web.errors import ForbiddenError, TooLargeError, TooSlowError, WebError

#: The names by which a machine calls itself.
LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})

_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PORTS = {"http": 80, "https": 443}


class Guard:
    """Lets through what comes from this server's own page, and sees to it that it arrives in time.

    Args:
        app: what is guarded.
        names: of this server, besides the address at which it was reached.
        most_bytes: that a body may have.
        seconds: in which it must be there.
    """

    def __init__(
        self, app: ASGIApp, *, names: Collection[str] = LOCAL_NAMES, most_bytes: int, seconds: float = 10.0
    ) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":  # there are no web sockets here
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check(scope)
        except WebError as error:
            return await refusal(error)(scope, receive, send_with_headers)
        body = _Body(receive, self._most_bytes, self._seconds)
        return await self._app(scope, body.receive, send_with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers, scope)
        self._check_origin(headers, scope)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > self._most_bytes:
            raise TooLargeError(f"The body has {length[:20]} bytes, expected at most {self._most_bytes:,}.")
        if scope["method"] in ("GET", "HEAD") and ("transfer-encoding" in headers or length.strip("0")):
            raise TooLargeError(f"{scope['method']} has a body, expected none.")

    def _check_host(self, headers: Headers, scope: Scope) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0], scope):
            raise ForbiddenError(
                f"Host is {', '.join(hosts)[:100]!r}, expected this machine's own name; open the address that "
                "`handgrad serve` printed."
            )

    def _check_origin(self, headers: Headers, scope: Scope) -> None:
        """Refuse what another page asks for; following a link to this one is allowed."""
        origins = headers.getlist("origin")
        for origin in origins:
            scheme, _, authority = origin.partition("://")
            if scheme not in _PORTS or not self._is_ours(authority, scope):
                raise ForbiddenError(f"Origin is {origin[:100]!r}, expected this server's own page.")
        site = headers.get("sec-fetch-site", "none")
        is_link = scope["method"] == "GET" and scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if site not in ("same-origin", "none") and (not is_link or origins):
            raise ForbiddenError(f"Sec-Fetch-Site is {site[:40]!r}, expected this server's own page.")

    def _is_ours(self, authority: str, scope: Scope) -> bool:
        """Whether "name:port" is this server."""
        address, port = scope.get("server") or ("", None)
        name, colon, given = authority.lower().rpartition(":")
        if not colon or authority.endswith("]"):
            name, given = authority.lower(), str(_PORTS["http"])
        names = self._names | {f"[{address}]" if ":" in address else address}
        return name in names and (port is None or given == str(port))


class _Body:
    """The body of one request, counted and timed while it is read."""

    def __init__(self, receive: Receive, most_bytes: int, seconds: float) -> None:
        self._receive = receive
        self._left = most_bytes
        self._seconds = seconds
        self._deadline: float | None = None  # begins when somebody starts to read
        self._is_complete = False

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part.

        Raises:
            TooLargeError: there are too many bytes.
            TooSlowError: it takes too long.
        """
        if self._is_complete:  # what comes now is only the news that the client has gone
            return await self._receive()
        if self._deadline is None:
            self._deadline = anyio.current_time() + self._seconds
        with anyio.CancelScope(deadline=self._deadline) as waiting:
            message = await self._receive()
        if waiting.cancelled_caught:
            raise TooSlowError(f"The body was not there after {self._seconds:g} seconds.")
        self._is_complete = not message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLargeError("The body is larger than any that is expected.")
        return message

"""Running the application: the port, its limits, and its end."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from handgrad.errors import ArgumentError, HandgradError
from handgrad.training.recipe import recipe_names
from handgrad.web.application import create_application, find_handler
from handgrad.web.connections import LimitedProtocol, Limits
from handgrad.web.context import Context
from handgrad.web.contract import operations

#: Addresses that mean every address of this machine.
ANYWHERE = ("0.0.0.0", "::")


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound to an address.

    Args:
        host: a name or an address of this machine.
        port: 0 for a free one.

    Raises:
        ArgumentError: it cannot be had.

    >>> with listen("127.0.0.1", 0) as bound:
    ...     bound.getsockname()[0]
    '127.0.0.1'
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)
    except (OSError, UnicodeError) as error:
        raise ArgumentError("host", host, "a name or an address of this machine", "use 127.0.0.1") from error
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0].lower()
        remedy = "choose another with --port, or 0 for any"
        raise ArgumentError("port", port, f"one that can be had on {host} ({reason})", remedy) from error


class PageServer(uvicorn.Server):
    """uvicorn with our limits.

    Args:
        application: from `create_application`.
        limits: of each connection.
        when_ready: called once when answers can be asked for.
    """

    def __init__(
        self,
        application: Starlette,
        limits: Limits,
        *,
        when_ready: Callable[[], None] = lambda: None,
    ) -> None:
        protocol: Any = partial(LimitedProtocol, limits)
        super().__init__(
            uvicorn.Config(
                application,
                http=protocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=limits.connections,
                h11_max_incomplete_event_size=limits.head_bytes,
                timeout_keep_alive=limits.idle_seconds,
                timeout_graceful_shutdown=2,
            )
        )
        self._context: Context = application.state.context
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop the trainings first: the streams that tell of them end by that."""
        await asyncio.to_thread(self._context.close)
        await super().shutdown(sockets)


def serve(
    bound: socket.socket,
    runs: Path,
    extra: Iterable[Path] = (),
    *,
    names: Iterable[str] = (),
    threads: int | None = None,
    when_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve the page until the process is told to end.

    Args:
        bound: where to listen, from `listen`.
        runs: the folder of runs; trainings write into it.
        extra: run directories from elsewhere.
        names: by which the server may be called, besides those of every machine for itself.
        threads: that compute in each training; None for all cores.
        when_ready: called once when answers can be asked for.
    """
    limits = Limits()
    application = create_application(runs, extra, names=set(names), seconds=limits.body_seconds, threads=threads)
    context: Context = application.state.context
    threading.Thread(target=_warm_up, args=(context,), daemon=True).start()
    try:
        with suppress(KeyboardInterrupt):  # uvicorn has ended in order, and passes the signal on
            PageServer(application, limits, when_ready=when_ready).run(sockets=[bound])
    finally:
        context.close()


def _warm_up(context: Context) -> None:
    """Load what the page asks for first while the browser opens: the code before the data."""
    for operation in operations():
        find_handler(operation.id)
    with suppress(HandgradError):
        context.catalog.index()
        context.catalog.open("recipes", recipe_names()[0])

"""The application: every operation of the contract, and the page itself."""

import importlib
import importlib.util
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles

from handgrad.errors import HandgradError
from handgrad.web.answers import as_response, json_response, refusal
from handgrad.web.catalog import Catalog
from handgrad.web.context import Context
from handgrad.web.contract import Operation, operations
from handgrad.web.errors import BusyError, NotFoundError
from handgrad.web.guard import LOCAL_NAMES, Guard

Handler = Callable[..., Any]
Endpoint = Callable[[Request], Awaitable[Response]]

#: Where all operations are.
_API = "/api"
#: Said here, since Windows may be set to call a script plain text, which a browser would then not run.
_MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


def create_application(
    runs: Path,
    extra: Iterable[Path] = (),
    *,
    names: Collection[str] = (),
    seconds: float = 10.0,
    threads: int | None = None,
) -> Starlette:
    """Everything that `handgrad serve` answers.

    Args:
        runs: the folder of runs; trainings write into it.
        extra: run directories from elsewhere, to be looked at too.
        names: by which the server may be called, besides those of every machine for itself.
        seconds: in which the body of a request must arrive.
        threads: that compute in each training; None for all cores.

    Returns:
        an ASGI application; `state.context` is what its handlers share, to be closed in the end.
    """
    context = Context(runs, Catalog(runs, extra), threads)
    guard = Middleware(
        Guard,
        names={*LOCAL_NAMES, *names},
        most_bytes=max(operation.most_bytes for operation in operations()),
        seconds=seconds,
    )
    page = _Page(directory=Path(str(resources.files("handgrad.web"))) / "static", html=True)
    application = Starlette(
        routes=[
            Mount(_API, Router(_routes(context), redirect_slashes=False)),
            Mount("/", GZipMiddleware(page)),  # a quarter of the bytes; numbers would hardly shrink
        ],
        middleware=[guard],
        exception_handlers={HTTPException: _refuse_as_json},
    )
    application.router.redirect_slashes = False
    application.state.context = context
    return application


class _Page(StaticFiles):
    """The page's own files, which a browser asks for again each time, mostly to hear that nothing has changed."""

    def file_response(self, *arguments: Any, **settings: Any) -> Response:
        response = super().file_response(*arguments, **settings)
        response.headers["Cache-Control"] = "no-cache"
        media_type = _MEDIA_TYPES.get(Path(str(arguments[0])).suffix)
        if media_type:
            response.headers["Content-Type"] = media_type
        return response


def _routes(context: Context) -> list[Route]:
    """A route for each path, so that a wrong method is told which ones there are."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for operation in operations():
        endpoints = paths.setdefault(operation.path.removeprefix(_API), {})
        endpoints[operation.method] = partial(_answer, operation, context)
    return [Route(path, _dispatcher(endpoints), methods=[*endpoints]) for path, endpoints in paths.items()]


def _dispatcher(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def dispatch(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return dispatch


async def _answer(operation: Operation, context: Context, request: Request) -> Response:
    try:
        return as_response(await _ask(operation, context, request), request)
    except HandgradError as error:
        return refusal(error)
    except RecursionError:
        return refusal(HandgradError("What was sent is nested too deeply."))
    except MemoryError:
        return refusal(BusyError("There is not enough memory for this; close other programs, or ask for less."))
    except ClientDisconnect:  # nobody hears this
        return json_response({"error": "The body ends too early."}, 400)
    except Exception as error:  # a bug of ours: the page gets a sentence, and whoever started the server the rest
        logging.getLogger(__name__).exception("%s failed", operation.id)
        return json_response({"error": f"Internal error, {type(error).__name__}."}, 500)


async def _ask(operation: Operation, context: Context, request: Request) -> Any:
    """What the handler says to a request that is as the contract wants it."""
    handler = find_handler(operation.id)
    arguments = operation.arguments(request.path_params, request.query_params.multi_items())
    media_type = operation.check_media_type(request.headers.getlist("content-type")) if operation.bodies else ""
    content = await request.body() if operation.bodies else b""

    def read() -> dict[str, Any]:
        return arguments | ({"body": operation.body(media_type, content)} if operation.bodies else {})

    if inspect.iscoroutinefunction(handler):
        return await handler(context, **read())

    def compute() -> Any:
        with np.errstate(all="ignore"):  # a network that diverged shows it in its numbers
            return handler(context, **read())

    return await (context.heavy_turns if operation.heavy else context.turns).take(compute)


@cache
def find_handler(operation_id: str) -> Handler:
    """The function that answers an operation; its module is imported when first asked for.

    Args:
        operation_id: "module.function", the module being one of `handgrad.web.handlers`.

    Raises:
        NotFoundError: there is none.

    >>> find_handler("models.index").__name__
    'index'
    """
    module, _, name = operation_id.partition(".")
    place = f"handgrad.web.handlers.{module}"
    if importlib.util.find_spec(place) is not None:
        handler: Handler | None = getattr(importlib.import_module(place), name, None)
        if handler is not None:
            return handler
    raise NotFoundError(f"{operation_id} is not offered by this server.")


async def _refuse_as_json(request: Request, error: Exception) -> Response:
    """What the router refuses, such as an unknown path, in the form of our own errors."""
    if not isinstance(error, HTTPException):
        raise error
    sentence = f"{request.method} {request.url.path[:200]}: {error.detail}."
    return json_response({"error": sentence}, error.status_code, error.headers)

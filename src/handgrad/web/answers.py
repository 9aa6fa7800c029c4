"""What handlers return, made into answers."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from handgrad.errors import HandgradError
from handgrad.training.run import finite
from handgrad.web.errors import WebError


def as_response(answer: Any, request: Request) -> Response:
    """A response as it is, or plain values as JSON; 304 where the browser has it already.

    Args:
        answer: what a handler returned.
        request: that it answers.
    """
    response = answer if isinstance(answer, Response) else json_response(answer)
    tag = response.headers.get("etag")
    if tag and tag in [
        known.strip().removeprefix("W/") for known in request.headers.get("if-none-match", "").split(",")
    ]:
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": response.headers["cache-control"]})
    return response


def json_response(values: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Plain values as JSON, in which what is not finite is null.

    >>> json_response({"loss": float("nan")}).body
    b'{"loss":null}'
    """
    content = json.dumps(finite(values), ensure_ascii=False, separators=(",", ":"))
    return Response(content.encode("utf-8", "replace"), status, headers, "application/json")


def refusal(error: HandgradError) -> Response:
    """An error's sentence, with its status.

    >>> refusal(HandgradError("There is no seven.")).status_code
    400
    """
    return json_response({"error": str(error)}, error.status if isinstance(error, WebError) else 400)

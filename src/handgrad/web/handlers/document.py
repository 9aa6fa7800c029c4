"""The contract itself."""

from typing import Any

from handgrad.web.context import Context
from handgrad.web.contract import document


def read(context: Context) -> dict[str, Any]:
    """This server's OpenAPI document."""
    return document()

"""What the server refuses on purpose, each with its status in HTTP; any other HandgradError is a 400."""

from typing import ClassVar

from handgrad.errors import HandgradError


class WebError(HandgradError):
    """Base class of refusals that have a status of their own."""

    status: ClassVar[int] = 400


class NotFoundError(WebError):
    """There is nothing of that name."""

    status = 404


class ForbiddenError(WebError):
    """Another page, or another name of this machine, asked for it."""

    status = 403


class TooSlowError(WebError):
    """The request took too long to arrive."""

    status = 408


class TooLargeError(WebError):
    """The body is larger than the contract allows, or the answer would be larger than is sent."""

    status = 413


class MediaTypeError(WebError):
    """The body is of a kind that the contract does not name."""

    status = 415


class ContractError(WebError):
    """A path, a query or a body is not as the contract describes it."""

    status = 422


class BusyError(WebError):
    """Too much is asked for at once; it may work a little later."""

    status = 429

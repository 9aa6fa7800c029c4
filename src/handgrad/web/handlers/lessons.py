"""What the lessons show."""

from starlette.responses import Response

from handgrad.web.arrays import MEDIA_TYPE
from handgrad.web.context import Context


def measure(context: Context, *, name: str, variant: str) -> Response:
    """A network of a lesson: its training, its layers before and after, and what the doctor says of it."""
    return Response(context.lessons.measure(name, variant), media_type=MEDIA_TYPE)

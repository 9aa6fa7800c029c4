"""Arrays for the page: a safetensors file of float32 numbers, with what is said about them in its metadata."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from handgrad.training.run import finite
from handgrad.web.errors import TooLargeError

MEDIA_TYPE = "application/octet-stream"
#: Bytes of the arrays that are sent at once.
_MOST_SENT = 64 * 2**20


def arrays_response(
    arrays: Mapping[str, NDArray[Any]], about: Any, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Arrays and plain values as one file.

    Args:
        arrays: by name; made float32.
        about: plain values for JSON, which the page finds under `about`; what is not finite becomes null.
        headers: of the answer.

    Raises:
        TooLargeError: the arrays have more bytes than are sent at once.

    >>> response = arrays_response({"0.weight": np.eye(2)}, {"version": "1"})
    >>> import safetensors.numpy
    >>> safetensors.numpy.load(bytes(response.body))["0.weight"].dtype
    dtype('float32')
    """
    import safetensors.numpy

    size = 4 * sum(array.size for array in arrays.values())  # as float32
    if size > _MOST_SENT:
        raise TooLargeError(f"arrays would be {size:,} bytes, expected at most {_MOST_SENT:,}; ask for fewer at once.")
    plain = {name: np.array(array, np.float32, order="C") for name, array in arrays.items()}
    metadata = {"about": json.dumps(finite(about))}
    return Response(safetensors.numpy.save(plain, metadata), media_type=MEDIA_TYPE, headers=headers)

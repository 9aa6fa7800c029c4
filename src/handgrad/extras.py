"""Optional packages: imported when they are needed, and named by their extra when they are missing."""

import importlib
from typing import Any

from handgrad.errors import MissingExtraError


def load(package: str, extra: str) -> Any:
    """Import an optional package.

    Args:
        package: its name, as `import` takes it.
        extra: the extra of handgrad that brings it.

    Raises:
        MissingExtraError: it is not installed.

    >>> load("json", "none").dumps([1])
    '[1]'
    >>> load("no_such_package", "torch")
    Traceback (most recent call last):
    ...
    handgrad.errors.MissingExtraError: This needs no_such_package, not installed here: python -m pip
        install "handgrad[torch]".
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != package.partition(".")[0]:
            raise  # it is installed, and something that it needs is missing
        raise MissingExtraError(
            f'This needs {package}, not installed here: python -m pip install "handgrad[{extra}]".'
        ) from error

"""What goes wrong between handgrad and another library."""

from handgrad.errors import HandgradError


class MissingExtraError(HandgradError, ModuleNotFoundError):
    """An optional package is not installed; the message says which extra brings it.

    It is a `ModuleNotFoundError` too, so that `pytest.importorskip("handgrad.interop.torch")` and the like work.
    """


class TranslationError(HandgradError):
    """Something of one library has no equal in the other; the message names it."""

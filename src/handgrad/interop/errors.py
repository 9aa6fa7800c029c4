"""What goes wrong between handgrad and another library."""

from handgrad.errors import HandgradError


class TranslationError(HandgradError):
    """Something of one library has no equal in the other; the message names it."""

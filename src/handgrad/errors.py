"""Every error handgrad raises on purpose: one sentence that a user can act on."""


class HandgradError(ValueError):
    """Base class of all errors that handgrad raises on purpose.

    Its message is one sentence; the command line prints it without a traceback.
    """


class ArgumentError(HandgradError):
    """An argument has a value that cannot work.

    The message names the argument, the value got, what was expected and what to do.

    Args:
        name: the argument, as the caller wrote it.
        value: the value that was passed.
        expected: what would have been accepted, as a noun phrase.
        remedy: what to do about it, as an imperative; left out where `expected` already says it.

    >>> print(ArgumentError("learning_rate", -1.0, "a number > 0", "try 0.01"))
    learning_rate is -1.0, expected a number > 0; try 0.01.
    """

    def __init__(self, name: str, value: object, expected: str, remedy: str = "") -> None:
        self.name = name
        self.value = value
        self.expected = expected
        sentence = f"{name} is {value!r}, expected {expected}{'; ' + remedy if remedy else ''}"
        super().__init__(sentence if sentence.endswith("?") else sentence + ".")


class ShapeError(ArgumentError):
    """An array's shape does not fit the layer, loss or data set that received it."""


class NonFiniteError(HandgradError):
    """A number that must be finite is not.

    Args:
        what: which number.
        value: NaN or an infinity.

    >>> str(NonFiniteError("loss", float("nan")))
    'the loss is nan, not a finite number'
    """

    def __init__(self, what: str, value: float) -> None:
        super().__init__(f"the {what} is {value}, not a finite number")
        self.what = what
        self.value = value


class NotInitializedError(HandgradError, AttributeError):
    """A layer was used before its outermost layer got its parameters."""


class DataError(HandgradError):
    """A data file or directory cannot be used; the message names file, place, expected and found."""


class RecipeError(HandgradError):
    """A recipe names something that does not exist, or holds a value of the wrong kind."""


class DeviceError(HandgradError):
    """A device was asked for whose library or hardware is missing."""


class RunError(HandgradError):
    """A run directory cannot be read or written."""


class MissingExtraError(HandgradError, ModuleNotFoundError):
    """An optional package is not installed; the message says which extra brings it.

    It is a `ModuleNotFoundError` too, so that `pytest.importorskip("handgrad.interop.torch")` and the like work.
    """

"""`handgrad reproduce`."""


def command() -> None:
    """Not yet."""

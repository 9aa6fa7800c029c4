"""`handgrad explain`."""


def command() -> None:
    """Not yet."""

"""`handgrad evaluate`."""


def command() -> None:
    """Not yet."""

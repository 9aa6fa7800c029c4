"""`handgrad predict`."""


def command() -> None:
    """Not yet."""

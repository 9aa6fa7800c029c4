"""`handgrad data`."""


def command() -> None:
    """Not yet."""

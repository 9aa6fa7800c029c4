"""What tests say about errors and about numbers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from prepare import Values

from handgrad.errors import ArgumentError
from handgrad.inspection.slopes import relative_error


@contextmanager
def rejected(name: str, value: object, kind: type[ArgumentError] = ArgumentError) -> Iterator[None]:
    """Inside it an argument must be refused, by an error that names the argument and the value."""
    with pytest.raises(kind) as caught:
        yield
    assert (caught.value.name, caught.value.value) == (name, value)
    assert str(caught.value).startswith(f"{name} is {value!r}, expected ")


def assert_agree(ours: Mapping[str, Values], theirs: Mapping[str, Values], tolerance: float) -> None:
    """The same names, and arrays of the same shape that differ at most by the tolerance, relative to their largest."""
    assert ours.keys() == theirs.keys()
    errors = {name: relative_error(ours[name], theirs[name]) for name in ours}
    assert {name: error for name, error in errors.items() if not error <= tolerance} == {}

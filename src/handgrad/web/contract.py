"""openapi.json: which operations there are, and whether a request is one of them."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any

import jsonschema
import jsonschema.validators
from jsonschema.exceptions import ValidationError, best_match

from handgrad.errors import ArgumentError, HandgradError
from handgrad.web.errors import ContractError, MediaTypeError, TooLargeError

#: The most bytes that a body of JSON may have.
MOST_JSON = 2**18
#: How much of a value that is refused is repeated.
_SHOWN = 60
_LOOKED_AT = 20  # errors, for the one that is told; a body may have thousands
#: Up to here a double holds every integer.
_EXACT = 2**53
_DIGITS = 20  # more than any of those integers has
_METHODS = ("get", "post")
_NUMBER = re.compile(r"-?[0-9]{1,15}")


@cache
def document() -> dict[str, Any]:
    """The contract as it ships."""
    return dict(json.loads((resources.files("handgrad.web") / "openapi.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Parameter:
    """A value in the path or in the query.

    Args:
        name: as it is written.
        place: "path" or "query".
        required: whether it must be there.
        schema: what it may be.
    """

    name: str
    place: str
    required: bool
    schema: Mapping[str, Any]

    def read(self, text: str) -> Any:
        """The value, converted and checked.

        Raises:
            ContractError: it is not what the schema asks for.
        """
        value: Any = text
        kind = self.schema.get("type")
        if kind == "integer" and _NUMBER.fullmatch(text):
            value = int(text)
        elif kind == "boolean":
            value = {"true": True, "false": False}.get(text, text)
        _check(value, self.schema, self.name)
        return value


@dataclass(frozen=True)
class Operation:
    """One thing that the page can ask for.

    Args:
        id: "module.function" of its handler.
        method: "GET" or "POST".
        path: with names in braces.
        parameters: of path and query.
        bodies: schema by media type; empty where there is no body.
        heavy: whether it may take a second or more, so that it has to leave room for the others.
    """

    id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    bodies: Mapping[str, Mapping[str, Any]]
    heavy: bool = False

    @property
    def most_bytes(self) -> int:
        """The most that its body may have."""
        return max((schema.get("maxLength", MOST_JSON) for schema in self.bodies.values()), default=0)

    def arguments(self, path: Mapping[str, str], query: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """Path and query as the handler takes them; what was left out has its default, or None.

        Raises:
            ContractError: one is missing, unknown, there twice, or not what its schema asks for.
        """
        given = dict(path)
        known = {parameter.name for parameter in self.parameters if parameter.place == "query"}
        for name, text in query:
            if name not in known or name in given:
                expected = f"each of {', '.join(sorted(known))} once" if known else "nothing"
                raise ContractError(f"The query has {_shown(name)}, expected {expected}.")
            given[name] = text
        values = {}
        for parameter in self.parameters:
            if parameter.name in given:
                values[parameter.name] = parameter.read(given[parameter.name])
            elif parameter.required:
                raise ContractError(f"The query has no {parameter.name}, which is needed.")
            else:
                values[parameter.name] = parameter.schema.get("default")
        return values

    def check_media_type(self, content_types: Sequence[str]) -> str:
        """The media type of the body, without its settings.

        Args:
            content_types: every header of that name.

        Raises:
            MediaTypeError: there is none, or another one than the contract names.
        """
        found = ", ".join(content_types)
        media_type = found.partition(";")[0].strip().lower()
        if media_type not in self.bodies:
            raise MediaTypeError(f"Content-Type is {_shown(found)}, expected {' or '.join(self.bodies)}.")
        return media_type

    def body(self, media_type: str, content: bytes) -> Any:
        """The body as the handler takes it: JSON checked and with its defaults, or bytes.

        Raises:
            HandgradError: it is not JSON.
            ContractError: it is not what the schema asks for.
            TooLargeError: there is too much of it.
        """
        if len(content) > self.most_bytes:
            raise TooLargeError(f"The body has {len(content):,} bytes, expected at most {self.most_bytes:,}.")
        if media_type != "application/json":
            return content
        value = parse_json(content)
        _check(value, self.bodies[media_type], "")
        return _with_defaults(value, self.bodies[media_type])


@cache
def operations() -> tuple[Operation, ...]:
    """All of them."""
    return tuple(
        _operation(path, method, values)
        for path, methods in document()["paths"].items()
        for method, values in methods.items()
        if method in _METHODS
    )


def _operation(path: str, method: str, values: Mapping[str, Any]) -> Operation:
    parameters = [_resolved(parameter) for parameter in values.get("parameters", ())]
    content = values.get("requestBody", {}).get("content", {})
    return Operation(
        id=values["operationId"],
        method=method.upper(),
        path=path,
        parameters=tuple(
            Parameter(each["name"], each["in"], each.get("required", False), each["schema"]) for each in parameters
        ),
        bodies={media_type: _resolved(body["schema"]) for media_type, body in content.items()},
        heavy=values.get("x-heavy", False),
    )


def _resolved(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference such as #/components/schemas/Edit refers to; anything else as it is."""
    if "$ref" not in value:
        return value
    found: Any = document()
    for part in value["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def parse_json(content: bytes) -> Any:
    """JSON as the standard has it: no NaN, no number that a double does not hold, no half of a surrogate pair.

    Numbers without a fraction become integers, however they are written, as JSON Schema understands them.

    Raises:
        HandgradError: it is not JSON.

    >>> parse_json(b'{"updates": 3.0}')
    {'updates': 3}
    """

    def refuse(text: str) -> Any:
        raise ValueError(f"{text[:_DIGITS]}{'…' * (len(text) > _DIGITS)} is no number that can be kept")

    def number(text: str) -> float | int:
        value = float(text)
        if not math.isfinite(value):
            refuse(text)
        return int(value) if value.is_integer() and abs(value) < _EXACT else value

    def integer(text: str) -> int:
        return int(text) if len(text) <= _DIGITS and abs(int(text)) <= _EXACT else refuse(text)

    try:
        value = json.loads(content, parse_constant=refuse, parse_float=number, parse_int=integer)
        if rb"\ud" in content.lower():
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except RecursionError as error:
        raise HandgradError("The body is nested too deeply.") from error
    except ValueError as error:
        raise HandgradError(f"The body is not JSON: {str(error)[:_SHOWN]}.") from error


def _check(value: Any, schema: Mapping[str, Any], name: str) -> None:
    error = best_match(islice(_validator(json.dumps(schema)).iter_errors(value), _LOOKED_AT))
    if error is not None:
        raise ContractError(_sentence(error, name))


@cache
def _validator(schema: str) -> Any:
    """References point into the document, so its components come along."""
    return _Validator(json.loads(schema) | {"components": document()["components"]})


def _items(validator: Any, items: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The keyword `items`: nothing of a list that is too long anyway, and plain numbers a hundred times as fast."""
    if not isinstance(instance, list) or len(instance) > schema.get("maxItems", math.inf):
        return
    if items.get("type") != "number" or items.keys() - {"type", "minimum", "maximum"}:
        yield from jsonschema.Draft202012Validator.VALIDATORS["items"](validator, items, instance, schema)
        return
    least, most = items.get("minimum", -math.inf), items.get("maximum", math.inf)
    wrong = (place for place, x in enumerate(instance) if type(x) not in (int, float) or not least <= x <= most)
    for place in islice(wrong, 1):  # the first is enough
        yield from validator.descend(instance[place], items, path=place)


_Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"items": _items})

_EXPECTED = {
    "maximum": "at most {}",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
    "minItems": "at least {} items",
    "maxProperties": "at most {} values",
    "enum": "one of {}",
    "type": "{}",
}


def _sentence(error: ValidationError, name: str) -> str:
    """What is wrong, in the words of our other errors."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    place = f"{name}{place}".lstrip(".") or "The body"
    if error.validator in _EXPECTED:
        value = error.validator_value
        listed = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        expected = _EXPECTED[str(error.validator)].format(listed)
        return str(ArgumentError(place, _Shown(error.instance), expected))
    return f"{place}: {error.message[:200]}."


class _Shown:
    """A value whose repr is short."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return _shown(self._value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """The same with the defaults of what was left out, also inside of nested tables."""
    schema = _resolved(schema)
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for name, inner in schema.get("properties", {}).items():
        if name in filled:
            filled[name] = _with_defaults(filled[name], inner)
        elif "default" in inner:
            filled[name] = inner["default"]
    return filled

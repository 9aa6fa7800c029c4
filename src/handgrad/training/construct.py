"""From a name and settings, as a recipe writes them, to the object they describe."""

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from handgrad.errors import HandgradError, RecipeError

T = TypeVar("T")

#: Settings that are objects, which a recipe chooses by `model.init`.
_NOT_IN_TOML = ("weight_init", "bias_init")


def construct(known: Mapping[str, type[T]], table: Mapping[str, Any], where: str, **inferred: Any) -> T:
    """Build the object that a table such as `{name = "sgd", learning_rate = 0.1}` describes.

    Args:
        known: class by name.
        table: "name", and settings that the class accepts.
        where: the table's place in the recipe, for error messages.
        inferred: settings taken from the context; those that the class does not have are left out.

    Raises:
        RecipeError: an unknown name or setting, a missing one, or a value that the class refuses.

    >>> construct({"sgd": handgrad.SGD}, {"name": "sgd", "momentum": 0.9}, "optimizer").momentum
    0.9
    """
    settings = dict(table)
    name = settings.pop("name", None)
    if not isinstance(name, str) or name not in known:
        raise RecipeError(f"{where}.name is {name!r}, expected one of {', '.join(known)}{did_you_mean(name, known)}.")
    kind = known[name]
    accepted = inspect.signature(kind).parameters
    for setting in settings:
        if setting not in accepted or setting in _NOT_IN_TOML:
            hint = did_you_mean(setting, accepted)
            raise RecipeError(f"{where}.{setting} is not a setting of {name}, which has {', '.join(accepted)}{hint}.")
    settings = {key: value for key, value in inferred.items() if key in accepted} | settings
    try:
        return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()})
    except (HandgradError, TypeError, AttributeError) as error:
        raise RecipeError(f"{where} ({name}): {error}") from error


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A question in parentheses if the name is close to a known one, whatever its capitals, else nothing.

    >>> did_you_mean("sgdd", ["sgd", "adam"]), did_you_mean("relu", ["ReLU"])
    (' (did you mean sgd?)', ' (did you mean ReLU?)')
    """
    spelt = {each.lower(): each for each in known}
    close = difflib.get_close_matches(str(name).lower(), list(spelt), n=1)
    return f" (did you mean {spelt[close[0]]}?)" if close else ""

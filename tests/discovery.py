"""Which classes handgrad has, without anybody keeping a list."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from handgrad import initializers, layers
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.optimizers import Optimizer
from handgrad.schedules import Schedule


def concrete(base: type) -> Iterator[type]:
    """Every class below `base` that can be instantiated and that its own module of handgrad holds.

    The last condition leaves out the classes of doctests, whose module claims to be the one they are written in.
    """
    subclasses: list[type] = base.__subclasses__()
    for kind in subclasses:
        yield from concrete(kind)
        if kind.__module__.startswith("handgrad.") and not inspect.isabstract(kind) and _is_held(kind):
            yield kind


def _is_held(kind: type) -> bool:
    return vars(importlib.import_module(kind.__module__)).get(kind.__name__) is kind


def _by_name(kinds: Iterator[type]) -> list[type]:
    return sorted(set(kinds), key=lambda kind: kind.__name__)


for module in pkgutil.walk_packages(layers.__path__, "handgrad.layers."):
    importlib.import_module(module.name)

LAYER_KINDS = _by_name(concrete(Layer))
LOSS_KINDS = _by_name(concrete(Loss))
OPTIMIZER_KINDS = _by_name(concrete(Optimizer))
SCHEDULE_KINDS = _by_name(concrete(Schedule))
INITIALIZER_KINDS = _by_name(
    kind for kind in vars(initializers).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
)

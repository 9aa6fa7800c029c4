"""A case for every operation, over many shapes: odd ones, one row, widths around those of vectors and tiles.

Convolution and pooling have their own files.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from compare import REFERENCE, Case, Numbers, Stored, absolute_values

from handgrad.ops import Ops, Shape
from handgrad.ops.distortion import knots

WIDTHS = (1, 7, 10, 16, 31, 32, 33, 64, 129, 300)
#: Rows and columns: one row, odd numbers, a short last batch, more rows than a chunk.
MATRICES: list[Shape] = [*((rows, width) for rows, width in zip(itertools.cycle((1, 3, 16, 37)), WIDTHS, strict=False))]
MATRICES += [(1, 1), (64, 10), (37, 10), (2, 129), (515, 7), (300, 257)]
IMAGES: list[Shape] = [
    (1, 1, 1, 1),
    (2, 3, 4, 5),
    (3, 7, 5, 1),
    (1, 5, 1, 9),
    (5, 16, 7, 7),
    (9, 33, 6, 5),
    (2, 300, 3, 3),
]
ANY_SHAPE: list[Shape] = [*MATRICES, (1,), (7,), (300,), (2, 3, 4), (1, 5, 33), (3, 1, 1), *IMAGES]
NOT_FILLED = np.float32(np.nan)


def numbers(shape: Shape, seed: int = 0, scale: float = 1.0, offset: float = 0.0) -> Numbers:
    """Normal random numbers; images have their channels last, as convolutions make them."""
    drawn = np.random.default_rng((seed, *shape)).normal(offset, scale, shape).astype(np.float32)
    return np.ascontiguousarray(drawn.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if len(shape) == 4 else drawn


def to_fill(*shape: int, order: tuple[int, ...] | None = None) -> Stored:
    """An array of the state that an operation must write whole."""
    return Stored(np.full(shape, NOT_FILLED), order)


def _name(shape: Shape) -> str:
    return "x".join(map(str, shape))


# -- element by element ------------------------------------------------------------------------------------

ONE_ARGUMENT: list[tuple[str, str, Callable[..., Any], Callable[..., Any] | None]] = [
    ("relu", "", lambda ops, x: ops.relu(x), None),
    ("relu", "leaky ", lambda ops, x: ops.relu(x, 0.1), None),
    ("sigmoid", "", lambda ops, x: ops.sigmoid(x), None),
    ("tanh", "", lambda ops, x: ops.tanh(x), None),
    ("gelu", "", lambda ops, x: ops.gelu(x), lambda x: [np.abs(x)]),
    ("affine", "", lambda ops, x: ops.affine(x, -1.5, 0.25), lambda x: [1.5 * np.abs(x) + 0.25]),
    ("affine", "nothing added ", lambda ops, x: ops.affine(x, 0.3, 0.0), None),
    ("cast", "", lambda ops, x: ops.cast(x, like=x), None),
    ("asarray", "", lambda ops, x: ops.asarray(x, "float32"), None),
]
TWO_ARGUMENTS: list[tuple[str, str, Callable[..., Any], Callable[..., Any] | None]] = [
    ("relu_dx", "", lambda ops, dy, x: ops.relu_dx(dy, x), None),
    ("relu_dx", "leaky ", lambda ops, dy, x: ops.relu_dx(dy, x, 0.1), None),
    ("sigmoid_dx", "", lambda ops, dy, y: ops.sigmoid_dx(dy, y), lambda dy, y: [np.abs(dy * y) * (1 + np.abs(y))]),
    ("tanh_dx", "", lambda ops, dy, y: ops.tanh_dx(dy, y), lambda dy, y: [np.abs(dy) * (1 + y * y)]),
    ("gelu_dx", "", lambda ops, dy, x: ops.gelu_dx(dy, x), lambda dy, x: [np.abs(dy) * (1 + np.abs(x) + np.abs(x**3))]),
    ("add", "", lambda ops, x, y: ops.add(x, y), absolute_values),
    ("multiply", "", lambda ops, x, y: ops.multiply(x, y), None),
]


def elementwise_cases() -> Iterator[Case]:
    """Each over rows, stacks of rows, vectors and images."""
    for shape in ANY_SHAPE:
        yield from elementwise_cases_of(shape)


def elementwise_cases_of(shape: Shape) -> Iterator[Case]:
    """Each for one shape."""
    for name, note, call, magnitude in ONE_ARGUMENT:
        yield Case(name, f"{note}{_name(shape)}", call, (numbers(shape, scale=2.0),), magnitude=magnitude)
    for name, note, call, magnitude in TWO_ARGUMENTS:
        inputs = numbers(shape), numbers(shape, seed=1)
        yield Case(name, f"{note}{_name(shape)}", call, inputs, magnitude=magnitude)


# -- making, moving and looking up -------------------------------------------------------------------------

RESHAPES: list[tuple[Shape, Shape]] = [
    ((6, 4), (6, 2, 2)),
    ((12,), (1, 12)),
    ((33,), (1, 33, 1, 1)),
    ((5, 7, 3, 3), (5, 63)),
    ((5, 63), (5, 7, 3, 3)),
    ((4, 1, 6, 5), (4, 30)),
    ((4, 9), (4, 9, 1, 1)),
    ((2, 16, 7, 7), (2, 784)),
    ((3, 24), (3, 2, 4, 3)),
    ((2, 3, 4, 5), (2, 3, 4, 5)),
]
TAKES: list[tuple[str, Shape, Shape]] = [
    ("rows", (9, 6), (6,)),
    ("and a one", (9, 6), (7,)),
    ("flat images", (5, 4, 3), (12,)),
    ("grey images", (5, 4, 3), (1, 4, 3)),
    ("images", (6, 4, 5, 3), (3, 4, 5)),
    ("wide", (40, 28, 28), (784,)),
    ("wide and a one", (40, 15, 17), (256,)),
]


def array_cases() -> Iterator[Case]:
    """Numbers everywhere, other shapes of the same elements, rows of a table."""
    yield Case("zeros", "matrix", lambda ops: ops.zeros((3, 5), "float32"))
    yield Case("zeros", "images", lambda ops: ops.zeros((2, 3, 4, 5), "float32"))
    yield Case("full", "vector", lambda ops, x: ops.full((33,), 0.3, like=x), (numbers((1,)),))
    yield Case("full", "images", lambda ops, x: ops.full((2, 3, 4, 5), -2.0, like=x), (numbers((1,)),))
    for old, new in RESHAPES:
        yield Case("reshape", f"{_name(old)} {_name(new)}", _reshaping(new), (numbers(old),))
    for (note, source, shape), kind in itertools.product(TAKES, (np.uint8, np.float32)):
        yield from _takes(note, source, shape, kind)
        table = np.random.default_rng(4).integers(0, 256, (source[0], math.prod(source[1:]))).astype(kind)
        yield Case("take", f"all {note} of {np.dtype(kind)}", _take_all(shape), (table,), magnitude=_all_magnitude)
    for labels, classes in (([0], 1), ([2, 0, 1, 2], 3), ([9, 299, 0], 300)):
        yield Case("one_hot", f"{classes} classes", _labelling(classes), (np.array(labels), numbers((1,))))


def distortion_cases() -> Iterator[Case]:
    """Images of every kind of shape, all or chosen ones, turned only and bent as well."""
    limits = 0.3, 0.2, 0.2, 2.0, 3.0
    for shape in ((28, 28, 1), (7, 12, 1), (1, 9, 1), (9, 1, 2), (1, 1, 1), (40, 33, 3), (129, 5, 1)):
        images = np.random.default_rng(6).integers(0, 256, (9, math.prod(shape)), np.uint8)
        for spacing, bends in ((float(max(shape)), False), (5.0, True)):
            nodes = math.prod(knots(extent, spacing) for extent in shape[:2])
            for rows in (1, 7):
                drawn = np.random.default_rng(7).random((rows, 6 + bends * 2 * nodes), np.float32)
                index = np.random.default_rng(8).integers(0, 9, rows)
                note = f"{_name(shape)} {'bent' if bends else 'turned'} {rows}"
                call = _distorting(shape, limits, spacing)
                yield Case("distort", f"chosen {note}", call, (index, drawn), (Stored(images),), _a_level)
                all_of = _distorting(shape, limits, spacing, every=True)
                yield Case("distort", f"all {note}", all_of, (images[:rows], drawn), magnitude=_a_level)


def _a_level(*_: Numbers) -> list[Any]:
    """Places a rounding apart may end in bytes one apart, and `assert_close` allows 1e-5 of this."""
    return [1.001e5]


def _distorting(shape: Shape, limits: tuple[float, ...], spacing: float, *, every: bool = False) -> Callable[..., Any]:
    if every:
        return lambda ops, images, drawn: ops.distort(images, None, drawn, shape, limits, spacing)
    return lambda ops, index, drawn, images: ops.distort(images, index, drawn, shape, limits, spacing)


def _reshaping(shape: Shape) -> Callable[..., Any]:
    return lambda ops, x: ops.reshape(x, shape)


def _labelling(classes: int) -> Callable[..., Any]:
    return lambda ops, labels, like: ops.one_hot(labels, classes, like=like)


def _all_magnitude(table: Numbers) -> list[Any]:
    return [2 * (np.max(table) + 0.5)]


def _take_all(shape: Shape) -> Callable[..., Any]:
    return lambda ops, table: ops.take(table, None, 0.5, 2.0, shape)


def _takes(note: str, source: Shape, shape: Shape, kind: Any) -> Iterator[Case]:
    table = np.random.default_rng(4).integers(0, 256, source).astype(kind)
    for rows in (1, 7):
        index = np.random.default_rng(5).integers(0, source[0], rows)

        def call(ops: Ops, index: Any, table: Any) -> Any:
            return ops.take(table, index, 31.0, 1 / 77, shape)

        def magnitude(index: Numbers, table: Numbers) -> list[Any]:
            return [(np.max(np.abs(table)) + 31) / 77]

        yield Case("take", f"{note} {rows} of {np.dtype(kind)}", call, (index,), (Stored(table),), magnitude)


# -- linear ------------------------------------------------------------------------------------------------

#: Rows, inputs, outputs: every width as either, and sizes that are shared out by columns.
LINEARS = [(rows, width, 33) for rows, width in itertools.product((1, 5, 16), WIDTHS)]
LINEARS += [(rows, 31, width) for rows, width in itertools.product((1, 6, 37), WIDTHS)]
LINEARS += [(64, 300, 300), (130, 270, 260), (37, 129, 515), (7, 784, 128), (128, 64, 10), (515, 16, 16), (33, 33, 33)]


def linear_cases() -> Iterator[Case]:
    """With a bias and without, of rows and of stacks of rows."""
    for rows, inputs, outputs in LINEARS:
        yield from linear_cases_of((rows, inputs), (rows, outputs))
    yield from linear_cases_of((2, 3, 33), (2, 3, 17))
    yield from linear_cases_of((7,), (5,))


def linear_cases_of(x_shape: Shape, y_shape: Shape) -> Iterator[Case]:
    """Forward and both gradients, with a bias and without."""
    note, outputs, inputs = f"{_name(x_shape)} to {y_shape[-1]}", y_shape[-1], x_shape[-1]
    x, dy = numbers(x_shape), numbers(y_shape, seed=1)
    weight, bias = Stored(numbers((outputs, inputs), seed=2), (1, 0)), Stored(numbers((outputs,), seed=3))
    fill = to_fill(outputs, inputs, order=(1, 0)), to_fill(outputs)

    def forward(ops: Ops, x: Any, weight: Any, bias: Any = None) -> Any:
        return ops.linear(x, weight, bias)

    def gradients(ops: Ops, dy: Any, x: Any, weight: Any, bias: Any = None) -> None:
        ops.linear_grads(dy, x, out=(weight, bias))

    yield Case("linear", note, forward, (x,), (weight, bias), absolute_values)
    yield Case("linear", f"no bias {note}", forward, (x,), (weight,), absolute_values)
    yield Case("linear_dx", note, lambda ops, dy, weight: ops.linear_dx(dy, weight), (dy,), (weight,), absolute_values)
    yield Case("linear_grads", note, gradients, (dy, x), fill, absolute_values)
    yield Case("linear_grads", f"no bias {note}", gradients, (dy, x), fill[:1], absolute_values)


# -- softmax and losses ------------------------------------------------------------------------------------

LOSS_SHAPES: list[Shape] = [(1, 1), (1, 7), (2, 10), (33, 10), (128, 10), (7, 33), (3, 129), (5, 300), (515, 3)]


def softmax_cases() -> Iterator[Case]:
    """Over the last axis of vectors, rows and stacks of rows."""
    for shape in (shape for shape in ANY_SHAPE if len(shape) != 4):
        x, dy = numbers(shape, scale=3.0), numbers(shape, seed=1)
        y, log_y = REFERENCE.softmax(x), REFERENCE.log_softmax(x)
        yield Case("softmax", _name(shape), lambda ops, x: ops.softmax(x), (x,))
        yield Case("softmax_dx", _name(shape), lambda ops, dy, y: ops.softmax_dx(dy, y), (dy, y), magnitude=_softmax_dx)
        yield Case("log_softmax", _name(shape), lambda ops, x: ops.log_softmax(x), (x,), magnitude=_log_softmax)
        yield Case(
            "log_softmax_dx", _name(shape), lambda ops, dy, y: ops.log_softmax_dx(dy, y), (dy, log_y),
            magnitude=lambda dy, y: [np.abs(dy) + np.exp(y) * np.abs(dy).sum(axis=-1, keepdims=True)],
        )  # fmt: skip


def _softmax_dx(dy: Numbers, y: Numbers) -> list[Any]:
    return [y * (np.abs(dy) + np.sum(np.abs(dy) * y, axis=-1, keepdims=True))]


def _log_softmax(x: Numbers) -> list[Any]:
    shifted = x - x.max(axis=-1, keepdims=True)
    total = np.exp(shifted).sum(axis=-1, keepdims=True)
    return [np.abs(shifted) + np.abs(np.log(total)) + 1]  # the relative error of the total is absolute in its logarithm


def loss_cases() -> Iterator[Case]:
    """Targets that add up to 1 and others; every example weighs something else."""
    for shape, one_hot in itertools.product(LOSS_SHAPES, (True, False)):
        rng = np.random.default_rng(shape)
        x, w = numbers(shape, scale=3.0), rng.uniform(0.1, 2.0, shape[0]).astype(np.float32)
        targets = rng.uniform(size=shape).astype(np.float32)
        if one_hot:
            targets = np.eye(shape[1], dtype=np.float32)[rng.integers(0, shape[1], shape[0])]
        note = f"{'one-hot' if one_hot else 'any targets'} {_name(shape)}"
        y = np.asarray(REFERENCE.softmax(x))
        for name, call, inputs, magnitude in LOSSES:
            outputs = y if inputs == "probabilities" else x
            yield Case(name, note, call, (outputs, targets, w), magnitude=magnitude)


def _cross_entropy_magnitude(x: Numbers, t: Numbers, w: Numbers) -> list[Any]:
    return [w @ (np.abs(t) * _log_softmax(x)[0]).sum(axis=1), None]


def _binary_magnitude(x: Numbers, t: Numbers, w: Numbers) -> list[Any]:
    return [w @ (np.maximum(x, 0) + np.abs(x * t) + np.log1p(np.exp(-np.abs(x)))).sum(axis=1)]


#: Name, call of (outputs, targets, w), what the outputs are, magnitude.
LOSSES: list[tuple[str, Callable[..., Any], str, Callable[..., Any] | None]] = [
    (
        "softmax_cross_entropy",
        lambda ops, x, t, w: ops.softmax_cross_entropy(x, t, w),
        "logits",
        lambda x, t, w: [*_cross_entropy_magnitude(x, t, w)],
    ),
    (
        "softmax_cross_entropy_dx",
        lambda ops, y, t, w: ops.softmax_cross_entropy_dx(y, t, w),
        "probabilities",
        lambda y, t, w: [w[:, None] * (y * t.sum(axis=1, keepdims=True) + t)],
    ),
    ("cross_entropy", lambda ops, y, t, w: ops.cross_entropy(y, t, w, 1e-3), "probabilities", None),
    ("cross_entropy_dx", lambda ops, y, t, w: ops.cross_entropy_dx(y, t, w, 1e-3), "probabilities", None),
    ("binary_cross_entropy", lambda ops, x, t, w: ops.binary_cross_entropy(x, t, w), "logits", _binary_magnitude),
    (
        "binary_cross_entropy_dx",
        lambda ops, x, t, w: ops.binary_cross_entropy_dx(x, t, w),
        "logits",
        lambda x, t, w: [w[:, None] * (1 / (1 + np.exp(-x)) + t)],
    ),
    (
        "squared_error",
        lambda ops, y, t, w: ops.squared_error(y, t, w),
        "logits",
        lambda y, t, w: [w @ ((np.abs(y) + np.abs(t)) ** 2).sum(axis=1)],
    ),
    (
        "squared_error_dx",
        lambda ops, y, t, w: ops.squared_error_dx(y, t, w),
        "logits",
        lambda y, t, w: [2 * w[:, None] * (np.abs(y) + np.abs(t))],
    ),
]

# -- normalization -----------------------------------------------------------------------------------------

BY_CHANNELS: list[Shape] = [
    *((rows, width) for rows in (2, 33) for width in WIDTHS),
    (1, 4),
    (515, 7),
    (3000, 3),
    *IMAGES,
]
BY_ROWS: list[Shape] = [(3, width) for width in WIDTHS] + [(1, 5), (64, 33), (7,), (2, 3, 5), (300, 257)]


def normalization_cases() -> Iterator[Case]:
    """Over the batch, by constants, and over rows."""
    for shape in BY_CHANNELS:
        yield from normalization_cases_of(shape)
    for shape in BY_ROWS:
        along = (*shape[:-1], 1)
        rows = tuple(range(len(shape) - 1))
        yield from _normalization(f"over rows {_name(shape)}", shape, along, shape[-1:], (-1,), rows)
    for average, value in (((1,), (1, 1)), ((33,), (1, 33, 1, 1)), ((300,), (300,))):
        yield Case(
            "move_average", _name(value), lambda ops, value, average: ops.move_average(average, value, 0.1),
            (numbers(value),), (Stored(numbers(average, seed=1)),),
            lambda value, average: [np.abs(average) + 0.1 * np.abs(value.reshape(average.shape))],
        )  # fmt: skip


def normalization_cases_of(shape: Shape) -> Iterator[Case]:
    """Over the batch, for one shape with its channels second."""
    channels = tuple(1 if axis != 1 else length for axis, length in enumerate(shape))
    over = tuple(axis for axis in range(len(shape)) if axis != 1)
    yield from _normalization(f"over batch {_name(shape)}", shape, channels, channels, over, over)


def _normalization(
    note: str, shape: Shape, statistics: Shape, parameters: Shape, axes: Shape, summed: Shape
) -> Iterator[Case]:
    x, dy = numbers(shape, offset=2.0), numbers(shape, seed=1)
    mean, variance = numbers(statistics, seed=2), np.abs(numbers(statistics, seed=3)) + np.float32(0.1)
    count = (math.prod(parameters),)
    weight, bias = Stored(numbers(count, seed=4)), Stored(numbers(count, seed=5))

    def normalize(ops: Ops, x: Any, mean: Any, variance: Any, weight: Any, bias: Any) -> Any:
        spread = (ops.reshape(each, parameters) for each in (weight, bias))
        return ops.normalize(x, mean, variance, 1e-5, *spread)

    def normalize_magnitude(x: Numbers, mean: Numbers, variance: Numbers, weight: Numbers, bias: Numbers) -> list[Any]:
        x_hat = (np.abs(x) + np.abs(mean)) / np.sqrt(variance)
        return [np.abs(weight.reshape(parameters)) * x_hat + np.abs(bias.reshape(parameters)), x_hat]

    def gradient(over: Shape | None) -> Callable[..., Any]:
        def call(ops: Ops, dy: Any, x_hat: Any, variance: Any, weight: Any) -> Any:
            return ops.normalize_dx(dy, x_hat, variance, 1e-5, ops.reshape(weight, parameters), over)

        return call

    def dx_magnitude(dy: Numbers, x_hat: Numbers, variance: Numbers, weight: Numbers) -> list[Any]:
        direct = np.abs(weight.reshape(parameters) * dy)
        mean, along = (part.mean(axis=axes, keepdims=True) for part in (direct, direct * np.abs(x_hat)))
        return [(direct + mean + np.abs(x_hat) * along) / np.sqrt(variance)]

    def sums(dy: Numbers, x_hat: Numbers) -> list[Any]:
        return [np.abs(dy * x_hat).sum(axis=summed), np.abs(dy).sum(axis=summed)]

    def both_gradients(ops: Ops, dy: Any, x_hat: Any, variance: Any, weight: Any, *out: Any) -> Any:
        ops.normalize_grads(dy, x_hat, out=out, axes=summed)
        return gradient(axes)(ops, dy, x_hat, variance, weight)

    def both_magnitudes(dy: Numbers, x_hat: Numbers, variance: Numbers, weight: Numbers, *_: Numbers) -> list[Any]:
        return [*dx_magnitude(dy, x_hat, variance, weight), None, *sums(dy, x_hat)]

    fill = to_fill(*count), to_fill(*count)
    yield Case("moments", note, lambda ops, x: ops.moments(x, axes), (x,), magnitude=_moments(axes))
    yield Case("normalize", note, normalize, (x, mean, variance), (weight, bias), normalize_magnitude)
    yield Case("normalize_dx", note, gradient(axes), (dy, x, variance), (weight,), dx_magnitude)
    if axes == summed:
        yield Case("normalize_dx", f"constants {note}", gradient(None), (dy, x, variance), (weight,))
    yield Case(
        "normalize_grads", note, lambda ops, dy, x_hat, *out: ops.normalize_grads(dy, x_hat, out=out, axes=summed),
        (dy, x), fill, lambda dy, x_hat, *_: sums(dy, x_hat),
    )  # fmt: skip
    yield Case("normalize_grads", f"and dx {note}", both_gradients, (dy, x, variance), (weight, *fill), both_magnitudes)


def _moments(axes: Shape) -> Callable[..., Any]:
    return lambda x: [np.abs(x).mean(axis=axes, keepdims=True), None]


# -- optimizers --------------------------------------------------------------------------------------------

SIZES = (1, 7, 33, 4095, 4096, 4097, 20_000)
#: Name, what it remembers, settings.
UPDATES: list[tuple[str, int, dict[str, Any]]] = [
    ("sgd", 0, {"momentum": 0.0, "nesterov": False, "decay": 0.0}),
    ("sgd", 0, {"momentum": 0.0, "nesterov": False, "decay": 0.1}),
    ("sgd", 1, {"momentum": 0.9, "nesterov": False, "decay": 0.1}),
    ("sgd", 1, {"momentum": 0.9, "nesterov": True, "decay": 0.1}),
    ("rmsprop", 1, {"alpha": 0.9, "epsilon": 1e-8, "decay": 0.0}),
    ("rmsprop", 1, {"alpha": 0.9, "epsilon": 1e-3, "decay": 0.1}),
    ("adam", 2, {"step": 1, "betas": (0.9, 0.999), "epsilon": 1e-8, "decay": 0.0, "decoupled": False}),
    ("adam", 2, {"step": 7, "betas": (0.9, 0.999), "epsilon": 1e-8, "decay": 0.1, "decoupled": False}),
    ("adam", 2, {"step": 100, "betas": (0.8, 0.99), "epsilon": 1e-3, "decay": 0.1, "decoupled": True}),
]


def optimizer_cases() -> Iterator[Case]:
    """Sizes around those of a piece, norms, limits that bind and others."""
    for size in SIZES:
        x = Stored(numbers((size,)))
        yield Case("norm", f"{size}", lambda ops, x: ops.norm(x), state=(x,))
        yield Case("clip", f"binds {size}", lambda ops, x: ops.clip(x, 1e-2), state=(x,))
        yield Case("clip", f"does not bind {size}", lambda ops, x: ops.clip(x, 1e6), state=(x,))
    for (name, memories, settings), size in itertools.product(UPDATES, SIZES):
        note = " ".join(f"{key}={value}" for key, value in settings.items())
        yield _update(name, memories, settings, size, f"{note} {size}")
    yield Case(
        "require_finite", "of 3", _guarded, (np.array(3.0, np.float32),), (Stored(numbers((33,))),), absolute_values
    )


def _update(name: str, memories: int, settings: dict[str, Any], size: int, note: str) -> Case:
    remembered = [Stored(np.abs(numbers((size,), seed=index + 2))) for index in range(memories)]
    state = (Stored(numbers((size,))), Stored(numbers((size,), seed=1)), *remembered)

    def step(ops: Ops, w: Any, g: Any, *memory: Any, lr: float = 0.05) -> None:
        slots = memory or ((None,) if name == "sgd" else ())
        getattr(ops, name)(w, g, *slots, lr=lr, **settings)

    def magnitude(*arrays: Numbers) -> list[Any]:
        """With every sign turned to plus, nothing cancels."""
        absolute = [np.abs(array) for array in arrays]
        step(REFERENCE, *absolute, lr=-0.05)
        return absolute

    return Case(name, note, step, state=state, magnitude=magnitude)


def _guarded(ops: Ops, value: Any, w: Any) -> None:
    ops.require_finite("loss", value)
    ops.sgd(w, w, None, lr=-0.1, momentum=0.0, nesterov=False, decay=0.0)


CASES = [
    *elementwise_cases(),
    *array_cases(),
    *distortion_cases(),
    *linear_cases(),
    *softmax_cases(),
    *loss_cases(),
    *normalization_cases(),
    *optimizer_cases(),
]

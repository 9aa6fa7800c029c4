"""One or a few elements of every simple layer, forward and backward, written out."""

from collections.abc import Callable

import numpy as np

from handgrad import layers
from handgrad.cli.explain.by_hand import DX, DY, Line, Sheet, W, X, Y, exponentials, in_product, name, summed
from handgrad.cli.explain.matrices import Values, number
from handgrad.cli.explain.worked_example import bar


def _linear(a: Sheet) -> list[Line]:
    (rows, inputs), outputs = a.arrays[X].shape, a.arrays[W].shape[0]
    return [
        a.sum_of_products(Y, (0, 0), [((X, (0, i)), (W, (0, i))) for i in range(inputs)], ("b", (0,))),
        a.sum_of_products(DX, (0, 0), [((DY, (0, o)), (W, (o, 0))) for o in range(outputs)]),
        a.sum_of_products(bar(W), (0, 0), [((DY, (n, 0)), (X, (n, 0))) for n in range(rows)]),
        a.sum_of_products(bar("b"), (0,), [], *[(DY, (n, 0)) for n in range(rows)]),
    ]


def _conv2d(a: Sheet) -> list[Line]:
    window, grid = (list(np.ndindex(a.arrays[letter].shape[2:])) for letter in (W, Y))
    first, last = (0, 0, 0, 0), window[-1]  # the pixel at `last` lies in every window that starts in the kernel's size
    reached = [(p, tuple(np.subtract(last, p).tolist())) for p in window]
    return [
        a.sum_of_products(Y, first, [((W, (0, 0, *p)), (X, (0, 0, *p))) for p in window], ("b", (0,))),
        a.sum_of_products(DX, (0, 0, *last), [((DY, (0, 0, *back)), (W, (0, 0, *p))) for p, back in reached]),
        a.sum_of_products(bar(W), first, [((DY, (0, 0, *p)), (X, (0, 0, *p))) for p in grid]),
    ]


def _signs(x: Values) -> list[tuple[int, ...]]:
    """Where x is first positive, and where it is first negative."""
    return [tuple(map(int, found[0])) for found in (np.argwhere(x > 0), np.argwhere(x < 0)) if len(found)]


def _relu(a: Sheet) -> list[Line]:
    found = []
    for p in _signs(a.arrays[X]):
        dy = a.factor(DY, *p)
        found.append(a.line(Y, p, f"max({a(X, *p)}, 0)"))
        found.append(a.line(DX, p, f"{name(DY, p)}·[{name(X, p)} > 0]", f"{dy}·[{a(X, *p)} > 0]"))
    return found


def _leaky_relu(a: Sheet) -> list[Line]:
    layer = a.example.subject
    assert isinstance(layer, layers.LeakyReLU)
    found = []
    for p in _signs(a.arrays[X]):
        slope = in_product(layer.negative_slope if a.arrays[X][p] < 0 else 1.0)
        found.append(a.line(Y, p, f"{slope}·{a.factor(X, *p)}"))
        found.append(a.line(DX, p, f"{slope}·{name(DY, p)}", f"{slope}·{a.factor(DY, *p)}"))
    return found


def _sigmoid(a: Sheet) -> list[Line]:
    p, y = (0, 0), a(Y, 0, 0)
    power = f"e^({number(-a.arrays['x'][p])})"
    return [
        a.line(Y, p, f"1 / (1 + {power})"),
        a.line(DX, p, "ȳ[0,0]·y[0,0]·(1 − y[0,0])", f"{a.factor(DY, *p)}·{y}·(1 − {y})"),
    ]


def _tanh(a: Sheet) -> list[Line]:
    p = (0, 0)
    return [
        a.line(Y, p, f"tanh({a(X, *p)})"),
        a.line(DX, p, "ȳ[0,0]·(1 − y[0,0]²)", f"{a.factor(DY, *p)}·(1 − {a.factor(Y, *p)}²)"),
    ]


def _softmax(a: Sheet) -> list[Line]:
    n, first, total = exponentials(a)
    x, dy, y = (a.arrays[letter][n] for letter in (X, DY, Y))
    mean = " + ".join(f"{in_product(g)}·{number(v)}" for g, v in zip(dy, y, strict=True))
    symbols = f"{name(Y, (n, 0))}·({name(DY, (n, 0))} − ȳ·y)"
    return [
        Line("m", (f"max({', '.join(map(number, x))})", number(x.max()))),
        a.line(Y, (n, 0), f"e^(x[{n},0] − m) / Σⱼ e^(x[{n},j] − m)", f"{first} / ({total})"),
        Line("ȳ·y", (mean, number(float(dy @ y)))),
        a.line(DX, (n, 0), symbols, f"{number(y[0])}·({number(dy[0])} − {in_product(dy @ y)})"),
    ]


def _log_softmax(a: Sheet) -> list[Line]:
    n, _, total = exponentials(a)
    x, dy, y = (a.arrays[letter][n] for letter in (X, DY, Y))
    return [
        Line("m", (f"max({', '.join(map(number, x))})", number(x.max()))),
        a.line(Y, (n, 0), f"{number(x[0])} − {in_product(x.max())} − log({total})"),
        a.line(DX, (n, 0), f"{number(dy[0])} − e^{in_product(y[0])}·({summed(dy)})"),
    ]


def _max_pool2d(a: Sheet) -> list[Line]:
    pool, first = a.example.subject, (0, 0, 0, 0)
    assert isinstance(pool, layers.MaxPool2d)
    window = [(0, 0, *place) for place in np.ndindex(pool.kernel_size)]
    winner = max(window, key=lambda place: float(a.arrays[X][place]))
    return [
        a.line(Y, first, f"max({', '.join(a(X, *p) for p in window)})", name(X, winner)),
        a.line(DX, winner, name(DY, first)),
    ]


def _avg_pool2d(a: Sheet) -> list[Line]:
    pool, first = a.example.subject, (0, 0, 0, 0)
    assert isinstance(pool, layers.AvgPool2d)
    window = [(0, 0, *place) for place in np.ndindex(pool.kernel_size)]
    total, count = summed(a.arrays[X][p] for p in window), len(window)
    return [
        a.line(Y, first, f"({total}) / {count}"),
        a.line(DX, first, f"{name(DY, first)} / {count}", f"{a(DY, *first)} / {count}"),
    ]


def _dropout(a: Sheet) -> list[Line]:
    return [
        a.sum_of_products(Y, (0, 0), [((X, (0, 0)), ("k", (0, 0)))]),
        a.sum_of_products(DX, (0, 0), [((DY, (0, 0)), ("k", (0, 0)))]),
    ]


def _residual(a: Sheet) -> list[Line]:
    weight, bias = r"\text{branch.weight}", r"\text{branch.bias}"
    outputs, inputs = a.arrays[weight].shape
    branch = [((X, (0, i)), (weight, (0, i))) for i in range(inputs)]
    back = [((DY, (0, o)), (weight, (o, 0))) for o in range(outputs)]
    return [
        a.sum_of_products(Y, (0, 0), branch, (bias, (0,)), (X, (0, 0))),
        a.sum_of_products(DX, (0, 0), back, (DY, (0, 0))),
    ]


def _normalisation(a: Sheet, values: Values) -> list[Line]:
    """The first of some values that share mean and variance, normalised, and what becomes of it."""
    x_hat, gamma, beta = r"\hat x", r"\gamma", r"\beta"
    mean, variance, count = in_product(values.mean()), number(values.var()), len(values)
    centred = [f"({number(value)} − {mean})" for value in values]
    return [
        Line("μ", (f"({summed(values)}) / {count}", number(values.mean()))),
        Line("σ²", (f"({' + '.join(f'{c}²' for c in centred)}) / {count}", variance)),
        a.line(x_hat, (0, 0), f"{centred[0]} / √({variance} + ε)"),
        a.sum_of_products(Y, (0, 0), [((gamma, (0,)), (x_hat, (0, 0)))], (beta, (0,))),
        a.sum_of_products(bar(beta), (0,), [], *[(DY, (n, 0)) for n in range(len(a.arrays[X]))]),
    ]


def _layer_norm(a: Sheet) -> list[Line]:
    return _normalisation(a, a.arrays[X][0])


def _batch_norm(a: Sheet) -> list[Line]:
    return _normalisation(a, a.arrays[X][:, 0])


#: For every layer that is simple enough, what is written out of it.
LAYERS: dict[type, Callable[[Sheet], list[Line]]] = {
    layers.Linear: _linear,
    layers.Conv2d: _conv2d,
    layers.ReLU: _relu,
    layers.LeakyReLU: _leaky_relu,
    layers.Sigmoid: _sigmoid,
    layers.Tanh: _tanh,
    layers.Softmax: _softmax,
    layers.LogSoftmax: _log_softmax,
    layers.MaxPool2d: _max_pool2d,
    layers.AvgPool2d: _avg_pool2d,
    layers.Dropout: _dropout,
    layers.Residual: _residual,
    layers.LayerNorm: _layer_norm,
    layers.BatchNorm1d: _batch_norm,
}

"""Of every loss its value and one element of its gradient, of every optimizer the first step, written out."""

import math
from collections.abc import Callable, Sequence

from handgrad import losses, optimizers
from handgrad.cli.explain.by_hand import DX, DY, Y_HAT, Line, Sheet, X, Y, exponentials, in_product, name
from handgrad.cli.explain.matrices import number
from handgrad.cli.explain.worked_example import Descent, bar


def _classification(a: Sheet) -> Line:
    """The loss, to which each row gives the logarithm of its true class's probability."""
    true = [(n, int(c)) for n, c in enumerate(a.arrays["t"].argmax(axis=1))]
    symbols = " + ".join(f"log {name(Y_HAT, place)}" for place in true)
    return a.line("L", (), f"−({symbols}) / {len(true)}", f"−({_logs(a, true)}) / {len(true)}")


def _logs(a: Sheet, places: Sequence[tuple[int, ...]]) -> str:
    return " + ".join(f"log({a(Y_HAT, *place)})" for place in places)


def _softmax_cross_entropy(a: Sheet) -> list[Line]:
    n, first, total = exponentials(a)
    p, rows = (n, 0), len(a.arrays[X])
    return [
        a.line(Y_HAT, p, f"{first} / ({total})"),
        _classification(a),
        a.line(DX, p, f"({name(Y_HAT, p)} − {name('t', p)}) / {rows}", f"({a(Y_HAT, *p)} − {a('t', *p)}) / {rows}"),
    ]


def _cross_entropy(a: Sheet) -> list[Line]:
    p, rows = (0, int(a.arrays["t"][0].argmax())), len(a.arrays["t"])
    symbols = f"−{name('t', p)} / {name(Y_HAT, p)} / {rows}"
    return [_classification(a), a.line(bar(Y_HAT), p, symbols, f"−{a('t', *p)} / {a(Y_HAT, *p)} / {rows}")]


def _mean_squared_error(a: Sheet) -> list[Line]:
    y, t = a.arrays[Y], a.arrays["t"]
    squares = " + ".join(f"({number(u)} − {in_product(v)})²" for u, v in zip(y.flat, t.flat, strict=True))
    symbols, numbers = "2·(y[0,0] − t[0,0])", f"2·({a(Y, 0, 0)} − {a.factor('t', 0, 0)})"
    return [
        a.line("L", (), f"({squares}) / {y.size}"),
        a.line(DY, (0, 0), f"{symbols} / {y.size}", f"{numbers} / {y.size}"),
    ]


def _binary_cross_entropy(a: Sheet) -> list[Line]:
    size, p = a.arrays[X].size, (0, 0)
    sigmoid = 1 / (1 + math.exp(-a.arrays[X][p]))
    return [
        Line(f"σ({name(X, p)})", (f"1 / (1 + e^{in_product(-a.arrays[X][p])})", number(sigmoid))),
        a.line(DX, p, f"(σ(x[0,0]) − t[0,0]) / {size}", f"({number(sigmoid)} − {a('t', *p)}) / {size}"),
    ]


def _sgd(descent: Descent) -> list[Line]:
    optimizer, first = descent.optimizer, descent.rows[0]
    assert isinstance(optimizer, optimizers.SGD)
    g, v = number(first["g"]), number(first["velocity"])
    return [
        Line("v", (f"{number(optimizer.momentum)}·0 + {g}", v)),
        Line("new w", (f"{number(first['w'])} − {number(optimizer.learning_rate)}·{v}", number(first["w'"]))),
    ]


def _rms_prop(descent: Descent) -> list[Line]:
    optimizer, first = descent.optimizer, descent.rows[0]
    assert isinstance(optimizer, optimizers.RMSProp)
    rate, share = number(optimizer.learning_rate), number(optimizer.alpha)
    w, g, v = (number(first[key]) for key in ("w", "g", "v"))
    return [
        Line("v", (f"{share}·0 + (1 − {share})·{g}²", v)),
        Line("new w", (f"{w} − {rate}·{g} / (√({v}) + ε)", number(first["w'"]))),
    ]


def _adam(descent: Descent) -> list[Line]:
    optimizer, first = descent.optimizer, descent.rows[0]
    assert isinstance(optimizer, optimizers.Adam)
    rate, betas = number(optimizer.learning_rate), (number(optimizer.beta1), number(optimizer.beta2))
    w, g, m, v = (number(first[key]) for key in ("w", "g", "m", "v"))
    decayed = f"(1 − {rate}·{number(optimizer.weight_decay)})·{w}" if optimizer.decoupled else w
    step = f"({m} / (1 − {betas[0]})) / (√({v} / (1 − {betas[1]})) + ε)"
    return [
        Line("m", (f"{betas[0]}·0 + (1 − {betas[0]})·{g}", m)),
        Line("v", (f"{betas[1]}·0 + (1 − {betas[1]})·{g}²", v)),
        Line("new w", (f"{decayed} − {rate}·{step}", number(first["w'"]))),
    ]


#: For every loss that is simple enough, what is written out of it.
LOSSES: dict[type, Callable[[Sheet], list[Line]]] = {
    losses.SoftmaxCrossEntropy: _softmax_cross_entropy,
    losses.CrossEntropy: _cross_entropy,
    losses.MeanSquaredError: _mean_squared_error,
    losses.BinaryCrossEntropy: _binary_cross_entropy,
}

#: For every optimizer that is simple enough, its first step.
OPTIMIZERS: dict[type, Callable[[Descent], list[Line]]] = {
    optimizers.SGD: _sgd,
    optimizers.RMSProp: _rms_prop,
    optimizers.Adam: _adam,
    optimizers.AdamW: _adam,
}

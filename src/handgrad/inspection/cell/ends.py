"""Where the gradient begins, and where it ends: the loss, and the optimizer's update."""

from collections.abc import Callable

import numpy as np

from handgrad.inspection.cell.parts import (
    Account,
    Factor,
    Index,
    Part,
    element,
    equal,
    number,
    product,
    standing,
    summed,
)
from handgrad.inspection.trace import Trace, Update
from handgrad.losses import BinaryCrossEntropy, CrossEntropy, Loss, MeanSquaredError, SoftmaxCrossEntropy
from handgrad.optimizers import SGD, Adam, RMSProp

Y_HAT, T = r"\hat y", "t"


def probability(trace: Trace, index: Index) -> Account:
    """An element of the probabilities; of a softmax, from all scores."""
    result, score = _probability(trace, index), _output(trace, index)
    if isinstance(trace.loss, BinaryCrossEntropy):
        return equal(result, rf"\sigma({score.symbol})", sources=[score])
    if not isinstance(trace.loss, SoftmaxCrossEntropy):
        return equal(result, score.symbol, sources=[score])
    total = float(np.exp(trace.activations[-1].astype(np.float64) - _largest(trace)).sum())
    symbols = rf"\frac{{e^{{{score.symbol} - m}}}}{{\sum_j e^{{x_j - m}}}}, \quad m = \max_j x_j"
    power = f"e^{{{number(score.value)} - {number(_largest(trace), factor=True)}}}"
    return equal(result, symbols, rf"\frac{{{power}}}{{{number(total)}}}", sources=_outputs(trace))


def loss_value(trace: Trace) -> Account:
    """The loss itself, as a sum over the outputs that take part in it."""
    assert trace.loss_value is not None
    write = next(write for kind, write in _TERMS.items() if isinstance(trace.loss, kind))
    parts = [part for index in np.ndindex(_targets(trace).shape) for part in write(trace, index)]
    return summed(Factor("L", trace.loss_value), parts, sources=_outputs(trace))


def _log_terms(trace: Trace, index: Index) -> list[Part]:
    """−t log ŷ, where there is a target."""
    t = float(_targets(trace)[index])
    softmax = isinstance(trace.loss, SoftmaxCrossEntropy)
    p = _probability(trace, index) if softmax else _output(trace, index)
    if not t:
        return []
    # From the scores: a probability may have been rounded to 0.
    log = float(_log_softmax(trace)[index]) if softmax else float(np.log(p.value))
    factor = Factor(rf"(-\log {p.symbol})", -log, p.array, p.index)
    return [product(factor)] if t == 1 else [product(Factor(element(T, index), t), factor)]


def _squared_terms(trace: Trace, index: Index) -> list[Part]:
    """w (y − t)²."""
    y, t = _output(trace, index), float(_targets(trace)[index])
    square = Factor(rf"({y.symbol} - {element(T, index)})^2", (y.value - t) ** 2, y.array, index)
    return [product(Factor("w", _weight(trace)), square)]


def _binary_terms(trace: Trace, index: Index) -> list[Part]:
    """w (max(x, 0) − x t + log(1 + e^−|x|))."""
    x, t = _output(trace, index), float(_targets(trace)[index])
    value = max(x.value, 0.0) - x.value * t + float(np.log1p(np.exp(-abs(x.value))))
    symbol = rf"\left(\max({x.symbol}, 0) - {x.symbol}\,{element(T, index)} + \log(1 + e^{{-|{x.symbol}|}})\right)"
    return [product(Factor("w", _weight(trace)), Factor(symbol, value, x.array, index))]


#: For each loss, what an output adds to it.
_TERMS: dict[type[Loss], Callable[[Trace, Index], list[Part]]] = {
    SoftmaxCrossEntropy: _log_terms,
    CrossEntropy: _log_terms,
    MeanSquaredError: _squared_terms,
    BinaryCrossEntropy: _binary_terms,
}


def loss_gradient(trace: Trace, index: Index) -> Account:
    """An element of the gradient with which backpropagation begins."""
    explain = next(write for kind, write in _LOSSES.items() if isinstance(trace.loss, kind))
    target = Factor(element(T, index), float(_targets(trace)[index]))
    symbols, numbers, source = explain(trace, index, target)
    result = standing(trace, rf"\bar{{{_letter(trace)}}}", f"gradient.{len(trace.layers)}", index)
    return equal(result, symbols, numbers, sources=[source])


def _of_softmax(trace: Trace, index: Index, target: Factor) -> tuple[str, str, Factor]:
    p = _probability(trace, index)
    return rf"{p.symbol} - {target.symbol}", rf"{number(p.value)} - {number(target.value, factor=True)}", p


def _of_cross_entropy(trace: Trace, index: Index, target: Factor) -> tuple[str, str, Factor]:
    y = _output(trace, index)
    return rf"-\frac{{{target.symbol}}}{{{y.symbol}}}", rf"-\frac{{{number(target.value)}}}{{{number(y.value)}}}", y


def _of_squared_error(trace: Trace, index: Index, target: Factor) -> tuple[str, str, Factor]:
    y = _output(trace, index)
    factor = number(2 * _weight(trace))
    return (
        rf"2 w\,({y.symbol} - {target.symbol})",
        rf"{factor} \cdot ({number(y.value)} - {number(target.value, factor=True)})",
        y,
    )


def _of_binary(trace: Trace, index: Index, target: Factor) -> tuple[str, str, Factor]:
    p = _probability(trace, index)
    factor = number(_weight(trace))
    return (
        rf"w\,(\sigma({_output(trace, index).symbol}) - {target.symbol})",
        rf"{factor} \cdot ({number(p.value)} - {number(target.value, factor=True)})",
        p,
    )


#: For each loss its gradient's element: symbols, numbers, and what it depends on.
_LOSSES: dict[type[Loss], Callable[[Trace, Index, Factor], tuple[str, str, Factor]]] = {
    SoftmaxCrossEntropy: _of_softmax,
    CrossEntropy: _of_cross_entropy,
    MeanSquaredError: _of_squared_error,
    BinaryCrossEntropy: _of_binary,
}


def _weight(trace: Trace) -> float:
    """How much one number counts in a loss of one example."""
    kinds = {"mean": 1 / trace.activations[-1].size, "half_sum": 0.5}
    return kinds.get(trace.loss.reduction, 1.0)


def _targets(trace: Trace) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """The target as a row of numbers, (C,), smoothed where the loss smooths it."""
    target, classes = np.asarray(trace.target)[0], trace.activations[-1].shape[-1]
    row = np.eye(classes)[int(target)] if target.ndim == 0 else np.asarray(target, np.float64)
    smoothing = trace.loss.label_smoothing if isinstance(trace.loss, SoftmaxCrossEntropy) else 0.0
    return np.asarray((1 - smoothing) * row + smoothing / classes)


def _largest(trace: Trace) -> float:
    return float(trace.activations[-1].max())


def _log_softmax(trace: Trace) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Logarithms of the probabilities, (C,)."""
    x = trace.activations[-1].astype(np.float64) - _largest(trace)
    return np.asarray(x - np.log(np.exp(x).sum()))


def _letter(trace: Trace) -> str:
    """What the loss calls the outputs."""
    return next(iter(trace.loss.formulas.backward))


def _output(trace: Trace, index: Index) -> Factor:
    return standing(trace, _letter(trace), f"activation.{len(trace.layers)}", index)


def _outputs(trace: Trace) -> tuple[Factor, ...]:
    return tuple(_output(trace, place) for place in np.ndindex(trace.activations[-1].shape))


def _probability(trace: Trace, index: Index) -> Factor:
    return standing(trace, Y_HAT, "probabilities", index)


def updated(trace: Trace, name: str, index: Index) -> Account:
    """A parameter after the update."""
    update = trace.update
    assert update is not None
    w = standing(trace, "w", f"parameter.{name}", index)
    gradient = standing(trace, "g", f"parameter_gradient.{name}", index)
    optimizer, g = update.optimizer, gradient.value
    line: tuple[str, ...] = ("g", r"\bar w", number(g))
    if optimizer.weight_decay and not (isinstance(optimizer, Adam) and optimizer.decoupled):
        g += optimizer.weight_decay * w.value
        line = ("g", r"\bar w + \lambda w", _plus(gradient.value, optimizer.weight_decay, w.value), number(g))
    after = number(float(update.parameters[name][index]))
    explain = next(write for kind, write in _OPTIMIZERS if isinstance(optimizer, kind))
    return Account((line, *explain(update, name, index, w.value, g, after)), sources=(w, gradient))


def _plus(first: float, factor: float, second: float) -> str:
    return rf"{number(first)} + {number(factor)} \cdot {number(second, factor=True)}"


def _by_sgd(update: Update, name: str, index: Index, w: float, g: float, after: str) -> list[tuple[str, ...]]:
    sgd = update.optimizer
    assert isinstance(sgd, SGD)
    step_size = number(sgd.learning_rate)
    if not sgd.momentum:
        return [("w'", r"w - \eta\, g", rf"{number(w)} - {step_size} \cdot {number(g, factor=True)}", after)]
    v, v_after = (float(slots["velocity"][name][index]) for slots in (update.slots, update.slots_updated))
    step, way = (r"(g + \mu v')", g + sgd.momentum * v_after) if sgd.nesterov else ("v'", v_after)
    velocity = rf"{number(sgd.momentum)} \cdot {number(v, factor=True)} + {number(g, factor=True)}"
    return [
        ("v'", r"\mu v + g", velocity, number(v_after)),
        ("w'", rf"w - \eta\,{step}", rf"{number(w)} - {step_size} \cdot {number(way, factor=True)}", after),
    ]


def _by_adam(update: Update, name: str, index: Index, w: float, g: float, after: str) -> list[tuple[str, ...]]:
    adam, t = update.optimizer, update.step
    assert isinstance(adam, Adam)
    m, v = (float(update.slots[slot][name][index]) for slot in "mv")
    m_after, v_after = (float(update.slots_updated[slot][name][index]) for slot in "mv")
    m_hat, v_hat = m_after / (1 - adam.beta1**t), v_after / (1 - adam.beta2**t)
    lines = []
    for letter, hat, beta, power, before, now, corrected in (
        ("m", r"\hat m", (r"\beta_1", adam.beta1), "g", m, m_after, m_hat),
        ("v", r"\hat v", (r"\beta_2", adam.beta2), "g^2", v, v_after, v_hat),
    ):
        fresh = number(g, factor=True) + ("^2" if power == "g^2" else "")
        numbers = rf"{number(beta[1])} \cdot {number(before, factor=True)} + {number(1 - beta[1])} \cdot {fresh}"
        lines.append((f"{letter}'", rf"{beta[0]} {letter} + (1 - {beta[0]})\,{power}", numbers, number(now)))
        correction = rf"\frac{{{number(now)}}}{{1 - {number(beta[1])}^{{{t}}}}}"
        lines.append((hat, rf"\frac{{{letter}'}}{{1 - {beta[0]}^t}}", correction, number(corrected)))
    kept, start = "w", number(w)
    if adam.decoupled and adam.weight_decay:
        rate, decay = number(adam.learning_rate), number(adam.weight_decay)
        kept, start = r"(1 - \eta\lambda)\,w", rf"(1 - {rate} \cdot {decay}) \cdot {number(w, factor=True)}"
    root = rf"\sqrt{{{number(v_hat)}}} + {number(adam.epsilon)}"
    move = rf"{start} - {number(adam.learning_rate)} \cdot \frac{{{number(m_hat)}}}{{{root}}}"
    return [*lines, (r"w'", rf"{kept} - \eta\,\frac{{\hat m}}{{\sqrt{{\hat v}} + \varepsilon}}", move, after)]


def _by_rmsprop(update: Update, name: str, index: Index, w: float, g: float, after: str) -> list[tuple[str, ...]]:
    rmsprop = update.optimizer
    assert isinstance(rmsprop, RMSProp)
    v, now = (float(slots["v"][name][index]) for slots in (update.slots, update.slots_updated))
    a = number(rmsprop.alpha)
    mean = rf"{a} \cdot {number(v)} + {number(1 - rmsprop.alpha)} \cdot {number(g, factor=True)}^2"
    root = rf"\sqrt{{{number(now)}}} + {number(rmsprop.epsilon)}"
    move = rf"{number(w)} - {number(rmsprop.learning_rate)} \cdot \frac{{{number(g)}}}{{{root}}}"
    return [
        ("v'", r"\alpha v + (1 - \alpha)\,g^2", mean, number(now)),
        ("w'", r"w - \eta\,\frac{g}{\sqrt{v'} + \varepsilon}", move, after),
    ]


_OPTIMIZERS = ((Adam, _by_adam), (RMSProp, _by_rmsprop), (SGD, _by_sgd))

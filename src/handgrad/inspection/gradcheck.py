"""Is every gradient of a network right? Each is compared with the slope that the network really has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import ArgumentError
from handgrad.inspection.probe import Probe, Tensor
from handgrad.inspection.resemblance import resemblance
from handgrad.inspection.slopes import Values, gradient_scale, numerical_slope, slope_beside_kinks
from handgrad.layers import Layer
from handgrad.losses import Loss

Places: TypeAlias = NDArray[np.int64]

#: So many elements that are wrong for certain are enough: the others need no second look.
_CERTAIN = 10


@dataclass(frozen=True)
class TensorCheck:
    """One array's gradient beside its slopes.

    Args:
        name: "input", a parameter's dotted name, or "outputs", whose gradient is the loss's.
        shape: of the array.
        compared: elements compared.
        kinks: elements that lie on a kink, where there is no slope.
        error: largest difference among those compared, relative to the largest number in gradient or slopes.
        index: where that is; () if nothing was compared.
        analytic: the gradient there, as `backward` computed it.
        numeric: the slope there.
        tolerance: largest error that is rounding.
        hint: what the wrong gradient resembles, if it is wrong and resembles anything.
    """

    name: str
    shape: tuple[int, ...]
    compared: int
    kinks: int
    error: float
    index: tuple[int, ...]
    analytic: float
    numeric: float
    tolerance: float
    hint: str

    @property
    def passed(self) -> bool:
        """Whether no element is wrong; an error that is not a number is one, and so is having compared none."""
        return self.error <= self.tolerance and (self.compared > 0 or not self.kinks)

    def __str__(self) -> str:
        place = f"{self.name}{list(self.index)}"
        verdict = "right" if self.passed else f"WRONG: {self.hint}" if self.hint else "WRONG"
        return (
            f"{self.name} {self.shape}: {verdict}; largest relative error {self.error:.1e} "
            f"at {place}, {self.analytic:.6g} by backward, {self.numeric:.6g} by differences"
        )


@dataclass(frozen=True)
class GradientCheck:
    """What `gradcheck` found: a `TensorCheck` for the input, every parameter and the outputs.

    Args:
        tensors: in that order.
        moved: whether the point asked for lay on a kink, so that a point 0.001 beside it was checked.
    """

    tensors: tuple[TensorCheck, ...]
    moved: bool

    @property
    def passed(self) -> bool:
        """Whether every gradient is right."""
        return all(tensor.passed for tensor in self.tensors)

    def __str__(self) -> str:
        return "\n".join(map(str, self.tensors))

    def _repr_html_(self) -> str:
        from handgrad.inspection.display import gradcheck_html

        return gradcheck_html(self)


def gradcheck(
    model: Layer,
    loss: Loss | None,
    x: Any,
    y: Any = None,
    *,
    tolerance: float = 1e-6,
    sample: int | None = None,
    rng: np.random.Generator | None = None,
    report: Callable[[int, int], None] | None = None,
) -> GradientCheck:
    r"""Compare every gradient that a network derives with the slope of what it computes.

    The network's output is multiplied by random numbers, its upstream gradient, and ∂/∂θ Σ ȳ ⊙ y is compared with
    (f(θ + h) − f(θ − h)) / 2h for every element θ of the input and of every parameter; a gradient of ones instead would
    hide a wrong softmax. The loss's gradient is compared with its slope at the network's outputs. All is done on
    a copy in float64, in training mode: dropout drops the same elements every time, batch norm uses the batch. Where
    the two differ the slope is measured again, with other steps and, beside a kink (a ReLU at 0, a tie of a maximum),
    from the side without it. On a kink there is no slope: the input and all parameters are then moved by 0.001 times
    random numbers.

    Works with any `Layer`, also one of your own; so does a single one, without a loss.

    Args:
        model: initialised; neither it nor its running averages are changed.
        loss: what it is trained on, or None.
        x: a batch of inputs (N, …); a few are enough, for batch norm at least two.
        y: their targets, as the loss takes them; None without a loss.
        tolerance: largest relative error that passes; in deep networks rounding alone reaches 10⁻⁷.
        sample: compare so many elements of an array, drawn at random; None compares all.
        rng: draws the upstream gradient, the sample and the moves; `numpy.random.default_rng(0)` where left out.
        report: called with the number of elements that are done, and of all.

    Raises:
        ArgumentError: a loss without targets, tolerance or sample out of range.
        NonFiniteError: the network's output holds NaN or infinity.
        NotInitializedError: the model has no parameters yet.
        ShapeError: `backward` returns a gradient of another shape than the input.

    >>> model = handgrad.Sequential(handgrad.Linear(3, 4), handgrad.ReLU(), handgrad.Linear(4, 2))
    >>> model = model.initialize(np.random.default_rng(0))
    >>> check = gradcheck(model, handgrad.SoftmaxCrossEntropy(), [[1, 2, 3], [-1, 0, 1]], [0, 1])
    >>> check.passed, [tensor.name for tensor in check.tensors]
    (True, ['input', '0.weight', '0.bias', '2.weight', '2.bias', 'outputs'])
    """
    if (loss is None) != (y is None):
        raise ArgumentError("y", y, "targets with a loss, and none without")
    if not tolerance > 0:
        raise ArgumentError("tolerance", tolerance, "a number > 0")
    if sample is not None and sample < 1:
        raise ArgumentError("sample", sample, "an integer >= 1, or None for all")
    network = Probe(model, np.array(x, np.float64), rng or np.random.default_rng(0))
    tensors = network.tensors(loss, y)
    comparison = Comparison(tolerance, sample, network.rng, report, sum(_count(t, sample) for t in tensors))
    checks: list[TensorCheck] = []
    for tensor in tensors:
        checks.append(comparison.of(tensor))
        if checks[-1].kinks:  # this point has no gradient
            network.move()
            comparison.restart()
            return GradientCheck(tuple(comparison.of(tensor) for tensor in network.tensors(loss, y)), moved=True)
    return GradientCheck(tuple(checks), moved=False)


def _count(tensor: Tensor, sample: int | None) -> int:
    return tensor.array.size if sample is None else min(sample, tensor.array.size)


@dataclass(frozen=True, eq=False)
class Slopes:
    """Elements of an array's gradient beside the slopes there.

    Args:
        places: which elements, counted in row-major order, (P,).
        analytic: as `backward` computed them, (P,).
        numeric: as measured, (P,).
        kinks: those without a slope, (P,).
    """

    places: Places
    analytic: Values
    numeric: Values
    kinks: NDArray[np.bool_]


class Comparison:
    """Compares gradients with slopes, and counts how far it is.

    Args:
        tolerance: largest relative error that passes.
        sample: compare so many elements of an array; None compares all.
        rng: draws the sample.
        report: called with the number of elements that are done, and of all.
        total: number of all elements.
    """

    def __init__(
        self,
        tolerance: float,
        sample: int | None,
        rng: np.random.Generator,
        report: Callable[[int, int], None] | None = None,
        total: int = 0,
    ) -> None:
        self._tolerance, self._sample, self._rng = tolerance, sample, rng
        self._report, self._total, self._done = report, total, 0

    def restart(self) -> None:
        """Count from 0 again."""
        self._done = 0

    def of(self, tensor: Tensor) -> TensorCheck:
        """Compare one array's gradient, element by element."""
        return self.judge(tensor, self.measure(tensor))

    def measure(self, tensor: Tensor) -> Slopes:
        """The slopes of one array's elements, those that disagree measured twice."""
        places = self._places(tensor.array.size)
        analytic = np.ravel(tensor.analytic)[places]  # (P,)
        numeric = np.array([self._slope(tensor, place) for place in places])
        return Slopes(places, analytic, numeric, self._look_again(tensor, places, analytic, numeric))

    def judge(self, tensor: Tensor, slopes: Slopes) -> TensorCheck:
        """Whether the gradient is right, and where it is furthest from that."""
        shape, kept = tensor.array.shape, ~slopes.kinks
        analytic, numeric, places = slopes.analytic[kept], slopes.numeric[kept], slopes.places[kept]
        error = 0.0
        worst: tuple[tuple[int, ...], float, float] = (), 0.0, 0.0
        differences = np.abs(analytic - numeric)
        if len(places):
            k = int(np.argmax(differences))  # a NaN counts as the largest
            worst = _index(places[k], shape), float(analytic[k]), float(numeric[k])
            error = float(differences[k]) / gradient_scale(analytic, numeric)
        hint = "" if error <= self._tolerance else resemblance(analytic, numeric, places, shape)
        kinks = int(slopes.kinks.sum())
        return TensorCheck(tensor.name, shape, len(places), kinks, error, *worst, self._tolerance, hint)

    def _places(self, size: int) -> Places:
        """Which elements to compare, counted in row-major order."""
        if self._sample is None or size <= self._sample:
            return np.arange(size)
        return np.sort(self._rng.choice(size, self._sample, replace=False))

    def _slope(self, tensor: Tensor, place: int) -> float:
        slope = numerical_slope(tensor.value, tensor.array, _index(place, tensor.array.shape))
        self._done += 1
        if self._report:
            self._report(self._done, self._total)
        return slope

    def _look_again(self, tensor: Tensor, places: Places, analytic: Values, numeric: Values) -> NDArray[np.bool_]:
        """Measure slopes that disagree a second time, off any kink, the worst first; returns where there is none."""
        kinks, wrong = np.zeros(len(places), np.bool_), 0
        allowed = self._tolerance * gradient_scale(analytic, numeric)
        differences = np.abs(analytic - numeric)
        for k in np.argsort(-differences, kind="stable"):
            if differences[k] <= allowed or wrong == _CERTAIN:
                break
            slope = slope_beside_kinks(tensor.value, tensor.array, _index(places[k], tensor.array.shape), allowed)
            if slope is None:
                kinks[k] = True
            else:
                numeric[k] = slope
                wrong += not abs(analytic[k] - slope) <= allowed
        return kinks


def _index(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(place, shape))

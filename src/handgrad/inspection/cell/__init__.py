"""One number of a trace explained: its formula, the numbers in it, and the numbers that it was made from."""

from dataclasses import dataclass

from handgrad.errors import ArgumentError
from handgrad.inspection.cell import ends
from handgrad.inspection.cell.functions import FUNCTIONS, DerivativeWiring
from handgrad.inspection.cell.parts import Account, Factor, Index, Part, Site, Wiring, equal, standing
from handgrad.inspection.cell.sums import SUMS
from handgrad.inspection.trace import Trace
from handgrad.layers import Layer

__all__ = ["Account", "Cell", "Factor", "Part", "explain"]


@dataclass(frozen=True, eq=False)
class Cell:
    """A number of a trace, and where it comes from.

    Args:
        array: the trace's name for the array that it stands in.
        index: its place there.
        value: the number.
        layer: position of the layer that made it; None for the input, parameters, the loss and the update.
        rule: the formula of the layer, loss or optimizer that made it, as LaTeX.
        account: how this number came about by it.
    """

    array: str
    index: Index
    value: float
    layer: int | None
    rule: str
    account: Account

    @property
    def sources(self) -> dict[str, list[Index]]:
        """The places of the numbers it depends on, by array."""
        found: dict[str, list[Index]] = {}
        for factor in (*(f for part in self.account.parts for f in part.factors), *self.account.sources):
            if factor.array:
                found.setdefault(factor.array, []).append(factor.index)
        return {array: list(dict.fromkeys(places)) for array, places in found.items()}


def explain(trace: Trace, array: str, index: Index = ()) -> Cell:
    r"""Where one number of a trace comes from.

    Args:
        trace: one example's way through a network.
        array: one of the trace's arrays, or "loss".
        index: a place in it.

    Raises:
        ArgumentError: there is no such array, or no such place in it.

    >>> from handgrad.inspection.trace import trace
    >>> model = handgrad.Linear(2, 2).initialize(np.random.default_rng(0))
    >>> found = trace(model, handgrad.SoftmaxCrossEntropy(), [[1.0, 2.0]], [1])
    >>> cell = explain(found, "parameter_gradient.weight", (1, 0))
    >>> cell.account.lines[0][:2], sorted(cell.sources)
    (('\\bar W_{1,0}', '\\bar y_{1}\\,x_{0}'), ['activation.0', 'gradient.1'])
    """
    if array == "loss":
        if trace.loss_value is None:
            raise ArgumentError(
                "array", array, "an array of the trace", "give a target, without which there is no loss"
            )
        return Cell(array, (), trace.loss_value, None, trace.loss.formulas.forward, ends.loss_value(trace))
    values = trace[array]
    if len(index) != values.ndim or any(not 0 <= at < size for at, size in zip(index, values.shape, strict=True)):
        raise ArgumentError("index", list(index), f"a place in {array}, whose shape is {values.shape}")
    layer, rule, account = _account(trace, array, index)
    return Cell(array, index, float(values[index]), layer, rule, account)


def _account(trace: Trace, array: str, index: Index) -> tuple[int | None, str, Account]:
    """The layer, the formula and the account."""
    kind, _, name = array.partition(".")
    last = len(trace.layers)
    if kind == "probabilities":
        return None, trace.loss.formulas.forward, ends.probability(trace, index)
    if kind == "updated":
        assert trace.update is not None
        return None, trace.update.optimizer.formula, ends.updated(trace, name, index)
    if kind == "activation" and name != "0":
        site = Site(trace, int(name) - 1)
        return site.position, site.layer.formulas.forward, _wiring(site.layer).output(site, site.layer, index)
    if kind == "gradient" and int(name) == last:
        return None, next(iter(trace.loss.formulas.backward.values())), ends.loss_gradient(trace, index)
    if kind == "gradient":
        site = Site(trace, int(name))
        rule = site.layer.formulas.backward.get("x", "")
        return site.position, rule, _wiring(site.layer).input_gradient(site, site.layer, index)
    if kind == "parameter_gradient":
        return _parameter_gradient(trace, name, index)
    return None, "", equal(standing(trace, _LETTERS.get(kind, "w"), array, index), sources=())


_LETTERS = {"activation": "x", "parameter": "w"}


def _parameter_gradient(trace: Trace, name: str, index: Index) -> tuple[int, str, Account]:
    place = trace.owner(name)
    prefix, layer = trace.layers[place]
    own = name.removeprefix(f"{prefix}.")
    wiring = _wiring(layer) if own in layer.parameter_specs() else DerivativeWiring()
    account = wiring.parameter_gradient(Site(trace, place), layer, own, index)
    return place, layer.formulas.backward.get(own, ""), account


def _wiring(layer: Layer) -> Wiring:
    """How the layer's numbers are connected; of a layer that nobody described, what its derivatives say."""
    return (SUMS | FUNCTIONS).get(type(layer)) or DerivativeWiring()

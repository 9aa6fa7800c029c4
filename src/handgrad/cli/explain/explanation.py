"""What `handgrad explain` prints."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from handgrad.cli.explain.by_hand import Line, Sheet
from handgrad.cli.explain.layers_by_hand import LAYERS
from handgrad.cli.explain.losses_by_hand import LOSSES, OPTIMIZERS
from handgrad.cli.explain.matrices import (
    PLACES,
    Values,
    aligned,
    blocks,
    equations,
    number,
    place_name,
    places,
    side_by_side,
    significant,
)
from handgrad.cli.explain.worked_example import (
    Descent,
    Example,
    SlopeCheck,
    bar,
    layer_example,
    loss_example,
    optimizer_example,
)
from handgrad.display.mathematics import to_text
from handgrad.layers import Layer
from handgrad.losses import Loss
from handgrad.optimizers import Optimizer

Kind: TypeAlias = type[Layer] | type[Loss] | type[Optimizer]

#: Columns used at most: longer lines are hard to read.
_WIDTH = 88

#: The derivation pages that treat several classes, or whose name does not follow from the class's.
_PAGES = {"ReLU": "relu", "LeakyReLU": "relu", "BatchNorm1d": "batch_norm", "BatchNorm2d": "batch_norm"}

#: The letters of an optimizer's settings and of what it remembers.
_LETTERS = {"learning_rate": "η", "momentum": "μ", "weight_decay": "λ", "alpha": "α", "beta1": "β₁", "beta2": "β₂"}
_LETTERS |= {"epsilon": "ε", "velocity": "v", "w'": "new w"}


def page_of(kind: Kind) -> str:
    """The page that derives a class's formulas.

    >>> page_of(handgrad.MaxPool2d), page_of(handgrad.LeakyReLU), page_of(handgrad.Adam)
    ('docs/derivations/max_pool2d.md', 'docs/derivations/relu.md', 'docs/derivations/optimizers.md')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
    name = "optimizers" if issubclass(kind, Optimizer) else _PAGES.get(kind.__name__, words)
    return f"docs/derivations/{name}.md"


def first_sentence(kind: type) -> str:
    """What a class is, in the first sentence of its docstring.

    >>> first_sentence(handgrad.Flatten)
    'All axes of an example in one row, in row-major order: channels, then rows, then columns.'
    """
    paragraph = " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", paragraph)[0]


class Explanation:
    """Prints a list of everything, or one class with its formulas and an example.

    Args:
        console: where to print; its width decides where lines end.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.width = min(console.width, _WIDTH)

    def overview(self, kinds: "Mapping[str, Sequence[Kind]]") -> None:
        """Every class with what it is, by group."""
        indent = 2 + max(len(kind.__name__) for group in kinds.values() for kind in group) + 2
        for group, members in kinds.items():
            self._heading(group)
            for kind in members:
                name = Text(f"  {kind.__name__}".ljust(indent), "cyan")
                for line in self._folded(first_sentence(kind), self.width - indent):
                    self._print(name + line)
                    name = Text(" " * indent)
        self._print(Text())
        self._print(Text.assemble("One of them: ", ("python -m handgrad explain NAME", "bold")))

    def show(self, kind: Kind, seed: int) -> None:
        """Formulas, an example, and where to read on."""
        group = next(name for base, name in _GROUPS.items() if issubclass(kind, base))
        self._print(Text.assemble((kind.__name__, "bold cyan"), (f" · {group}", "dim")))
        self._prose(first_sentence(kind), indent=0)
        if issubclass(kind, Optimizer):
            self._optimizer(kind, seed)
        else:
            self._formulas(kind)
            self._example(layer_example(kind, seed) if issubclass(kind, Layer) else loss_example(kind, seed), seed)
        self._print(Text())
        self._print(Text.assemble("Derivation: ", (page_of(kind), "bold")))

    # -- formulas ----------------------------------------------------------------------------------

    def _formulas(self, kind: type[Layer] | type[Loss]) -> None:
        stated = kind.formulas
        self._heading("Forward")
        self._equations(equations(to_text(stated.forward)))
        letter = "x" if issubclass(kind, Layer) else next(iter(stated.backward))
        meaning = f"{to_text(bar(letter))} = ∂L/∂{to_text(letter)}"
        self._heading("Backward", f"a bar marks the gradient of the loss: {meaning}")
        self._equations([row for formula in stated.backward.values() for row in equations(to_text(formula))])
        if stated.shapes:
            self._heading("Shapes")
            shapes = "   ".join(f"{to_text(letter)} {to_text(shape)}" for letter, shape in stated.shapes.items())
            self._prose(shapes)
        if stated.notes:
            self._heading("Notes")
            self._prose(stated.notes)

    def _optimizer(self, kind: type[Optimizer], seed: int) -> None:
        self._heading("Each step")
        for owner in (base for base in kind.__mro__ if "formula" in vars(base)):
            self._equations(equations(to_text(vars(owner)["formula"])))
        descent = optimizer_example(kind, seed)
        used = [(field, getattr(descent.optimizer, field)) for field in inspect.signature(kind).parameters]
        settings = ", ".join(f"{_LETTERS[f]}={value:g}" for f, value in used if f in _LETTERS)
        self._heading("By example", f"three steps down f(w) = ½ w², so g = w; {settings}")
        self._descent(descent)
        if type(descent.optimizer) in OPTIMIZERS:
            self._heading("The first step by hand")
            self._by_hand(OPTIMIZERS[type(descent.optimizer)](descent))

    def _descent(self, descent: Descent) -> None:
        names = [_LETTERS.get(name, name) for name in descent.rows[0]]
        self._print(Text("  " + "".join(f"{name:>10}" for name in names).removeprefix(" " * 6), "bold"))
        for row in descent.rows:
            cells = "".join(f"{number(value, 0 if name == 't' else 5):>10}" for name, value in row.items())
            self._print(Text("  " + cells.removeprefix(" " * 6)))

    # -- an example --------------------------------------------------------------------------------

    def _example(self, example: Example, seed: int) -> None:
        is_rounded = any(places(array) == PLACES for array in example.arrays.values())
        subject = repr(example.subject) if isinstance(example.subject, Layer) else type(example.subject).__name__
        remark = f"{subject}, seed {seed}"
        self._heading("By example", remark + f", rounded to {PLACES} decimals" * is_rounded)
        self._arrays("Given", example.given)
        self._arrays("Forward gives", example.computed)
        self._arrays("The layer above sends back", example.upstream)
        self._arrays("Backward gives", example.gradients)
        writers = {**LAYERS, **LOSSES}
        if type(example.subject) in writers:
            self._heading("By hand", "single elements, to redo with a pencil")
            self._by_hand(writers[type(example.subject)](Sheet(example)))
        self._check(example.check, "L" if isinstance(example.subject, Loss) else "L = Σ ȳ ⊙ y")

    def _arrays(self, label: str, arrays: Mapping[str, Values]) -> None:
        if not arrays:
            return
        self._print(Text(f"  {label}", "italic"))
        found = [block for letter, array in arrays.items() for block in blocks(to_text(letter), array)]
        for line in side_by_side(found, self.width - 4):
            self._print(Text("    ") + line)

    def _by_hand(self, lines: Sequence[Line]) -> None:
        """Each on one line where all of them fit, else each step on a line of its own."""
        rows = [row for line in lines for row in line.rows()]
        joined = [line.joined() for line in lines]
        fits = all(cell_len(text) <= self.width - 2 for text in aligned(joined, 10 * self.width))
        self._equations(joined if fits else rows)

    def _check(self, check: SlopeCheck, loss: str) -> None:
        place = place_name(check.place)
        moved, gradient = to_text(check.letter) + place, to_text(bar(check.letter)) + place
        self._heading("Check", f"is {gradient} the slope of {loss}?")
        self._prose(f"Move {moved} = {number(check.value)} by ε = {check.step:g}, up and down, and see what L does:")
        rows = [
            ("L₊", "=", f"{check.above:.10f}"),
            ("L₋", "=", f"{check.below:.10f}"),
            ("slope", "=", f"(L₊ − L₋) / 2ε = {significant(check.numeric)}"),
            (gradient, "=", f"{significant(check.analytic)}, the same to {check.digits} digits"),
        ]
        self._equations([(name, sign, text.replace("-", "−")) for name, sign, text in rows])

    # -- lines -------------------------------------------------------------------------------------

    def _heading(self, title: str, remark: str = "") -> None:
        """A title after an empty line, and behind it, or below where that is too long, a remark."""
        self._print(Text())
        line = Text.assemble((title, "bold"), "   " * bool(remark), (remark, "dim"))
        if line.cell_len <= self.width:
            self._print(line)
        else:
            self._print(Text(title, "bold"))
            self._prose(remark, style="dim")

    def _prose(self, text: str, indent: int = 2, style: str = "") -> None:
        for line in self._folded(text, self.width - indent):
            self._print(Text(" " * indent) + Text(line.plain, style))

    def _folded(self, text: str, width: int) -> Iterable[Text]:
        for line in Text(text).wrap(self.console, width):
            line.rstrip()
            yield line

    def _equations(self, rows: "Sequence[tuple[str, str, str]]") -> None:
        for line in aligned(rows, self.width - 2):
            self._print(Text("  " + line))

    def _print(self, line: Text) -> None:
        """A line that has been fitted to the width already."""
        self.console.print(line, soft_wrap=True)


_GROUPS: dict[type, str] = {Layer: "layer", Loss: "loss", Optimizer: "optimizer"}

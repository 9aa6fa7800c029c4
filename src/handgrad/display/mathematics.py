r"""LaTeX formulas as one line of text that any terminal can show.

A tokenizer and a recursive descent over the LaTeX that layers, losses and optimizers use, loosest parts first:

    clauses  totals, with commas, relations and words between them    y = x + b, \quad b = 1
    total    products, with + and − between them                      a b - c
    product  factors, side by side or with ⊙, · or / between them     \eta \odot \frac{a}{b}
    factor   an atom with its sub- and superscripts                   \sigma(x_n)^2

A fraction on one line needs parentheses that LaTeX does without, so every piece knows how tightly it holds together.
"""

import re
import unicodedata
from typing import NamedTuple

from handgrad.errors import ArgumentError

#: How tightly a piece holds together, loosest first. OPEN is what reaches over all that follows it: Σ, log.
CLAUSES, TOTAL, QUOTIENT, OPEN, PRODUCT, ATOM = range(6)


def _table(text: str) -> dict[str, str]:
    """Commands and characters, each with what stands for it."""
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_LETTERS = _table(
    r"\alpha α \beta β \gamma γ \delta δ \epsilon ε \varepsilon ε \eta η \theta θ \kappa κ \lambda λ \mu μ \nu ν \xi ξ "
    r"\pi π \rho ρ \sigma σ \tau τ \phi φ \varphi φ \chi χ \psi ψ \omega ω \Delta Δ \Sigma Σ \Omega Ω "
    r"\top ᵀ \dots … \ldots … \cdots ⋯ \infty ∞ \partial ∂ \nabla ∇ ' ′"
)
_RELATIONS = _table(r"= = < < > > : : \le ≤ \ge ≥ \ne ≠ \in ∈ \approx ≈ \sim ∼ \to → \leftarrow ←")
_FACTOR_SIGNS = _table(r"\odot ⊙ \cdot · \times × / /")
_TERM_SIGNS = _table("+ + - −")
_SUMS = _table(r"\sum Σ \prod Π")
_FUNCTIONS = _table(r"\max max \min min \log log \exp exp \sin sin \cos cos \tanh tanh")
_ACCENTS = {r"\bar": "\u0304", r"\hat": "\u0302", r"\tilde": "\u0303"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_VULGAR = _table("1/2 ½ 1/3 ⅓ 2/3 ⅔ 1/4 ¼ 3/4 ¾ 1/8 ⅛")
_SMALL = {
    "_": str.maketrans("0123456789+−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"),
    "^": str.maketrans("0123456789+−=()abcdefghijklmnoprstuvwxyzᵀ", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ"),
}
_NAMED = re.compile(r"\\(text|operatorname|mathrm)\{([^{}]*)\}")
_GAP = r"((?:\s|\\[,;:!])*)(?:\\(?:left|right)(?![a-z]))?"
_TOKEN = re.compile(rf"{_GAP}({_NAMED.pattern}|\\[A-Za-z]+|\d+(?:\.\d+)?|\\\\|\S)")
_LETTER = re.compile(r"\w[\u0300-\u036f]*|\d+")  # or a number: what may carry a script as it is
_QUAD = "\u2003"  # until the end, so that it is told apart from single spaces


def to_text(latex: str) -> str:
    r"""One line of Unicode for a formula in LaTeX; a `\quad` becomes three spaces.

    Args:
        latex: the formula, as a layer, loss or optimizer states it.

    Raises:
        ArgumentError: it holds a command that is not known here, or a bracket without its twin.

    >>> print(to_text(r"\bar W = \bar y^{\top} x, \quad y = \sigma(x) = \frac{1}{1 + e^{-x}}"))
    W̄ = ȳᵀ x,   y = σ(x) = 1 / (1 + e⁻ˣ)
    """
    parser = _Parser(latex)
    piece = parser.clauses()
    parser.expect("")
    return unicodedata.normalize("NFC", piece.text.replace(_QUAD, "   "))


class _Piece(NamedTuple):
    text: str
    level: int = ATOM

    def wrapped(self, least: int) -> str:
        """The text, in parentheses if it holds together less tightly than that."""
        return self.text if self.level >= least else f"({self.text})"


class _Parser:
    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.tight = False  # scripts are written without spaces
        found = _TOKEN.finditer(re.sub(r"\|([^|]*)\|", r"\\abs{\1}", latex))
        #: What is still to be read: tokens, each with whether there is space before it; the end is an empty one.
        self.tokens = [*((token[2], token[1] != "") for token in found), ("", False)]

    def peek(self) -> str:
        return self.tokens[0][0]

    def take(self) -> str:
        return self.tokens.pop(0)[0] if self.peek() else ""

    def expect(self, token: str) -> None:
        if (found := self.take()) != token:
            expected = f"{token or 'nothing more'} where it has {found or 'its end'}"
            raise ArgumentError("formula", self.latex, expected, "balance its brackets")

    def ends(self) -> bool:
        return self.peek() in ("", *_CLOSING.values())

    def sign(self, sign: str) -> str:
        return sign if self.tight or not sign else f" {sign} "

    def clauses(self) -> _Piece:
        """Everything up to a closing bracket or the end."""
        text, level = "", ATOM
        while not self.ends():
            separator = self.separator()
            piece = _Piece(separator, CLAUSES) if separator and self.take() else self.total()
            text, level = text + piece.text, CLAUSES if text else piece.level
        return _Piece(re.sub(rf" +(?=[ {_QUAD}])|(?<={_QUAD}) +", "", text).strip(), level)

    def separator(self) -> str:
        """How a comma, a relation, a wide space, a new line or words are written; empty for every other token."""
        token = self.peek()
        named = _NAMED.fullmatch(token)
        if named and " " in named[2]:
            return f" {named[2].strip()} "
        if token == ",":
            return "," if self.tight else ", "
        return {r"\quad": _QUAD, r"\\": ", "}.get(token) or self.sign(_RELATIONS.get(token, ""))

    def total(self) -> _Piece:
        """Products with + and − between them."""
        text = _TERM_SIGNS[self.take()] if self.peek() in _TERM_SIGNS else ""
        product = self.product()
        if not text and self.peek() not in _TERM_SIGNS:
            return product
        text += product.wrapped(QUOTIENT)
        while self.peek() in _TERM_SIGNS:
            text += self.sign(_TERM_SIGNS[self.take()]) + self.product().wrapped(QUOTIENT)
        return _Piece(text, TOTAL)

    def product(self) -> _Piece:
        """Factors side by side or with a sign between them."""
        factors, joints = [self.factor()], [""]
        while not self.ends() and self.peek() not in _TERM_SIGNS and not self.separator():
            is_apart = self.tokens[0][1] and not self.tight
            sign = self.sign(_FACTOR_SIGNS[self.take()]) if self.peek() in _FACTOR_SIGNS else ""
            factors.append(self.factor())
            is_apart = is_apart or any(factor.level in (QUOTIENT, OPEN) for factor in factors[-2:])
            joints.append(sign or " " * is_apart)
        return _multiply(factors, joints)

    def factor(self) -> _Piece:
        """An atom with its scripts; a function takes the bracket that follows it closely."""
        is_group = self.peek() == "{"
        base, scripts = self.atom(), self.scripts()
        if base.level == OPEN and base.text not in "ΣΠ" and self.tokens[0] in (("(", False), ("[", False)):
            return _Piece(base.text + scripts + self.atom().text + self.scripts())
        if not scripts or base.level == OPEN:
            return _Piece(base.text + scripts, base.level)
        stays_bare = _LETTER.fullmatch(base.text) if is_group else base.level == ATOM and base.text[:1] != "√"
        return _Piece((base.text if stays_bare else f"({base.text})") + scripts)

    def scripts(self) -> str:
        """Sub- and superscripts; those for which there are small letters come first."""
        small, large = "", ""
        while (kind := self.peek()) in _SMALL:
            self.take()
            outer, self.tight = self.tight, True
            text = self.argument().text
            self.tight = outer
            if all(ord(c) in _SMALL[kind] for c in text):
                small += text.translate(_SMALL[kind])
            else:
                large += kind + (text if kind == "_" and text.isalnum() else f"({text})")
        return small + large

    def argument(self) -> _Piece:
        """What a command or a script applies to: a group in braces, or the next token alone; of a number, a digit."""
        if self.peek().isdecimal():
            self.tokens[:1] = [(digit, False) for digit in self.peek()]
        return self.atom()

    def atom(self) -> _Piece:
        """A letter, a number, a bracket, or a command with its arguments."""
        token = self.take()
        if token in _CLOSING:
            inner = self.clauses()
            self.expect(_CLOSING[token])
            return inner if token == "{" else _Piece(token + inner.text + _CLOSING[token])
        if named := _NAMED.fullmatch(token):
            return _Piece(named[2], ATOM if named[1] == "text" else OPEN)
        if token in _SUMS | _FUNCTIONS:
            return _Piece((_SUMS | _FUNCTIONS)[token], OPEN)
        if token in (r"\frac", r"\tfrac"):
            return self.fraction(self.argument(), self.argument())
        if token == r"\sqrt":
            root = self.argument().text
            return _Piece(f"√{root}" if len(root) == 1 else f"√({root})")
        if token == r"\abs":
            return _Piece(f"|{self.argument().text}|")
        if token in _ACCENTS:
            return self.accented(self.argument().text, token)
        if token == r"\substack":
            return self.argument()
        if token not in _LETTERS and not token[:1].isalnum():
            known = "a letter, a number or a command that handgrad.display.mathematics knows"
            raise ArgumentError("LaTeX command", token or "missing", known, f"add it there, for {self.latex}")
        return _Piece(_LETTERS.get(token, token))

    def fraction(self, above: _Piece, below: _Piece) -> _Piece:
        if vulgar := _VULGAR.get(f"{above.text}/{below.text}"):
            return _Piece(vulgar)
        return _Piece(above.wrapped(PRODUCT) + self.sign("/") + below.wrapped(ATOM), QUOTIENT)

    def accented(self, base: str, accent: str) -> _Piece:
        if sum(not unicodedata.combining(c) for c in base) != 1:
            raise ArgumentError("formula", self.latex, f"a single letter under {accent}", "accent each letter itself")
        return _Piece(base + _ACCENTS[accent])


def _multiply(factors: list[_Piece], joints: list[str]) -> _Piece:
    """A product; a fraction stays bare only at its end, and where nothing before reaches over the fraction."""
    text, level = "", PRODUCT
    for place, (factor, joint) in enumerate(zip(factors, joints, strict=True), start=1):
        level = QUOTIENT if "/" in joint else level
        is_bare = factor.level == OPEN or (factor.level == QUOTIENT and level == PRODUCT and place == len(factors))
        text += joint + (factor.text if is_bare else factor.wrapped(PRODUCT))
        level = min(level, factor.level) if is_bare else level
    return _Piece(text, level) if len(factors) > 1 else factors[0]

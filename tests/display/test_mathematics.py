"""Formulas as text: what LaTeX becomes, that no formula of handgrad is left raw, and that parentheses never lie."""

import re
import unicodedata
from fractions import Fraction

import pytest
from discovery import LAYER_KINDS, LOSS_KINDS, OPTIMIZER_KINDS
from hypothesis import given
from hypothesis import strategies as st

from handgrad.display.mathematics import to_text
from handgrad.errors import ArgumentError


def stated() -> list[tuple[str, str]]:
    """Every piece of LaTeX that a class of handgrad states, with the class's name."""
    found = [(kind.__name__, vars(kind)["formula"]) for kind in OPTIMIZER_KINDS]
    for kind in (*LAYER_KINDS, *LOSS_KINDS):
        formulas = kind.formulas  # type: ignore[attr-defined]
        for latex in (formulas.forward, *formulas.backward.values(), *formulas.shapes, *formulas.shapes.values()):
            found.append((kind.__name__, latex))
    return found


@pytest.mark.parametrize(("kind", "latex"), stated())
def test_no_formula_is_left_raw(kind: str, latex: str) -> None:
    text = to_text(latex)
    assert text
    assert not re.search(r"[\\{}\n\u2003]", text), text
    assert text.count("(") == text.count(")")


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\bar y", "ȳ"),
        (r"\bar x", "x̄"),
        (r"\hat x", "x̂"),
        (r"\bar{\hat x}_m", "x̂̄ₘ"),
        (r"\bar\gamma", "γ̄"),
        (r"y = x W^{\top} + b", "y = x Wᵀ + b"),
        (r"a\odot b \cdot c", "a ⊙ b · c"),
        (r"\sum_{n, p} x", "Σ_(n,p) x"),
        (r"\sum_n x_n", "Σₙ xₙ"),
        (r"W_{o c i j}", "W_ocij"),
        (r"k_h k_w", "kₕ k_w"),
        (r"x^{\text{pad}}_{n,\, s p + i}", "xᵖᵃᵈ_(n,sp+i)"),
        (r"\beta_1^t", "β₁ᵗ"),
        (r"J_f^{\top}", "Jᵀ_f"),
        (r"e^{x_i - m}", "e^(xᵢ−m)"),
        (r"e^{-|x_{n c}|}", "e^(−|x_nc|)"),
        (r"\operatorname{vec}^{-1}(x)", "vec⁻¹(x)"),
        (r"\mathrm{diag}(y) - y y^{\top}", "diag(y) − y yᵀ"),
        (r"\max_j x_j", "maxⱼ xⱼ"),
        (r"\max(x, 0)", "max(x, 0)"),
        (r"\tanh\left(x + 1\right)", "tanh(x + 1)"),
        (r"\sum_c \left[x\right]", "Σ_c [x]"),
        (r"x\,[x > 0] + a\,x\,[x \le 0]", "x [x > 0] + a x [x ≤ 0]"),
        (r"\substack{s p + i = u \\ s q + j = v}", "s p + i = u, s q + j = v"),
        (r"w \leftarrow w - \eta v, \quad \text{and so on}", "w ← w − η v,   and so on"),
        (r"k = 1 \text{ with probability } p", "k = 1 with probability p"),
        (r"f_n(\dots f_1(x)), \quad A \cdots B", "fₙ(… f₁(x)),   A ⋯ B"),
        (r"(N, O, H', W')", "(N, O, H′, W′)"),
        (r"0.044715\,x^3", "0.044715 x³"),
    ],
)
def test_symbols(latex: str, text: str) -> None:
    assert to_text(latex) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{1}{1 + e^{-x}}", "1 / (1 + e⁻ˣ)"),
        (r"\frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}", "(x − μ) / √(σ² + ε)"),
        (r"\frac1M \sum_m x_m", "(1 / M) Σₘ xₘ"),
        (r"\frac{1}{k_h k_w}", "1 / (kₕ k_w)"),
        (r"\tfrac12 x", "½ x"),
        (r"\frac{1}{10}", "1 / 10"),
        (r"\sqrt v + 1", "√v + 1"),
        (r"\sqrt v^2", "(√v)²"),
        (r"\eta\, \frac{g}{\sqrt v + \varepsilon}", "η g / (√v + ε)"),
        (r"\frac{a}{b} \odot c", "(a / b) ⊙ c"),
        (r"\frac{a}{b}^2", "(a / b)²"),
        (r"{a^2}^2 + {\hat x}^2", "(a²)² + x̂²"),
        (r"\frac{\frac a b}{\frac c d}", "(a / b) / (c / d)"),
        (r"a / \frac b c", "a / (b / c)"),
        (r"\frac{\sum_i a_i}{n}", "(Σᵢ aᵢ) / n"),
        (r"\log \frac a b", "log (a / b)"),
        (r"\frac{\log a}{b}", "(log a) / b"),
        (r"\frac{a}{\max(b, c)}", "a / max(b, c)"),
        (r"a - {b + c}", "a − (b + c)"),
        (r"{a + b} c", "(a + b) c"),
        (r"e^{\frac a b}", "e^(a/b)"),
    ],
)
def test_parentheses_where_precedence_needs_them(latex: str, text: str) -> None:
    assert to_text(latex) == text


Expression = tuple[str, Fraction]  # LaTeX, and its value


def join(left: Expression, sign: str, right: Expression) -> Expression | None:
    """Two expressions with a sign between them; as groups, so that all parentheses are the parser's."""
    (a, u), (b, v) = left, right
    if sign == "/":
        return (rf"\frac{{{a}}}{{{b}}}", u / v) if v else None
    if sign == "^":
        return f"{{{a}}}^2", u * u
    value = {"+": u + v, "-": u - v, r"\cdot": u * v}[sign]
    return f"{{{a}}} {sign} {{{b}}}", value


NUMBERS = st.integers(1, 12).map(lambda value: (str(value), Fraction(value)))
EXPRESSIONS = st.recursive(
    NUMBERS,
    lambda inner: st.builds(join, inner, st.sampled_from(["+", "-", r"\cdot", "/", "/", "^"]), inner).filter(bool),
    max_leaves=8,
)


@given(expression=EXPRESSIONS)
def test_the_text_has_the_formulas_value(expression: Expression) -> None:
    latex, value = expression
    text = to_text(latex).replace("²", "**2").replace("·", "*").replace("−", "-")
    text = re.sub("[½⅓⅔¼¾⅛]", lambda found: f"({unicodedata.normalize('NFKC', found[0]).replace('⁄', '/')})", text)
    assert eval(re.sub(r"(?<!\*\*)\b\d+", r"Fraction(\g<0>)", text)) == value, text


@pytest.mark.parametrize(
    ("latex", "message"),
    [
        (r"y = \foo x", r"'\\\\foo'"),
        (r"a & b", "'&'"),
        (r"\frac{a}", "'missing'"),
        (r"x^", "'missing'"),
        (r"(a", r"\) where it has its end"),
        (r"a)", r"nothing more where it has \)"),
        (r"\bar{x y}", r"a single letter under \\bar"),
    ],
)
def test_what_is_not_known_is_named(latex: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        to_text(latex)

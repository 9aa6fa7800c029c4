import importlib.util

import pytest
from discovery import LAYER_KINDS, LOSS_KINDS
from shown import Shown

from handgrad.display import formulas
from handgrad.display.formulas import formula


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if latex2mathml were missing."""
    monkeypatch.setattr(formulas, "find_spec", lambda name: None)


#: What latex2mathml would hand on as it is, or cannot read.
STRANGE = [
    r"\text{<script>alert(1)</script>}",
    r"\text{<b onclick=alert(1)>}",
    r"\href{javascript:alert(1)}{x}",
    r'\color{red" onclick="alert(1)}{x}',
    r"\frac{1}{",
    r"\text{a < b}",
]

needs_mathml = pytest.mark.skipif(not importlib.util.find_spec("latex2mathml"), reason="needs latex2mathml")


def stated() -> list[str]:
    found = [kind.formulas for kind in (*LAYER_KINDS, *LOSS_KINDS)]  # type: ignore[attr-defined]
    return [latex for each in found for latex in (each.forward, *each.backward.values(), *each.shapes) if latex]


@needs_mathml
def test_every_formula_of_ours_is_typeset() -> None:
    for latex in stated():
        assert Shown(formula(latex)).tags[0] == "math", latex


@pytest.mark.usefixtures("plain")
def test_without_latex2mathml_a_formula_is_a_line_of_text() -> None:
    assert formula(r"y = x W^{\top} + b") == "<span>y = x Wᵀ + b</span>"
    for latex in stated():
        assert Shown(formula(latex)).tags == ["span"], latex


@needs_mathml
@pytest.mark.parametrize("latex", STRANGE)
def test_formulas_that_hold_something_else_stay_latex(latex: str) -> None:
    made = Shown(formula(latex))
    assert made.tags == ["code"]
    assert made.text == latex


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("latex", STRANGE)
def test_nothing_but_text_comes_of_them_without_latex2mathml(latex: str) -> None:
    assert Shown(formula(latex)).tags in (["span"], ["code"])


@pytest.mark.usefixtures("plain")
def test_an_unknown_command_stays_latex() -> None:
    assert Shown(formula(r"\mystery{x}")).text == r"\mystery{x}"

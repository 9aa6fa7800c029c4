from typing import Any

import numpy as np
from shown import shown

import handgrad as hg
from handgrad.inspection.doctor.finding import Findings
from handgrad.inspection.plots import curves


class Wrong(hg.ReLU):
    def backward(self, dy: Any, cache: Any, *, ops: Any, grads: Any) -> Any:
        return 2 * super().backward(dy, cache, ops=ops, grads=grads)


def check(layer: hg.Layer) -> hg.GradientCheck:
    rng = np.random.default_rng(0)
    model = hg.Sequential(hg.Linear(3, 4), layer, hg.Linear(4, 2)).initialize(rng)
    return hg.gradcheck(model, hg.SoftmaxCrossEntropy(), rng.normal(size=(3, 3)), [0, 1, 0])


def test_right_gradients_are_said_to_be() -> None:
    found = check(hg.ReLU())
    read = shown(found)
    compared = sum(tensor.compared for tensor in found.tensors)
    assert f"✓ Every gradient is right: 6 arrays, {compared} elements." in read.text
    assert [row[3] for row in read.rows[1:]] == ["✓ right"] * 6


def test_a_wrong_gradient_is_named_with_its_worst_element_and_what_it_looks_like() -> None:
    found = check(Wrong())
    read = shown(found)
    assert "✗ 3 of 6 gradients are wrong." in read.text
    row = read.rows[1]
    assert row[:4] == ["input", "3 × 3", "9", "✗ WRONG"]
    assert row[5:] == [
        str(list(found.tensors[0].index)),
        *(f"{v:.6g}" for v in (found.tensors[0].analytic, found.tensors[0].numeric)),
    ]
    assert f"input: {found.tensors[0].hint}" in read.text
    assert [row[3] for row in read.rows[4:]] == ["✓ right"] * 3


def test_a_point_on_a_kink_is_told() -> None:
    model = hg.Sequential(hg.ReLU(), hg.Linear(2, 1)).initialize(np.random.default_rng(0))
    assert "lay on a kink" in shown(hg.gradcheck(model, None, [[0.0, 1.0]])).text


def test_findings_are_a_list_that_a_notebook_shows() -> None:
    assert "✓ The doctor finds nothing wrong." in shown(Findings()).text
    finding = hg.Finding("<Dead>", "90 of 100.", "They do not learn.", "Lower it.")
    for thing in (finding, Findings([finding])):
        assert "✗ <Dead>" in shown(thing).text
        assert "Change: Lower it." in shown(thing).text
    assert Findings([finding]) == [finding]
    assert repr(Findings([finding])) == repr([finding])


def test_the_doctor_returns_such_a_list() -> None:
    data = hg.datasets.load("points").train
    trainer = hg.Trainer(
        hg.Linear(2, 2).initialize(np.random.default_rng(0)),
        hg.SoftmaxCrossEntropy(),
        hg.SGD(0.1),
        train=hg.Loader(data, None, preprocessing=hg.Preprocessing(scale=1e4)),
    )
    assert "✗ Inputs not scaled" in shown(hg.doctor(trainer)).text


def test_a_figure_shows_itself() -> None:
    figure: Any = curves(hg.History(epochs=[hg.Epoch(1, 0.5, {}, 0.1, 1.0, 0.1)]))
    assert figure._repr_png_().startswith(b"\x89PNG")

"""What was found in a network as a notebook shows it: its gradients beside their slopes, what the doctor says."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handgrad.display.html import Html, element, joined, muted, output, paragraph, table, verdict
from handgrad.inspection.doctor.finding import Finding

if TYPE_CHECKING:
    from handgrad.inspection.gradcheck import GradientCheck, TensorCheck

_HEADER = ("gradient of", "shape", "compared", "", "relative error", "at", "by backward", "by differences")


def gradcheck_html(check: "GradientCheck") -> str:
    """The verdict, and every array with its worst element."""
    wrong = [tensor for tensor in check.tensors if not tensor.passed]
    count = len(check.tensors)
    said = verdict(
        check.passed,
        f"Every gradient is right: {count} arrays, {sum(t.compared for t in check.tensors):,} elements.",
        f"{len(wrong)} of {count} gradients {'is' if len(wrong) == 1 else 'are'} wrong.",
    )
    hints = [paragraph(element("code", tensor.name), ": ", tensor.hint) for tensor in wrong if tensor.hint]
    notes = [f"Relative errors up to {check.tensors[0].tolerance:.0e} are rounding."] if check.tensors else []
    if check.moved:
        notes.append("The point asked for lay on a kink; one 0.001 beside it was checked.")
    rows = [_row(tensor) for tensor in check.tensors]
    return output(paragraph(said), table(_HEADER, rows, "llrlrlrr"), *hints, paragraph(muted(" ".join(notes))))


def _row(tensor: "TensorCheck") -> list[object]:
    compared = f"{tensor.compared:,}" + (f" ({tensor.kinks:,} on kinks)" if tensor.kinks else "")
    place = str(list(tensor.index)) if tensor.index else ""
    return [
        element("code", tensor.name),
        " × ".join(map(str, tensor.shape)),
        compared,
        verdict(tensor.passed, "right", "WRONG"),
        f"{tensor.error:.1e}",
        place,
        f"{tensor.analytic:.6g}",
        f"{tensor.numeric:.6g}",
    ]


def findings_html(findings: Sequence[Finding]) -> str:
    """Each finding with its measurement, the reason and the change to make."""
    if not findings:
        return output(paragraph(verdict(True, "The doctor finds nothing wrong.", "")))
    return output(*(_finding(finding) for finding in findings))


def _finding(finding: Finding) -> Html:
    heading = element("div", verdict(False, "", finding.name))
    change = joined([element("strong", "Change: "), finding.change])
    lines = (element("div", line, style="margin-left:18px") for line in (finding.measured, muted(finding.why), change))
    return element("div", heading, *lines, style="margin:8px 0")

"""What the doctor says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a network, its data or its training.

    Args:
        name: in two or three words.
        measured: the figure that shows it, in a sentence.
        why: why it matters.
        change: what to do about it.

    >>> print(Finding("Dead units", "90 of 100 units are always 0.", "They do not learn.", "Lower the learning rate."))
    Dead units: 90 of 100 units are always 0. They do not learn. Lower the learning rate.
    """

    name: str
    measured: str
    why: str
    change: str

    def __str__(self) -> str:
        return f"{self.name}: {self.measured} {self.why} {self.change}"

    def _repr_html_(self) -> str:
        from handgrad.inspection.display import findings_html

        return findings_html([self])


class Findings(list[Finding]):
    """What was found, the root before the consequences; empty where nothing is wrong."""

    def _repr_html_(self) -> str:
        from handgrad.inspection.display import findings_html

        return findings_html(self)

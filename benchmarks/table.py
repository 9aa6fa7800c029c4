"""A table of results, and how its cells are written: medians, ranges, verdicts."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """Text in rows and columns.

    Args:
        title: above it.
        columns: their heads.
        rows: as many cells each.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def markdown(self) -> str:
        """The table as a page shows it, under its title."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def ratios(pairs: Iterable[Mapping[str, Any]], key: str = "seconds") -> list[float]:
    """Our figure over the peer's, one a pair."""
    return [pair["ours"][key] / pair["theirs"][key] for pair in pairs]


def judged(what: str, threads: int, measured: Sequence[float], bar: float) -> tuple[str, ...]:
    """A row of the bars: what, threads, the figures, the bar and whether their median keeps it."""
    verdict = "kept" if statistics.median(measured) <= bar else "**missed**"
    return what, str(threads), spread(measured), f"{bar:g}", verdict


def spread(values: Sequence[float]) -> str:
    """Median, and minimum to maximum where there are several.

    >>> spread([0.2, 0.1234, 0.3]), spread([1234.5])
    ('0.2 (0.123–0.3)', '1,234')
    """
    median = _short(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({_short(min(values))}–{_short(max(values))})"


def _short(value: float) -> str:
    """Three digits, without an exponent."""
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.3g}"
        if abs(value) >= 0.001 or not value
        else f"{value:.4f}"
    )

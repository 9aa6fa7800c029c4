"""The HTML of a report: templates filled in, with everything in the one file."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from numpy.typing import NDArray

from handgrad.display.html import Html
from handgrad.report.comparison_page import comparison_values
from handgrad.report.measured import Measured
from handgrad.report.run_page import run_values
from handgrad.report.words import count, percent, short

#: By which a file is known to be a report, and may be written over by another.
GENERATOR = "handgrad report"
_KNOWN_BY = f'<meta name="generator" content="{GENERATOR}">'


def report(runs: Sequence[Measured]) -> str:
    """A page of HTML about one run, or about several that are compared; the same runs give the same bytes.

    Args:
        runs: measured, at least one.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    if len(runs) == 1:
        return _filled("run.html", run_values(runs[0]))
    return _filled("comparison.html", comparison_values(runs))


def is_report(content: bytes) -> bool:
    """Whether a file's content is a report of ours.

    >>> is_report(b"my notes")
    False
    """
    return _KNOWN_BY.encode() in content[:2000]


def histogram_path(histogram: NDArray[Any]) -> str:
    """A histogram as the outline of its bars, 60 wide and 18 high.

    >>> import numpy as np
    >>> histogram_path(np.array([1, 2]))
    'M0 18V9H30V0H60V18Z'
    """
    highest, step = max(1, int(histogram.max())), 60 / len(histogram)
    bars = [f"V{18 - 18 * value / highest:.3g}H{(place + 1) * step:.4g}" for place, value in enumerate(histogram)]
    return f"M0 18{''.join(bars)}V18Z"


def _filled(template: str, values: Mapping[str, Any]) -> str:
    from handgrad import __version__
    from handgrad.extras import load
    from handgrad.inspection.doctor import CHECKS

    jinja2 = load("jinja2", "report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("handgrad.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "percent": percent,
        "short": short,
        "count": count,
        "bars": histogram_path,
        "shape": lambda shape: " × ".join(map(str, shape)) or "1",
    }
    environment.globals |= {
        "style": Html(_style()),
        "generator": GENERATOR,
        "version": __version__,
        "checks": len(CHECKS),
    }
    return str(environment.get_template(template).render(values))


def _style() -> str:
    return (resources.files("handgrad.report") / "templates" / "style.css").read_text(encoding="utf-8").strip()

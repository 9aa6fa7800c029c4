"""What a notebook would show: HTML that is read as a browser reads it, and refused where it could do harm."""

import base64
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.etree import ElementTree

#: Elements without an end.
VOID = {"img"}

#: What may stand in an output: nothing that runs, loads, or reaches other outputs.
ALLOWED = {"div", "span", "strong", "code", "details", "summary", "img", "progress"}
ALLOWED |= {"table", "thead", "tbody", "tr", "th", "td"}

#: What a drawing may be made of.
DRAWN = {"svg", "line", "polyline", "circle", "text"}

_SVG = "data:image/svg+xml;base64,"


def drawing(address: str) -> ElementTree.Element:
    """The drawing in an image's address, which holds nothing but lines and words."""
    root = ElementTree.fromstring(base64.b64decode(address.removeprefix(_SVG)))
    for part in root.iter():
        assert part.tag.removeprefix("{http://www.w3.org/2000/svg}") in DRAWN, part.tag
        assert not any(name.startswith("on") or "href" in name for name in part.attrib)
    return root


@dataclass
class Shown(HTMLParser):
    """An output, taken apart.

    Args:
        source: its HTML.
    """

    source: str
    texts: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    charts: list[ElementTree.Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        mathematics = tag == "math" or "math" in self.open
        assert mathematics or tag in ALLOWED, f"<{tag}>"
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in ("id", "class", "href"), name
            if name == "src" and (value or "").startswith(_SVG):
                self.charts.append(drawing(value or ""))
            else:
                assert name != "src" or (value or "").startswith("data:image/png;base64,")
            assert not (name == "style" and re.search(r"background|url|(?<!accent-)\bcolor:(?!#)", value or "")), value
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return "".join(self.texts)


def shown(thing: object) -> Shown:
    """What a notebook shows for an object."""
    return Shown(thing._repr_html_())  # type: ignore[attr-defined]

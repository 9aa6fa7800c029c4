"""The page's own files, read as text: what imports what, and every text in both languages."""

import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

STATIC = Path(str(resources.files("handgrad.web"))) / "static"
MODULES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js"))
#: `import … from "./x.js"`, `export … from "./x.js"` and `import "./x.js"`, at the beginning of a line.
STATIC_IMPORT = re.compile(r'^(?:import|export)\s+(?:[\w*{}\s,]+?\s+from\s+)?"([^"]+)"', re.MULTILINE)
LATER_IMPORT = re.compile(r'\bimport\("([^"]+)"\)')
WORDS = re.compile(r'^    "([\w.]+)": ".*",$', re.MULTILINE)


def text_of(module: str) -> str:
    return (STATIC / module).read_text(encoding="utf-8")


def imported(module: str, pattern: re.Pattern[str] = STATIC_IMPORT) -> list[str]:
    """The modules that one asks for, by their paths below the folder of the page."""
    folder = (STATIC / module).parent
    return [
        (folder / name).resolve().relative_to(STATIC.resolve()).as_posix() for name in pattern.findall(text_of(module))
    ]


def reachable(first: str) -> set[str]:
    """All that a browser has to fetch before a module begins to run."""
    found, waiting = {first}, [first]
    while waiting:
        new = set(imported(waiting.pop())) - found
        found |= new
        waiting += new
    return found


class Links(HTMLParser):
    """The addresses of a page's links, by what they are for, and of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link":
            self.found.setdefault(given.get("rel") or "", []).append(given.get("href") or "")
        if tag == "script":
            self.found.setdefault("script", []).append(given.get("src") or "")


def links() -> dict[str, list[str]]:
    parser = Links()
    parser.feed((STATIC / "index.html").read_text(encoding="utf-8"))
    return parser.found


def test_the_page_names_all_modules_that_it_begins_with_so_that_they_come_at_once() -> None:
    [first] = links()["script"]
    assert sorted(links()["modulepreload"]) == sorted(reachable(first) - {first})


def test_what_the_page_names_is_there() -> None:
    missing = [name for names in links().values() for name in names if not (STATIC / name).is_file()]
    assert missing == []


@pytest.mark.parametrize("module", MODULES)
def test_every_import_is_there(module: str) -> None:
    names = imported(module) + imported(module, LATER_IMPORT)
    assert [name for name in names if not (STATIC / name).is_file()] == []
    named = re.findall(r"^import \{([^}]*)\} from \"([^\"]+)\"", text_of(module), re.MULTILINE)
    for wanted, place in named:
        text = ((STATIC / module).parent / place).read_text(encoding="utf-8")
        offered = set(re.findall(r"^export (?:async )?(?:const|function|class) (\w+)", text, re.MULTILINE))
        assert {name.split(" as ")[0].strip() for name in wanted.split(",")} <= offered, place


def test_every_module_is_used() -> None:
    later = {name for module in MODULES for name in imported(module, LATER_IMPORT)}
    used = reachable("app.js").union(*map(reachable, later))
    assert sorted(used) == MODULES


def test_every_text_stands_in_both_languages_once_and_is_used() -> None:
    everything = "".join(map(text_of, MODULES)) + (STATIC / "index.html").read_text(encoding="utf-8")
    for module in MODULES:
        english, _, chinese = text_of(module).partition("\n  zh: {\n")
        keys = WORDS.findall(english)
        assert keys == WORDS.findall(chinese), module
        for key in keys:
            assert len(re.findall(rf'^    "{re.escape(key)}": ', everything, re.MULTILINE)) == 2, key
            assert _is_named(key, everything), f"{key} of {module} is shown nowhere"


def _is_named(key: str, text: str) -> bool:
    """Whether a key is written somewhere, whole or with a gap: `confusion.${data}`, `${name}.goal`."""
    whole = re.sub(r'^    "[\w.]+": .*$', "", text, flags=re.MULTILINE)
    if re.search(rf'["\']{re.escape(key)}["\']', whole):
        return True
    gapped = [re.sub(r"\$\{[^{}]*\}", "\0", name) for name in re.findall(r"`((?:[\w.]|\$\{[^{}`]*\})+)`", whole)]
    patterns = [r"[\w.]+".join(map(re.escape, name.split("\0"))) for name in gapped if "." in name.replace("\0", "")]
    return any(re.fullmatch(pattern, key) for pattern in patterns)

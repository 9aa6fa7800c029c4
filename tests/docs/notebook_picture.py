"""The picture of docs/notebook.md, from the notebook that it tells of: `python tests/docs/notebook_picture.py`.

Needs nbconvert besides what the tests of notebooks and of the page need. The left half is in light colours, the right
one in dark.
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from page import browsing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

DOCS = Path(__file__).parents[2] / "docs"
WIDTH = 980

#: What each half shows: the theme, and how the code of its cells begins.
HALVES = (("light", ("model = ", "loss = ")), ("dark", ("trainer = ", "trainer.history")))


def half(browser: "Browser", notebook: Any, theme: str, beginnings: tuple[str, ...]) -> Image.Image:
    """Some cells of the notebook, as a picture."""
    import nbformat
    from nbconvert import HTMLExporter

    chosen = [cell for cell in notebook.cells if cell.source.startswith(beginnings)]
    html, _ = HTMLExporter(theme=theme).from_notebook_node(nbformat.v4.new_notebook(cells=chosen))
    page = browser.new_page(viewport={"width": WIDTH, "height": 200}, device_scale_factor=1.25)
    page.route("http**", lambda route: route.abort())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "notebook.html"
        file.write_text(html, encoding="utf-8")
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = each.innerText[0] === 'F')")
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    page.close()
    return picture


def main() -> None:
    import nbclient
    import nbformat

    notebook = nbformat.read(DOCS / "notebooks" / "first-network.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    with browsing() as browser:
        left, right = (half(browser, notebook, theme, beginnings) for theme, beginnings in HALVES)
    whole = Image.new("RGB", (left.width + right.width, max(left.height, right.height)), "white")
    corner = right.crop((0, right.height - 1, 1, right.height))
    whole.paste(corner.resize((right.width, whole.height)), (left.width, 0))
    whole.paste(left, (0, 0))
    whole.paste(right, (left.width, 0))
    whole.quantize(256).save(DOCS / "images" / "notebook.png", optimize=True)


if __name__ == "__main__":
    main()

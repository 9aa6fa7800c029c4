"""The notebooks of docs run as they stand, in seconds, and are kept without what they printed."""

import collections
import re
from pathlib import Path
from typing import Any

import pytest
from shown import Shown

nbformat: Any = pytest.importorskip("nbformat")
nbclient: Any = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))


class Client(nbclient.NotebookClient):  # type: ignore[misc]
    """Runs a notebook, and counts what the kernel sends, by cell."""

    def __init__(self, notebook: Any) -> None:
        super().__init__(notebook, timeout=300, kernel_name="python3")
        self.sent: dict[int, collections.Counter[str]] = collections.defaultdict(collections.Counter)

    def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
        self.sent[cell_index][message["msg_type"]] += 1
        return super().process_message(message, cell, cell_index)


@pytest.fixture(autouse=True)
def _folders_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)


def run(*sources: str) -> Client:
    """Cells of code that have been run in a kernel."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    client = Client(nbformat.v4.new_notebook(cells=cells))
    client.execute()
    return client


def output_of(cell: Any) -> Any:
    """The only output of a cell."""
    (output,) = cell.outputs
    return output


def test_there_is_one() -> None:
    assert [path.name for path in NOTEBOOKS] == ["first-network.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


def test_the_first_network_learns_and_shows_what_it_is() -> None:
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    client = Client(notebook)
    client.execute()
    shown = {
        output.data["text/plain"].partition("(")[0]: Shown(output.data["text/html"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "execute_result" and "text/html" in output.data
    }
    assert "60,000 examples" in shown["Dataset"].text
    assert "101,770 parameters" in shown["Sequential"].text
    assert "✓ Every gradient is right" in shown["GradientCheck"].text
    assert len(shown["History"].charts) == 2
    accuracy = re.match(r"([0-9.]+) %", shown["Scores"].rows[1][0])
    assert accuracy is not None
    assert float(accuracy[1]) > 96
    assert any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    assert not any(output.output_type == "stream" for cell in notebook.cells for output in cell.get("outputs", []))


SETUP = """
import time
import numpy as np, handgrad as hg
rng, data = np.random.default_rng(0), hg.datasets.load("points").train
loader = hg.Loader(data, 5, preprocessing=hg.Preprocessing(scale=0.1), rng=rng)
model = hg.Linear(2, 2).initialize(rng)
trainer = hg.Trainer(model, hg.SoftmaxCrossEntropy(), hg.SGD(0.1), train=loader, monitors={"validation": loader})
"""


def test_a_bar_is_one_output_that_is_replaced_and_not_too_often() -> None:
    loop = "begun = time.perf_counter()\nfor _ in hg.progress(trainer, 4000):\n    pass\n"
    client = run(SETUP, loop + "print(time.perf_counter() - begun)")
    bar, printed = client.nb.cells[1].outputs
    spent = float(printed.text)
    sent = client.sent[1]
    assert sent["display_data"] == 1
    assert 2 <= sent["update_display_data"] <= spent / 0.2 + 2
    assert "4,000 epochs in" in Shown(bar.data["text/html"]).text
    assert "progress" not in Shown(bar.data["text/html"]).tags
    assert bar.data["text/plain"].startswith("4,000 epochs in")


def test_a_bar_while_it_trains_shows_how_far_it_is() -> None:
    client = run(SETUP, "events = hg.progress(trainer, 3)\nfor _ in range(3):\n    next(events)\n    time.sleep(0.25)")
    read = Shown(output_of(client.nb.cells[1]).data["text/html"])
    assert "progress" in read.tags
    assert 'max="6"' in read.source
    assert re.match(r"epoch \d/3 · loss 0\.\d{4}", read.text)


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        ("    if event.number == 3: break", "Stopped in epoch 2 of 5, after 3 steps."),
        ("    raise KeyboardInterrupt", "Stopped in epoch 1 of 5, after 1 step."),
        ("    1 / 0", "Stopped in epoch 1 of 5, after 1 step."),
    ],
)
def test_a_bar_is_closed_however_its_cell_ends(loop: str, said: str) -> None:
    cells = [nbformat.v4.new_code_cell(s) for s in (SETUP, f"for event in hg.progress(trainer, 5):\n{loop}")]
    client = Client(nbformat.v4.new_notebook(cells=cells))
    client.allow_errors = True
    client.execute()
    read = Shown(cells[1].outputs[0].data["text/html"])
    assert said in read.text
    assert "progress" not in read.tags

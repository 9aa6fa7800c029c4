import subprocess
import sys

import handgrad


def test_the_public_names_are_exactly_the_exported_ones() -> None:
    public = {name for name in vars(handgrad) if not name.startswith("_")}
    submodules = {"cli", "errors", "files", "initializers", "inspection", "layers", "losses", "optimizers", "training"}
    assert set(handgrad.__all__) <= public
    assert public - set(handgrad.__all__) <= submodules


def test_importing_loads_nothing_heavy() -> None:
    heavy = "matplotlib PIL rich typer torch numba safetensors threadpoolctl"
    code = f"import handgrad, sys; print([m for m in '{heavy}'.split() if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"

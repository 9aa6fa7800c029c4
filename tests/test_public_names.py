import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import handgrad


def printed_by(code: str) -> str:
    """What a process of its own prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_every_public_name_is_there_and_listed() -> None:
    assert dir(handgrad) == handgrad.__all__
    assert all(getattr(handgrad, name) is not None for name in handgrad.__all__)
    internal = {"cli", "display", "extras", "files", "interop", "observer", "report", "session", "web"}
    modules = {module.name for module in pkgutil.iter_modules(handgrad.__path__)} - {"__main__"}
    optional = {"sklearn"}  # imported by whoever has what it needs
    assert modules <= set(handgrad.__all__) | internal | optional


def test_type_checkers_are_told_the_same_names() -> None:
    stub = ast.parse(Path(handgrad.__file__).with_suffix(".pyi").read_text())
    (listed,) = [node.value for node in stub.body if isinstance(node, ast.Assign)]
    assert sorted(ast.literal_eval(listed)) == handgrad.__all__


def test_a_part_of_the_package_needs_no_import_of_its_own() -> None:
    assert printed_by("import handgrad as hg; print(hg.layers.Linear is hg.Linear, hg.optimizers.SGD is hg.SGD)") == (
        "True True"
    )


def test_importing_loads_nothing_heavy() -> None:
    heavy = ["matplotlib", "PIL", "rich", "typer", "torch", "numba", "safetensors", "threadpoolctl"]
    code = f"import handgrad, sys; handgrad.Experiment; print([m for m in {heavy} if m in sys.modules])"
    assert printed_by(code) == "[]"


def test_the_cpu_loads_nothing_of_numpy_that_training_does_not_need() -> None:
    """To import what wraps NumPy in the array standard loaded NumPy's tests and its Fortran compiler: 75 ms."""
    heavy = ["numpy.testing", "numpy.f2py", "unittest", "array_api_compat", "torch"]
    code = "import sys; from handgrad.ops import for_device; for_device('cpu')"
    code += f"; print([m for m in {heavy} if m in sys.modules])"
    assert printed_by(code) == "[]"


def test_help_needs_no_numpy() -> None:
    assert printed_by("import handgrad.cli, sys; print('numpy' in sys.modules)") == "False"

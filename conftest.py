"""Names that every doctest may use."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

#: What needs extras that are not installed, and is not even imported then.
collect_ignore_glob = ["site/conf.py"]  # the configuration of the site, run by Sphinx
if not all(find_spec(package) for package in ("starlette", "uvicorn", "jsonschema", "latex2mathml")):
    collect_ignore_glob += ["src/handgrad/web/*", "tests/web/*", "tests/reliability/*fuzz_web.py"]
if not find_spec("schemathesis"):
    collect_ignore_glob += ["tests/reliability/*fuzz_web.py"]

if not find_spec("pandas"):
    collect_ignore_glob += ["src/handgrad/data/tables.py"]
if not find_spec("datasets"):
    collect_ignore_glob += ["src/handgrad/interop/datasets.py"]
if not find_spec("sklearn"):
    collect_ignore_glob += ["src/handgrad/sklearn.py", "src/handgrad/interop/sklearn/*"]
if not find_spec("torch"):
    collect_ignore_glob += ["src/handgrad/interop/torch*"]
if not (find_spec("onnx") and find_spec("onnxruntime")):
    collect_ignore_glob += ["src/handgrad/interop/onnx*"]
if not find_spec("tensorboardX"):
    collect_ignore_glob += ["src/handgrad/interop/tensorboard*", "src/handgrad/interop/event_file.py"]
if not find_spec("optuna"):
    collect_ignore_glob += ["src/handgrad/interop/sweep*"]
if not find_spec("sphinx"):
    collect_ignore_glob += ["site/*"]


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, Any]) -> None:
    import handgrad

    doctest_namespace["np"] = np
    doctest_namespace["handgrad"] = handgrad

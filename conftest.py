"""Names that every doctest may use."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, Any]) -> None:
    import handgrad

    doctest_namespace["np"] = np
    doctest_namespace["handgrad"] = handgrad

"""Who takes part. Each module here does the same arithmetic with one library, as well as that library can.

A module has `prepare(job, variant)`, which returns a function of a number of epochs: it trains so many further ones and
returns the training loss of the last, as the mean over its examples. It may have `predictor(job, variant)`, which
returns a function from float32 inputs to float32 outputs (logits), both NumPy arrays; and
`bulk_predictor(job, variant)`, which returns one from uint8 images and a batch size to all outputs.

This file imports none of them.
"""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Train: TypeAlias = Callable[[int], float]
Predict: TypeAlias = Callable[[Any], Any]
PredictAll: TypeAlias = Callable[[Any, int], Any]


@dataclass(frozen=True)
class Contestant:
    """One row of the tables.

    Args:
        name: one word for the command line.
        title: for reading.
        module: in this package.
        variant: which of the module's ways.
        requires: what must be installed, as it is imported.
        kinds: the kinds of workload it can train.
        compiles: whether it needs a C++ compiler.
    """

    name: str
    title: str
    module: str
    variant: str = ""
    requires: str = "numpy"
    kinds: tuple[str, ...] = ("mlp", "cnn", "xor")
    compiles: bool = False

    def absence(self) -> str:
        """Why it cannot take part; empty if it can."""
        if importlib.util.find_spec(self.requires) is None:
            return f"{self.requires} is not installed"
        if self.compiles and not any(shutil.which(compiler) for compiler in ("c++", "g++", "clang++")):
            return "no C++ compiler, which torch.compile needs"
        return ""


OURS = Contestant("handgrad", "handgrad", "handgrad", requires="handgrad")

PEERS: dict[str, Contestant] = {
    peer.name: peer
    for peer in (
        Contestant("pytorch", "PyTorch eager", "pytorch", requires="torch"),
        Contestant("pytorch-channels-last", "PyTorch, channels_last", "pytorch", "channels_last", "torch", ("cnn",)),
        Contestant("pytorch-loader", "PyTorch, its DataLoader", "pytorch", "loader", "torch", ("mlp", "cnn")),
        Contestant("pytorch-compile", "torch.compile", "pytorch", "compile", "torch", compiles=True),
        Contestant("jax", "JAX jit, scan", "jax", requires="jax"),
        Contestant("sklearn", "scikit-learn", "sklearn", requires="sklearn", kinds=("mlp",)),
        Contestant("numpy", "plain NumPy", "numpy"),
        Contestant("numpy-out", "NumPy, out=", "numpy", "out", kinds=("mlp",)),
        Contestant("onnxruntime", "ONNX Runtime", "onnxruntime", requires="onnxruntime", kinds=()),
    )
}

# What `import handgrad` offers. Each name is imported when it is first used: see __init__.py.

from . import data, errors, initializers, inspection, layers, losses, ops, optimizers, schedules, training
from .data import datasets
from .data.augment import Augmentation
from .data.loader import Loader
from .data.preprocessing import Preprocessing
from .errors import (
    ArgumentError,
    DataError,
    DeviceError,
    HandgradError,
    NonFiniteError,
    RecipeError,
    RunError,
    ShapeError,
)
from .inspection.doctor import Finding, doctor
from .inspection.gradcheck import GradientCheck, gradcheck
from .inspection.progress import progress
from .layers import (
    GELU,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from .layers.compile import compile
from .layers.summary import summary
from .losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError, SoftmaxCrossEntropy
from .ops import set_threads
from .optimizers import SGD, Adam, AdamW, RMSProp
from .training.checkpoint import Checkpoint
from .training.evaluation import evaluate, predict
from .training.experiment import Experiment
from .training.history import Epoch, History, Step
from .training.recipe import Recipe
from .training.trainer import Trainer

__version__: str

__all__ = [
    "GELU",
    "SGD",
    "Adam",
    "AdamW",
    "ArgumentError",
    "Augmentation",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "BinaryCrossEntropy",
    "Checkpoint",
    "Conv2d",
    "CrossEntropy",
    "DataError",
    "DeviceError",
    "Dropout",
    "Epoch",
    "Experiment",
    "Finding",
    "Flatten",
    "GradientCheck",
    "HandgradError",
    "History",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Loader",
    "LogSoftmax",
    "MaxPool2d",
    "MeanSquaredError",
    "NonFiniteError",
    "Preprocessing",
    "RMSProp",
    "ReLU",
    "Recipe",
    "RecipeError",
    "Residual",
    "RunError",
    "Sequential",
    "ShapeError",
    "Sigmoid",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Step",
    "Tanh",
    "Trainer",
    "compile",
    "data",
    "datasets",
    "doctor",
    "errors",
    "evaluate",
    "gradcheck",
    "initializers",
    "inspection",
    "layers",
    "losses",
    "ops",
    "optimizers",
    "predict",
    "progress",
    "schedules",
    "set_threads",
    "summary",
    "training",
]

"""Neural networks written out by hand: every forward and backward pass derived, visible and proved."""

from handgrad import data, initializers, ops, schedules
from handgrad.data import datasets
from handgrad.data.augment import Augmentation
from handgrad.data.loader import Loader
from handgrad.data.preprocessing import Preprocessing
from handgrad.errors import (
    ArgumentError,
    DataError,
    DeviceError,
    HandgradError,
    NonFiniteError,
    RecipeError,
    RunError,
    ShapeError,
)
from handgrad.layers import (
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
from handgrad.layers.compile import compile
from handgrad.layers.summary import summary
from handgrad.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError, SoftmaxCrossEntropy
from handgrad.ops import set_threads
from handgrad.optimizers import SGD, Adam, AdamW, RMSProp
from handgrad.training.evaluation import evaluate, predict
from handgrad.training.experiment import Experiment
from handgrad.training.history import Epoch, History, Step
from handgrad.training.recipe import Recipe
from handgrad.training.trainer import Trainer

__version__ = "0.1.0"

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
    "Conv2d",
    "CrossEntropy",
    "DataError",
    "DeviceError",
    "Dropout",
    "Epoch",
    "Experiment",
    "Flatten",
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
    "evaluate",
    "initializers",
    "ops",
    "predict",
    "schedules",
    "set_threads",
    "summary",
]

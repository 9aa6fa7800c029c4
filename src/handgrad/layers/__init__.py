"""Layers: each a forward function and its derivation, side by side."""

from handgrad.layers.activations import GELU, Activation, LeakyReLU, ReLU, Sigmoid, Tanh
from handgrad.layers.conv import Conv2d
from handgrad.layers.dropout import Dropout
from handgrad.layers.layer import Formulas, Layer
from handgrad.layers.linear import Linear
from handgrad.layers.norm import BatchNorm1d, BatchNorm2d, LayerNorm
from handgrad.layers.parameters import Gradients, ParameterSpec, ParameterTree, ParameterVector, Slot
from handgrad.layers.pool import AvgPool2d, MaxPool2d
from handgrad.layers.sequential import Flatten, Residual, Sequential
from handgrad.layers.softmax import LogSoftmax, Softmax

__all__ = [
    "GELU",
    "Activation",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "Formulas",
    "Gradients",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MaxPool2d",
    "ParameterSpec",
    "ParameterTree",
    "ParameterVector",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Slot",
    "Softmax",
    "Tanh",
]

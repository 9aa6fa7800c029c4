"""For every layer its equal among PyTorch's modules, and for each of these modules its layer."""

from collections.abc import Callable
from typing import Any

from handgrad import layers
from handgrad.extras import load
from handgrad.interop.errors import TranslationError
from handgrad.layers import Layer
from handgrad.ops import Shape

torch: Any = load("torch", "torch")
nn: Any = torch.nn


class Residual(nn.Module):  # type: ignore[misc]
    """y = x + branch(x), as `handgrad.Residual`, which PyTorch has no module for.

    Args:
        branch: a module that keeps the shape of its input.

    >>> Residual(nn.ReLU())(torch.tensor([-1.0, 2.0])).tolist()
    [-1.0, 4.0]
    """

    def __init__(self, branch: Any) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Any) -> Any:
        """The input and what the branch makes of it, added up."""
        return x + self.branch(x)


# -- from a layer to its module ------------------------------------------------------------------------


def _conv2d(layer: layers.Conv2d) -> Any:
    sizes = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
    return nn.Conv2d(*sizes, bias=layer.has_bias)


def _batch_norm(kind: Any) -> Callable[[Any], Any]:
    return lambda layer: kind(layer.num_features, eps=layer.epsilon, momentum=layer.momentum)


def _pool(kind: Any) -> Callable[[Any], Any]:
    return lambda layer: kind(layer.kernel_size, layer.stride, layer.padding)


#: Makes the module of a layer, with first weights of PyTorch's own.
MODULES: dict[type[Layer], Callable[[Any], Any]] = {
    layers.Sequential: lambda layer: nn.Sequential(*map(module_of, layer.layers)),
    layers.Residual: lambda layer: Residual(module_of(layer.branch)),
    layers.Linear: lambda layer: nn.Linear(layer.in_features, layer.out_features, bias=layer.has_bias),
    layers.Conv2d: _conv2d,
    layers.MaxPool2d: _pool(nn.MaxPool2d),
    layers.AvgPool2d: _pool(nn.AvgPool2d),
    layers.BatchNorm1d: _batch_norm(nn.BatchNorm1d),
    layers.BatchNorm2d: _batch_norm(nn.BatchNorm2d),
    layers.LayerNorm: lambda layer: nn.LayerNorm(layer.num_features, eps=layer.epsilon),
    layers.Dropout: lambda layer: nn.Dropout(layer.p),
    layers.Flatten: lambda layer: nn.Flatten(),
    layers.ReLU: lambda layer: nn.ReLU(),
    layers.LeakyReLU: lambda layer: nn.LeakyReLU(layer.negative_slope),
    layers.Sigmoid: lambda layer: nn.Sigmoid(),
    layers.Tanh: lambda layer: nn.Tanh(),
    layers.GELU: lambda layer: nn.GELU(approximate="tanh"),
    layers.Softmax: lambda layer: nn.Softmax(dim=-1),
    layers.LogSoftmax: lambda layer: nn.LogSoftmax(dim=-1),
}


def module_of(layer: Layer) -> Any:
    """The module that computes what a layer computes, its weights not yet the layer's.

    Raises:
        TranslationError: the layer, or one inside it, is not one of handgrad's own.

    >>> module_of(handgrad.GELU())
    GELU(approximate='tanh')
    """
    make = MODULES.get(type(layer))  # not isinstance: a subclass may compute something else
    if make is None:
        kinds = ", ".join(kind.__name__ for kind in MODULES)
        raise TranslationError(
            f"{type(layer).__name__} has no equal in PyTorch that handgrad knows of; these do: {kinds}."
        )
    return make(layer)


# -- from a module to its layer ------------------------------------------------------------------------


def _only(module: Any, **expected: tuple[Any, ...]) -> None:
    """Refuse a module that has a setting which its layer lacks."""
    for name, values in expected.items():
        value = getattr(module, name)
        if value not in values:
            raise TranslationError(f"{name} is {value!r}, and handgrad's has only {' or '.join(map(repr, values))}")


def _linear_layer(module: Any, shape: Shape) -> Layer:
    return layers.Linear(module.in_features, module.out_features, bias=module.bias is not None)


def _conv2d_layer(module: Any, shape: Shape) -> Layer:
    _only(module, groups=(1,), dilation=((1, 1),), padding_mode=("zeros",))
    if module.padding == "same":
        raise TranslationError("padding is 'same', and handgrad's has only numbers")
    padding = 0 if module.padding == "valid" else module.padding
    sizes = (module.in_channels, module.out_channels, module.kernel_size, module.stride, padding)
    return layers.Conv2d(*sizes, bias=module.bias is not None)


def _max_pool_layer(module: Any, shape: Shape) -> Layer:
    _only(module, dilation=(1, (1, 1)), ceil_mode=(False,), return_indices=(False,))
    return layers.MaxPool2d(module.kernel_size, module.stride, module.padding)


def _avg_pool_layer(module: Any, shape: Shape) -> Layer:
    _only(module, ceil_mode=(False,), count_include_pad=(True,), divisor_override=(None,))
    return layers.AvgPool2d(module.kernel_size, module.stride, module.padding)


def _batch_norm_layer(kind: type[layers.BatchNorm1d]) -> Callable[[Any, Shape], Layer]:
    def make(module: Any, shape: Shape) -> Layer:
        _only(module, affine=(True,), track_running_stats=(True,))
        if module.momentum is None:
            raise TranslationError("momentum is None, and handgrad's has only a number")
        return kind(module.num_features, momentum=module.momentum, epsilon=module.eps)

    return make


def _layer_norm_layer(module: Any, shape: Shape) -> Layer:
    if len(module.normalized_shape) != 1 or module.weight is None or module.bias is None:
        raise TranslationError("handgrad's has one axis, the last, with a weight and a bias")
    return layers.LayerNorm(module.normalized_shape[0], epsilon=module.eps)


def _flatten_layer(module: Any, shape: Shape) -> Layer:
    _only(module, start_dim=(1,), end_dim=(-1, len(shape)))
    return layers.Flatten()


def _gelu_layer(module: Any, shape: Shape) -> Layer:
    _only(module, approximate=("tanh",))
    return layers.GELU()


def _over_the_last_axis(kind: type[Layer]) -> Callable[[Any, Shape], Layer]:
    def make(module: Any, shape: Shape) -> Layer:
        _only(module, dim=(-1, len(shape)))
        return kind()

    return make


#: Makes the layer of a module that gets examples of the given shape, its weights not yet the module's.
LAYERS: dict[Any, Callable[[Any, Shape], Layer]] = {
    nn.Linear: _linear_layer,
    nn.Conv2d: _conv2d_layer,
    nn.MaxPool2d: _max_pool_layer,
    nn.AvgPool2d: _avg_pool_layer,
    nn.BatchNorm1d: _batch_norm_layer(layers.BatchNorm1d),
    nn.BatchNorm2d: _batch_norm_layer(layers.BatchNorm2d),
    nn.LayerNorm: _layer_norm_layer,
    nn.Dropout: lambda module, shape: layers.Dropout(module.p),
    nn.Flatten: _flatten_layer,
    nn.ReLU: lambda module, shape: layers.ReLU(),
    nn.LeakyReLU: lambda module, shape: layers.LeakyReLU(module.negative_slope),
    nn.Sigmoid: lambda module, shape: layers.Sigmoid(),
    nn.Tanh: lambda module, shape: layers.Tanh(),
    nn.GELU: _gelu_layer,
    nn.Softmax: _over_the_last_axis(layers.Softmax),
    nn.LogSoftmax: _over_the_last_axis(layers.LogSoftmax),
}

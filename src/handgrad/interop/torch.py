"""PyTorch: a network of handgrad as the equal module, a module as the equal network, and training that goes on there.

Weights keep PyTorch's names and layouts both ways, so `state_dict` and `load_state_dict` need no table of names.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from handgrad.errors import ArgumentError, HandgradError, ShapeError
from handgrad.interop.errors import TranslationError
from handgrad.interop.torch_modules import LAYERS, Residual, module_of, nn, torch
from handgrad.interop.torch_optimizers import optimizer_from_torch, optimizer_to_torch
from handgrad.interop.weights import with_values
from handgrad.layers import Layer, Sequential
from handgrad.layers import Residual as ResidualLayer
from handgrad.layers.parameters import dotted
from handgrad.ops import Shape

__all__ = [
    "Residual",
    "from_torch",
    "load_state_dict",
    "optimizer_from_torch",
    "optimizer_to_torch",
    "state_dict",
    "to_torch",
]

_DTYPES = {torch.float32: "float32", torch.float64: "float64"}

#: PyTorch's batch norm counts its batches, which matters only where it averages over all of them; ours never does.
_COUNTER = "num_batches_tracked"


def to_torch(model: Layer, *, training: bool = False) -> Any:
    """The PyTorch module that computes what a model computes, with a copy of its weights, in their dtype.

    Weights have the names and shapes in the module's `state_dict` that they have in `model.parameters.state_dict()`.
    Nothing is drawn from PyTorch's random numbers.

    Args:
        model: an initialised model of handgrad's layers; a `Sequential` becomes an `nn.Sequential`.
        training: whether the module is in training mode: dropout drops, batch norm uses the batch and moves its
            averages. Left out, it is in evaluation mode, as `model(x)` is.

    Returns:
        a `torch.nn.Module` on the processor.

    Raises:
        TranslationError: a layer is not one of handgrad's own.
        NotInitializedError: the model has no parameters yet.

    >>> model = handgrad.Sequential(handgrad.Linear(3, 2), handgrad.Tanh()).initialize(np.random.default_rng(0))
    >>> module = to_torch(model)
    >>> module
    Sequential(
      (0): Linear(in_features=3, out_features=2, bias=True)
      (1): Tanh()
    )
    >>> x = np.float32([[1, 2, 3]])
    >>> bool(np.allclose(module(torch.from_numpy(x)).detach(), model(x), atol=1e-6))
    True
    """
    weights = state_dict(model)
    with torch.device("meta"):  # neither memory nor random numbers for weights that are replaced at once
        module = module_of(model)
    module.load_state_dict(weights, assign=True)
    return module.train(training)


def from_torch(module: Any, input_shape: Shape, *, dtype: str | None = None) -> Layer:
    """The model of handgrad that computes what a PyTorch module computes, with a copy of its weights.

    Layers are named by position, also where the modules inside an `nn.Sequential` have names of their own. A model
    of handgrad has no mode: it trains in a `Trainer`, and `model(x)` is evaluation mode.

    Args:
        module: an `nn.Sequential`, or one of the modules that `to_torch` makes; other modules inside have no equal.
        input_shape: of one example, without the batch: (C, H, W) for images.
        dtype: "float32" or "float64"; left out, that of the weights, or float32 where there are none.

    Raises:
        TranslationError: a module has no equal here, has a setting that the layer lacks, or does not fit the shape that
            reaches it; it is named.
        ShapeError: the branch of a residual changes the shape.

    >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    >>> from_torch(module, (1, 4, 4)).parameters.names
    ('0.weight', '0.bias', '3.weight', '3.bias')
    >>> from_torch(nn.Sequential(nn.Linear(2, 2), nn.Softplus()), (2,))
    Traceback (most recent call last):
    ...
    handgrad.interop.errors.TranslationError: Module 1, Softplus, has no equal in handgrad.
    """
    found = _dtype(module)
    values: dict[Layer, dict[str, Any]] = {}
    _refuse_sharing(module)
    model = _layer(module, "", tuple(input_shape), values)
    model.output_shape(tuple(input_shape))
    return with_values(model, values, dtype or found)


def state_dict(model: Layer) -> dict[str, Any]:
    """A model's weights and running averages as PyTorch tensors, under PyTorch's names, copied.

    >>> model = handgrad.Linear(2, 1).initialize(np.random.default_rng(0))
    >>> nn.Linear(2, 1).load_state_dict(state_dict(model))
    <All keys matched successfully>
    """
    return {name: torch.from_numpy(array) for name, array in model.parameters.state_dict().items()}


def load_state_dict(model: Layer, state: Mapping[str, Any]) -> None:
    """Overwrite a model's weights and running averages with those of a PyTorch module.

    Nothing is changed unless all names and shapes fit. The counters of batches that batch norm has in PyTorch are
    left out; numbers of another dtype become the model's.

    Args:
        model: initialised.
        state: tensors by name, as `module.state_dict()` or `torch.load(path, weights_only=True)` gives them.

    Raises:
        ArgumentError: a name is missing or unknown.
        ShapeError: an array has another shape.

    >>> model, module = handgrad.Linear(2, 1).initialize(np.random.default_rng(0)), nn.Linear(2, 1)
    >>> load_state_dict(model, module.state_dict())
    >>> bool((model.weight == module.weight.detach().numpy()).all())
    True
    """
    weights = {name: tensor for name, tensor in state.items() if name.rpartition(".")[2] != _COUNTER}
    model.parameters.load_state_dict({name: _array(tensor) for name, tensor in weights.items()})


def _array(tensor: Any) -> "np.ndarray[Any, Any]":
    """The numbers of a tensor, wherever it lives; half precision, which NumPy has only in part, as float32."""
    tensor = torch.as_tensor(tensor).detach().cpu()
    return np.array((tensor if tensor.dtype in _DTYPES else tensor.float()).numpy())


def _dtype(module: Any) -> str:
    """The one dtype of a module's weights; float32 if it has none."""
    if not isinstance(module, nn.Module):
        raise ArgumentError("module", module, "a torch.nn.Module")
    arrays = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    found = {array.dtype for name, array in arrays.items() if name.rpartition(".")[2] != _COUNTER}
    if not found:
        return "float32"
    if len(found) > 1 or not found <= set(_DTYPES):
        names = ", ".join(sorted(map(str, found)))
        raise TranslationError(f"The weights are {names}, expected all float32 or all float64; try module.float().")
    return _DTYPES[found.pop()]


def _refuse_sharing(module: Any) -> None:
    """Weights that two modules share would be trained apart here."""
    names: dict[int, str] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if id(parameter) in names:
            raise TranslationError(
                f"{names[id(parameter)]} and {name} are one array, and layers of handgrad share none."
            )
        names[id(parameter)] = name


def _layer(module: Any, name: str, shape: Shape, values: dict[Layer, dict[str, Any]]) -> Layer:
    """The layer of a module, not yet initialised; its arrays go into values.

    Args:
        module: to translate.
        name: where it is, dotted.
        shape: of one example that reaches it.
        values: by layer, then by attribute name.
    """
    if type(module) is nn.Sequential:
        inner: list[Layer] = []
        for key, child in module.named_children():
            inner.append(_layer(child, dotted(name, key), shape, values))
            shape = inner[-1].output_shape(shape)
        return Sequential(*inner)
    if type(module) is Residual:
        return ResidualLayer(_layer(module.branch, dotted(name, "branch"), shape, values))
    place = f"{f'Module {name}' if name else 'The module'}, {type(module).__name__},"
    if type(module) not in LAYERS:
        raise TranslationError(f"{place} has no equal in handgrad.")
    try:
        layer = LAYERS[type(module)](module, shape)
        layer.output_shape(shape)
    except ShapeError as error:
        raise TranslationError(f"{place} does not fit its input: {error}") from error
    except HandgradError as error:
        raise TranslationError(f"{place} has no equal in handgrad: {str(error).rstrip('.')}.") from error
    values[layer] = _own_arrays(module, layer, place)
    return layer


def _own_arrays(module: Any, layer: Layer, place: str) -> dict[str, Any]:
    """The arrays of a module by name, which must be those of its layer: a reparametrised one has others."""
    arrays = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
    arrays.pop(_COUNTER, None)
    expected = {*layer.parameter_specs(), *layer.buffer_specs()}
    if set(arrays) != expected:
        raise TranslationError(
            f"{place} has the arrays {sorted(arrays)}, and its equal in handgrad {sorted(expected)}."
        )
    return {name: _array(array) for name, array in arrays.items()}

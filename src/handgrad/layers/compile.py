"""Predicting again and again with one model, by kernels."""

from collections.abc import Callable
from typing import Any

from handgrad.layers.layer import Layer
from handgrad.ops import Array, Ops


def compile(model: Layer) -> Callable[[Any], Array]:
    """A function that predicts as the model does, several times faster from the second call on.

    `model(x)` computes layer by layer, as the formulas say. This writes down, once for each shape of x, what is to be
    done, and from then on runs it by kernels, in memory that is used again; the outputs are new arrays. It takes the
    model's parameters as they are at each call, so it may be made before training.

    Args:
        model: an initialised model. What cannot be compiled, such as float64, is computed as `model(x)` does.

    Returns:
        a function of x (N, …), which may be called from any thread, one call at a time.

    Raises:
        NotInitializedError: the model has no parameters yet.

    >>> model = handgrad.Sequential(handgrad.Linear(4, 8), handgrad.ReLU(), handgrad.Linear(8, 2))
    >>> fast = handgrad.compile(model.initialize(np.random.default_rng(0)))
    >>> x = np.ones((1, 4), np.float32)
    >>> np.allclose(fast(x), model(x))
    True
    """
    parameters = model.parameters

    def output(x: Array, *, ops: Ops) -> Array:
        return model.forward(x, ops=ops)[0]

    compiled = parameters.ops.compile(output, (parameters.vector, parameters.buffers))
    return lambda x: compiled(parameters.ops.asarray(x, parameters.dtype))

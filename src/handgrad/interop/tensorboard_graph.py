"""A network as the graph that TensorBoard draws: a box for each layer, with the shapes that flow between them."""

from typing import Any

from handgrad.extras import load
from handgrad.layers import Layer, Residual, Sequential
from handgrad.losses import Loss
from handgrad.ops import Shape

graph_pb2: Any = load("tensorboardX.proto.graph_pb2", "tensorboard")
node_def_pb2: Any = load("tensorboardX.proto.node_def_pb2", "tensorboard")
attr_value_pb2: Any = load("tensorboardX.proto.attr_value_pb2", "tensorboard")
tensor_shape_pb2: Any = load("tensorboardX.proto.tensor_shape_pb2", "tensorboard")
versions_pb2: Any = load("tensorboardX.proto.versions_pb2", "tensorboard")


def graph_of(model: Layer, loss: Loss, input_shape: Shape) -> Any:
    """The network with its loss, as a `GraphDef`; layers inside others are in a box of their own.

    Args:
        model: any layer; it need not be initialised.
        loss: behind it.
        input_shape: of one example.

    >>> model = handgrad.Sequential(handgrad.Linear(2, 3), handgrad.Residual(handgrad.Linear(3, 3)))
    >>> for node in graph_of(model, handgrad.SoftmaxCrossEntropy(), (2,)).node:
    ...     print(node.name, *node.input)
    inputs
    0_Linear inputs
    1_Residual/branch_Linear 0_Linear
    1_Residual/sum 0_Linear 1_Residual/branch_Linear
    targets
    loss 1_Residual/sum targets
    """
    nodes = [_node("inputs", "Placeholder", input_shape)]
    last, _ = _add(nodes, model, "inputs", input_shape, "", "")
    nodes.append(_node("targets", "Placeholder"))
    nodes.append(_node("loss", type(loss).__name__, (), (last, "targets"), repr(loss)))
    return graph_pb2.GraphDef(node=nodes, versions=versions_pb2.VersionDef(producer=22))


def _add(nodes: list[Any], layer: Layer, source: str, shape: Shape, folder: str, key: str) -> tuple[str, Shape]:
    """Add a layer that `source` goes into; its output's name and shape.

    Args:
        nodes: so far.
        layer: to add.
        source: the node whose output it takes.
        shape: of that.
        folder: the box that it is in, with a slash at its end, or "".
        key: its name there.
    """
    if isinstance(layer, Sequential):
        inside = f"{folder}{key}/" if key else folder
        for name, part in layer.sublayers().items():
            source, shape = _add(nodes, part, source, shape, inside, name)
        return source, shape
    name = f"{folder}{key}_{type(layer).__name__}" if key else f"{folder}{type(layer).__name__}"
    if isinstance(layer, Residual):
        branch, _ = _add(nodes, layer.branch, source, shape, f"{name}/", "branch")
        nodes.append(_node(f"{name}/sum", "Add", shape, (source, branch)))
        return f"{name}/sum", shape
    shape = layer.output_shape(shape)
    nodes.append(_node(name, type(layer).__name__, shape, (source,), repr(layer)))
    return name, shape


def _node(name: str, kind: str, shape: Shape | None = None, sources: tuple[str, ...] = (), described: str = "") -> Any:
    """One box; the first axis of its output is the batch, of any size."""
    attributes = {}
    if shape is not None:
        axes = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in (-1, *shape)]
        listed = attr_value_pb2.AttrValue.ListValue(shape=[tensor_shape_pb2.TensorShapeProto(dim=axes)])
        attributes["_output_shapes"] = attr_value_pb2.AttrValue(list=listed)
    if described:
        attributes["layer"] = attr_value_pb2.AttrValue(s=described.encode())
    return node_def_pb2.NodeDef(name=name, op=kind, input=list(sources), attr=attributes)

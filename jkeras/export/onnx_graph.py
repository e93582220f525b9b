"""Graphs of ONNX: what jax2onnx writes, as runtimes take it.

Each output has a node of its own: the name of one that is an input too, or another output, would be that of both.

jax2onnx pools over all axes of an array, those of batch and channels included, by windows of size 1 there: ONNX allows
it, and ONNX Runtime refuses more than three axes. Here the pooling has a batch, channels, and the axes that are left.
"""

from collections.abc import Iterator
from typing import Any

MOST_AXES = 3  # of a pooling window in ONNX Runtime 1.32


def with_plain_pooling(model: Any) -> Any:
    """The `onnx.ModelProto`, its poolings over more than three axes rewritten; those that cannot be are left."""
    for graph in _graphs(model.graph):
        nodes = [plain for node in graph.node for plain in _rewritten(node)]
        del graph.node[:]
        graph.node.extend(nodes)
    return model


def with_outputs(model: Any, names: list[str]) -> Any:
    """The `onnx.ModelProto` with the names of its outputs."""
    from onnx import helper

    graph = model.graph
    sources = [output.name for output in graph.output]
    taken = {each.name for each in graph.input}
    for output, source, name in zip(graph.output, sources, names, strict=True):
        output.name = f"{name}_output" if name in taken else name
        graph.node.append(helper.make_node("Identity", [source], [output.name], name=f"{output.name}_named"))
    return model


def _graphs(graph: Any) -> Iterator[Any]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _graphs(inner)


def order_of(window: list[int], strides: list[int], pads: list[int]) -> list[int] | None:
    """The axes with two first that the window leaves alone; `None` where there are not two, or too many others.

    >>> order_of([1, 3, 3, 1], [1, 2, 2, 1], [0, 0, 0, 0, 0, 1, 1, 0])
    [0, 3, 1, 2]
    """
    rank = len(window)
    alone = [i for i in range(rank) if window[i] == strides[i] == 1 and pads[i] == pads[rank + i] == 0]
    order = [*alone[:2], *(i for i in range(rank) if i not in alone[:2])]
    return order if len(alone) >= 2 and rank - 2 <= MOST_AXES else None


def _rewritten(node: Any) -> list[Any]:
    from onnx import helper

    if node.op_type != "MaxPool":
        return [node]
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    window = list(given["kernel_shape"])
    rank = len(window)
    pads = list(given.get("pads", [0] * 2 * rank))
    order = order_of(window, list(given.get("strides", [1] * rank)), pads) if rank > MOST_AXES else None
    if order is None:
        return [node]
    kept = order[2:]
    changed = {name: [value[i] for i in kept] for name, value in given.items() if name not in ("pads",)}
    changed["pads"] = [pads[i] for i in kept] + [pads[rank + i] for i in kept]
    back = [order.index(i) for i in range(rank)]
    (source,), (target,) = node.input, node.output
    name = f"{target}_plain"
    return [
        helper.make_node("Constant", [], [f"{name}_axes"], value_ints=[0, 1]),
        helper.make_node("Squeeze", [source, f"{name}_axes"], [f"{name}_squeezed"]),
        helper.make_node("Transpose", [f"{name}_squeezed"], [f"{name}_ordered"], perm=order),
        helper.make_node("MaxPool", [f"{name}_ordered"], [f"{name}_pooled"], **changed),
        helper.make_node("Transpose", [f"{name}_pooled"], [f"{name}_back"], perm=back),
        helper.make_node("Unsqueeze", [f"{name}_back", f"{name}_axes"], [target]),
    ]

"""Graphs: the calls that lead from some symbolic tensors to others, in an order in which they can be replayed."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from jkeras.core.node import Node, producer
from jkeras.core.tensor import KerasTensor
from jkeras.errors import DuplicateNameError, GraphError


@dataclasses.dataclass(frozen=True)
class Graph:
    """The calls between inputs and outputs.

    Attributes:
        nodes: every call, in an order in which each comes after its parents.
        nodes_by_depth: the calls at each depth; an output's call has depth 0, its parents' at least 1.
        operations: the operations, deepest first, in the order of traversal within one depth; each once.
        operations_by_depth: an operation that is called several times stands at its greatest depth.
        names: the address of each operation, as `number` gives it.
    """

    nodes: list[Node]
    nodes_by_depth: dict[int, list[Node]]
    operations: list[Any]
    operations_by_depth: dict[int, list[Any]]
    names: dict[Any, str]


def map_graph(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> Graph:
    """The graph between tensors; traversal stops at `inputs`.

    Raises:
        GraphError: an output needs a tensor that `inputs` do not give, or a call needs its own output.
        DuplicateNameError: two operations have the same explicit name.
    """
    order = _traverse(inputs, outputs)
    depths = dict.fromkeys(map(id, order), 0)
    given = {id(tensor) for tensor in inputs}
    for node in reversed(order):
        for tensor in node.input_tensors:
            parent = producer(tensor)
            if parent is not None and id(parent) in depths and (parent.is_input or id(tensor) not in given):
                depths[id(parent)] = max(depths[id(parent)], depths[id(node)] + 1)
    order += [
        node for node in _input_nodes(inputs) if id(node) not in depths
    ]  # inputs that nothing uses stay, at depth 0
    seen = {id(node): position for position, node in enumerate(order)}

    operation_depth: dict[Any, int] = {}
    for node in order:
        depth = depths.get(id(node), 0)
        operation_depth[node.operation] = max(operation_depth.get(node.operation, 0), depth)
    operations = sorted(operation_depth, key=lambda operation: -operation_depth[operation])  # stable
    nodes = sorted(order, key=lambda node: (-depths.get(id(node), 0), seen[id(node)]))
    return Graph(
        nodes=nodes,
        nodes_by_depth=_grouped(nodes, lambda node: depths.get(id(node), 0)),
        operations=operations,
        operations_by_depth=_grouped(operations, operation_depth.__getitem__),
        names=number(operations),
    )


def roots(tensors: Sequence[KerasTensor]) -> list[KerasTensor]:
    """The tensors that the inputs of a graph stand for: those from which all calls behind `tensors` follow.

    Empty where they are all inputs themselves, or symbolic tensors that nothing made.
    """
    found: dict[int, KerasTensor] = {}
    seen: set[int] = set()
    pending = list(tensors)
    while pending:
        tensor = pending.pop()
        node = producer(tensor)
        if node is None or node.is_input:
            found[id(tensor)] = tensor
        elif id(node) not in seen:
            seen.add(id(node))
            pending += node.input_tensors
    return list(found.values()) if seen else []


def _traverse(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> list[Node]:
    """The calls that the outputs need, parents first. Iterative, so that depth has no limit."""
    given = {id(tensor) for tensor in inputs}
    order: list[Node] = []
    done: set[int] = set()
    open_nodes: set[int] = set()
    stack = [(_node_of(tensor, order), False) for tensor in reversed(outputs) if id(tensor) not in given]
    stack += [(node, False) for node in reversed(_input_nodes([t for t in outputs if id(t) in given]))]
    input_nodes = {id(node) for node in _input_nodes(inputs)}
    while stack:
        node, expanded = stack.pop()
        if expanded:
            open_nodes.discard(id(node))
            done.add(id(node))
            order.append(node)
            continue
        if id(node) in done:
            continue
        if id(node) in open_nodes:
            raise GraphError(
                "the operation is part of a cycle.", path=node.operation.name, expected="a graph without cycles"
            )
        if node.is_input and id(node) not in input_nodes:
            _disconnected(node.output_tensors[0], order)
        open_nodes.add(id(node))
        stack.append((node, True))
        for tensor in reversed(node.input_tensors):
            if id(tensor) not in given:
                parent = _node_of(tensor, order)
                if id(parent) in open_nodes:
                    raise GraphError(
                        "the operation is part of a cycle.",
                        path=parent.operation.name,
                        expected="a graph without cycles",
                    )
                stack.append((parent, False))
            else:
                stack.extend((parent, False) for parent in _input_nodes([tensor]) if id(parent) not in done)
    return order


def _input_nodes(inputs: Sequence[KerasTensor]) -> list[Node]:
    """The calls of input layers; a tensor in the middle of another graph has none of its own."""
    nodes = [producer(tensor) for tensor in inputs]
    return [node for node in nodes if node is not None and node.is_input]


def _node_of(tensor: KerasTensor, done: list[Node]) -> Node:
    node = producer(tensor)
    return node if node is not None else _disconnected(tensor, done)


def _disconnected(tensor: KerasTensor, done: list[Node]) -> Any:
    reached = [node.operation.name for node in done]
    raise GraphError(
        f"the graph is disconnected: nothing leads from the inputs to {tensor!r}.",
        path=tensor.name,
        expected="a tensor computed from the given inputs"
        + (f"; reached so far: {', '.join(reached[-5:])}" if reached else ""),
        write="Model(inputs=[..., the missing input], outputs=outputs)",
    )


def _grouped(items: list[Any], depth: Callable[[Any], int]) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = {}
    for item in items:
        groups.setdefault(depth(item), []).append(item)
    return groups


def number(things: Sequence[Any], taken: Iterable[str] = ()) -> dict[Any, str]:
    """Addresses for things of one owner: explicit names as they are; names that another owner gave, where they are
    free; other names numbered from the second on.

    Args:
        things: operations.
        taken: names that are no longer free.

    Raises:
        DuplicateNameError: an explicit name is given twice.
    """
    explicit: dict[str, Any] = {}
    occupied = set(taken)
    for thing in things:
        name = thing.explicit_name
        if name is not None and (name in occupied or explicit.setdefault(name, thing) is not thing):
            raise DuplicateNameError(
                f"the name {name!r} is used more than once in one model.",
                path=name,
                expected="a name of its own for every operation",
                write=f"{type(thing).__name__}(..., name={name + '_1'!r})",
            )
    occupied |= set(explicit)
    owners = {thing: name for name, thing in explicit.items()}
    for thing in things:
        name = thing.given_name
        if thing not in owners and name is not None and name not in occupied:
            owners[thing] = name
            occupied.add(name)
    names: dict[Any, str] = {}
    for thing in things:
        names[thing] = owners.get(thing) or next(n for n in _candidates(thing.default_name) if n not in occupied)
        occupied.add(names[thing])
    return names


def _candidates(name: str) -> Iterator[str]:
    yield name
    index = 1
    while True:
        yield f"{name}_{index}"
        index += 1

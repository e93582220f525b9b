"""The order and the names in which Keras's files keep the weights of a model.

A weight has no name there. Each layer has a group, at its place among the attributes of its owner, and in it its own
weights, numbered: those declared trainable first.

    layers/dense/vars/0             the first Dense of a Sequential or a functional model, its kernel
    layers/dense_1/vars/0           the second one; items of a list are numbered class by class
    encoder/blocks/attention/vars   `self.encoder = ...` of a subclass, `self.blocks = [...]` of that

A layer that is reachable on several ways is kept at the first. Attributes come in alphabetical order, private ones
last; a model begins with its list of layers, a subclassed one has it among its attributes.

Source: the files of Keras 3.15, of which the tests make one for every layer that both libraries have.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from jkeras.core import Layer, Variable
from jkeras.registry import snake_case
from jkeras.representations import LowRank

LAYERS = "layers"


class Group(NamedTuple):
    """The own weights of one layer, in their order.

    Attributes:
        path: of the group that holds `0`, `1`, ...
        layer: the layer.
        variables: the declarations.
    """

    path: str
    layer: Layer
    variables: list[Variable]


# Where attributes of ours have other names in Keras. A subclass has the names of its base.
RENAMED: dict[str, Mapping[str, str]] = {
    "MultiHeadAttention": {"gate_dense": "_gate_dense"},
    "GroupQueryAttention": {
        name: f"_{name}" for name in ("query_dense", "key_dense", "gate_dense", "value_dense", "output_dense")
    },
}
# Classes that have another name in Keras than the one under which it exports them.
CLASSES = {"GroupQueryAttention": "GroupedQueryAttention"}
# Layers whose own weights are others than those that they declare.
OWN: dict[str, Callable[[Any], list[Variable]]] = {
    "SpectralNormalization": lambda layer: [layer.normalized_weight(), layer.vector_u],
}


def groups(layer: Layer) -> list[Group]:
    """The groups of a built layer and of all layers inside it, in Keras's order.

    >>> from jkeras import Input, Sequential, layers
    >>> model = Sequential([Input((3,)), layers.Dense(4), layers.Dense(2)])
    >>> [group.path for group in groups(model) if group.variables]
    ['layers/dense/vars', 'layers/dense_1/vars']
    """
    found: list[Group] = []
    visited: set[int] = set()

    def visit(part: Layer, path: str) -> None:
        if id(part) in visited:
            return
        visited.add(id(part))
        found.append(Group(_join(path, "vars"), part, own_variables(part)))
        for name, value in attributes(part):
            descend(value, _join(path, name))

    def descend(value: object, path: str) -> None:
        if isinstance(value, Layer):
            visit(value, path)
        elif isinstance(value, Mapping):
            items(value.values(), path)
        elif isinstance(value, list | tuple | set | frozenset):
            items(value, path)

    def items(values: Iterable[object], path: str) -> None:
        counts: dict[str, int] = {}
        for value in values:
            if isinstance(value, Layer):
                name = snake_case(CLASSES.get(type(value).__name__, type(value).__name__))
            elif isinstance(value, Mapping | list | tuple | set | frozenset):
                name = "container"
            else:
                continue
            number = counts[name] = counts.get(name, -1) + 1
            descend(value, _join(path, f"{name}_{number}" if number else name))

    visit(layer, "")
    return found


def own_variables(layer: Layer) -> list[Variable]:
    """The weights of a layer itself in Keras's order. A pair of LoRA is not among them: files have the sum."""
    for cls in type(layer).__mro__:
        if cls.__name__ in OWN and cls.__module__.startswith("jkeras."):
            return OWN[cls.__name__](layer)
    pairs = {
        id(part)
        for variable in layer.own_variables
        if isinstance(variable.representation, LowRank)
        for part in (variable.representation.a, variable.representation.b)
    }
    return sorted((v for v in layer.own_variables if id(v) not in pairs), key=lambda variable: variable.assignable)


def attributes(layer: Layer) -> Iterator[tuple[str, object]]:
    """What a layer holds, under Keras's names and in Keras's order."""
    renamed: Mapping[str, str] = {}
    for cls in reversed(type(layer).__mro__):
        if cls.__module__.startswith("jkeras."):
            renamed = {**renamed, **RENAMED.get(cls.__name__, {})}
    hidden = layer._hidden - {"_chain"}
    held = {renamed.get(name, name): value for name, value in vars(layer).items() if name not in hidden}
    if hasattr(type(layer), LAYERS):  # a model
        function = getattr(layer, "function", None)
        operations: Any = getattr(layer, LAYERS) if function is None else function.operations
        held[LAYERS] = [part for part in operations if isinstance(part, Layer)]
        if function is not None or "_chain" in held:  # described by its layers, not by its attributes
            yield LAYERS, held.pop(LAYERS)
    yield from sorted(held.items(), key=lambda item: (item[0].startswith("_"), item[0]))


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name

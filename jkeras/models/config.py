"""Configs of graphs, in Keras's form: the layers, their calls, and where inputs and outputs are.

    {"layers": [{..., "name": "dense", "inbound_nodes": [{"args": [tensor], "kwargs": {}}]}],
     "input_layers": ["input_layer", 0, 0], "output_layers": ["dense", 0, 0]}

A tensor is named by the layer that made it, the number of that layer's call, and its place among the outputs. Calls are
numbered within the graph: a layer may have been called in other graphs too. Where the inputs and outputs of the graph
name a model that was made from tensors, its calls count from 1: in Keras such a model begins with a call of its own.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jkeras import registry
from jkeras.core import Function, KerasTensor, Node
from jkeras.core.graph import number
from jkeras.core.input import InputLayer
from jkeras.core.lift import Lifted
from jkeras.core.node import producer
from jkeras.core.operation import Operation
from jkeras.errors import ConfigError, GraphError, UnknownNameError, did_you_mean
from jkeras.models.functional import GraphLayer
from jkeras.ops import table
from jkeras.typing import Config, PyTree

GRAPH_KEYS = ("layers", "input_layers", "output_layers")
TENSOR = "__keras_tensor__"
OPERATIONS = ("keras.src.ops.", "keras.src.activations.")  # the modules of Keras's operations


def is_graph_config(config: Mapping[str, Any]) -> bool:
    """Whether a config describes a graph.

    >>> is_graph_config({"layers": [], "input_layers": [], "output_layers": []}), is_graph_config({"units": 3})
    (True, False)
    """
    return all(key in config for key in GRAPH_KEYS)


# -- writing


class _Writer:
    """The names and numbers by which the config of one graph refers to its tensors."""

    def __init__(self, function: Function) -> None:
        self.function, self.names = function, function.graph.names
        kept = {id(node) for node in function.graph.nodes}
        self.calls = {op: [node for node in op.nodes if id(node) in kept] for op in function.graph.operations}
        self.index = {id(node): index for nodes in self.calls.values() for index, node in enumerate(nodes)}
        # inputs in the middle of a larger graph: the config begins with an input layer for each
        middle = [tensor for tensor in function.inputs if not _begins_graph(tensor)]
        inputs = {id(tensor): InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype) for tensor in middle}
        numbered = number(list(inputs.values()), taken=self.names.values())
        self.begun = {key: (numbered[layer], layer) for key, layer in inputs.items()}

    def reference(self, tensor: KerasTensor) -> tuple[str, int, int]:
        if id(tensor) in self.begun:
            return self.begun[id(tensor)][0], 0, 0
        operation, _, tensor_index = tensor.history
        node = producer(tensor)
        assert node is not None
        return self.names[operation], self.index[id(node)], tensor_index

    def boundary(self, tensor: KerasTensor) -> list[Any]:
        name, call, place = self.reference(tensor)
        return [name, call + (id(tensor) not in self.begun and _is_graph(tensor.history.operation)), place]

    def argument(self, value: object) -> Any:
        if isinstance(value, KerasTensor):
            inner = {"shape": list(value.shape), "dtype": value.dtype, "keras_history": list(self.reference(value))}
            return {"class_name": TENSOR, "config": inner}
        if isinstance(value, list | tuple):
            return [self.argument(item) for item in value]
        if isinstance(value, dict):
            return {key: self.argument(item) for key, item in value.items()}
        return registry.serialize(value)

    def call(self, args: Any, kwargs: Mapping[str, Any]) -> Config:
        return {"args": self.argument(list(args)), "kwargs": self.argument(dict(kwargs))}

    def entry(self, operation: Operation) -> Config:
        name, calls = self.names[operation], self.calls[operation]
        if isinstance(operation, Lifted):
            return self.lifted_entry(operation, name, calls)
        inbound = [self.call(node.args, node.kwargs) for node in calls if not node.is_input]
        return {**named_config(operation, name), "name": name, "inbound_nodes": inbound}

    def lifted_entry(self, operation: Lifted, name: str, calls: list[Node]) -> Config:
        operation.get_config()  # raises for a function that is not in the table
        assert operation.op is not None
        spellings = [table.spell(operation.op, operation.function, node.args, node.kwargs) for node in calls]
        first = spellings[0]
        return {
            "module": first.module,
            "class_name": first.class_name,
            "config": {"name": name, **registry.serialize(first.settings)},
            "registered_name": first.class_name,
            "name": name,
            "inbound_nodes": [self.call(spelling.args, spelling.kwargs) for spelling in spellings],
        }


def graph_config(function: Function) -> Config:
    """The graph of a function under Keras's keys: `layers`, `input_layers`, `output_layers`."""
    writer = _Writer(function)
    begun = [{**named_config(layer, name), "name": name, "inbound_nodes": []} for name, layer in writer.begun.values()]
    return {
        "layers": begun + [writer.entry(operation) for operation in function.graph.operations],
        "input_layers": jax.tree.map(writer.boundary, function.inputs_structure),
        "output_layers": jax.tree.map(writer.boundary, function.outputs_structure),
    }


def named_config(operation: Operation, name: str) -> Config:
    """The config of an operation, with its address as its name: Keras asks for names that differ."""
    config: Config = registry.serialize(operation)
    if "name" in config["config"]:
        config["config"] = {**config["config"], "name": name}
    return config


def _begins_graph(tensor: KerasTensor) -> bool:
    node = producer(tensor)
    return node is not None and node.is_input


def _is_graph(operation: Operation) -> bool:
    return isinstance(operation, GraphLayer) and operation.function is not None


# -- reading


class _Reader:
    """The operations that a config names, and the calls that are still to be made."""

    def __init__(self, layers: list[Config]) -> None:
        self.operations = {entry["name"]: _operation(entry) for entry in layers}
        self.settings = {entry["name"]: entry["config"] for entry in layers}
        self.pending = {entry["name"]: list(entry["inbound_nodes"]) for entry in layers if entry["inbound_nodes"]}

    def run(self) -> None:
        """Makes every call, each once its arguments exist. A pass that makes none ends in an error."""
        while self.pending:
            progress = False
            for name in list(self.pending):
                while self.pending[name] and self.ready(self.pending[name][0]):
                    self.call(name, self.pending[name].pop(0))
                    progress = True
                if not self.pending[name]:
                    del self.pending[name]
            if not progress:
                raise GraphError(
                    "the config must describe a graph without loops and disconnected calls.",
                    path="from_config",
                    expected="calls whose arguments other calls make",
                    received=f"no way to call {', '.join(self.pending)[:80]}",
                )

    def ready(self, node: object) -> bool:
        return all(index < len(self.operation(name).nodes) for name, index, _ in _references(node))

    def operation(self, name: str) -> Any:
        if name not in self.operations:
            raise UnknownNameError(
                f"unknown layer {name!r}: the config calls it but does not define it.",
                path="from_config",
                expected=did_you_mean(name, self.operations),
            )
        return self.operations[name]

    def tensor(self, name: str, call: int, place: int) -> KerasTensor:
        tensor: KerasTensor = self.operation(name).nodes[call].output_tensors[place]
        return tensor

    def boundary(self, structure: Any) -> PyTree:
        """The tensors of `input_layers` or `output_layers`."""
        if isinstance(structure, Mapping):
            return {key: self.boundary(value) for key, value in structure.items()}
        if len(structure) == 3 and isinstance(structure[0], str):
            name, call, place = structure
            return self.tensor(name, call - _is_graph(self.operation(name)), place)
        return type(structure)(self.boundary(item) for item in structure)

    def call(self, name: str, node: object) -> None:
        operation = self.operation(name)
        args, kwargs = _arguments(node, lambda reference: self.tensor(*reference))
        if isinstance(operation, Lifted):
            assert operation.op is not None
            settings = {key: value for key, value in self.settings[name].items() if key != "name"}
            args, kwargs = table.arrange(operation.op, registry.deserialize(settings), args, kwargs)
            operation.symbolic_call(*args, **kwargs)
        else:
            operation(*args, **kwargs)


def graph_tensors(config: Mapping[str, Any]) -> tuple[PyTree, PyTree]:
    """The inputs and outputs of a config's graph, with all layers between them made and called.

    Raises:
        GraphError: the graph has loops or disconnected calls.
        UnknownNameError: a class or a layer is not known.
    """
    reader = _Reader(config["layers"])
    reader.run()
    return reader.boundary(config["input_layers"]), reader.boundary(config["output_layers"])


def _operation(entry: Config) -> Any:
    name, module = entry["name"], entry.get("module") or ""
    if module.startswith(OPERATIONS):
        op = table.named(entry["class_name"])
        return Lifted(table.TABLE[op].function, op, name=name)
    operation = registry.deserialize(
        {key: value for key, value in entry.items() if key not in ("name", "inbound_nodes")}
    )
    if not hasattr(operation, "nodes"):
        raise ConfigError(
            "the graph of a config must consist of layers and operations.",
            path=name,
            expected="a layer or an operation",
            received=type(operation).__name__,
        )
    if operation.explicit_name is None:
        operation.given_name = name
    return operation


def _references(node: object) -> list[tuple[str, int, int]]:
    """The tensors that a recorded call takes."""
    if isinstance(node, list):  # the form of Keras 2: a list of [layer, call, place, kwargs]
        return [(name, call, place) for name, call, place, *_ in node]
    found: list[Any] = []
    _arguments(node, found.append)
    return [tuple(reference) for reference in found]


def _arguments(node: Any, tensor: Callable[[Any], Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a recorded call; `tensor` makes a tensor out of a reference."""
    if isinstance(node, list):
        tensors = [tensor(tuple(item[:3])) for item in node]
        return [tensors[0] if len(tensors) == 1 else tensors], dict(node[-1][3]) if len(node[-1]) > 3 else {}

    def revive(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [revive(item) for item in value]
        if isinstance(value, Mapping):
            if value.get("class_name") == TENSOR:
                return tensor(value["config"]["keras_history"])
            if "class_name" in value:
                return registry.deserialize(value)
            return {key: revive(item) for key, item in value.items()}
        return value

    return revive(node["args"]), revive(node["kwargs"])

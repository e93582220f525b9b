"""Cloning: the same network out of new layers."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from jkeras import registry
from jkeras.core import Input, InputLayer, KerasTensor, Layer
from jkeras.core.lift import Lifted
from jkeras.core.node import producer
from jkeras.core.operation import Operation
from jkeras.core.tensor import TensorTree
from jkeras.errors import ArgumentError
from jkeras.models.config import named_config
from jkeras.models.functional import unpack
from jkeras.models.model import Model
from jkeras.models.sequential import Sequential
from jkeras.typing import PyTree

Clone = Callable[[Layer], Any]


def clone_model(
    model: Model,
    input_tensors: PyTree = None,
    clone_function: Clone | None = None,
    call_function: Callable[..., PyTree] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """The same network out of new layers. Models hold no values: those of the model fit the clone.

    Args:
        model: a model made from tensors, or a `Sequential`. Another one is cloned through its config, as a whole.
        input_tensors: symbolic tensors to begin with, in the structure of the model's inputs; new inputs by default.
        clone_function: `layer -> layer`, for each layer but inputs; by default a new layer of the same config.
        call_function: `(layer, *args, **kwargs) -> outputs`, how a new layer is called; not for a `Sequential`.
        recursive: whether models inside are cloned layer by layer too, instead of by `clone_function` as a whole.

    Raises:
        ArgumentError: an argument that the kind of model does not take, or inputs of another structure.

    >>> import jkeras
    >>> model = Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> clone = clone_model(model)
    >>> clone.layers[0] is model.layers[0], clone.output_shape
    (False, (None, 2))
    """
    cache: dict[Layer, Any] = kwargs.pop("cache", {})
    if kwargs:
        raise ArgumentError(
            f"unknown arguments: {sorted(kwargs)}.",
            path="clone_model",
            expected="input_tensors, clone_function, call_function or recursive",
            received=sorted(kwargs),
            write="clone_model(model, clone_function=clone_function)",
        )
    if isinstance(model, Sequential):
        if call_function is not None:
            rule = "`call_function` must be None for a Sequential, which calls its layers in order"
            path, write = "clone_model: call_function", "clone_model(model, clone_function=clone_function)"
            raise ArgumentError.must(rule, type(call_function).__name__, path=path, expected="None", write=write)
        return _clone_chain(model, input_tensors, _cloner(model, clone_function, None, recursive, cache))
    if model.function is not None:
        clone = _cloner(model, clone_function, call_function, recursive, cache)
        return _clone_graph(model, input_tensors, clone, call_function)
    for name, value in {"clone_function": clone_function, "input_tensors": input_tensors}.items():
        if value is not None:
            raise ArgumentError(
                f"`{name}` must be None for a model that is defined by its `call`: its config is cloned as a whole.",
                path=f"clone_model: {name}",
                expected="None",
                received=type(value).__name__,
                write="clone_model(model)",
            )
    return type(model).from_config(model.get_config())


def _cloner(
    model: Model,
    clone_function: Clone | None,
    call_function: Any,
    recursive: bool,
    cache: dict[Layer, Any],
) -> Clone:
    """`clone_function` with a memory, so that a layer that is used twice is cloned once."""
    names = {layer: name for name, layer in model.addresses().items()}

    def clone(layer: Layer) -> Any:
        if layer not in cache:
            if recursive and isinstance(layer, Model) and (isinstance(layer, Sequential) or layer.function is not None):
                calls = None if isinstance(layer, Sequential) else call_function
                cache[layer] = clone_model(
                    layer, clone_function=clone_function, call_function=calls, recursive=True, cache=cache
                )
            elif clone_function is None:
                cache[layer] = type(layer).from_config(named_config(layer, names.get(layer, layer.name))["config"])
            else:
                cache[layer] = clone_function(layer)
            if isinstance(cache[layer], Layer) and cache[layer].explicit_name is None:
                cache[layer].given_name = names.get(layer, layer.name)
        return cache[layer]

    return clone


def _clone_chain(model: Sequential, input_tensors: TensorTree | None, clone: Clone) -> Sequential:
    layers = [clone(layer) for layer in model.layers]
    given = unpack(input_tensors)
    if given is not None and not isinstance(given, KerasTensor):
        rule, received = "`input_tensors` must be one symbolic tensor for a Sequential", repr(given)[:80]
        path, write = "clone_model: input_tensors", "clone_model(model, jkeras.Input((8,)))"
        raise ArgumentError.must(rule, received, path=path, expected="one symbolic tensor", write=write)
    begin = model.declared_input
    if given is not None and not isinstance(given.history.operation, InputLayer):
        layers = [Input(batch_shape=given.shape, dtype=given.dtype), *layers]
    elif given is not None:
        layers = [given, *layers]
    elif begin is not None:
        layers = [_new_input(begin.output), *layers]
    return Sequential(layers, trainable=model.trainable, name=model.explicit_name)


def _clone_graph(model: Model, input_tensors: PyTree, clone: Clone, call_function: Any) -> Any:
    function = model.function
    assert function is not None
    if input_tensors is None:
        input_tensors = jax.tree.map(_new_input, function.inputs_structure)
    expected: Any = jax.tree.structure(function.inputs_structure)
    if expected != jax.tree.structure(input_tensors):
        raise ArgumentError(
            "`input_tensors` must have the structure of the model's inputs.",
            path="clone_model: input_tensors",
            expected=function.inputs_structure,
            received=input_tensors,
            write="clone_model(model)   # with new inputs of the same structure",
        )

    fresh: dict[Any, Any] = {}

    def caller(operation: Operation) -> Any:
        if isinstance(operation, Layer):
            layer = clone(operation)
        elif isinstance(operation, Lifted):
            layer = fresh.setdefault(operation, Lifted(operation.function, operation.op, operation.explicit_name))
        else:
            layer = fresh.setdefault(operation, type(operation).from_config(operation.get_config()))
        return layer if call_function is None else functools.partial(call_function, layer)

    outputs = function.replay(jax.tree.leaves(input_tensors), caller)
    return Model(input_tensors, outputs, name=model.explicit_name, trainable=model.trainable)


def _new_input(tensor: KerasTensor) -> KerasTensor:
    node = producer(tensor)
    if node is None or not node.is_input or not isinstance(node.operation, InputLayer):
        return Input(batch_shape=tensor.shape, dtype=tensor.dtype)
    result: KerasTensor = registry.deserialize(named_config(node.operation, node.operation.name)).output
    return result

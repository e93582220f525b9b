"""GraphLayer: a layer whose computation may be described by a graph.

    outputs = Dense(10)(Dense(64)(inputs))          # symbolic tensors; every call is recorded
    model = Model(inputs, outputs)                  # the graph between them

The layers of the graph are the layer's parts, under the names that the graph gives them. Its `call` replays the graph
on values inside the current scope, so variables, updates, masks and losses travel as in any other layer.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core import Function, InputLayer, InputSpec, KerasTensor, Layer, Variable
from jkeras.core import scope as scopes
from jkeras.core.node import producer
from jkeras.core.structure import Component
from jkeras.core.tensor import TensorTree
from jkeras.errors import ArgumentError, GraphError, NeverCalledError, ShapeError
from jkeras.typing import ArrayTree, PyTree, Shape


class GraphLayer(Layer):
    """A layer that is described by symbolic inputs and outputs, or by the `call` of a subclass.

    Its arguments, and what it raises, are those of `Model`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        described = graph_arguments(args, kwargs)
        if args and described is None:
            rule, received = "the positional arguments must be `inputs`, `outputs` and `name`", f"{len(args)} arguments"
            wanted, write = "inputs, outputs and name; or keywords only", "jkeras.Model(inputs, outputs)"
            raise ArgumentError.must(rule, received, path=type(self).__name__, expected=wanted, write=write)
        if kwargs.get("trainable", True) is None:
            kwargs = {**kwargs, "trainable": True}
        super().__init__(**(described[2] if described is not None else kwargs))
        self.function: Function | None = None
        # parts keep their own masks: what the graph or `call` did not mask has no mask
        self.supports_masking = True
        if described is not None:
            self._describe(described[0], described[1])

    def _describe(self, inputs: TensorTree, outputs: TensorTree) -> None:
        _name_inputs(inputs)
        self.function = Function(inputs, outputs, name=self.name)
        for operation, name in self.function.graph.names.items():
            operation.given_name = operation.given_name or name
        self.address_variables()
        self.converts_inputs = False  # each input has a dtype of its own
        self.allows_python_arguments = True
        self.input_spec = input_specs(self.function)
        self._built = True

    def call(self, inputs: PyTree, training: bool | None = None, mask: PyTree = None) -> PyTree:
        """Replays the graph on values; `training` and masks reach every layer through the scope."""
        if self.function is None:
            return super().call(inputs)
        set_masks(inputs, mask)
        values = [
            None if value is None else fit(tensor, value, self._label)
            for tensor, value in zip(self.function.inputs, match(self.function, inputs, self.name), strict=True)
        ]
        return unpack(self.function.replay(values, lambda operation: operation))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> PyTree:
        """The outputs for symbolic inputs: those of the graph for inputs of its own shapes, inferred for others."""
        if self.function is not None and type(self).call is GraphLayer.call:
            inputs = args[0] if args else kwargs.get("inputs")
            if (outputs := _known_outputs(self.function, inputs, self.name)) is not None:
                return outputs
        return super().compute_output_spec(*args, **kwargs)

    def compute_mask(self, inputs: PyTree, previous_mask: PyTree = None) -> PyTree:
        """`None`: the outputs have the masks that the layers inside gave them."""
        return None

    def components(self) -> Iterator[tuple[str, Component | Variable]]:
        """The layers of the graph under their names in it, then the layers and variables in attributes."""
        if self.function is not None:
            names = self.function.graph.names
            yield from ((names[part], part) for part in self.function.graph.operations if isinstance(part, Layer))
        yield from super().components()

    # -- the graph

    def _graph(self, what: str) -> Function:
        if self.function is None:
            raise NeverCalledError(
                f"cannot read `{what}`, because the model is defined by its `call` and not by a graph.",
                path=self.name,
                write="jkeras.Model(inputs, outputs)",
            )
        return self.function

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, flat."""
        return self._graph("inputs").inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, flat."""
        return self._graph("outputs").outputs

    @property
    def input(self) -> PyTree:
        """The symbolic inputs in their structure; of a model without graph, those of its first call."""
        return super().input if self.function is None else self.function.inputs_structure

    @property
    def output(self) -> PyTree:
        """The symbolic outputs in their structure; of a model without graph, those of its first call."""
        return super().output if self.function is None else self.function.outputs_structure

    @property
    def input_shape(self) -> Any:
        """The shape of the input; a list of shapes where there are several."""
        return unpack([tensor.shape for tensor in self.inputs])

    @property
    def output_shape(self) -> Any:
        """The shape of the output; a list of shapes where there are several."""
        return unpack([tensor.shape for tensor in self.outputs])

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, flat: the keys of a dict of inputs."""
        return input_names(self._graph("input_names"))

    @property
    def output_names(self) -> list[str]:
        """The names of the operations that make the outputs, flat."""
        function = self._graph("output_names")
        return [function.graph.names.get(tensor.history.operation, tensor.name) for tensor in function.outputs]


def graph_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]] | None:
    """`(inputs, outputs, the other keywords)` where constructor arguments describe a graph, else `None`.

    Raises `ArgumentError` for half a graph.
    """
    if len(args) > 3:
        return None
    given = {**dict(zip(("inputs", "outputs", "name"), args, strict=False)), **kwargs}
    if "inputs" not in given and "outputs" not in given:
        return None
    for name in ("inputs", "outputs"):
        if given.get(name) is None:
            raise ArgumentError(
                f"`inputs` and `outputs` must be given together, got no `{name}`.",
                path="Model",
                expected="inputs and outputs",
                received=f"{name}=None",
                write="jkeras.Model(inputs=inputs, outputs=outputs)",
            )
    return given.pop("inputs"), given.pop("outputs"), given


def _name_inputs(inputs: TensorTree) -> None:
    """Gives unnamed inputs in a dict the names of their keys; warns where a name is another one."""
    for key, tensor in inputs.items() if isinstance(inputs, Mapping) else ():
        layer = tensor.history.operation if isinstance(tensor, KerasTensor) else None
        if not isinstance(layer, InputLayer):
            continue
        if layer.explicit_name is None and layer.given_name is None:
            layer.given_name = key
        elif layer.name != key:
            warnings.warn(
                f"The name of an input should be its key in the dict of inputs, '{key}', got '{layer.name}'. "
                f"Write jkeras.Input(..., name='{key}').",
                stacklevel=5,
            )


def unpack(outputs: PyTree) -> PyTree:
    """The only item of a list or tuple of one, anything else as it is."""
    return outputs[0] if isinstance(outputs, list | tuple) and len(outputs) == 1 else outputs


def input_names(function: Function) -> list[str]:
    """The key of each input in a dict of inputs: the input layer's name, or the tensor's in the middle of a graph."""
    if _plain(function.inputs_structure, Mapping):
        return sorted(function.inputs_structure)
    return [function.graph.names.get(tensor.history.operation, tensor.name) for tensor in function.inputs]


def input_specs(function: Function) -> list[InputSpec] | None:
    """The spec of each input, its batch axis free; `None` for deeply nested dicts, which `match` checks alone."""
    if isinstance(function.inputs_structure, Mapping) and not _plain(function.inputs_structure, Mapping):
        return None
    return [
        InputSpec(
            shape=_batchless(tensor.shape), allow_last_axis_squeeze=True, name=name, optional=_is_optional(tensor)
        )
        for tensor, name in zip(function.inputs, input_names(function), strict=True)
    ]


def _batchless(shape: Shape) -> Shape:
    return (None, *shape[1:]) if shape else shape


def _is_optional(tensor: KerasTensor) -> bool:
    layer = tensor.history.operation
    node = producer(tensor)
    return isinstance(layer, InputLayer) and node is not None and layer.optional


def _plain(structure: PyTree, kind: Any) -> bool:
    """Whether a structure is one container of tensors, without nesting."""
    values = structure.values() if isinstance(structure, Mapping) else structure
    return isinstance(structure, kind) and all(isinstance(value, KerasTensor) for value in values)


# -- values for the inputs of a graph


def match(function: Function, inputs: TensorTree, path: str) -> list[Any]:
    """A value, or `None`, for each input of a graph.

    Lists stand for tuples; a dict stands for a list and is read by names, further keys ignored. Another structure with
    as many leaves is taken with a warning.

    Raises:
        GraphError: inputs are missing, or too many.
    """
    expected = function.inputs_structure
    if isinstance(inputs, Mapping) and (isinstance(expected, KerasTensor) or _plain(expected, list | tuple | Mapping)):
        inputs = _by_name(function, inputs, path)
    elif _skeleton(unpack(inputs)) != _skeleton(unpack(expected)):
        _check_order(function, inputs, path)
    flat = _flatten(inputs)
    for tensor, value in zip(function.inputs, flat, strict=True):
        if value is None and not _is_optional(tensor):
            raise GraphError(
                f"the input '{tensor.name}' must not be None, because it is not optional.",
                path=path,
                expected="an array",
                received="None",
                write=f"jkeras.Input({tensor.shape[1:]}, optional=True)",
            )
    return flat


def _by_name(function: Function, inputs: Mapping[str, Any], path: str) -> list[Any]:
    """The values of a dict in the order of the graph's inputs."""
    names = input_names(function)
    missing = [
        name
        for name, tensor in zip(names, function.inputs, strict=True)
        if name not in inputs and not _is_optional(tensor)
    ]
    if missing:
        raise GraphError(
            f"inputs are missing: {missing}.",
            path=path,
            expected=names,
            received=list(inputs),
            write=f"{{{', '.join(f'{name!r}: ...' for name in names)}}}   # an array for each",
        )
    return [inputs.get(name) for name in names]


def _check_order(function: Function, inputs: TensorTree, path: str) -> None:
    """Warns where inputs of another structure can only be taken in order; raises where even that is unclear."""
    expected = function.inputs_structure
    unordered = isinstance(expected, Mapping) and list(expected) != sorted(expected)
    if len(_flatten(inputs)) != len(function.inputs) or unordered:
        raise GraphError(
            "`inputs` must have the structure of the model's inputs.",
            path=path,
            expected=_shown(expected),
            received=_shown(inputs),
            write=f"model({_call(function)})   # an array for each",
        )
    warnings.warn(
        f"The inputs of '{path}' should have the structure {_shown(expected)}, got {_shown(inputs)}: "
        "they are taken in order.",
        stacklevel=2,
    )


def _call(function: Function) -> str:
    """The inputs of a call as code: a dict of the names where the graph has one, else a list."""
    names = input_names(function)
    if isinstance(function.inputs_structure, Mapping):
        return f"{{{', '.join(f'{name!r}: ...' for name in names)}}}"
    return f"[{', '.join(names)}]"


def _flatten(structure: TensorTree) -> list[Any]:
    return jax.tree.leaves(structure, is_leaf=lambda leaf: leaf is None)


def _skeleton(structure: TensorTree) -> Any:
    """The structure with lists as tuples and without leaves, for comparison."""
    if isinstance(structure, Mapping):
        return {key: _skeleton(value) for key, value in structure.items()}
    return tuple(map(_skeleton, structure)) if isinstance(structure, list | tuple) else None


def _shown(structure: TensorTree) -> str:
    def shown(leaf: object) -> str:
        return leaf.name if isinstance(leaf, KerasTensor) else f"Array{getattr(leaf, 'shape', '')}"

    return str(jax.tree.map(shown, structure)).replace("'", "")[:200]


def fit(tensor: KerasTensor, value: ArrayTree, path: str) -> Any:
    """A value in the dtype and rank of an input: a last axis of size 1 is added or removed. It keeps its mask.

    Raises `ShapeError` for any other rank.
    """
    new = jnp.asarray(value, tensor.dtype)
    if new.ndim == tensor.ndim + 1 and new.shape[-1] == 1:
        new = jnp.squeeze(new, -1)
    elif new.ndim == tensor.ndim - 1 and tensor.shape[-1] == 1:
        new = jnp.expand_dims(new, -1)
    elif new.ndim != tensor.ndim:
        raise ShapeError(
            f"the input '{tensor.name}' must have rank {tensor.ndim}, got {new.ndim}.",
            path=path,
            expected=f"shape {tensor.shape}",
            received=f"shape {new.shape}",
            write=f"jkeras.Input({tuple(new.shape[1:])})   # declare the network for this input, then init it again",
        )
    scope = scopes.current()
    if scope is not None and new is not value:
        scope.set_mask(new, scope.mask_of(value))
    return new


def set_masks(inputs: TensorTree, mask: PyTree) -> None:
    """Gives the masks of a call, which are structured as its inputs are, to the inputs."""
    if mask is None:
        return
    flat, masks = _flatten(inputs), _flatten(mask)
    if len(flat) != len(masks):
        raise GraphError(
            f"`mask` must have one mask, or None, per input: {len(flat)}, got {len(masks)}.",
            path="mask",
            expected=len(flat),
            received=len(masks),
            write=f"model(inputs, mask=[{', '.join(['mask', *['None'] * (len(flat) - 1)])}])",
        )
    for value, each in zip(flat, masks, strict=True):
        if value is not None:
            scopes.set_mask(value, each)


def _known_outputs(function: Function, inputs: PyTree, path: str) -> PyTree:
    """The outputs for symbolic inputs of the graph's own shapes, `None` for others."""
    flat = match(function, inputs, path)
    if any(
        not isinstance(value, KerasTensor) or value.shape != tensor.shape
        for tensor, value in zip(function.inputs, flat, strict=True)
    ):
        return None
    return unpack(jax.tree.map(lambda tensor: KerasTensor(tensor.shape, tensor.dtype), function.outputs_structure))

"""Function: a graph from inputs to outputs that replays on new inputs. It owns nothing and holds no values."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.graph import map_graph
from jkeras.core.operation import Operation
from jkeras.core.tensor import KerasTensor, TensorTree, any_symbolic, is_shape, standardize_shape
from jkeras.errors import ArgumentError, GraphError
from jkeras.typing import PyTree, ShapeTree


class Function(Operation):
    """The computation between symbolic tensors, as an operation.

    Args:
        inputs: a KerasTensor or a nested structure of them. They may come from anywhere in a graph.
        outputs: likewise; each must follow from the inputs.
        name: its address in other graphs.

    Raises:
        ArgumentError: no inputs, no outputs, or something that is no KerasTensor.
        GraphError: the graph is disconnected or has a cycle.
        DuplicateNameError: two operations have the same explicit name.

    >>> import jax.numpy as jnp
    >>> x = KerasTensor((None, 2))
    >>> double = Function(x, x + x)
    >>> double(jnp.ones((1, 2))).tolist()
    [[2.0, 2.0]]
    """

    def __init__(self, inputs: TensorTree, outputs: TensorTree, name: str | None = None) -> None:
        super().__init__(name=name)
        self.inputs_structure: PyTree = inputs
        self.outputs_structure: PyTree = outputs
        self.inputs = _tensors("inputs", inputs)
        self.outputs = _tensors("outputs", outputs)
        self.graph = map_graph(self.inputs, self.outputs)

    def __getstate__(self) -> dict[str, Any]:
        # The graph first, whose calls stand parents first: so copying and pickling need no deep recursion.
        return {"graph": self.graph, **vars(self)}

    @property
    def operations(self) -> list[Any]:
        """The operations, deepest first."""
        return list(self.graph.operations)

    def call(self, inputs: PyTree) -> PyTree:
        """Replays the graph on values; NumPy arrays become JAX arrays."""
        values = [jnp.asarray(v) if isinstance(v, np.ndarray | np.generic) else v for v in self.match(inputs)]
        return self.replay(values, lambda operation: operation)

    def replay(self, flat_inputs: Sequence[Any], caller: Callable[[Any], Callable[..., Any]]) -> PyTree:
        """Runs every call whose arguments are there, and packs the outputs.

        Args:
            flat_inputs: a value for each of `self.inputs`; `None` for an optional one.
            caller: what to call in place of an operation.
        """
        values = {id(tensor): value for tensor, value in zip(self.inputs, flat_inputs, strict=True)}
        for node in self.graph.nodes:
            if node.is_input or all(id(tensor) in values for tensor in node.output_tensors):
                continue
            if any(id(tensor) not in values for tensor in node.input_tensors):
                continue
            args, kwargs = node.fill(values)
            results = caller(node.operation)(*args, **kwargs)
            made = zip(_with_nones(node.outputs), _with_nones(results), strict=True)
            values.update((id(tensor), result) for tensor, result in made if tensor is not None)
        return jax.tree.map(lambda tensor: values[id(tensor)], self.outputs_structure)

    def compute_output_spec(self, inputs: PyTree) -> PyTree:
        """The outputs for symbolic inputs: known already for the shapes of the graph, walked anew for others."""
        flat = self.match(inputs)
        if [(tensor.shape, tensor.dtype) for tensor in flat] == [
            (tensor.shape, tensor.dtype) for tensor in self.inputs
        ]:
            return jax.tree.map(lambda tensor: KerasTensor(tensor.shape, tensor.dtype), self.outputs_structure)
        return self.replay(
            flat,
            lambda operation: (
                lambda *args, **kwargs: (
                    operation.compute_output_spec(*args, **kwargs)
                    if any_symbolic(args, kwargs)
                    else operation(*args, **kwargs)
                )
            ),
        )

    def compute_output_shape(self, input_shape: ShapeTree) -> PyTree:
        """The outputs' shapes for a structure of input shapes."""
        shapes = jax.tree.leaves(input_shape, is_leaf=is_shape)
        specs = [KerasTensor(shape, tensor.dtype) for shape, tensor in zip(shapes, self.inputs, strict=True)]
        outputs = self.compute_output_spec(jax.tree.unflatten(jax.tree.structure(self.inputs_structure), specs))
        return jax.tree.map(lambda tensor: tensor.shape, outputs)

    def match(self, inputs: TensorTree) -> list[Any]:
        """The values for `self.inputs`. Raises `GraphError` where structure, rank or a fixed dimension differ."""
        expected: Any = jax.tree.structure(self.inputs_structure)
        received: Any = jax.tree.structure(inputs)
        if expected != received:
            raise GraphError(
                "called with inputs of another structure.",
                path=self.name,
                expected=_printed(expected),
                received=_printed(received),
            )
        flat = jax.tree.leaves(inputs)
        for tensor, value in zip(self.inputs, flat, strict=True):
            check_fits(tensor, value, self.name)
        return flat


def check_fits(tensor: KerasTensor, value: object, path: str) -> None:
    """Raises `GraphError` unless a value has the rank and the known dimensions of a tensor."""
    shape = standardize_shape(value.shape) if hasattr(value, "shape") else ()
    fits = len(shape) == tensor.ndim and all(
        a is None or b is None or a == b for a, b in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        raise GraphError(
            f"the inputs must have the shapes of the graph: input '{tensor.name}' has another shape.",
            path=path,
            expected=f"shape {tensor.shape}",
            received=f"shape {shape}",
        )


def _tensors(argument: str, structure: TensorTree) -> list[KerasTensor]:
    leaves = jax.tree.leaves(structure)
    if not leaves:
        raise ArgumentError(
            f"`{argument}` cannot be empty.",
            path="Function",
            expected="at least one KerasTensor",
            received=repr(structure),
        )
    for leaf in leaves:
        if not isinstance(leaf, KerasTensor):
            raise ArgumentError(
                f"all `{argument}` must be symbolic tensors.",
                path="Function",
                expected="KerasTensors",
                received=type(leaf).__name__,
                write="x = jkeras.Input((8,))",
            )
    return leaves


def _with_nones(structure: TensorTree) -> list[Any]:
    """The leaves, `None` included: it may stand for a tensor where an optional input was left out."""
    return jax.tree.leaves(structure, is_leaf=lambda leaf: leaf is None)


def _printed(treedef: Any) -> str:
    return str(treedef).removeprefix("PyTreeDef(").removesuffix(")")

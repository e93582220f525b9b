"""A Node is one recorded call of an operation on symbolic tensors."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.tensor import KerasHistory, KerasTensor, keras_tensors
from jkeras.errors import GraphError
from jkeras.jax_compat import is_traced


class Node:
    """One call: the operation, its arguments, and the tensors that came out.

    Creating one appends it to the operation's calls and gives each output its history.

    Raises:
        GraphError: an output is no symbolic tensor.

    >>> from jkeras.core.operation import Operation
    >>> x, y = KerasTensor((2,)), KerasTensor((2,))
    >>> Node(Operation(), (x,), {}, y).output_tensors == [y], y.history.operation
    (True, <Operation name=operation>)
    """

    def __init__(
        self,
        operation: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        outputs: Any = None,
    ) -> None:
        self.operation = operation
        constant = functools.partial(_constant, name=operation.name)
        self.args, self.kwargs = jax.tree.map(constant, (args, dict(kwargs or {})))
        self.outputs = outputs
        self.input_tensors = keras_tensors(self.args, self.kwargs)
        self.output_tensors: list[KerasTensor] = jax.tree.leaves(outputs)
        for tensor in self.output_tensors:
            if not isinstance(tensor, KerasTensor):
                raise GraphError(
                    "an operation must return symbolic tensors for symbolic tensors.",
                    path=operation.name,
                    expected="KerasTensors, as `compute_output_spec` describes them",
                    received=type(tensor).__name__,
                )
        if self.input_tensors and not all(tensor.record_history for tensor in self.input_tensors):
            for tensor in self.output_tensors:
                tensor.record_history = False
            return
        index = len(operation.nodes)
        operation.nodes.append(self)
        for position, tensor in enumerate(self.output_tensors):
            tensor.history = KerasHistory(operation, index, position)

    @property
    def is_input(self) -> bool:
        """Whether the call had no symbolic arguments."""
        return not self.input_tensors

    @property
    def parents(self) -> list["Node"]:
        """The calls that made the arguments."""
        found = [producer(tensor) for tensor in self.input_tensors]
        return [node for node in found if node is not None]

    def fill(self, values: dict[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with each symbolic tensor replaced by `values[id(tensor)]`, or by `None`."""
        if len(self.args) == 1 and not self.kwargs and isinstance(self.args[0], KerasTensor):
            return (values.get(id(self.args[0])),), {}

        def replace(leaf: object) -> Any:
            return values.get(id(leaf)) if isinstance(leaf, KerasTensor) else leaf

        result: tuple[tuple[Any, ...], dict[str, Any]] = jax.tree.map(replace, (self.args, self.kwargs))
        return result

    def __repr__(self) -> str:
        return f"<Node operation={self.operation.name}, inputs={self.input_tensors}, outputs={self.output_tensors}>"


def _constant(leaf: object, name: str) -> Any:
    """An argument as a graph keeps it: an array becomes a NumPy constant, for a graph holds nothing on a device."""
    if is_traced(leaf):
        raise GraphError(
            "a graph cannot keep a value that is being traced.",
            path=name,
            expected="symbolic tensors and constants",
            received=str(leaf)[:80],
            write="build the graph outside of `jax.jit`, with an Input for this value",
        )
    if isinstance(leaf, jax.Array) and not jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
        return leaf.item() if leaf.weak_type and leaf.ndim == 0 else np.asarray(leaf)
    return leaf


def producer(tensor: KerasTensor) -> Node | None:
    """The call that made a tensor; `None` for one that no call made."""
    operation, node_index, _ = tensor.history
    return operation.nodes[node_index] if operation is not None else None

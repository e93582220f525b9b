"""`lift` makes any JAX function recordable: called on symbolic tensors it becomes a node of the graph.

    relu = lift(jax.nn.relu)
    relu(array)            # an array, jax.nn.relu(array)
    relu(keras_tensor)     # a KerasTensor whose history replays jax.nn.relu

`jkeras.ops` is a table of such functions.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from jkeras.core import meeting
from jkeras.core.arrays import takes_lists
from jkeras.core.operation import Operation
from jkeras.core.tensor import any_symbolic
from jkeras.core.variable import Variable
from jkeras.errors import SerializationError
from jkeras.typing import Config, PyTree


class Lifted(Operation):
    """One recorded call of a JAX function.

    Args:
        function: a function of arrays.
        op: its name in the table `jkeras.ops`, by which a config finds it again; `None` for a function of the user's.
        name: its address in the graph; by default the function's name.
    """

    def __init__(self, function: Callable[..., PyTree], op: str | None = None, name: str | None = None) -> None:
        super().__init__(name=name)
        self.function, self.op = function, op
        self.default_name = op or getattr(function, "__name__", "lifted").strip("<>")

    def call(self, *args: Any, **kwargs: Any) -> PyTree:
        """The function's value."""
        return self.function(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> PyTree:
        """The outputs for symbolic inputs; unknown dimensions meet those of other arrays as the operation ties them."""
        met = meeting.compute(self.op, self.function, args, kwargs)
        return super().compute_output_spec(*args, **kwargs) if met is None else met

    def get_config(self) -> Config:
        """`{"name": ..., "op": ...}`; raises for a function that is not in the table."""
        if self.op is None:
            raise SerializationError(
                "cannot serialize an operation that was made from a custom function.",
                path=self.name,
                write="a Layer whose `call` computes it",
            )
        return {"name": self.explicit_name, "op": self.op}


def lift(function: Callable[..., PyTree], op: str | None = None, names: str = "") -> Callable[..., PyTree]:
    """A function that also takes symbolic tensors, and variables in place of their values.

    Args:
        function: any function of arrays that JAX can trace.
        op: its name in `jkeras.ops`.
        names: those of its first arguments, apart by spaces, where they may be given under others than its own.

    >>> import jax.numpy as jnp
    >>> from jkeras.core.tensor import KerasTensor
    >>> lift(jnp.sum)(KerasTensor((None, 3)), axis=0)
    <KerasTensor shape=(3,), dtype=float32, name=keras_tensor>
    """

    leading = names.split()
    function = takes_lists(function, op) if op is not None else function

    @functools.wraps(function)
    def lifted(*args: Any, **kwargs: Any) -> PyTree:
        while kwargs and len(args) < len(leading) and leading[len(args)] in kwargs:
            args += (kwargs.pop(leading[len(args)]),)
        if any_symbolic(args, kwargs):
            return Lifted(function, op).symbolic_call(*args, **kwargs)
        leaves, treedef = jax.tree.flatten((args, kwargs))
        if any(isinstance(leaf, Variable) for leaf in leaves):
            values = [leaf.value if isinstance(leaf, Variable) else leaf for leaf in leaves]
            args, kwargs = jax.tree.unflatten(treedef, values)
        return function(*args, **kwargs)

    return lifted


def listed(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """`lift`, for a function that stands in the table `jkeras.ops` under its own name.

    Args:
        function: any function of arrays that JAX can trace.

    >>> listed(jax.numpy.sin).__name__
    'sin'
    """
    return lift(function, function.__name__)

"""What the checks of one row share: the layer, its values, its inputs, and one compiled call."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core import Layer, Variables
from tests.descriptors.layers import ROWS
from tests.descriptors.row import LayerRow

# Programs that run once on small arrays: compiling them without optimizations takes a third of the time.
jit_quickly = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


class Subject:
    """A layer made from a row, initialized, with inputs and its results.

    `call(variables, args, kwargs)` is its `stateless_call`; `traces` counts how often `jitted`, the compiled form, was
    traced.
    """

    def __init__(self, row: LayerRow, policy: str | None = None, float_dtype: str = "float32") -> None:
        self.row = row
        self.layer: Layer = row.make(policy)
        self.args, self.kwargs = row.arrays(float_dtype)
        self.variables: Variables = self.init(jax.random.key(0))
        self.traces = 0

        def counted(*arguments: Any) -> Any:
            self.traces += 1
            return self.call(*arguments)

        self.jitted = jax.jit(counted)

    def init(self, key: jax.Array) -> Variables:
        return self.layer.init(key, *self.args, **self.kwargs, **self.row.static)

    def call(self, variables: Variables, args: Any, kwargs: Any) -> tuple[Any, Any]:
        return self.layer.stateless_call(*variables, *args, training=self.row.training, **kwargs, **self.row.static)

    @functools.cached_property
    def results(self) -> tuple[Any, Any]:
        """The outputs and new non-trainable values of the compiled call."""
        return self.jitted(self.variables, self.args, self.kwargs)


@functools.lru_cache(maxsize=4)
def subject(name: str) -> Subject:
    """The subject of a row; its tests follow each other, see `conftest`, and share it."""
    return Subject(next(row for row in ROWS if row.name == name))


def is_float(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def split_floats(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The float leaves of a tree, and a function that puts others in their place."""
    leaves, treedef = jax.tree.flatten(tree)
    where = [index for index, leaf in enumerate(leaves) if is_float(leaf)]

    def merge(floats: list[Any]) -> Any:
        filled = list(leaves)
        for index, value in zip(where, floats, strict=True):
            filled[index] = value
        return jax.tree.unflatten(treedef, filled)

    return [leaves[index] for index in where], merge

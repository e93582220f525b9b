"""What the checks of one row share: the layer, its values, its inputs, and one compiled call."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core import Layer, Variables
from tests.compilation import AS_USERS_DO
from tests.descriptors.layers import ROWS
from tests.descriptors.row import LayerRow


def half_twins() -> list[str]:
    """The first row of each layer that both Keras and we run in bfloat16, by a policy that the row leaves open."""
    found: dict[type[Layer], str] = {}
    for row in ROWS:
        refused = row.layer.__name__ == "STFTSpectrogram"  # by Keras; ours is held to float32, as others without a twin
        if row.half is True and row.keras is True and "dtype" not in row.arguments and not refused:
            found.setdefault(row.layer, row.name)
    return list(found.values())


HALF_TWINS = half_twins()


class Subject:
    """A layer made from a row, initialized, with inputs and its results.

    `call(variables, args, kwargs)` is its `stateless_call`; `traces` counts how often `jitted`, the compiled form, was
    traced.
    """

    def __init__(self, row: LayerRow, policy: str | None = None, float_dtype: str = "float32") -> None:
        self.row = row
        self.layer: Layer = row.make(policy)
        self.args, self.kwargs = row.arrays(float_dtype)
        self.initialized = jax.jit(self.init)
        self.variables: Variables = self.initialized(jax.random.key(0))
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
    def differentiated(self) -> Callable[..., tuple[list[jax.Array], ...]]:
        """The call with its gradients."""
        return differentiated(stateless(self.layer, self.row), self.row)

    @functools.cached_property
    def results(self) -> tuple[Any, Any]:
        """The outputs and new non-trainable values of the compiled call."""
        return self.jitted(self.variables, self.args, self.kwargs)


def stateless(layer: Layer, row: LayerRow) -> Callable[..., Any]:
    """The call of a layer as a function of trainable and non-trainable values, positional and keyword arrays."""

    def call(trainable: Any, non_trainable: Any, args: Any, kwargs: Any) -> Any:
        return layer.stateless_call(trainable, non_trainable, *args, training=row.training, **kwargs, **row.static)

    return call


# XLA computes other hues than all other ways to run this, if it does not optimize
MISCOMPILED = frozenset({"RandomColorJitter"})


def differentiated(call: Callable[..., Any], row: LayerRow) -> Callable[..., tuple[list[jax.Array], ...]]:
    """A stateless call compiled with its gradients: the leaves of outputs, new state, and gradients.

    The gradients, in float weights and inputs, are those of `sum(outputs * cotangent)` with a fixed random cotangent,
    whose numbers bfloat16 has. There are none where the row has none.
    """

    def run(trainable: Any, non_trainable: Any, args: Any, kwargs: Any) -> tuple[list[jax.Array], ...]:
        floats, merge = split_floats((trainable, args, kwargs))

        def scalar(floats: list[jax.Array]) -> tuple[jax.Array, Any]:
            weights, args, kwargs = merge(floats)
            outputs, state = map(jax.tree.leaves, call(weights, non_trainable, args, kwargs))
            generator = np.random.default_rng(0)
            total = jnp.zeros(())
            for leaf in filter(is_float, outputs):
                cotangent = jnp.asarray(generator.normal(size=leaf.shape), "bfloat16")
                total += jnp.sum(leaf * cotangent.astype(leaf.dtype)).astype(total.dtype)
            return total, (outputs, state)

        if row.gradients is not True:
            return (*scalar(floats)[1], [])
        (_, results), gradients = jax.value_and_grad(scalar, has_aux=True)(floats)
        return (*results, gradients)

    return jax.jit(run, compiler_options=AS_USERS_DO if row.name in MISCOMPILED else None)


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

"""The small gradient transformations that the optimizers share and optax does not have.

Each is a pair of pure functions around, or instead of, another pair; `Optimizer.build` puts them together.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jkeras import tree
from jkeras.errors import ArgumentError
from jkeras.typing import Array, ArrayTree, PyTree

Rate = Array | float | None


def compute_in_float32(inner: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """Gives `inner` gradients and parameters of at least float32, and rounds its updates to the gradients' dtypes.

    Squares of bfloat16 gradients have three digits, and a decay of 0.999 rounds to 1 in bfloat16: what is added to an
    average is less than half of its last digit, and the average stands still. So the state of half-precision parameters
    is that of float32 ones. The state keeps its dtypes: it may be the carry of a `scan`.
    """
    inner = optax.with_extra_args_support(inner)

    def init(params: ArrayTree) -> PyTree:
        return inner.init(widen(params))

    def update(updates: PyTree, state: PyTree, params: PyTree = None, **extra: Any) -> tuple[PyTree, PyTree]:
        new_updates, new_state = inner.update(widen(updates), state, widen(params), **extra)
        return _cast_like(new_updates, updates), _cast_like(new_state, state)

    return optax.GradientTransformationExtraArgs(init, update)


def widen(values: ArrayTree) -> PyTree:
    """The arrays of a tree in float32 where they are narrower."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.promote_types(jnp.result_type(x), jnp.float32)), values)


def _cast_like(values: ArrayTree, others: ArrayTree) -> PyTree:
    return jax.tree.map(lambda x, other: jnp.asarray(x, jnp.result_type(other)), values, others)


def clip_by_norm(max_norm: Array | float) -> optax.GradientTransformation:
    """Scales each leaf down to an L2 norm of `max_norm`: `g * max_norm / max(|g|, max_norm)`."""
    return optax.stateless_with_tree_map(lambda g, _: g * (max_norm / jnp.maximum(optax.tree.norm(g), max_norm)))


def decay_weights(
    inner: optax.GradientTransformation, rate_of: Callable[[str, Array], Rate]
) -> optax.GradientTransformationExtraArgs:
    """Decoupled weight decay before the update: `inner` sees the parameters `p - rate * p`, and updates those.

    Args:
        inner: the transformation that follows; its updates are added to the decayed parameters.
        rate_of: from the path of a leaf and the leaf to its rate, `None` where nothing decays.

    The source is Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019), arXiv:1711.05101.
    """
    inner = optax.with_extra_args_support(inner)

    def decayed(path: str, p: Array) -> Array:
        rate = rate_of(path, p)
        return p if rate is None else p - rate * p

    def with_decay(path: str, u: Array, p: Array) -> Array:
        rate = rate_of(path, p)
        return u if rate is None else u - rate * p

    def update(
        updates: ArrayTree, state: PyTree, params: ArrayTree | None = None, **extra: Any
    ) -> tuple[PyTree, PyTree]:
        if params is None:
            raise ArgumentError(
                "`params` is required, because weight decay is a fraction of the parameters.",
                path="update",
                expected="the tree of parameters",
                received="params=None",
                write="updates, opt_state = optimizer.update(grads, opt_state, params)",
            )
        updates, state = inner.update(updates, state, tree.map_with_path(decayed, params), **extra)
        return tree.map_with_path(with_decay, updates, params), state

    return optax.GradientTransformationExtraArgs(inner.init, update)

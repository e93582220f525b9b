"""Buffers: a compiled step reuses the memory of its state, so no two leaves of a state may share memory."""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from jkeras.jax_compat import is_traced

Tree = TypeVar("Tree")


def distinct(tree: Tree) -> Tree:
    """The same tree, where each array has memory of its own: an array that shares another's is copied.

    The state of some optimizers begins as the parameters themselves (schedule-free methods, Prodigy, DoG, SAM), and
    a hook may put one array into two places. JAX refuses to donate such a state.

    Args:
        tree: arrays; other leaves and traced values stay as they are.

    >>> twice = jnp.ones(2)
    >>> one, other = distinct((twice, twice))
    >>> one is twice, other is twice, other.tolist()
    (True, False, [1.0, 1.0])
    """
    seen: set[int] = set()

    def own(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or is_traced(leaf) or not leaf.size or leaf.is_deleted():
            return leaf
        addresses = _addresses(leaf)
        if not seen.isdisjoint(addresses):
            return jnp.copy(leaf)
        seen.update(addresses)
        return leaf

    whole: Tree = jax.tree.map(own, tree)
    return whole


def _addresses(array: jax.Array) -> list[int]:
    """Where the pieces of an array lie in memory."""
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if len(array.devices()) == 1:
        return [array.unsafe_buffer_pointer()]
    return [shard.data.unsafe_buffer_pointer() for shard in array.addressable_shards]


def copied(tree: Tree) -> Tree:
    """The same values in memory of their own, so that both may be donated."""
    result: Tree = jax.tree.map(jnp.copy, tree)
    return result

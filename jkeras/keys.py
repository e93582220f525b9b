"""Keys: the origin of each random number.

A weight's key is a function of the root key and the weight's path alone, so inserting a layer elsewhere changes no
other weight. An integer seed is the raw threefry key `[seed, 0]`, as in Keras on JAX: the same seed gives
the same values in both.
"""

import zlib

import jax
import jax.numpy as jnp

from jkeras.errors import ArgumentError
from jkeras.typing import Array, Key


def for_path(key: Key, path: str) -> Key:
    """`fold_in(key, crc32(path))`.

    >>> import jax
    >>> bool(for_path(jax.random.key(0), "a/kernel") == for_path(jax.random.key(0), "b/kernel"))
    False
    """
    return jax.random.fold_in(key, zlib.crc32(path.encode()))


def from_seed(seed: int) -> Key:
    """The threefry key `[seed, 0]` of an integer seed.

    >>> jax.random.key_data(from_seed(7)).tolist()
    [7, 0]
    """
    return from_state(jnp.array([seed & 0xFFFFFFFF, 0], "uint32"))


def from_state(state: Array) -> Key:
    """The threefry key whose two words are the state `[seed, counter]` of a `SeedGenerator`."""
    key: Key = jax.random.wrap_key_data(state, impl="threefry2x32")
    return key


def check_seed(seed: object, owner: str) -> int | None:
    """The seed, if it is one: a non-negative int or `None`.

    >>> check_seed(3, "RandomNormal")
    3
    """
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0):
        return seed
    rule, wanted = "`seed` must be a non-negative integer or None", "an int >= 0 or None"
    raise ArgumentError.must(rule, repr(seed), path=owner, expected=wanted, write=f"{owner}(seed=0)")

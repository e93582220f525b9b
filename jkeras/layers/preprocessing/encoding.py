"""Encodings of category indices, which several layers end in: as they are, one-hot, multi-hot, or counted."""

import jax
import jax.numpy as jnp

from jkeras import arguments
from jkeras.jax_compat import canonical_dtype
from jkeras.typing import Array, DTypeLike

MODES = ("int", "one_hot", "multi_hot", "count")
FORMER = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def check_output_mode(mode: str, owner: str, modes: tuple[str, ...] = MODES) -> str:
    """The output mode under its present name.

    >>> check_output_mode("binary", "CategoryEncoding")
    'multi_hot'
    """
    mode = FORMER.get(mode, mode) if isinstance(mode, str) else mode
    return arguments.one_of(mode, "output_mode", owner, modes)


def encode(indices: Array, mode: str, depth: int, dtype: DTypeLike, weights: Array | None = None) -> Array:
    """Category indices in one of the `MODES`.

    `"one_hot"` gives each index a vector; an axis of length 1 at the end is dropped first. `"multi_hot"` says which
    indices occur along the last axis, `"count"` how often, or with `weights` with which sum of weights. An index
    outside of `[0, depth)` is not a category: it adds nothing.

    >>> encode(jnp.array([[0, 2, 2]]), "count", 4, "float32").tolist()
    [[1.0, 0.0, 2.0, 0.0]]
    """
    dtype = canonical_dtype(dtype)  # int64 is int32 unless 64 bits are enabled
    if mode == "int":
        return indices.astype(dtype)
    if mode == "one_hot":
        single = indices.ndim > 1 and indices.shape[-1] == 1
        return jax.nn.one_hot(indices.squeeze(-1) if single else indices, depth, dtype=dtype)
    hot = jax.nn.one_hot(jnp.atleast_1d(indices), depth, dtype=dtype)  # (..., t, depth); fused into what follows
    if mode == "multi_hot":
        return hot.max(-2)
    return (hot if weights is None else hot * jnp.expand_dims(jnp.atleast_1d(weights), -1)).sum(-2)


def encoded_shape(shape: tuple[int | None, ...], mode: str, depth: int) -> tuple[int | None, ...]:
    """The shape of `encode`'s result.

    >>> encoded_shape((None, 5), "multi_hot", 4), encoded_shape((None, 1), "one_hot", 4)
    ((None, 4), (None, 4))
    """
    if mode == "int":
        return tuple(shape)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:-1], depth)

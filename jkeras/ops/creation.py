"""Creation of arrays. The default dtype is `jkeras.config.floatx()`."""

from collections.abc import Sequence

import jax.numpy as jnp

from jkeras import dtypes
from jkeras.core.lift import lift
from jkeras.typing import Array, DTypeLike

bartlett = lift(jnp.bartlett, names="x")
blackman = lift(jnp.blackman, names="x")
hamming = lift(jnp.hamming, names="x")
hanning = lift(jnp.hanning, names="x")
kaiser = lift(jnp.kaiser, names="x")


def empty(shape: int | Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """Zeros: there is no uninitialised memory.

    >>> empty((2,)).tolist()
    [0.0, 0.0]
    """
    return jnp.empty(shape, dtypes.standardize(dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> Array:
    """Ones on the `k`-th diagonal of an `(N, M)` matrix.

    >>> eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return jnp.eye(N, M, k, dtypes.standardize(dtype))


def identity(n: int, dtype: DTypeLike | None = None) -> Array:
    """`eye(n)`.

    >>> identity(1).tolist()
    [[1.0]]
    """
    return jnp.identity(n, dtypes.standardize(dtype))


def ones(shape: int | Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """Ones.

    >>> ones((2,)).tolist()
    [1.0, 1.0]
    """
    return jnp.ones(shape, dtypes.standardize(dtype))


def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> Array:
    """Ones on and below the `k`-th diagonal of an `(N, M)` matrix.

    >>> tri(2).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    return jnp.tri(N, M, k, dtypes.standardize(dtype))


def zeros(shape: int | Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """Zeros.

    >>> zeros((2,)).tolist()
    [0.0, 0.0]
    """
    return jnp.zeros(shape, dtypes.standardize(dtype))


__all__ = ["bartlett", "blackman", "empty", "eye", "hamming", "hanning", "identity", "kaiser", "ones", "tri", "zeros"]

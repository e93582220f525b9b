"""The formulas of the initializers that draw.

Each is one compiled program whose parameters are constants of it. The same program, inlined, is what a larger jitted
function holds, so both round alike; evaluated operation by operation, or with its parameters as arguments, the
compiler would be free to contract a product and a sum in one of them and not in the other.
"""

import functools
import math

import jax
import jax.numpy as jnp

from jkeras.typing import Array, Key


def _apart(value: Array) -> Array:
    """The value, kept out of the fusions of whoever uses it, which may round its last product otherwise."""
    array: Array = jax.lax.optimization_barrier(value)
    return array


@functools.partial(jax.jit, static_argnames=("shape", "dtype", "mean", "stddev"))
def normal(key: Key, shape: tuple[int, ...], dtype: str, mean: float, stddev: float) -> Array:
    """`mean + stddev * z`, with `z` standard normal."""
    return _apart(jax.random.normal(key, shape, dtype) * stddev + mean)


@functools.partial(jax.jit, static_argnames=("shape", "dtype", "mean", "stddev"))
def truncated_normal(key: Key, shape: tuple[int, ...], dtype: str, mean: float, stddev: float) -> Array:
    """`mean + stddev * z`, with `z` standard normal given that `-2 < z < 2`."""
    return _apart(jax.random.truncated_normal(key, -2.0, 2.0, shape, dtype) * stddev + mean)


@functools.partial(jax.jit, static_argnames=("shape", "dtype", "low", "high"))
def uniform(key: Key, shape: tuple[int, ...], dtype: str, low: float, high: float) -> Array:
    """Uniform in `[low, high)`."""
    return jax.random.uniform(key, shape, dtype, low, high)


@functools.partial(jax.jit, static_argnames=("shape", "dtype", "gain"))
def orthogonal(key: Key, shape: tuple[int, ...], dtype: str, gain: float) -> Array:
    """`gain` times a matrix with orthonormal columns, or rows where it has fewer rows than columns, uniform among them.

    The factor `q` of a normal matrix is uniform once the diagonal of `r` is made positive. (Mezzadri, "How to generate
    random matrices from the classical compact groups", https://arxiv.org/abs/math-ph/0609050.)
    """
    rows, columns = math.prod(shape[:-1]), shape[-1]
    tall = (max(rows, columns), min(rows, columns))
    # The decomposition exists in float32 and float64 only.
    q, r = jnp.linalg.qr(jax.random.normal(key, tall, jnp.promote_types(dtype, "float32")))
    q = q * jnp.expand_dims(jnp.where(jnp.diagonal(r) < 0, -1, 1).astype(q.dtype), 0)
    matrix = q if rows >= columns else q.T  # (rows, columns)
    return (gain * matrix.reshape(shape)).astype(dtype)

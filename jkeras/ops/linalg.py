"""The linear algebra of the table: `jax.numpy.linalg` under Keras's names, recordable on symbolic tensors."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.lift import lift
from jkeras.ops.control import jvp
from jkeras.typing import Array

det = lift(jnp.linalg.det, "det", "x")
eig = lift(jnp.linalg.eig, "eig", "x")
eigh = lift(jnp.linalg.eigh, "eigh", "x")
inv = lift(jnp.linalg.inv, "inv", "x")
lu_factor = lift(jax.scipy.linalg.lu_factor, "lu_factor", "x")
norm = lift(jnp.linalg.norm, "norm")
qr = lift(jnp.linalg.qr, "qr", "x")
svd = lift(jnp.linalg.svd, "svd", "x")


def _cholesky(x: Array, upper: bool = False) -> Array:
    return jnp.linalg.cholesky(x, upper=upper)


def _cholesky_inverse(x: Array, upper: bool = False) -> Array:
    """The inverse of the matrix whose Cholesky factor is `x`."""
    return jax.scipy.linalg.cho_solve((x, not upper), jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape))


def _solve(a: Array, b: Array) -> Array:
    """`x` in `a @ x = b`; a vector `b` is one column."""
    return jnp.squeeze(jnp.linalg.solve(a, b[..., None]), -1) if b.ndim == a.ndim - 1 else jnp.linalg.solve(a, b)


def _solve_triangular(a: Array, b: Array, lower: bool = False) -> Array:
    if b.ndim == a.ndim - 1:
        return jnp.squeeze(jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower), -1)
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


def _lstsq(a: Array, b: Array, rcond: Any = None) -> Array:
    return jnp.linalg.lstsq(a, b, rcond=rcond)[0]


def _matrix_rank(x: Array, tol: Any = None) -> Array:
    """How many singular values are greater than `tol`."""
    return jnp.linalg.matrix_rank(x, tol).astype("int32")


def _pinv(x: Array, rcond: Any = None) -> Array:
    return jnp.linalg.pinv(x, rcond)


cholesky = lift(_cholesky, "cholesky")
cholesky_inverse = lift(_cholesky_inverse, "cholesky_inverse")
lstsq = lift(_lstsq, "lstsq")
matrix_rank = lift(_matrix_rank, "matrix_rank")
pinv = lift(_pinv, "pinv")
solve = lift(_solve, "solve")
solve_triangular = lift(_solve_triangular, "solve_triangular")

# fmt: off
__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "jvp", "lstsq", "lu_factor", "matrix_rank", "norm",
    "pinv", "qr", "solve", "solve_triangular", "svd",
]
# fmt: on

"""The linear algebra of the table: `jax.numpy.linalg` under Keras's names, recordable on symbolic tensors."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.lift import lift
from jkeras.typing import Array

det = lift(jnp.linalg.det, "det")
eigh = lift(jnp.linalg.eigh, "eigh")
inv = lift(jnp.linalg.inv, "inv")
matrix_rank = lift(jnp.linalg.matrix_rank, "matrix_rank")
norm = lift(jnp.linalg.norm, "norm")
pinv = lift(jnp.linalg.pinv, "pinv")
qr = lift(jnp.linalg.qr, "qr")
svd = lift(jnp.linalg.svd, "svd")


def _cholesky(x: Array, upper: bool = False) -> Array:
    return jnp.linalg.cholesky(x, upper=upper)


def _solve(a: Array, b: Array) -> Array:
    """`x` in `a @ x = b`; a vector `b` is one column."""
    return jnp.squeeze(jnp.linalg.solve(a, b[..., None]), -1) if b.ndim == a.ndim - 1 else jnp.linalg.solve(a, b)


def _solve_triangular(a: Array, b: Array, lower: bool = False) -> Array:
    if b.ndim == a.ndim - 1:
        return jnp.squeeze(jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower), -1)
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


def _lstsq(a: Array, b: Array, rcond: Any = None) -> Array:
    return jnp.linalg.lstsq(a, b, rcond=rcond)[0]


cholesky = lift(_cholesky, "cholesky")
lstsq = lift(_lstsq, "lstsq")
solve = lift(_solve, "solve")
solve_triangular = lift(_solve_triangular, "solve_triangular")

# fmt: off
__all__ = [
    "cholesky", "det", "eigh", "inv", "lstsq", "matrix_rank", "norm", "pinv", "qr", "solve", "solve_triangular",
    "svd",
]
# fmt: on

"""The linear algebra of the table: `jax.numpy.linalg` under Keras's names, recordable on symbolic tensors."""

import jax
import jax.numpy as jnp

from jkeras.core.lift import lift, listed
from jkeras.errors import ShapeError
from jkeras.ops.control import jvp
from jkeras.ops.singular import norm
from jkeras.typing import Array, ArrayLike

det = lift(jnp.linalg.det, "det", "x")
eig = lift(jnp.linalg.eig, "eig", "x")
eigh = lift(jnp.linalg.eigh, "eigh", "x")
inv = lift(jnp.linalg.inv, "inv", "x")
lu_factor = lift(jax.scipy.linalg.lu_factor, "lu_factor", "x")
qr = lift(jnp.linalg.qr, "qr", "x")
svd = lift(jnp.linalg.svd, "svd", "x")


@listed
def cholesky(x: Array, upper: bool = False) -> Array:
    """The Cholesky factor of a symmetric positive definite matrix: `L` in `L @ L^T = x`.

    Args:
        x: `(..., n, n)`, floats.
        upper: whether the factor is `U` in `U^T @ U = x`.

    Returns:
        `(..., n, n)`, triangular; NaN where a matrix is not positive definite.

    >>> cholesky(jnp.array([[4.0, 2.0], [2.0, 2.0]])).tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    array: Array = jnp.linalg.cholesky(x, upper=upper)
    return array


@listed
def cholesky_inverse(x: Array, upper: bool = False) -> Array:
    """The inverse of the matrix whose Cholesky factor is `x`.

    Args:
        x: `(..., n, n)`, triangular floats.
        upper: whether `x` is an upper factor.

    >>> cholesky_inverse(jnp.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
    [[0.25, 0.0], [0.0, 1.0]]
    """
    return jax.scipy.linalg.cho_solve((x, not upper), jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape))


@listed
def solve(a: Array, b: Array) -> Array:
    """`x` in `a @ x = b`.

    Args:
        a: `(..., n, n)`, floats, of full rank.
        b: `(..., n, k)`; or with one axis less than `a`, where each vector is one column.

    Returns:
        The shape of `b`.

    >>> solve(jnp.array([[2.0, 0.0], [0.0, 4.0]]), jnp.array([2.0, 2.0])).tolist()
    [1.0, 0.5]
    """
    return jnp.squeeze(jnp.linalg.solve(a, b[..., None]), -1) if b.ndim == a.ndim - 1 else jnp.linalg.solve(a, b)


@listed
def solve_triangular(a: Array, b: Array, lower: bool = False) -> Array:
    """`x` in `a @ x = b` for a triangular `a`; the other triangle is not read.

    Args:
        a: `(..., n, n)`, floats.
        b: `(..., n, k)`; or with one axis less than `a`, where each vector is one column.
        lower: whether `a` is a lower triangle; by default an upper one.

    Returns:
        The shape of `b`.

    >>> solve_triangular(jnp.array([[1.0, 0.0], [1.0, 2.0]]), jnp.array([1.0, 5.0]), lower=True).tolist()
    [1.0, 2.0]
    """
    if b.ndim == a.ndim - 1:
        return jnp.squeeze(jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower), -1)
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


@listed
def lstsq(a: Array, b: Array, rcond: float | None = None) -> Array:
    """The `x` for which `|a @ x - b|` is least; of several, the shortest.

    Args:
        a: `(m, n)`, floats.
        b: `(m,)` or `(m, k)`.
        rcond: singular values below this part of the greatest count as zero; by default the rounding error of the dtype
            times the greater of `m` and `n`.

    Returns:
        `(n,)` or `(n, k)`.

    >>> lstsq(jnp.array([[1.0], [1.0]]), jnp.array([1.0, 3.0])).round(4).tolist()
    [2.0]
    """
    return jnp.linalg.lstsq(a, b, rcond=rcond)[0]


@listed
def matrix_rank(x: Array, tol: ArrayLike | None = None) -> Array:
    """The number of singular values that are greater than a bound.

    Args:
        x: `(..., m, n)`.
        tol: the bound; by default the greatest singular value, times the rounding error of the dtype, times the greater
            of `m` and `n`.

    Returns:
        `(...)`, int32.

    Raises:
        ShapeError: `x` has fewer than two axes.

    >>> int(matrix_rank(jnp.array([[1.0, 2.0], [2.0, 4.0]])))
    1
    """
    if jnp.ndim(x) < 2:
        raise ShapeError(
            f"`x` must be a matrix or a batch of matrices, got shape {jnp.shape(x)}.",
            path="matrix_rank",
            expected="shape (..., m, n)",
            received=f"shape {jnp.shape(x)}",
            write="ops.matrix_rank(ops.reshape(x, (1, -1)))   # a vector as a matrix of one row",
        )
    ranks: Array = jnp.linalg.matrix_rank(x, tol).astype("int32")
    return ranks


@listed
def pinv(x: Array, rcond: ArrayLike | None = None) -> Array:
    """The Moore-Penrose inverse: `V diag(1 / s) U^T` for `x = U diag(s) V^T`, over the singular values that are not 0.

    Args:
        x: `(..., m, n)`.
        rcond: singular values below this part of the greatest count as zero; by default ten times the rounding error
            of the dtype times the greater of `m` and `n`.

    Returns:
        `(..., n, m)`.

    >>> pinv(jnp.array([[2.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    """
    return jnp.linalg.pinv(x, rcond)


# fmt: off
__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "jvp", "lstsq", "lu_factor", "matrix_rank", "norm",
    "pinv", "qr", "solve", "solve_triangular", "svd",
]
# fmt: on

"""Arithmetic in the table that differs from `jax.numpy`: rounding returns floats, 8-bit integers are summed in 32 bits,
and `divide_no_nan` is defined for a denominator of zero."""

from typing import Any

import jax.numpy as jnp

from jkeras.core.lift import listed
from jkeras.dtypes import as_floats
from jkeras.typing import Array, ArrayLike


@listed
def ceil(x: ArrayLike) -> Array:
    """The least whole number that is not below each element.

    Args:
        x: an array; integers become floats.

    >>> ceil(jnp.array([-1.5, 0.2, 2.0])).tolist()
    [-1.0, 1.0, 2.0]
    """
    return jnp.ceil(as_floats(x))


@listed
def floor(x: ArrayLike) -> Array:
    """The greatest whole number that is not above each element.

    Args:
        x: an array; integers become floats.

    >>> floor(jnp.array([-1.5, 0.2, 2.0])).tolist()
    [-2.0, 0.0, 2.0]
    """
    return jnp.floor(as_floats(x))


@listed
def divide_no_nan(x1: ArrayLike, x2: ArrayLike) -> Array:
    """Quotients that are zero where the denominator is: `x1 / x2` where `x2 != 0`, 0 elsewhere.

    Args:
        x1: numerators: a number or an array.
        x2: denominators, that broadcast against them.

    Returns:
        An array in the dtype to which the two promote; quotients of integers are floats. Where the denominator is zero
        so are the gradients of both.

    >>> divide_no_nan(jnp.array([1.0, 2.0, 0.0]), jnp.array([2.0, 0.0, 0.0])).tolist()
    [0.5, 0.0, 0.0]
    """
    zero = jnp.equal(x2, 0)
    return jnp.where(zero, 0.0, jnp.divide(x1, jnp.where(zero, 1.0, x2)))


@listed
def einsum(subscripts: str, *operands: ArrayLike, **options: Any) -> Array:
    """Sums of products, by Einstein's convention: axes of one letter are paired, and summed if the letter is missing on
    the right.

    Args:
        subscripts: `"ij,jk->ik"`: a letter for each axis of each operand, and those of the result.
        operands: arrays, one for each part of the left side.

    Returns:
        An array in the dtype to which they promote; of int8 alone, int32.

    >>> einsum("ij,j->i", jnp.array([[1, 2], [3, 4]]), jnp.array([10, 1])).tolist()
    [12, 34]
    """
    return jnp.einsum(subscripts, *operands, **{"preferred_element_type": _wider(*operands), **options})


@listed
def matmul(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The product of matrices: `outputs[..., i, k] = sum over j of x1[..., i, j] x2[..., j, k]`.

    Args:
        x1: `(..., n, m)`, or a row `(m,)`.
        x2: `(..., m, k)`, or a column `(m,)`.

    Returns:
        `(..., n, k)`, without the axis of a row or a column; in the dtype to which they promote; of int8 alone, int32.

    >>> matmul(jnp.array([[1, 2], [3, 4]]), jnp.array([10, 1])).tolist()
    [12, 34]
    """
    return jnp.matmul(x1, x2, preferred_element_type=_wider(x1, x2))


def _wider(*operands: ArrayLike) -> str | None:
    """The dtype in which products of these are summed, if it is another one than theirs."""
    return "int32" if all(jnp.result_type(operand) == "int8" for operand in operands) else None


__all__ = [
    "ceil",
    "divide_no_nan",
    "einsum",
    "floor",
    "matmul",
]

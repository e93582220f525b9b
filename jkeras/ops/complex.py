"""Complex numbers in the table, out of real ones and back."""

import jax
import jax.numpy as jnp

from jkeras.core.lift import listed
from jkeras.errors import ShapeError
from jkeras.typing import Array


@listed
def polar(abs_: Array, angle: Array) -> Array:
    """Complex numbers out of lengths and angles: `abs_ (cos(angle) + i sin(angle))`.

    Args:
        abs_: the lengths: floats, in single or double precision.
        angle: the angles in radians, that broadcast against them.

    Returns:
        complex64, or complex128 of double precision.

    >>> f"{complex(polar(jnp.array(2.0), jnp.array(1.0))):.2f}"
    '1.08+1.68j'
    """
    return jax.lax.complex(abs_ * jnp.cos(angle), abs_ * jnp.sin(angle))


@listed
def view_as_complex(x: Array) -> Array:
    """Complex numbers out of pairs of real ones: `x[..., 0] + i x[..., 1]`.

    Args:
        x: `(..., 2)`, real and imaginary part along the last axis; integers and half precision become float32.

    Returns:
        `(...)`, complex64, or complex128 of double precision.

    Raises:
        ShapeError: the last axis does not have length 2.

    >>> view_as_complex(jnp.array([[1.0, 2.0], [3.0, -4.0]])).tolist()
    [(1+2j), (3-4j)]
    """
    if x.shape[-1:] != (2,) and all(isinstance(length, int) for length in x.shape[-1:]):  # None is found out later
        raise ShapeError(
            f"`x` must hold pairs (real, imaginary) along the last axis, got shape {tuple(x.shape)}.",
            path="view_as_complex",
            expected="shape (..., 2)",
            received=f"shape {tuple(x.shape)}",
            write="ops.view_as_complex(ops.stack([real, imaginary], axis=-1))",
        )
    x = x.astype(jnp.promote_types(x.dtype, "float32"))  # no complex numbers are narrower
    return jax.lax.complex(x[..., 0], x[..., 1])


@listed
def view_as_real(x: Array) -> Array:
    """Real and imaginary parts of complex numbers, side by side along a new last axis.

    Args:
        x: `(...)`, complex; real numbers have the imaginary part 0.

    Returns:
        `(..., 2)`, float32 of complex64, float64 of complex128.

    >>> view_as_real(jnp.array([1 + 2j, 3 - 4j])).tolist()
    [[1.0, 2.0], [3.0, -4.0]]
    """
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


__all__ = [
    "polar",
    "view_as_complex",
    "view_as_real",
]

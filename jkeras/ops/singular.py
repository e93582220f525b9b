"""Functions whose derivative JAX leaves undefined where their value is not: there it is a limit of derivatives.

A `where` after them would come too late. It chooses among values; the derivative of the other choice stays NaN.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.core.lift import listed
from jkeras.dtypes import as_floats
from jkeras.functional.roots import root
from jkeras.ops.precision import in_float32
from jkeras.typing import Array, ArrayLike, Axes


@listed
@in_float32
def norm(x: ArrayLike, ord: int | float | str | None = None, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """The norm of vectors, `(sum of |x|^p)^(1/p)`, or of matrices; where all is zero its derivative is 0.

    Args:
        x: an array; integers become floats.
        ord: of vectors: a number `p`, 2 by default; `inf` and `-inf` for the greatest and the least magnitude, 0 for
            the number of nonzero entries. Of matrices: `"fro"`, the default, for the root of the sum of squares;
            `"nuc"` for the sum of the singular values, 2 and -2 for the greatest and the least of them; 1 and -1 for
            the greatest and the least sum of magnitudes in a column, `inf` and `-inf` in a row.
        axis: an int, for vectors; two, for matrices; `None` for all of `x`.
        keepdims: whether these axes stay, with length 1.

    Returns:
        An array without these axes; half precision is computed in float32.

    Raises:
        ValueError: `ord` is not defined for this number of axes.

    >>> norm(jnp.array([[3.0, 4.0], [0.0, 0.0]]), axis=1).tolist(), jax.grad(norm)(jnp.zeros(2)).tolist()
    ([5.0, 0.0], [0.0, 0.0])

    Source: the definition, under the names of `numpy.linalg.norm`.
    """
    x = jnp.asarray(x) if jnp.iscomplexobj(x) else as_floats(x)
    axis = tuple(axis) if isinstance(axis, list) else axis
    axes = x.ndim if axis is None else 1 if isinstance(axis, int) else len(axis)
    if (ord is None and (axis is None or axes <= 2)) or (ord, axes) in (("fro", 2), (2, 1)):
        return root(jnp.sum(jnp.real(x * jnp.conj(x)), axis=axis, keepdims=keepdims))
    zeros = jnp.all(x == 0, axis=axis, keepdims=True)
    value = jnp.linalg.norm(jnp.where(zeros, 1, x), ord, axis, keepdims)
    return jnp.where(zeros.reshape(value.shape), 0, value)


@listed
def hypot(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The length of the hypotenuse, `sqrt(x1^2 + x2^2)`, without overflow; its derivative at `(0, 0)` is 0.

    Args:
        x1: a number or an array.
        x2: another, that broadcasts against it.

    >>> float(hypot(3.0, 4.0)), float(jax.grad(hypot)(0.0, 0.0))
    (5.0, 0.0)
    """
    origin = jnp.equal(x1, 0) & jnp.equal(x2, 0)
    return jnp.where(origin, 0, jnp.hypot(jnp.where(origin, 1, x1), x2))


@listed
def arctan2(x1: ArrayLike, x2: ArrayLike) -> Array:
    """The angle of the point `(x2, x1)` to the first axis, in `[-pi, pi]`; its derivative at `(0, 0)` is 0.

    Args:
        x1: the second coordinate: a number or an array.
        x2: the first one, that broadcasts against it.

    >>> round(float(arctan2(1.0, -1.0)), 4), float(jax.grad(arctan2)(0.0, 0.0))
    (2.3562, 0.0)
    """
    return _arctan2(x1, x2)


def _arctan2(x1: ArrayLike, x2: ArrayLike) -> Array:
    origin = jnp.equal(x1, 0) & jnp.equal(x2, 0)  # the value there depends on the signs of the zeros
    return jnp.where(origin, jax.lax.stop_gradient(jnp.arctan2(x1, x2)), jnp.arctan2(x1, jnp.where(origin, 1, x2)))


@listed
def angle(x: ArrayLike) -> Array:
    """The angle of complex numbers to the positive real axis, in `[-pi, pi]`; its derivative at 0 is 0.

    Args:
        x: an array; the angle of a real number is 0, or pi if it is negative.

    >>> round(float(angle(1.0 + 1.0j)), 4)
    0.7854
    """
    return _arctan2(jnp.imag(x), jnp.real(x)) if jnp.iscomplexobj(x) else jnp.angle(x)


@listed
def power(x1: ArrayLike, x2: ArrayLike) -> Array:
    """Powers `x1^x2`; `0^0` is 1, with the derivative 0.

    Args:
        x1: bases: a number or an array.
        x2: exponents, that broadcast against them; an int is multiplied out.

    >>> float(power(2.0, 3)), float(jax.grad(power)(0.0, 0.0))
    (8.0, 0.0)
    """
    if isinstance(x2, int) or not jnp.issubdtype(jnp.result_type(x2), jnp.floating):
        return jnp.power(x1, x2)
    return jnp.power(jnp.where(jnp.equal(x1, 0) & jnp.equal(x2, 0), 1, x1), x2)


def _added(function: Callable[..., Array], base: float) -> Callable[..., Array]:
    """`jax.numpy.logaddexp`, or that of base 2; equal infinities share the derivative."""

    @jax.custom_jvp
    def added(x1: Array, x2: Array) -> Array:
        return function(x1, x2)

    @added.defjvp
    def tangent(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
        x1, x2 = primals
        tied = (x1 == x2) & jnp.isinf(x1)
        share = jax.nn.sigmoid(math.log(base) * (jnp.where(tied, 0, x1) - jnp.where(tied, 0, x2)))
        return added(x1, x2), share * tangents[0] + (1 - share) * tangents[1]

    def of_floats(x1: ArrayLike, x2: ArrayLike) -> Array:
        if jnp.iscomplexobj(x1) or jnp.iscomplexobj(x2):
            return function(x1, x2)
        dtype = jnp.result_type(x1, x2, float)
        return added(*(jnp.asarray(x, dtype) for x in jnp.broadcast_arrays(x1, x2)))

    return of_floats


_ADDED, _ADDED2 = _added(jnp.logaddexp, math.e), _added(jnp.logaddexp2, 2)


@listed
def logaddexp(x1: ArrayLike, x2: ArrayLike) -> Array:
    """`log(exp(x1) + exp(x2))`, without overflow; where both are the same infinity, each has half of the derivative.

    Args:
        x1: a number or an array; integers become floats.
        x2: another, that broadcasts against it.

    >>> round(float(logaddexp(1000.0, 1000.0)), 3), float(jax.grad(logaddexp)(-jnp.inf, -jnp.inf))
    (1000.693, 0.5)
    """
    return _ADDED(x1, x2)


@listed
def logaddexp2(x1: ArrayLike, x2: ArrayLike) -> Array:
    """`log2(2^x1 + 2^x2)`, without overflow; where both are the same infinity, each has half of the derivative.

    Args:
        x1: a number or an array; integers become floats.
        x2: another, that broadcasts against it.

    >>> float(logaddexp2(1000.0, 1000.0))
    1001.0
    """
    return _ADDED2(x1, x2)


@listed
def logsumexp(x: ArrayLike, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """`log(sum(exp(x)))`, computed without overflow: `m + log(sum(exp(x - m)))` with the maximum `m`.

    Its derivative is `softmax(x)`; where the maximum is infinite, that of the maximum, which equal entries share.

    Args:
        x: array of any shape; integers become floats.
        axis: over which axes: an int, several, or `None` for all.
        keepdims: whether these axes stay, with length 1.

    Returns:
        An array without these axes, in the dtype of `x`; `-inf` for a sum of nothing.

    >>> x = jnp.array([[0.0, 0.0], [1000.0, 1000.0]])
    >>> [round(y, 3) for y in logsumexp(x, axis=1).tolist()]
    [0.693, 1000.693]
    >>> jax.grad(logsumexp)(jnp.full(2, -jnp.inf)).tolist()
    [0.5, 0.5]
    """
    axes = tuple(axis) if isinstance(axis, list) else axis
    if jnp.iscomplexobj(x):
        return jax.scipy.special.logsumexp(x, axis=axes, keepdims=keepdims)
    value = _logsumexp(as_floats(x), axes)
    return value if keepdims else jnp.squeeze(value, axes)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _logsumexp(x: Array, axes: Axes | None) -> Array:
    return jax.scipy.special.logsumexp(x, axis=axes, keepdims=True)


@_logsumexp.defjvp
def _logsumexp_tangent(axes: Axes | None, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,) = primals
    value = _logsumexp(x, axes)
    infinite, ties = jnp.isinf(value), x == value
    softmax = jnp.exp(jnp.where(infinite, 0, x) - jnp.where(infinite, 0, value))
    share = jnp.where(infinite, ties / jnp.maximum(jnp.sum(ties, axes, keepdims=True), 1), softmax)
    return value, jnp.sum(share * tangents[0], axes, keepdims=True)


# fmt: off
__all__ = ["angle", "arctan2", "hypot", "logaddexp", "logaddexp2", "logsumexp", "norm", "power"]
# fmt: on

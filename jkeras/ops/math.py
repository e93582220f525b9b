"""The other mathematics of the table: special functions, segments, distances, Fourier transforms, best entries."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.core.lift import lift, listed
from jkeras.dtypes import as_floats
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional.roots import root
from jkeras.jax_compat import is_traced
from jkeras.ops import fourier
from jkeras.ops.complex import view_as_complex, view_as_real
from jkeras.ops.fourier import *  # noqa: F403
from jkeras.ops.precision import in_float32
from jkeras.ops.singular import logsumexp
from jkeras.typing import Array, PyTree

erf = lift(jax.scipy.special.erf, "erf")
erfc = lift(jax.scipy.special.erfc, "erfc")
erfinv = lift(jax.scipy.special.erfinv, "erfinv")
rsqrt = lift(jax.lax.rsqrt, "rsqrt")


@listed
def logdet(x: Array) -> Array:
    """The logarithm of the determinant's absolute value, `log(|det(x)|)`, without computing the determinant.

    Args:
        x: square matrices `(..., n, n)`; of positive definite ones the determinant is positive.

    Returns:
        `(...)`; `-inf` for a singular matrix.

    >>> logdet(jnp.array([[2.0, 0.0], [0.0, 0.5]])).tolist()
    0.0
    >>> round(float(logdet(1e30 * jnp.eye(3))), 2)  # the determinant overflows
    207.23
    """
    array: Array = jnp.linalg.slogdet(x)[1]
    return array


# The docstring of four functions, but for what each computes: of some rows, of none, and in the example.
_SEGMENTS = """The {what} of the rows of every segment.

        outputs[s] = {what} of data[i] over all i with segment_ids[i] = s

    Args:
        data: `(n, ...)`.
        segment_ids: ints `(n,)`, the segment of each row, in any order. A row whose segment is negative, or
            `num_segments` or more, does not count.
        num_segments: the number of segments; by default one more than the greatest of `segment_ids`. It must be
            given where values are unknown: under `jax.jit`, and for symbolic tensors.
        sorted: a promise that the segments never decrease, which may be faster; where it is broken the result is
            undefined.

    Returns:
        `(num_segments, ...)`, in the dtype of the data; {nothing} for a segment without rows.

    Raises:
        ShapeError: `segment_ids` does not have one axis.
        ArgumentError: no `num_segments` where values are unknown.

    >>> {op}(jnp.array([1.0, 2.0, 3.0, 4.0]), jnp.array([0, 0, 1, 1]), 3).tolist()
    {result}
    """


def _segment(function: Callable[..., Array], op: str, **words: str) -> Callable[..., PyTree]:
    def segment(data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False) -> Array:
        if jnp.ndim(segment_ids) != 1:
            rule, received = "`segment_ids` must have one axis", f"shape {jnp.shape(segment_ids)}"
            write = f"ops.{op}(ops.ravel(data), ops.ravel(segment_ids))   # one segment per element"
            raise ShapeError.must(rule, received, path=op, expected="segment_ids of shape (n,)", write=write)
        if num_segments is None and is_traced(segment_ids):
            raise ArgumentError(
                "`num_segments` must be given: it depends on values, unknown in a graph and under `jit`.",
                path=op,
                expected="num_segments, an int",
                write=f"ops.{op}(data, segment_ids, num_segments=8)",
            )
        return in_float32(function)(data, segment_ids, num_segments, indices_are_sorted=sorted)

    segment.__name__, segment.__doc__ = op, _SEGMENTS.format(op=op, **words)
    return lift(segment, op)


_LEAST, _GREATEST = "`-inf`, or the least integer,", "`inf`, or the greatest integer,"
segment_max = _segment(jax.ops.segment_max, "segment_max", what="maximum", nothing=_LEAST, result="[2.0, 4.0, -inf]")
segment_min = _segment(jax.ops.segment_min, "segment_min", what="minimum", nothing=_GREATEST, result="[1.0, 3.0, inf]")
segment_prod = _segment(jax.ops.segment_prod, "segment_prod", what="product", nothing="1", result="[2.0, 12.0, 1.0]")
segment_sum = _segment(jax.ops.segment_sum, "segment_sum", what="sum", nothing="0", result="[3.0, 7.0, 0.0]")


@listed
def top_k(x: Array, k: int, sorted: bool = True) -> list[Array]:
    """The `k` greatest entries along the last axis, and where they stand.

    Args:
        x: `(..., n)`. Of equal entries the earlier comes first; NaN counts as greater than all numbers.
        k: the number of entries, `k <= n`.
        sorted: whether the greatest comes first. It always does: sorting costs nothing extra here.

    Returns:
        The values, `(..., k)` in the dtype of `x`, and their indices, `(..., k)`, int32.

    Raises:
        ArgumentError: `k` is negative or greater than `n`.

    >>> values, indices = top_k(jnp.array([1.0, 4.0, 2.0, 4.0]), 3)
    >>> values.tolist(), indices.tolist()
    ([4.0, 4.0, 2.0], [1, 3, 2])
    """
    x = jnp.asarray(x)
    if k < 0 or (x.ndim and isinstance(x.shape[-1], int) and k > x.shape[-1]):
        rule, write = "`k` must be between 0 and the length of the last axis", f"ops.top_k(x, k={x.shape[-1]})"
        raise ArgumentError.must(rule, k, path="top_k", expected=f"0 <= k <= {x.shape[-1]}", write=write)
    return list(jax.lax.top_k(x, k))


@listed
def in_top_k(targets: Array, predictions: Array, k: int) -> Array:
    """Whether fewer than `k` classes beat the target's; ties count for it, and all numbers beat NaN.

    Args:
        targets: ints `(...)`, the true classes.
        predictions: `(..., c)`, a score for each class.
        k: the number of best classes.

    Returns:
        Booleans `(...)`.

    >>> predictions = jnp.array([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1]])
    >>> in_top_k(jnp.array([2, 1]), predictions, 1).tolist(), in_top_k(jnp.array([2, 1]), predictions, 2).tolist()
    ([False, False], [True, True])
    """
    own = jnp.take_along_axis(predictions, jnp.expand_dims(targets, -1), axis=-1)  # (b, 1)
    own = jnp.where(jnp.isnan(own), -jnp.inf, own)
    return jnp.sum(predictions > own, axis=-1) < k


@listed
@in_float32
def cdist(x: Array, y: Array) -> Array:
    """Euclidean distances of every row of `x` to every row of `y`; where they coincide the gradient is zero.

        outputs[..., i, j] = sqrt(sum_d (x[..., i, d] - y[..., j, d])^2)

    Args:
        x: `(..., n, k)`: `n` points in `k` dimensions.
        y: `(..., m, k)`; the axes in front broadcast against those of `x`.

    Returns:
        `(..., n, m)`, in the dtype to which the two promote; distances of integers are floats.

    Raises:
        ShapeError: one of the two has fewer than two axes, or their rows have different lengths.

    >>> cdist(jnp.array([[0.0, 0.0], [3.0, 0.0]]), jnp.array([[0.0, 4.0]])).tolist()
    [[4.0], [5.0]]
    """
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            "`x` and `y` must have at least two axes, and last axes of the same length.",
            path="cdist",
            expected="shapes (..., n, k) and (..., m, k)",
            received=f"shapes {x.shape} and {y.shape}",
            write="ops.cdist(ops.reshape(x, (-1, k)), ops.reshape(y, (-1, k)))   # points of k coordinates",
        )
    differences = jnp.expand_dims(x, -2) - jnp.expand_dims(y, -3)  # (..., n, m, k)
    return root(as_floats(jnp.sum(jnp.square(differences), axis=-1)))


# fmt: off
__all__ = [
    "cdist", "erf", "erfc", "erfinv", "in_top_k", "logdet", "logsumexp", "rsqrt", "segment_max", "segment_min",
    "segment_prod", "segment_sum", "top_k", "view_as_complex", "view_as_real",
    *fourier.__all__,
]
# fmt: on

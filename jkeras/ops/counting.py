"""Counts and places of values. The number of results depends on the values, so inside a compiled function it must be
given: `size` of `nonzero` and `unique`, `length` of `bincount`."""

import jax
import jax.numpy as jnp

from jkeras.core.lift import listed
from jkeras.core.tensor import check_dense
from jkeras.errors import ArgumentError, ShapeError
from jkeras.jax_compat import is_traced
from jkeras.ops.precision import in_float32
from jkeras.typing import Array, ArrayLike, PyTree


@listed
def bincount(
    x: Array, weights: Array | None = None, minlength: int = 0, sparse: bool = False, *, length: int | None = None
) -> Array:
    """How often each integer from 0 on occurs, or the sum of weights where it does; of each row of a matrix.

    Args:
        x: `(n,)` or `(b, n)`, integers from 0 on.
        weights: of the shape of `x`, added in place of 1.
        minlength: the least number of results.
        sparse: `False`; every tensor here is dense.
        length: the number of integers; by default all that occur, `minlength` at least. In a graph and under
            `jit` it must be given.

    Returns:
        `(length,)` or `(b, length)`; int32, or the dtype of the weights.

    Raises:
        ShapeError: another rank.
        ArgumentError: no `length` where values are not known.

    >>> bincount(jnp.array([0, 2, 2]), minlength=4).tolist()
    [1, 0, 2, 0]
    """
    check_dense("bincount", sparse)
    x = jnp.asarray(x)
    if x.ndim not in (1, 2):
        raise ShapeError(
            f"`x` must have one or two axes, got shape {x.shape}.",
            path="bincount",
            expected="rank 1 or 2",
            received=f"shape {x.shape}",
            write="ops.bincount(ops.ravel(x))",
        )
    if length is None:
        _need(x, "bincount", "length")
        length = max(int(jnp.max(x)) + 1 if x.size else 0, minlength)

    def count(row: Array, weights: Array | None = None) -> Array:
        return in_float32(jnp.bincount)(row, weights, length=length)

    rows = (x,) if weights is None else (x, jnp.asarray(weights))
    return count(*rows) if x.ndim == 1 else jax.vmap(count)(*rows)


@listed
def histogram(x: ArrayLike, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[Array, Array]:
    """The numbers of elements in `bins` intervals of equal width; and the edges of these.

    Args:
        x: `(n,)`.
        bins: the number of intervals.
        range: where the first begins and the last ends; by default at the least and the greatest element.

    Returns:
        The counts `(bins,)` and the edges `(bins + 1,)`. The last interval has its right edge too.

    Raises:
        ArgumentError: `bins` is not a positive integer, or `range` is not a pair (low, high).
        ShapeError: another rank.

    >>> counts, edges = histogram([0.0, 1.0, 4.0], bins=2)
    >>> counts.tolist(), edges.tolist()
    ([2.0, 1.0], [0.0, 2.0, 4.0])
    """
    if not isinstance(bins, int) or isinstance(bins, bool) or bins < 1:
        raise ArgumentError(
            f"`bins` must be a positive integer, got {bins!r}.",
            path="histogram",
            expected="an int >= 1",
            received=repr(bins),
            write="ops.histogram(x, bins=10)",
        )
    if range is not None and (len(range) != 2 or range[1] < range[0]):
        raise ArgumentError(
            f"`range` must be a pair (low, high) with low <= high, got {range!r}.",
            path="histogram",
            expected="(low, high)",
            received=repr(range),
            write="ops.histogram(x, bins=10, range=(0.0, 1.0))",
        )
    x = jnp.asarray(x)
    if x.ndim > 1:
        raise ShapeError(
            f"`x` must have at most one axis, got shape {x.shape}.",
            path="histogram",
            expected="rank 1",
            received=f"shape {x.shape}",
            write="ops.histogram(ops.ravel(x))",
        )
    return in_float32(jnp.histogram)(x, bins, range)


@listed
def nonzero(x: Array, *, size: int | None = None, fill_value: ArrayLike | None = None) -> tuple[Array, ...]:
    """Where an array is not zero.

    Args:
        x: an array.
        size: the number of places: more are dropped, fewer are filled up. In a graph and under `jit` it must be
            given.
        fill_value: the indices that fill up; 0 by default.

    Returns:
        For each axis an array `(size,)` of indices.

    Raises:
        ArgumentError: no `size` where values are not known.

    >>> rows, columns = nonzero(jnp.array([[0, 3], [4, 0]]))
    >>> rows.tolist(), columns.tolist()
    ([0, 1], [1, 0])
    """
    if size is None:
        _need(x, "nonzero", "size")
    return jnp.nonzero(x, size=size, fill_value=fill_value)


@listed
def unique(
    x: ArrayLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: ArrayLike | None = None,
) -> PyTree:
    """The different values of an array; NaN differs from itself.

    Args:
        x: an array; its elements, or with `axis` its parts along it.
        sorted: whether they come in ascending order.
        return_index: whether the index of the first occurrence of each is returned too.
        return_inverse: whether the index of each element's value is returned too.
        return_counts: whether to return the number of occurrences of each too.
        axis: along which parts are compared; `None` for single elements.
        size: the number of values: more are dropped, fewer are filled up. In a graph and under `jit` it must be
            given.
        fill_value: the filling value; the least value by default.

    Returns:
        The values, or a tuple of them and the other requested results, in the order above.

    Raises:
        ArgumentError: no `size` where values are not known.

    >>> values, counts = unique([3, 1, 3], return_counts=True)
    >>> values.tolist(), counts.tolist()
    ([1, 3], [1, 2])
    """
    if size is None:
        _need(x, "unique", "size")
    return jnp.unique(
        jnp.asarray(x),
        return_index=return_index,
        return_inverse=return_inverse,
        return_counts=return_counts,
        axis=axis,
        equal_nan=False,
        size=size,
        sorted=sorted,
        fill_value=fill_value,
    )


def _need(x: object, op: str, argument: str) -> None:
    """Raises `ArgumentError` where values are not known."""
    if is_traced(x):
        raise ArgumentError(
            f"`{argument}` must be given: the number of results depends on values, unknown in a graph and under `jit`.",
            path=op,
            expected=f"{argument}, an int",
            write=f"ops.{op}(x, {argument}=8)",
        )


__all__ = ["bincount", "histogram", "nonzero", "unique"]

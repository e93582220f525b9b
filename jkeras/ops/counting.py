"""Counts and places of values. How many results there are depends on the values themselves, so inside a compiled
program the caller says how many: `size` of `nonzero` and `unique`, `length` of `bincount`."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.lift import lift
from jkeras.core.tensor import check_dense
from jkeras.errors import ArgumentError, ShapeError
from jkeras.typing import Array, ArrayLike, PyTree


def _bincount(
    x: Array, weights: Array | None = None, minlength: int = 0, sparse: bool = False, *, length: int | None = None
) -> Array:
    """How often each integer from 0 on occurs, or the sum of weights where it does; of each row of a matrix.

    `length` is how many integers are counted; by default all that occur, `minlength` at least.
    """
    check_dense("bincount", sparse)
    x = jnp.asarray(x)
    if x.ndim not in (1, 2):
        raise ShapeError("these are no rows of integers.", path="bincount", expected="rank 1 or 2",
                         received=f"shape {x.shape}")  # fmt: skip
    if length is None:
        _need(x, "bincount", "length")
        length = max(int(jnp.max(x, initial=-1)) + 1, minlength)

    def count(row: Array, weights: Array | None = None) -> Array:
        return jnp.bincount(row, weights, length=length)

    rows = (x,) if weights is None else (x, jnp.asarray(weights))
    return count(*rows) if x.ndim == 1 else jax.vmap(count)(*rows)


def _histogram(x: ArrayLike, bins: int = 10, range: tuple[float, float] | None = None) -> tuple[Array, Array]:
    """How many elements lie in each of `bins` intervals of one width; and the edges between these."""
    if not isinstance(bins, int) or isinstance(bins, bool) or bins < 1:
        raise ArgumentError("no such bins.", path="histogram", expected="an int >= 1", received=repr(bins))
    if range is not None and (len(range) != 2 or range[1] < range[0]):
        raise ArgumentError("no such range.", path="histogram", expected="(low, high)", received=repr(range))
    x = jnp.asarray(x)
    if x.ndim > 1:
        raise ShapeError("a histogram is of one axis.", path="histogram", expected="rank 1",
                         received=f"shape {x.shape}", write="ops.histogram(ops.ravel(x))")  # fmt: skip
    return jnp.histogram(x, bins, range)


def _nonzero(x: Array, *, size: int | None = None, fill_value: Any = None) -> tuple[Array, ...]:
    """Where an array is not zero: one array of indices for each axis, the first `size` of them."""
    if size is None:
        _need(x, "nonzero", "size")
    return jnp.nonzero(x, size=size, fill_value=fill_value)


def _unique(
    x: ArrayLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> PyTree:
    """The different values of an array; NaN differs from itself."""
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


def _need(x: Any, op: str, argument: str) -> None:
    """Raises `ArgumentError` where values are not known."""
    if isinstance(x, jax.core.Tracer):
        raise ArgumentError(
            "how many results there are depends on values, which are unknown in a graph and under `jit`.",
            path=op,
            expected=f"{argument}, an int",
            write=f"ops.{op}(x, {argument}=8)",
        )


bincount = lift(_bincount, "bincount")
histogram = lift(_histogram, "histogram")
nonzero = lift(_nonzero, "nonzero")
unique = lift(_unique, "unique")

__all__ = ["bincount", "histogram", "nonzero", "unique"]

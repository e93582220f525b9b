"""Shapes in the table: reshaping and rearranging arrays, and questions about shapes."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import dtypes
from jkeras.core.lift import listed
from jkeras.errors import ArgumentError
from jkeras.typing import Array, ArrayLike, DTypeLike


@listed
def concatenate(xs: Sequence[Array], axis: int = 0) -> Array:
    """Arrays laid one after the other along an axis that they have.

    Args:
        xs: arrays of one rank, whose shapes differ at most in the length of that axis.
        axis: along which axis.

    Returns:
        An array in the dtype to which they promote; that axis is as long as theirs together.

    >>> concatenate([jnp.ones((2, 1)), jnp.zeros((2, 2))], axis=1).tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    return jnp.concatenate(xs, axis)


@listed
def pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: ArrayLike | None = None) -> Array:
    """An array with elements added at the ends of its axes.

    Args:
        x: array of any shape.
        pad_width: elements before and after, `((before, after), ...)` with one pair per axis; one pair for
            all axes; or one int for all ends.
        mode: their values: `"constant"`; `"edge"`, the outermost element; `"reflect"` and `"symmetric"`, mirrored
            without and with the outermost one; `"wrap"`, from the other end; `"maximum"`, `"mean"`, `"median"` or
            `"minimum"` of the line; `"linear_ramp"`, evenly down to zero; `"empty"`, anything.
        constant_values: the value, or one for each end as in `pad_width`, 0 by default; for mode `"constant"` alone.

    Returns:
        The dtype of `x`; axis `i` is longer by `before_i + after_i`.

    >>> pad(jnp.array([1, 2, 3]), (1, 2), constant_values=9).tolist()
    [9, 1, 2, 3, 9, 9]
    >>> pad(jnp.array([1, 2, 3]), (1, 2), mode="reflect").tolist()
    [2, 1, 2, 3, 2, 1]
    """
    options = {} if constant_values is None else {"constant_values": constant_values}
    return jnp.pad(x, pad_width, mode, **options)


@listed
def reshape(x: Array, newshape: int | Sequence[int]) -> Array:
    """The same elements in another shape; the last axis runs fastest in both.

    Args:
        x: array of any shape.
        newshape: an int or a sequence of ints, whose product is the number of elements. One of them may be -1,
            which follows from the others.

    Raises:
        ArgumentError: a negative dimension other than one -1.

    >>> reshape(jnp.arange(6), (2, -1)).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    dims = newshape if isinstance(newshape, list | tuple) else (newshape,)
    negative = [dim for dim in dims if isinstance(dim, int | np.integer) and dim < 0]
    if negative not in ([], [-1]):
        raise ArgumentError(
            f"`newshape` must have at most one -1 and no other negative dimension, got {newshape!r}.",
            path="reshape",
            expected="such as (2, -1)",
            received=f"newshape={newshape!r}",
            write="ops.reshape(x, (2, -1))",
        )
    return jnp.reshape(x, newshape)


@listed
def tile(x: Array, repeats: int | Sequence[int] | Array) -> Array:
    """Copies of an array laid side by side.

    Args:
        x: array of any shape.
        repeats: copies along each axis, or an int for the last one. The shorter of `repeats` and the shape of `x`
            is filled up with ones in front.

    Returns:
        An array in the dtype of `x`; axis `i` is `repeats[i]` times as long.

    >>> tile(jnp.array([1, 2]), (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    _check_counts("repeats", repeats, "tile")
    return jnp.tile(x, repeats)


@listed
def full(shape: int | Sequence[int], fill_value: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """One value everywhere.

    Args:
        shape: an int or a sequence of ints.
        fill_value: a number, or an array that broadcasts to the shape.
        dtype: that of the result; by default `jkeras.config.floatx()`, for integers too.

    >>> full((2, 2), 7).tolist()
    [[7.0, 7.0], [7.0, 7.0]]
    """
    return jnp.full(shape, fill_value, dtypes.standardize(dtype))


@listed
def size(x: ArrayLike) -> Any:
    """The number of elements: the product of the shape.

    Args:
        x: an array, or a value that converts to one.

    Returns:
        An int; of a symbolic tensor a symbolic scalar, int32.

    >>> size(jnp.zeros((2, 3)))
    6
    """
    return jnp.size(x)


@listed
def view(x: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """The same bytes, read as another dtype; the last axis grows or shrinks with the size of an element.

    Args:
        x: array of any shape, of rank 1 or more where the sizes differ.
        dtype: as which they are read; by default that of `x`.

    Returns:
        An array of that dtype and of as many bytes. From a smaller dtype to a larger one the bytes of the last axis
        make whole elements.

    >>> view(jnp.array([1.0, -2.0]), "int32").tolist()  # sign, exponent and fraction
    [1065353216, -1073741824]
    >>> view(jnp.array([1.0, -2.0]), "uint8").shape
    (8,)
    """
    return jnp.asarray(x).view(None if dtype is None else dtypes.standardize(dtype))


@listed
def repeat(x: Array, repeats: ArrayLike, axis: int | None = None, *, total_repeat_length: int | None = None) -> Array:
    """Each element, or each part along an axis, several times in a row.

    Args:
        x: array of any shape.
        repeats: the number of repetitions: an int, or one for each element along the axis.
        axis: along which axis; with `None` that of the flattened `x`.
        total_repeat_length: the length of the result; under `jit` it must be given where `repeats` is an
            array that is traced.

    Raises:
        ArgumentError: a negative number of repeats.

    >>> repeat(jnp.array([1, 2]), 2).tolist(), repeat(jnp.array([1, 2]), [1, 3]).tolist()
    ([1, 1, 2, 2], [1, 2, 2, 2])
    """
    _check_counts("repeats", repeats, "repeat")
    repeats = jnp.asarray(repeats) if isinstance(repeats, list | tuple) else repeats
    return jnp.repeat(x, repeats, axis=axis, total_repeat_length=total_repeat_length)


def _check_counts(argument: str, counts: Any, path: str) -> None:
    """Raises `ArgumentError` for negative numbers among those that are known."""
    known = [count for count in np.ravel(counts) if isinstance(count, int | np.integer)] if _known(counts) else []
    if any(count < 0 for count in known):
        rule, received = f"`{argument}` must not be negative", f"{counts!r}"
        raise ArgumentError.must(rule, received, path=path, expected="ints >= 0", write=f"ops.{path}(x, {argument}=2)")


def _known(counts: object) -> bool:
    """Whether these are numbers of Python or NumPy."""
    return all(isinstance(leaf, int | np.integer | np.ndarray) for leaf in jax.tree.leaves(counts))


def ndim(x: Any) -> int:
    """The number of axes.

    Args:
        x: an array or a symbolic tensor.

    >>> ndim(jnp.zeros((2, 3)))
    2
    """
    return len(x.shape) if hasattr(x, "shape") else np.ndim(x)


__all__ = [
    "concatenate",
    "full",
    "ndim",
    "pad",
    "repeat",
    "reshape",
    "size",
    "tile",
    "view",
]

"""Elements that are chosen or replaced, in the table."""

from typing import Any

import jax.numpy as jnp

from jkeras.core.lift import listed
from jkeras.core.operators import getitem
from jkeras.typing import Array, ArrayLike, PyTree


@listed
def clip(x: Array, x_min: ArrayLike, x_max: ArrayLike) -> Array:
    """Values kept within bounds: `min(max(x, x_min), x_max)`.

    Args:
        x: array of any shape; NaN stays NaN.
        x_min, x_max: numbers or arrays that broadcast against `x`; `None` for no bound on that side. Where they cross,
            `x_max` holds.

    Returns:
        An array in the dtype to which `x` and the bounds promote: integers stay integers between integers. Booleans
        become integers.

    >>> clip(jnp.array([-2.0, 0.5, 3.0]), -1, 1).tolist()
    [-1.0, 0.5, 1.0]
    """
    return jnp.clip(x, x_min, x_max)


@listed
def nan_to_num(
    x: ArrayLike, nan: ArrayLike = 0.0, posinf: ArrayLike | None = None, neginf: ArrayLike | None = None
) -> Array:
    """Numbers in place of NaN and the infinities; all else stays.

    Args:
        x: array of any shape and dtype; integers come back as they are.
        nan: the value in place of NaN.
        posinf: the value in place of infinity; by default the greatest finite number of the dtype.
        neginf: the value in place of minus infinity; by default the least finite number of the dtype.

    Returns:
        The shape and dtype of `x`.

    >>> nan_to_num(jnp.array([jnp.nan, 1.5, -jnp.inf]), nan=7.0, neginf=-9.0).tolist()
    [7.0, 1.5, -9.0]
    """
    return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@listed
def argsort(x: Array, axis: int | None = -1) -> Array:
    """The indices that sort the lines along an axis; equal elements keep their order.

    Args:
        x: array of any shape; NaN comes last.
        axis: along which axis; with `None` that of the flattened `x`.

    Returns:
        The shape of `x`, or a vector with `axis=None` and of a number; int32.

    >>> argsort(jnp.array([3.0, 1.0, 2.0])).tolist()
    [1, 2, 0]
    """
    return jnp.argsort(x, None if jnp.ndim(x) == 0 else axis)


@listed
def take_along_axis(x: Array, indices: Array, axis: int | None = None) -> Array:
    """Elements of every line along an axis, each line with indices of its own.

        outputs[..., j, ...] = x[..., indices[..., j, ...], ...]

    Args:
        x: array of any shape.
        indices: ints, of the rank of `x`; its other axes have the lengths of those of `x`, or 1 for all lines alike.
            Negative ones count from the end. One that is out of range gives NaN, the least signed or the greatest
            unsigned integer.
        axis: along which axis; with `None` that of the flattened `x`, and `indices` is a vector.

    Returns:
        The shape of `indices`, once broadcast; the dtype of `x`.

    >>> x = jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> take_along_axis(x, jnp.array([[2, 0], [1, 1]]), axis=1).tolist()
    [[3.0, 1.0], [5.0, 5.0]]
    """
    return jnp.take_along_axis(x, indices, axis)


@listed
def where(condition: Array, x1: Any = None, x2: Any = None) -> PyTree:
    """`x1` where a condition holds, `x2` elsewhere; of a condition alone, the indices at which it holds.

    Args:
        condition: booleans; of numbers all but zero are true.
        x1, x2: numbers or arrays; the three broadcast against each other. Both or neither.

    Returns:
        An array in the dtype to which `x1` and `x2` promote. Without these a tuple of int vectors, one per axis of the
        condition; their length depends on values, so that neither `jax.jit` nor a symbolic tensor can have them.

    >>> x = jnp.array([1.0, -2.0, 3.0])
    >>> where(x > 0, x, 0.0).tolist()
    [1.0, 0.0, 3.0]
    >>> where(x > 0)[0].tolist()
    [0, 2]
    """
    return jnp.where(condition) if x1 is None and x2 is None else jnp.where(condition, x1, x2)


@listed
def get_item(x: Array, key: Any) -> Array:
    """Part of an array: `x[key]`. Brackets after a symbolic tensor record this operation.

    Args:
        x: array of any shape.
        key: an int, a slice, `None` for a new axis, `...`, an array of ints or booleans, or a tuple of these, one per
            axis. A list is read as a tuple. Entries of arrays that are out of range name the first or the last element.

    Raises:
        ArgumentError: an int is out of range.

    >>> x = jnp.array([[1, 2, 3], [4, 5, 6]])
    >>> get_item(x, (slice(None), 1)).tolist()
    [2, 5]
    """
    array: Array = getitem(x, tuple(key) if isinstance(key, list) else key)  # JSON has no tuples
    return array


__all__ = [
    "argsort",
    "clip",
    "get_item",
    "nan_to_num",
    "take_along_axis",
    "where",
]

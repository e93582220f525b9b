"""Bringing labels, predictions and weights to shapes and dtypes that fit each other.

Everything here follows one rule of Keras: where two ranks differ by one and the longer shape ends in 1, that axis is
taken off (or put onto the other, if the other has rank 1). `(b,)` labels therefore go with `(b, 1)` predictions, and
nothing is ever broadcast along an axis that was not there.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast, overload

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import config
from jkeras.errors import ShapeError
from jkeras.jax_compat import has_64_bits
from jkeras.typing import Array, ArrayLike, ArrayTree, DTypeLike, PyTree, SupportsArray

F = TypeVar("F", bound=Callable[..., Any])


def _is_numbers(node: object) -> bool:
    """Whether a list is an array written out in numbers, and no container of arrays."""
    return isinstance(node, list | tuple) and all(isinstance(x, bool | int | float) for x in jax.tree.leaves(node))


@overload
def as_arrays(tree: ArrayLike | SupportsArray, dtype: DTypeLike | None = None) -> Array: ...
@overload
def as_arrays(tree: ArrayTree, dtype: DTypeLike | None = None) -> PyTree: ...
def as_arrays(tree: ArrayTree, dtype: DTypeLike | None = None) -> PyTree:
    """The leaves of a tree as arrays, of one dtype if it is given. Nested lists of numbers are arrays.

    Integers that int32 does not hold become the nearest that it does, and not another class.
    """

    def convert(leaf: Any) -> Array:
        leaf = np.asarray(leaf) if _is_numbers(leaf) else leaf
        if isinstance(leaf, np.ndarray) and leaf.dtype in ("int64", "uint64") and not has_64_bits():
            info = np.iinfo("int32")
            leaf = np.clip(leaf, info.min, info.max).astype("int32") if dtype is None else leaf
        return jnp.asarray(leaf, dtype)

    return jax.tree.map(convert, tree, is_leaf=_is_numbers)


def as_float(x: ArrayLike) -> Array:
    """An array of a floating dtype: its own, or `floatx`."""
    x = as_arrays(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(config.floatx())


def examples_of(tree: ArrayTree) -> int:
    """The number of examples of a batch: the length of the first axis of its first array; 1 of a scalar.

    >>> examples_of({"a": jnp.zeros((4, 2))}), examples_of(0.0)
    (4, 1)
    """
    shape = jnp.shape(jax.tree.leaves(as_arrays(tree))[0])
    return shape[0] if shape else 1


def widened(tree: ArrayTree) -> PyTree:
    """The arrays of a tree, those of half precision as float32.

    >>> widened([jnp.zeros(1, "bfloat16"), jnp.zeros(1, "int32")])
    [Array([0.], dtype=float32), Array([0], dtype=int32)]
    """

    def wide(x: Array) -> Array:
        return x.astype(jnp.promote_types(x.dtype, "float32")) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return jax.tree.map(wide, as_arrays(tree))


def in_float32(function: F) -> F:
    """Half precision predictions are cast to float32 before the function, and its values back after it.

    >>> @in_float32
    ... def summed(y_true, y_pred):
    ...     return jnp.sum(y_pred) / 2
    >>> summed(None, jnp.full(100000, 1.0, "float16"))
    Array(5.e+04, dtype=float16)
    """

    @functools.wraps(function)
    def computed(y_true: ArrayLike, y_pred: ArrayLike, *args: Any, **kwargs: Any) -> Array:
        y_pred = as_float(y_pred)
        array: Array = function(y_true, widened(y_pred), *args, **kwargs).astype(y_pred.dtype)
        return array

    return cast(F, computed)


def match_ranks(a: Array, b: Array) -> tuple[Array, Array]:
    """Takes off, or puts on, a last axis of length 1 where the ranks differ by one.

    >>> [x.shape for x in match_ranks(jnp.zeros(3), jnp.zeros((3, 1)))]
    [(3, 1), (3, 1)]
    >>> [x.shape for x in match_ranks(jnp.zeros((3, 4, 1)), jnp.zeros((3, 4)))]
    [(3, 4), (3, 4)]
    """
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, jnp.expand_dims(b, -1)) if b.ndim == 1 else (jnp.squeeze(a, -1), b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (jnp.expand_dims(a, -1), b) if a.ndim == 1 else (a, jnp.squeeze(b, -1))
    return a, b


def append_axes(x: Array, rank: int) -> Array:
    """`x` with axes of length 1 at its end, up to a rank. Scalars stay scalars."""
    return jnp.expand_dims(x, tuple(range(x.ndim, rank))) if 0 < x.ndim < rank else x


def broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether two shapes of one rank agree, lengths of 1 aside."""
    return len(a) == len(b) and all(m == n or 1 in (m, n) for m, n in zip(a, b, strict=True))


def paired(y_true: ArrayLike, y_pred: ArrayLike, owner: str, *, exactly: bool = False) -> tuple[Array, Array]:
    """Labels and predictions of one rank, in the dtype of the predictions.

    Args:
        y_true, y_pred: arrays whose shapes are equal up to a last axis of length 1.
        owner: who asks, for the message.
        exactly: refuse to broadcast axes of length 1.

    Raises:
        ShapeError: the shapes do not fit.
    """
    y_pred = as_float(y_pred)
    y_true = as_arrays(y_true, y_pred.dtype)
    given = y_true.shape, y_pred.shape
    y_true, y_pred = match_ranks(y_true, y_pred)
    if y_true.shape != y_pred.shape if exactly else not broadcasts(y_true.shape, y_pred.shape):
        raise ShapeError(
            "`y_true` must have the shape of `y_pred`.",
            path=owner,
            expected=f"y_true of shape {given[1]}",
            received=f"shape {given[0]}",
            write=f"y_true = y_true.reshape({given[1]})   # or a model with other outputs"
            if y_true.size == y_pred.size
            else None,
        )
    return y_true, y_pred


def divide_no_nan(a: Array, b: Array) -> Array:
    """`a / b`, and 0 where `b` is 0, in value and in gradient.

    >>> float(divide_no_nan(jnp.float32(1), jnp.float32(0)))
    0.0
    """
    zero = b == 0
    return jnp.where(zero, 0, a / jnp.where(zero, 1, b))

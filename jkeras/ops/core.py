"""General operations of the table: dtypes, shapes, slices, scatters, stopped gradients."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import dtypes
from jkeras.core.lift import lift, listed
from jkeras.core.tensor import KerasTensor, check_dense, standardize_shape
from jkeras.core.variable import Variable
from jkeras.errors import ArgumentError
from jkeras.jax_compat import canonical_dtype, is_traced
from jkeras.ops.control import (
    associative_scan,
    cond,
    custom_gradient,
    fori_loop,
    map,
    scan,
    switch,
    vectorized_map,
    while_loop,
)
from jkeras.ops.precision import in_float32
from jkeras.typing import Array, ArrayLike, ArrayTree, DType, DTypeLike, Shape

REDUCTIONS = {None: "set", "add": "add", "mul": "multiply", "min": "min", "max": "max"}

# -- dtypes and shapes


@listed
def cast(x: ArrayLike, dtype: DTypeLike) -> Array:
    """The values of a tensor in another dtype.

    Args:
        x: an array, or a value that converts to one.
        dtype: a dtype or its name; `None` for `jkeras.config.floatx()`. Floats become integers without the digits after
            the point.

    >>> cast([1.7, -1.7], "int32").tolist()
    [1, -1]
    """
    return jnp.asarray(x).astype(dtypes.standardize(dtype))


@listed
def saturate_cast(x: Array, dtype: DTypeLike) -> Array:
    """A cast that clips to the range of the dtype.

    Args:
        x: an array.
        dtype: a dtype or its name.

    >>> saturate_cast(jnp.array([300, -5]), "uint8").tolist()
    [255, 0]
    """
    x, target = jnp.asarray(x), canonical_dtype(dtypes.standardize(dtype))
    low, high = _limits(target)
    if dtypes.is_float(x.dtype):  # float32 has the bounds of every narrower dtype; a value beyond its own is infinite
        x = jnp.clip(x.astype("float32") if x.dtype.itemsize < 4 else x, float(low), float(high))
    else:
        least, greatest = _limits(x.dtype)
        x = jnp.clip(x, int(low) if low > least else None, int(high) if high < greatest else None)
    return x.astype(target)


def _limits(dtype: DTypeLike) -> tuple[float, float]:
    """The least and the greatest number of a dtype.

    >>> _limits(jnp.dtype("int8")), _limits(jnp.dtype("float8_e4m3fn"))
    ((-128, 127), (-448.0, 448.0))
    """
    if jnp.dtype(dtype).kind == "b":
        return 0, 1
    if dtypes.is_float(dtype):
        return float(jnp.finfo(dtype).min), float(jnp.finfo(dtype).max)
    return int(jnp.iinfo(dtype).min), int(jnp.iinfo(dtype).max)


@listed
def convert_to_tensor(
    x: ArrayTree, dtype: DTypeLike | None = None, sparse: bool | None = None, ragged: bool | None = None
) -> Array:
    """Converts a value to an array: numbers, nested lists, NumPy arrays, the value of a variable.

    Args:
        x: anything that `jax.numpy.asarray` takes.
        dtype: a dtype or its name; by default that of `x`.
        sparse, ragged: `None` or `False`; every tensor here is dense.

    Raises:
        ArgumentError: a sparse or ragged tensor is requested.

    >>> convert_to_tensor([[1, 2], [3, 4]], "float32").tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    check_dense("convert_to_tensor", sparse, ragged)
    return jnp.asarray(x, None if dtype is None else dtypes.standardize(dtype))


stop_gradient = lift(jax.lax.stop_gradient, "stop_gradient", "variable")


def is_tensor(x: object) -> bool:
    """Whether something is a JAX array, a tracer or a symbolic tensor; arrays of NumPy are not.

    >>> is_tensor(jnp.zeros(2)), is_tensor(np.zeros(2))
    (True, False)
    """
    return isinstance(x, jax.Array | KerasTensor)


def dtype(x: Any) -> DType:
    """The name of a tensor's dtype.

    >>> import jax.numpy as jnp
    >>> dtype(jnp.zeros(2, "int8"))
    'int8'
    """
    return dtypes.standardize(x.dtype)


def shape(x: Any) -> Shape:
    """The dimensions of a tensor; `None` for those that a symbolic one does not know.

    >>> import jax.numpy as jnp
    >>> shape(jnp.zeros((2, 3)))
    (2, 3)
    """
    return standardize_shape(x.shape if hasattr(x, "shape") else np.shape(x))


def convert_to_numpy(x: ArrayTree) -> np.ndarray:
    """The values of a tensor in NumPy, in its own dtype.

    >>> convert_to_numpy(jnp.arange(3)) * 2
    array([0, 2, 4], dtype=int32)
    """
    if isinstance(x, KerasTensor) or is_traced(x):
        problem = "`x` has no values while a graph or a JAX transform is traced, so it cannot become a NumPy array."
        write = "jax.pure_callback(...)   # NumPy inside a compiled function"
        raise ArgumentError(problem, path="convert_to_numpy", expected="an array", received=repr(x), write=write)
    return np.array(x.value if isinstance(x, Variable) else x)


# -- parts


@listed
def slice(inputs: Array, start_indices: Sequence[Any], shape: Sequence[int]) -> Array:
    """A block of an array: `outputs[i, j, ...] = inputs[start_indices[0] + i, start_indices[1] + j, ...]`.

    Args:
        inputs: an array.
        start_indices: where the block begins, an index for each axis; it may be a tracer. A block that would reach
            beyond the array begins earlier.
        shape: that of the block, an int for each axis; -1 stands for the rest of an axis after the start.

    >>> slice(jnp.arange(6).reshape(2, 3), (0, 1), (2, -1)).tolist()
    [[1, 2], [4, 5]]
    """
    sizes = [inputs.shape[axis] - start_indices[axis] if size == -1 else size for axis, size in enumerate(shape)]
    return jax.lax.dynamic_slice(inputs, start_indices, sizes)


@listed
def slice_update(inputs: Array, start_indices: Sequence[Any], updates: Array) -> Array:
    """An array with one block replaced.

    Args:
        inputs: an array.
        start_indices: where the block begins, an index for each axis; it may be a tracer. A block that would reach
            beyond the array begins earlier.
        updates: the block, with as many axes as the array.

    >>> slice_update(jnp.zeros((2, 3)), (0, 1), jnp.ones((1, 2))).tolist()
    [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    return jax.lax.dynamic_update_slice(inputs, updates, start_indices)


@listed
@in_float32
def scatter(indices: Array, values: Array, shape: Sequence[int]) -> Array:
    """Values added to an array of zeros: `outputs[indices[n]] += values[n]`.

    Args:
        indices: `(..., len(shape))`, integers; each last axis is one place. Places outside are dropped.
        values: `(...)`, one for each place.
        shape: that of the outputs.

    >>> scatter(jnp.array([[0], [2], [2]]), jnp.array([1.0, 2.0, 3.0]), (4,)).tolist()
    [1.0, 0.0, 5.0, 0.0]
    """
    return jnp.zeros(shape, values.dtype).at[_places(indices)].add(values)


@listed
@in_float32
def scatter_update(inputs: Array, indices: Array, updates: Array, reduction: str | None = None) -> Array:
    """An array with updated values at the given places: `outputs[indices[n]] = updates[n]`.

    Args:
        inputs: an array.
        indices: `(..., rank)`, integers; each last axis is one place. Places outside are dropped.
        updates: `(...)`, one for each place.
        reduction: `None` replaces the old value by the update; `"add"`, `"mul"`, `"min"`, `"max"` combine both.

    Raises:
        ArgumentError: `reduction` is unknown.

    >>> scatter_update(jnp.zeros(3), jnp.array([[1]]), jnp.array([5.0])).tolist()
    [0.0, 5.0, 0.0]
    """
    if reduction not in REDUCTIONS:
        raise ArgumentError(
            f"`reduction` must be None, 'add', 'mul', 'min' or 'max', got {reduction!r}.",
            path="scatter_update",
            expected=list(REDUCTIONS),
            received=repr(reduction),
            write="ops.scatter_update(inputs, indices, updates, reduction='add')",
        )
    updated: Array = getattr(jnp.asarray(inputs).at[_places(indices)], REDUCTIONS[reduction])(updates)
    return updated


def _places(indices: Array | Sequence[Array]) -> tuple[Array, ...]:
    return tuple(jnp.moveaxis(jnp.asarray(indices), -1, 0))


@listed
def unstack(x: Array, num: int | None = None, axis: int = 0) -> list[Array]:
    """The slices of a tensor along an axis, without that axis.

    Args:
        x: an array.
        num: the number of slices; by default the length of the axis.
        axis: the axis.

    Returns:
        A list of `num` arrays.

    >>> [part.tolist() for part in unstack(jnp.array([[1, 2], [3, 4]]), axis=1)]
    [[1, 3], [2, 4]]
    """
    return [jnp.take(x, index, axis=axis) for index in range(x.shape[axis] if num is None else num)]


# fmt: off
__all__ = [
    "associative_scan", "cast", "cond", "convert_to_numpy", "convert_to_tensor", "custom_gradient", "dtype",
    "fori_loop", "is_tensor", "map", "saturate_cast", "scan", "scatter", "scatter_update", "shape", "slice",
    "slice_update", "stop_gradient", "switch", "unstack", "vectorized_map", "while_loop",
]
# fmt: on

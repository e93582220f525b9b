"""What the table has of neither mathematics nor networks: dtypes, shapes, slices, scatters, gradients stopped."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import dtypes
from jkeras.core.lift import lift
from jkeras.core.signature import is_tensor
from jkeras.core.tensor import KerasTensor, check_dense, standardize_shape
from jkeras.core.variable import Variable
from jkeras.errors import ArgumentError
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
from jkeras.typing import Array, ArrayLike, DType, Shape

REDUCTIONS = {None: "set", "add": "add", "mul": "multiply", "min": "min", "max": "max"}

# -- dtypes and shapes


def _cast(x: ArrayLike, dtype: Any) -> Array:
    return jnp.asarray(x).astype(dtypes.standardize(dtype))


def _saturate_cast(x: Array, dtype: Any) -> Array:
    """A cast that clips to what the dtype can hold."""
    target = dtypes.standardize(dtype)
    bounds = jnp.finfo(target) if dtypes.is_float(target) else jnp.iinfo(target)
    return jnp.clip(x, bounds.min, bounds.max).astype(target)


def _convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Array:
    check_dense("convert_to_tensor", sparse, ragged)
    return jnp.asarray(x, None if dtype is None else dtypes.standardize(dtype))


cast = lift(_cast, "cast")
convert_to_tensor = lift(_convert_to_tensor, "convert_to_tensor")
saturate_cast = lift(_saturate_cast, "saturate_cast")
stop_gradient = lift(jax.lax.stop_gradient, "stop_gradient", "variable")


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
    return standardize_shape(x.shape)


def convert_to_numpy(x: Any) -> np.ndarray:
    """The values of a tensor in NumPy, in its own dtype.

    >>> convert_to_numpy(jnp.arange(3)) * 2
    array([0, 2, 4], dtype=int32)
    """
    if isinstance(x, KerasTensor | jax.core.Tracer):
        raise ArgumentError(
            "the tensor has no values here: a graph or a JAX transform is being built.",
            path="convert_to_numpy",
            expected="an array",
            received=repr(x),
            write="jax.pure_callback(...)   # NumPy inside a compiled program",
        )
    return np.array(x.value if isinstance(x, Variable) else x)


# -- parts


def _slice(inputs: Array, start_indices: Sequence[Any], shape: Sequence[int]) -> Array:
    """A block of `shape`; -1 stands for all that is left of an axis behind the start."""
    sizes = [inputs.shape[axis] - start_indices[axis] if size == -1 else size for axis, size in enumerate(shape)]
    return jax.lax.dynamic_slice(inputs, start_indices, sizes)


def _slice_update(inputs: Array, start_indices: Sequence[Any], updates: Array) -> Array:
    return jax.lax.dynamic_update_slice(inputs, updates, start_indices)


def _scatter(indices: Array, values: Array, shape: Sequence[int]) -> Array:
    """Zeros of `shape`, to which `values` are added at `indices (..., len(shape))`."""
    return jnp.zeros(shape, values.dtype).at[_places(indices)].add(values)


def _scatter_update(inputs: Array, indices: Array, updates: Array, reduction: str | None = None) -> Array:
    """`inputs` with `updates` set, or added, multiplied, ..., at `indices (..., rank)`."""
    if reduction not in REDUCTIONS:
        raise ArgumentError(
            "unknown reduction.", path="scatter_update", expected=list(REDUCTIONS), received=repr(reduction)
        )
    return getattr(jnp.asarray(inputs).at[_places(indices)], REDUCTIONS[reduction])(updates)


def _places(indices: Any) -> tuple[Array, ...]:
    return tuple(jnp.moveaxis(jnp.asarray(indices), -1, 0))


def _unstack(x: Array, num: int | None = None, axis: int = 0) -> list[Array]:
    return [jnp.take(x, index, axis=axis) for index in range(x.shape[axis] if num is None else num)]


scatter = lift(_scatter, "scatter")
scatter_update = lift(_scatter_update, "scatter_update")
slice = lift(_slice, "slice")
slice_update = lift(_slice_update, "slice_update")
unstack = lift(_unstack, "unstack")

# fmt: off
__all__ = [
    "associative_scan", "cast", "cond", "convert_to_numpy", "convert_to_tensor", "custom_gradient", "dtype",
    "fori_loop", "is_tensor", "map", "saturate_cast", "scan", "scatter", "scatter_update", "shape", "slice",
    "slice_update", "stop_gradient", "switch", "unstack", "vectorized_map", "while_loop",
]
# fmt: on

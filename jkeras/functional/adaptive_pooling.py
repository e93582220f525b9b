"""Adaptive pooling: a given number of windows, which cover an axis of any length.

Window `i` of `m` on an axis of `n` elements begins at `floor(i n / m)` and ends before `ceil((i + 1) n / m)`. Where `m`
divides `n`, the windows are the `m` pieces of equal length; otherwise neighbours share elements, and where `m > n`
elements are repeated. Windows over several axes are products, so one axis is pooled after the other.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jkeras.dtypes import is_float
from jkeras.functional.arguments import standardize_tuple
from jkeras.functional.layout import spatial_axes
from jkeras.typing import Array

Ints = int | Sequence[int]
Bounds = tuple[np.ndarray, np.ndarray]

SHORT = 8
"""The longest windows whose elements are combined one by one, in a single loop; longer ones are gathered, then reduced:
the operations of the former grow with the length."""


class Kind(NamedTuple):
    """How the elements of a window become one number.

    `combine` takes two arrays, `reduce` one along axes; `outside` is what changes neither, where the last element of a
    window must not come twice.
    """

    combine: Callable[[Array, Array], Array]
    reduce: Callable[[Array, tuple[int, ...]], Array]
    outside: float | None


SUM = Kind(jnp.add, jnp.sum, 0.0)
MAX = Kind(jnp.maximum, jnp.max, None)


def adaptive_average_pool(
    inputs: Array, output_size: Ints, data_format: str | None = None, path: str = "pool"
) -> Array:
    """The mean of every window, for a given number of windows.

    `outputs[b, i, c] = mean over t in [floor(i n / m), ceil((i + 1) n / m)) of inputs[b, t, c]`

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        output_size: the number `m` of windows, one int or one per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        path: the path of the layer, for messages.

    Returns:
        `(b, output_size..., c)`, or with the channels first; in the dtype of the inputs. Half precision is summed in
        float32; means of integers are float32.

    Raises:
        ArgumentError: `output_size` is neither a positive int nor one per spatial axis.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> adaptive_average_pool(jnp.arange(5.0).reshape(1, 5, 1), 3).ravel().tolist()
    [0.5, 2.0, 3.5]
    """
    dtype = jnp.promote_types(inputs.dtype, "float32")
    sizes = _sizes(inputs, output_size, data_format, path)
    sums = _pool(inputs.astype(dtype), sizes, SUM)
    counts = jnp.ones([1] * inputs.ndim, dtype)
    for axis, size in sizes.items():
        first, end = _bounds(inputs.shape[axis], size)
        counts *= jnp.expand_dims(jnp.asarray(end - first, dtype), [a for a in range(inputs.ndim) if a != axis])
    return (sums / counts).astype(inputs.dtype if is_float(inputs.dtype) else dtype)


def adaptive_max_pool(inputs: Array, output_size: Ints, data_format: str | None = None, path: str = "pool") -> Array:
    """The maximum of every window, for a given number of windows.

    `outputs[b, i, c] = max over t in [floor(i n / m), ceil((i + 1) n / m)) of inputs[b, t, c]`

    Args:
        inputs, output_size, data_format, path: as in `adaptive_average_pool`.

    Returns:
        As `adaptive_average_pool`, in the dtype of the inputs.

    Raises:
        ArgumentError: `output_size` is neither a positive int nor one per spatial axis.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> adaptive_max_pool(jnp.arange(5).reshape(1, 5, 1), 3).ravel().tolist()
    [1, 3, 4]
    """
    return _pool(inputs, _sizes(inputs, output_size, data_format, path), MAX)


def _sizes(inputs: Array, output_size: Ints, data_format: str | None, path: str) -> dict[int, int]:
    """The number of windows on each spatial axis."""
    sizes = standardize_tuple(output_size, inputs.ndim - 2, "output_size", path)
    return dict(zip(spatial_axes(inputs.ndim, data_format), sizes, strict=True))


def _bounds(n: int, size: int) -> Bounds:
    """Where the windows on an axis of `n` elements begin, and where they have ended.

    >>> [bounds.tolist() for bounds in _bounds(5, 3)]
    [[0, 1, 3], [2, 4, 5]]
    """
    number = np.arange(size)
    return number * n // size, -((-(number + 1) * n) // size)


def _pool(inputs: Array, sizes: dict[int, int], kind: Kind) -> Array:
    even = {axis: size for axis, size in sizes.items() if inputs.shape[axis] % size == 0}
    outputs = kind.reduce(*_pieces(inputs, even))
    for axis in sorted(sizes.keys() - even.keys()):
        shape = outputs.shape
        rows = jnp.reshape(outputs, (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])))
        outputs = jnp.reshape(_overlapping(rows, sizes[axis], kind), (*shape[:axis], sizes[axis], *shape[axis + 1 :]))
    return outputs


def _pieces(inputs: Array, sizes: dict[int, int]) -> tuple[Array, tuple[int, ...]]:
    """Each axis in `sizes` cut into equal pieces, and the axes of their elements.

    >>> import jax.numpy as jnp
    >>> windows, axes = _pieces(jnp.zeros((4, 9)), {1: 3})
    >>> windows.shape, axes
    ((4, 3, 3), (2,))
    """
    shape: list[int] = []
    axes: list[int] = []
    for axis, n in enumerate(inputs.shape):
        if axis in sizes:
            shape += [sizes[axis], n // sizes[axis]]
            axes.append(len(shape) - 1)
        else:
            shape.append(n)
    return jnp.reshape(inputs, shape), tuple(axes)


def _overlapping(rows: Array, size: int, kind: Kind) -> Array:
    """Windows on the middle one of three axes, each reduced to one number.

    Windows differ by one in length; the last element of a shorter one comes twice, or `kind.outside` in its place.

    >>> import jax.numpy as jnp
    >>> rows = jnp.arange(5.0).reshape(1, 5, 1)
    >>> _overlapping(rows, 3, SUM).ravel().tolist(), _overlapping(rows, 3, MAX).ravel().tolist()
    ([1.0, 6.0, 7.0], [1.0, 3.0, 4.0])
    """
    first, end = (np.expand_dims(bounds, 1) for bounds in _bounds(rows.shape[1], size))
    elements = first + np.arange((end - first).max())  # (size, longest)
    inside = elements < end
    elements = np.minimum(elements, end - 1)
    if elements.shape[1] > SHORT:
        return kind.reduce(_taken(rows, elements, inside, kind.outside), (2,))
    columns = zip(elements.T, inside.T, strict=True)
    return functools.reduce(kind.combine, [_taken(rows, *column, kind.outside) for column in columns])


def _taken(rows: Array, elements: np.ndarray, inside: np.ndarray, outside: float | None) -> Array:
    """Elements of the middle one of three axes, whose place the axes of `elements` take; others where not `inside`."""
    steps = np.diff(elements.ravel())  # what is known of them makes gradients writes, instead of additions one by one
    taken = rows.at[:, elements].get(
        mode="promise_in_bounds", indices_are_sorted=bool((steps >= 0).all()), unique_indices=bool((steps > 0).all())
    )
    if outside is None or inside.all():
        return taken
    return jnp.where(jnp.broadcast_to(np.expand_dims(inside, (0, -1)), taken.shape), taken, outside)

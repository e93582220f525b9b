"""Adaptive pooling: a given number of windows, which cover an axis of any length.

Window `i` of `m` on an axis of `n` elements begins at `floor(i n / m)` and ends before `ceil((i + 1) n / m)`. Where `m`
divides `n`, the windows are the `m` pieces of equal length; otherwise neighbours share elements, and where `m > n`
elements are repeated. Windows over several axes are products, so one axis is pooled after the other.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np

from jkeras.dtypes import is_float
from jkeras.functional.arguments import standardize_tuple
from jkeras.functional.layout import spatial_axes
from jkeras.typing import Array

Ints = int | Sequence[int]
Reduce = Callable[[Array, tuple[int, ...], Array | None], Array]
"""From windows, the axes of their elements, and where an element counts (everywhere for `None`) to one number each."""


def adaptive_average_pool(
    inputs: Array, output_size: Ints, data_format: str | None = None, path: str = "pool"
) -> Array:
    """The mean of every window, as many as asked for.

    `outputs[b, i, c] = mean over t in [floor(i n / m), ceil((i + 1) n / m)) of inputs[b, t, c]`

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        output_size: the number `m` of windows, one int or one per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        path: the address of what pools, for messages.

    Returns:
        `(b, output_size..., c)`, or with the channels first; in the dtype of the inputs. Half precision is summed in
        float32; means of integers are float32.

    Raises:
        ArgumentError: `output_size` is no positive int, nor one for each spatial axis.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> adaptive_average_pool(jnp.arange(5.0).reshape(1, 5, 1), 3).ravel().tolist()
    [0.5, 2.0, 3.5]
    """
    dtype = jnp.promote_types(inputs.dtype, "float32")
    means = _pool(inputs.astype(dtype), output_size, data_format, path, _mean)
    return means.astype(inputs.dtype if is_float(inputs.dtype) else dtype)


def adaptive_max_pool(inputs: Array, output_size: Ints, data_format: str | None = None, path: str = "pool") -> Array:
    """The maximum of every window, as many as asked for.

    `outputs[b, i, c] = max over t in [floor(i n / m), ceil((i + 1) n / m)) of inputs[b, t, c]`

    Args:
        inputs, output_size, data_format, path: as in `adaptive_average_pool`.

    Returns:
        As `adaptive_average_pool`, in the dtype of the inputs.

    Raises:
        ArgumentError: `output_size` is no positive int, nor one for each spatial axis.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> adaptive_max_pool(jnp.arange(5).reshape(1, 5, 1), 3).ravel().tolist()
    [1, 3, 4]
    """
    return _pool(inputs, output_size, data_format, path, lambda windows, axes, inside: jnp.max(windows, axes))


def _mean(windows: Array, axes: tuple[int, ...], inside: Array | None) -> Array:
    if inside is None:
        return jnp.mean(windows, axes)
    count = jnp.sum(inside, axes, dtype=windows.dtype)
    return jnp.sum(jnp.where(jnp.broadcast_to(inside, windows.shape), windows, 0), axes) / count


def _pool(inputs: Array, output_size: Ints, data_format: str | None, path: str, reduce: Reduce) -> Array:
    sizes = standardize_tuple(output_size, inputs.ndim - 2, "output_size", path)
    wanted = dict(zip(spatial_axes(inputs.ndim, data_format), sizes, strict=True))
    even = {axis: size for axis, size in wanted.items() if inputs.shape[axis] % size == 0}
    outputs = reduce(*_pieces(inputs, even), None)
    for axis in wanted.keys() - even.keys():
        outputs = reduce(*_overlapping(outputs, axis, wanted[axis]))
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


def _overlapping(inputs: Array, axis: int, size: int) -> tuple[Array, tuple[int, ...], Array]:
    """The windows on one axis, the axis of their elements, and which of those are inside.

    Windows differ by one in length; the last element of a shorter one comes twice.

    >>> import jax.numpy as jnp
    >>> windows, _, inside = _overlapping(jnp.arange(5), 0, 3)
    >>> windows.tolist(), inside.astype(int).tolist()
    ([[0, 1, 1], [1, 2, 3], [3, 4, 4]], [[1, 1, 0], [1, 1, 1], [1, 1, 0]])
    """
    n = inputs.shape[axis]
    number = np.arange(size)
    first, last = number * n // size, -((-(number + 1) * n) // size) - 1
    elements = first[:, None] + np.arange((last - first).max() + 1)  # (size, longest)
    inside = elements <= last[:, None]
    taken = jnp.take(inputs, np.minimum(elements, last[:, None]).ravel(), axis, mode="clip")
    shape = (*inputs.shape[:axis], *elements.shape, *inputs.shape[axis + 1 :])
    others = [a for a in range(len(shape)) if a not in (axis, axis + 1)]
    return jnp.reshape(taken, shape), (axis + 1,), jnp.expand_dims(jnp.asarray(inside), others)

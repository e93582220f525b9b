"""Windows: the arithmetic that convolution and pooling share.

A window of `size` elements, `dilation` apart, covers `extent = (size - 1) * dilation + 1`. On an axis of `n` elements

    valid    floor((n - extent) / stride) + 1
    causal   floor((n - 1) / stride) + 1          valid, on `extent - 1` elements more
    same     ceil(n / stride)

windows fit; the last two are the same number.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from jkeras.errors import ShapeError
from jkeras.typing import Array


def window_extent(size: int, dilation: int = 1) -> int:
    """The number of elements that a dilated window covers.

    >>> window_extent(3), window_extent(3, dilation=2)
    (3, 5)
    """
    return (size - 1) * dilation + 1


def check_windows(spatial: Sequence[Any], extents: Sequence[int], padding: str, path: str) -> None:
    """Raises `ShapeError` where no window fits on some axis. Dimensions that are not known are not checked.

    >>> check_windows((28, 28), (3, 3), "valid", "conv")
    """
    least = tuple(extents) if padding == "valid" else (1,) * len(extents)
    if any(isinstance(n, int) and n < extent for n, extent in zip(spatial, least, strict=True)):
        raise ShapeError(
            f"the input must be at least as large as one window, {least}, got {tuple(spatial)}.",
            path=path,
            expected=f"spatial dimensions of at least {least}",
            received=f"{tuple(spatial)}",
            write='padding="same"' if padding == "valid" else None,
        )


def frames(x: Array, axis: int, size: int, stride: int = 1, dilation: int = 1) -> Array:
    """The valid windows of one axis, which becomes two: `(count, size)`.

    Windows that do not overlap are a reshape, others a gather; gradients add up where windows overlap.

    >>> frames(jnp.arange(5), 0, 3, stride=2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    axis %= x.ndim
    count = (x.shape[axis] - window_extent(size, dilation)) // stride + 1
    if size == stride and dilation == 1:
        whole = x[(slice(None),) * axis + (slice(count * size),)]
        return jnp.reshape(whole, (*x.shape[:axis], count, size, *x.shape[axis + 1 :]))
    starts = jnp.expand_dims(stride * jnp.arange(count), 1)
    return jnp.take(x, starts + jnp.expand_dims(dilation * jnp.arange(size), 0), axis=axis)


def spread(x: Array, axis: int, length: int, stride: int = 1, dilation: int = 1) -> Array:
    """The sum of windows laid back where `frames` took them from, on an axis of `length`; its transpose.

    Args:
        x: windows `(count, size)` on `axis` and the next axis.
        axis, length: which axis is to be of which length.
        stride, dilation: as for `frames`.

    >>> spread(jnp.ones((2, 3)), 0, 5, stride=2).tolist()
    [1.0, 1.0, 2.0, 1.0, 1.0]
    """
    count, size = x.shape[axis : axis + 2]
    config = [(0, 0, 0)] * (x.ndim - 1)
    parts = []
    for index in range(size):
        before = index * dilation
        config[axis] = (before, length - before - (count - 1) * stride - 1, stride - 1)
        parts.append(lax.pad(lax.index_in_dim(x, index, axis + 1, keepdims=False), jnp.zeros((), x.dtype), config))
    return sum(parts[1:], parts[0])

"""Pooling: one number out of every window, or out of every channel.

For one spatial axis and stride `s`,

    max      outputs[b, t, c] = max over k of   inputs[b, s * t + k - before, c]
    average  outputs[b, t, c] = mean over k of  inputs[b, s * t + k - before, c]

over the elements that exist: padding is neither a candidate for the maximum nor counted in the mean. Global pooling
takes the whole axis as its one window.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras.dtypes import is_float
from jkeras.functional.arguments import standardize_padding, standardize_tuple
from jkeras.functional.layout import arrange, channel_axis, spatial_axes
from jkeras.functional.windows import check_windows
from jkeras.typing import Array, Shape

Ints = int | Sequence[int]


def max_pool(
    inputs: Array,
    pool_size: Ints,
    strides: Ints | None = None,
    padding: str = "valid",
    data_format: str | None = None,
    path: str = "pool",
) -> Array:
    """The maximum of every window.

    `outputs[b, t, c] = max over k of inputs[b, s t + k - before, c]`

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; floats, integers or booleans.
        pool_size: size of the window, one int or one per spatial axis.
        strides: steps between windows; the pool size by default, so that windows touch and do not overlap.
        padding: `"valid"` drops elements that do not fill a window; `"same"` keeps `ceil(n / stride)` windows.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        path: the path of the layer, for messages.

    Returns:
        Per spatial axis `floor((n - size) / stride) + 1` windows with `"valid"`, `ceil(n / stride)` with `"same"`; in
        the dtype of the inputs.

    Raises:
        ShapeError: the input is smaller than a window.
        ArgumentError: an argument has a value that it cannot have.

    Source: K. Yamaguchi et al., "A neural network for speaker-independent isolated word recognition", ICSLP 1990.

    >>> import jax.numpy as jnp
    >>> inputs = jnp.array([1.0, 5.0, 2.0, 4.0, 3.0]).reshape(1, 5, 1)
    >>> max_pool(inputs, 2).ravel().tolist(), max_pool(inputs, 2, padding="same").ravel().tolist()
    ([5.0, 4.0], [5.0, 4.0, 3.0])
    """
    if jnp.issubdtype(inputs.dtype, jnp.floating):
        least = np.array(-np.inf, inputs.dtype)
    elif inputs.dtype == bool:
        least = np.array(False)
    else:
        least = np.array(jnp.iinfo(inputs.dtype).min, inputs.dtype)
    window = _window(inputs.shape, pool_size, strides, padding, data_format, path)
    array: Array = lax.reduce_window(inputs, least, lax.max, *window)
    return array


def average_pool(
    inputs: Array,
    pool_size: Ints,
    strides: Ints | None = None,
    padding: str = "valid",
    data_format: str | None = None,
    path: str = "pool",
) -> Array:
    """The mean of every window, over the elements that are not padding.

    `outputs[b, t, c] = mean over k of inputs[b, s t + k - before, c]`

    Args:
        inputs: floats, `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        pool_size, strides, padding, data_format, path: as in `max_pool`.

    Returns:
        As `max_pool`. Half precision is summed in float32; means of integers are float32.

    Raises:
        ShapeError: the input is smaller than a window.
        ArgumentError: an argument has a value that it cannot have.

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 1998, section II.

    >>> import jax.numpy as jnp
    >>> inputs = jnp.arange(5.0).reshape(1, 5, 1)
    >>> average_pool(inputs, 2).ravel().tolist(), average_pool(inputs, 2, padding="same").ravel().tolist()
    ([0.5, 2.5], [0.5, 2.5, 4.0])
    """
    dtype = jnp.promote_types(inputs.dtype, "float32")
    window, steps, pads = _window(inputs.shape, pool_size, strides, padding, data_format, path)
    sums = lax.reduce_window(inputs.astype(dtype), np.zeros((), dtype), lax.add, window, steps, pads)
    means = sums / _elements(inputs.shape, sums.shape, window, steps, pads).astype(dtype)
    array: Array = means.astype(inputs.dtype if is_float(inputs.dtype) else dtype)
    return array


def global_max_pool(inputs: Array, *, keepdims: bool = False, data_format: str | None = None) -> Array:
    """The maximum of every channel: `outputs[b, c] = max over t of inputs[b, t, c]`.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        keepdims: whether the spatial axes stay, with length 1.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `(b, c)`, or with `keepdims` ones in place of the spatial dimensions; in the dtype of the inputs.

    Source: M. Oquab et al., "Is object localization for free?", CVPR 2015.

    >>> import jax.numpy as jnp
    >>> global_max_pool(jnp.arange(6.0).reshape(1, 3, 2)).tolist()
    [[4.0, 5.0]]
    """
    return jnp.max(inputs, spatial_axes(inputs.ndim, data_format), keepdims=keepdims)


def global_average_pool(
    inputs: Array, *, mask: Array | None = None, keepdims: bool = False, data_format: str | None = None
) -> Array:
    """The mean of every channel, over the positions that a mask keeps.

    `outputs[b, c] = sum over t of mask[b, t] inputs[b, t, c] / sum over t of mask[b, t]`

    Where the mask keeps nothing the mean is zero.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        mask: `(b, spatial...)`, true where an element counts; all of them without a mask. Masked elements may be
            anything, NaN included.
        keepdims: whether the spatial axes stay, with length 1.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `(b, c)`, or with `keepdims` ones in place of the spatial dimensions; in the dtype of the inputs.
        Half precision is summed in float32.

    Source: M. Lin et al., "Network in network", arXiv:1312.4400, section 3.2.

    >>> import jax.numpy as jnp
    >>> inputs = jnp.array([[[1.0], [3.0], [jnp.nan]]])
    >>> global_average_pool(inputs, mask=jnp.array([[True, True, False]])).tolist()
    [[2.0]]
    """
    axes = spatial_axes(inputs.ndim, data_format)
    if mask is None:
        return jnp.mean(inputs, axes, keepdims=keepdims)
    dtype = jnp.promote_types(inputs.dtype, "float32")
    keep = jnp.expand_dims(mask.astype(bool), channel_axis(inputs.ndim, data_format))
    total = jnp.sum(jnp.where(keep, inputs.astype(dtype), 0), axes, keepdims=keepdims)
    count = jnp.sum(keep, axes, keepdims=keepdims, dtype=dtype)
    return (total / jnp.maximum(count, 1)).astype(inputs.dtype if is_float(inputs.dtype) else dtype)


def _window(
    shape: Shape, pool_size: Ints, strides: Ints | None, padding: str, data_format: str | None, path: str
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[Any, Any], ...]]:
    """Window, strides and padding on every axis of `shape`, as `lax.reduce_window` takes them."""
    n = len(shape) - 2
    sizes = standardize_tuple(pool_size, n, "pool_size", path)
    steps = sizes if strides is None else standardize_tuple(strides, n, "strides", path)
    spatial: list[Any] = [shape[axis] for axis in spatial_axes(n + 2, data_format)]
    padding = standardize_padding(padding, path)
    check_windows(spatial, sizes, padding, path)
    pads = lax.padtype_to_pads(spatial, sizes, steps, padding.upper())
    return (
        arrange(1, sizes, 1, data_format),
        arrange(1, steps, 1, data_format),
        arrange((0, 0), pads, (0, 0), data_format),
    )


def _elements(
    shape: Shape,
    pooled: Shape,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    pads: tuple[tuple[Any, Any], ...],
) -> Any:
    """The number of elements of each window without the padding; broadcasts against the pooled array.

    The count is the product of one factor per axis, `min(start + size, n) - max(start, 0)`. It is a constant of the
    program unless a dimension is symbolic.
    """
    if all(pair == (0, 0) for pair in pads):
        return np.asarray(math.prod(window))
    elements: Any = np.ones((1,) * len(shape), "int32")
    for axis, size in enumerate(window):
        if size > 1:
            numpy: Any = np if isinstance(shape[axis], int) else jnp
            starts = numpy.arange(pooled[axis]) * strides[axis] - pads[axis][0]
            inside = numpy.minimum(starts + size, shape[axis]) - numpy.maximum(starts, 0)
            elements = elements * numpy.expand_dims(inside, [a for a in range(len(shape)) if a != axis])
    return elements

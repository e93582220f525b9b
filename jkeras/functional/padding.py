"""Zeros around the spatial axes, and their removal."""

from collections.abc import Sequence

import numpy as np
from jax import lax

from jkeras.errors import ShapeError
from jkeras.functional.arguments import standardize_pairs
from jkeras.functional.layout import arrange, channel_axis, spatial_axes
from jkeras.typing import Array, Shape

Amounts = int | Sequence[int] | Sequence[Sequence[int]]


def zero_pad(inputs: Array, padding: Amounts, data_format: str | None = None) -> Array:
    """Puts zeros around the spatial axes.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        padding: how many on each side: one int, one per spatial axis, or a pair (before, after) per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        The shape that `zero_pad_output_shape` tells, in the dtype of the inputs.

    >>> import jax.numpy as jnp
    >>> zero_pad(jnp.ones((1, 2, 1)), (1, 2)).ravel().tolist()
    [0.0, 1.0, 1.0, 0.0, 0.0]
    """
    pairs = standardize_pairs(padding, inputs.ndim - 2, "padding", "zero_pad")
    config = arrange((0, 0, 0), [(before, after, 0) for before, after in pairs], (0, 0, 0), data_format)
    return lax.pad(inputs, np.zeros((), inputs.dtype), config)


def crop(inputs: Array, cropping: Amounts, data_format: str | None = None) -> Array:
    """Cuts off the ends of the spatial axes.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        cropping: how many on each side: one int, one per spatial axis, or a pair (before, after) per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        The shape that `crop_output_shape` tells, in the dtype of the inputs.

    Raises:
        ShapeError: nothing would be left.

    >>> import jax.numpy as jnp
    >>> crop(jnp.arange(5.0).reshape(1, 5, 1), (1, 2)).ravel().tolist()
    [1.0, 2.0]
    """
    crop_output_shape(inputs.shape, cropping, data_format)  # raises if empty
    pairs = standardize_pairs(cropping, inputs.ndim - 2, "cropping", "crop")
    return inputs[
        arrange(slice(None), [slice(before, -after or None) for before, after in pairs], slice(None), data_format)
    ]


def zero_pad_output_shape(input_shape: Shape, padding: Amounts, data_format: str | None = None) -> Shape:
    """The shape that `zero_pad` returns: `n + before + after` per spatial axis; `None` stays.

    >>> zero_pad_output_shape((None, 28, None, 3), ((1, 2), 3))
    (None, 31, None, 3)
    """
    pairs = standardize_pairs(padding, len(input_shape) - 2, "padding", "zero_pad")
    return _resized(input_shape, [before + after for before, after in pairs], data_format)


def crop_output_shape(input_shape: Shape, cropping: Amounts, data_format: str | None = None) -> Shape:
    """The shape that `crop` returns: `n - before - after` per spatial axis; `None` stays.

    >>> crop_output_shape((None, 28, None, 3), ((1, 2), 3))
    (None, 25, None, 3)
    """
    pairs = standardize_pairs(cropping, len(input_shape) - 2, "cropping", "crop")
    shape = _resized(input_shape, [-before - after for before, after in pairs], data_format)
    if any(isinstance(size, int) and size <= 0 for size in shape[1:]):
        raise ShapeError(
            "the cropping leaves nothing of the input.",
            path="crop",
            expected=f"spatial dimensions larger than {tuple(before + after for before, after in pairs)}",
            received=f"shape {input_shape}",
        )
    return shape


def _resized(shape: Shape, growth: Sequence[int], data_format: str | None) -> Shape:
    sizes = [shape[axis] for axis in spatial_axes(len(shape), data_format)]
    spatial = [None if size is None else size + more for size, more in zip(sizes, growth, strict=True)]
    return arrange(shape[0], spatial, shape[channel_axis(len(shape), data_format)], data_format)

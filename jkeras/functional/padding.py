"""Zeros around the spatial axes, and their removal."""

from collections.abc import Sequence

import numpy as np
from jax import lax

from jkeras.errors import ShapeError
from jkeras.functional.arguments import standardize_pairs
from jkeras.functional.layout import arrange, spatial_axes
from jkeras.typing import Array

Amounts = int | Sequence[int] | Sequence[Sequence[int]]


def zero_pad(inputs: Array, padding: Amounts, data_format: str | None = None) -> Array:
    """Puts zeros around the spatial axes.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        padding: elements on each side: one int, one per spatial axis, or a pair (before, after) per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `n + before + after` elements per spatial axis, in the dtype of the inputs.

    >>> import jax.numpy as jnp
    >>> zero_pad(jnp.ones((1, 2, 1)), (1, 2)).ravel().tolist()
    [0.0, 1.0, 1.0, 0.0, 0.0]
    """
    pairs = standardize_pairs(padding, inputs.ndim - 2, "padding", "zero_pad")
    config = arrange((0, 0, 0), [(before, after, 0) for before, after in pairs], (0, 0, 0), data_format)
    return lax.pad(inputs, np.zeros((), inputs.dtype), config)


def crop(inputs: Array, cropping: Amounts, data_format: str | None = None, path: str = "crop") -> Array:
    """Cuts off the ends of the spatial axes.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        cropping: elements on each side: one int, one per spatial axis, or a pair (before, after) per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        path: the path of the layer, for messages.

    Returns:
        `n - before - after` elements per spatial axis, in the dtype of the inputs.

    Raises:
        ShapeError: nothing would be left.

    >>> import jax.numpy as jnp
    >>> crop(jnp.arange(5.0).reshape(1, 5, 1), (1, 2)).ravel().tolist()
    [1.0, 2.0]
    """
    pairs = standardize_pairs(cropping, inputs.ndim - 2, "cropping", path)
    sizes = [inputs.shape[axis] for axis in spatial_axes(inputs.ndim, data_format)]
    if any(isinstance(n, int) and n <= sum(pair) for n, pair in zip(sizes, pairs, strict=True)):
        raise ShapeError(
            f"`cropping` must leave at least one element on each spatial axis, got shape {inputs.shape}.",
            path=path,
            expected=f"spatial dimensions larger than {tuple(map(sum, pairs))}",
            received=f"shape {inputs.shape}",
        )
    return inputs[
        arrange(slice(None), [slice(before, -after or None) for before, after in pairs], slice(None), data_format)
    ]

"""Layouts of images: the order of their axes.

An array of `n` spatial dimensions has `n + 2` axes: `"channels_last"` puts them in the order
`(batch, spatial..., channels)`, `"channels_first"` in the order `(batch, channels, spatial...)`.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from jkeras.config import standardize_data_format
from jkeras.dtypes import is_float
from jkeras.errors import ShapeError
from jkeras.typing import Array


def spatial_axes(ndim: int, data_format: str | None = None) -> tuple[int, ...]:
    """The axes between batch and channels, or after both.

    >>> spatial_axes(4, "channels_last"), spatial_axes(4, "channels_first")
    ((1, 2), (2, 3))
    """
    return tuple(range(1, ndim - 1) if standardize_data_format(data_format) == "channels_last" else range(2, ndim))


def channel_axis(ndim: int, data_format: str | None = None) -> int:
    """The axis of the channels, counted from the front.

    >>> channel_axis(4, "channels_last"), channel_axis(4, "channels_first")
    (3, 1)
    """
    return ndim - 1 if standardize_data_format(data_format) == "channels_last" else 1


def arrange(batch: object, spatial: Sequence[Any], channels: object, data_format: str | None = None) -> tuple[Any, ...]:
    """One entry per axis, in the order of the data format.

    >>> arrange(None, (28, 28), 3, "channels_last"), arrange(None, (28, 28), 3, "channels_first")
    ((None, 28, 28, 3), (None, 3, 28, 28))
    """
    if standardize_data_format(data_format) == "channels_last":
        return (batch, *spatial, channels)
    return (batch, channels, *spatial)


def along(vector: Array, ndim: int, axis: int) -> Array:
    """A vector laid along one axis of an array of rank `ndim`, ready to broadcast.

    >>> import jax.numpy as jnp
    >>> along(jnp.ones(3), 4, -1).shape, along(jnp.ones(3), 4, 1).shape
    ((1, 1, 1, 3), (1, 3, 1, 1))
    """
    return lax.expand_dims(vector, [a for a in range(ndim) if a != axis % ndim])


def check_rank(shape: Sequence[Any], n: int, path: str) -> None:
    """Raises `ShapeError` unless a shape has `n` spatial axes.

    >>> check_rank((32, 28, 28, 1), 2, "conv")
    """
    if len(shape) == n + 2:
        return
    raise ShapeError(
        f"the input must have {n + 2} axes (batch, channels and {n} spatial), got {len(shape)}.",
        path=path,
        expected=f"rank {n + 2}",
        received=f"rank {len(shape)}, shape {tuple(shape)}",
        write="x[..., None]   # an image without channels has one channel" if len(shape) == n + 1 else None,
    )


def image_axes(ndim: int, data_format: str | None = None, path: str | None = None) -> tuple[int, int, int]:
    """The axes of height, width and channels in one image or a batch of them, counted from the end.

    Raises:
        ShapeError: the rank is neither 3 nor 4.

    >>> image_axes(4, "channels_last"), image_axes(3, "channels_first")
    ((-3, -2, -1), (-2, -1, -3))
    """
    if ndim not in (3, 4):
        raise ShapeError(
            f"`images` must have rank 3 (one image) or rank 4 (a batch), got rank {ndim}.",
            path=path,
            expected="rank 3, one image, or rank 4, a batch",
            received=f"rank {ndim}",
            write="images[..., None]   # an image without channels has one channel" if ndim == 2 else None,
        )
    return (-3, -2, -1) if standardize_data_format(data_format) == "channels_last" else (-2, -1, -3)


def hide(x: Array, mask: Array | None) -> Array:
    """Zeros in place of NaN and infinity at positions that a mask hides; all else as it is.

    A derivative multiplies by hidden values, and 0 times NaN is NaN: the operand is masked, in front of the function.

    >>> hide(jnp.array([[1.0, jnp.nan], [jnp.nan, jnp.inf]]), jnp.array([True, False])).tolist()
    [[1.0, nan], [0.0, 0.0]]
    """
    if mask is None or not is_float(x.dtype):
        return x
    kept = jnp.expand_dims(mask.astype(bool), tuple(range(mask.ndim, x.ndim)))
    return jnp.where(kept | jnp.isfinite(x), x, jnp.zeros((), x.dtype))

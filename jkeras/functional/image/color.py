"""Colours: conversions between red, green, blue; hue, saturation, value; and grey."""

import jax.numpy as jnp

from jkeras import dtypes
from jkeras.errors import ShapeError
from jkeras.functional.layout import image_axes
from jkeras.typing import Array

LUMA = (0.2989, 0.5870, 0.1140)  # how bright red, green and blue look: ITU-R BT.601


def rgb_to_grayscale(images: Array, data_format: str | None = None) -> Array:
    """Brightness, as one channel: `0.2989 r + 0.5870 g + 0.1140 b`.

    Args:
        images: `(b, h, w, 3)` or `(h, w, 3)`, of any dtype; with one channel they are returned as they are.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        The same shape with one channel, in the same dtype; integers are rounded towards zero.

    Raises:
        ShapeError: the rank is neither 3 nor 4, or the channels are neither 1 nor 3.

    Source: Recommendation ITU-R BT.601, section 2.5.1.

    >>> gray = rgb_to_grayscale(jnp.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]))
    >>> [round(x, 4) for x in gray.ravel().tolist()]
    [0.2989, 0.587]
    """
    axis = image_axes(images.ndim, data_format, "rgb_to_grayscale")[2]
    if images.shape[axis] == 1:
        return images
    _check_channels(images, axis, "rgb_to_grayscale")
    dtype = jnp.promote_types(images.dtype, jnp.float32)
    red, green, blue = (plane.astype(dtype) for plane in _planes(images, axis))
    gray = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return jnp.expand_dims(gray.astype(images.dtype), axis)


def rgb_to_hsv(images: Array, data_format: str | None = None) -> Array:
    """Hue, saturation and value of red, green and blue, all in [0, 1].

    With `v = max(r, g, b)` and `d = v - min(r, g, b)`: saturation `d / v`, and hue, a sixth of

        (g - b) / d        where red is largest
        (b - r) / d + 2    where green is
        (r - g) / d + 4    where blue is

    modulo 1. Saturation and hue of black, and the hue of every grey, are 0.

    Args:
        images: `(b, h, w, 3)` or `(h, w, 3)`, of a floating dtype.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Raises:
        ShapeError: rank, channels or dtype do not fit.

    Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978.

    >>> hsv = rgb_to_hsv(jnp.array([[[0.0, 0.5, 0.0], [0.25, 0.25, 0.25]]]))
    >>> [round(x, 3) for x in hsv.ravel().tolist()]
    [0.333, 1.0, 0.5, 0.0, 0.0, 0.25]
    """
    axis = _check_color(images, data_format, "rgb_to_hsv")
    tiny = jnp.finfo(images.dtype).eps
    red, green, blue = _planes(jnp.where(jnp.abs(images) < tiny, 0.0, images), axis)
    value = jnp.maximum(jnp.maximum(red, green), blue)
    spread = value - jnp.minimum(jnp.minimum(red, green), blue)
    saturation = jnp.where(value > 0, spread / jnp.where(value > 0, value, 1.0), 0.0)
    sixth = 1.0 / (6.0 * jnp.where(spread > 0, spread, 1.0))
    hue = jnp.where(value == green, sixth * (blue - red) + 1 / 3, sixth * (red - green) + 2 / 3)
    hue = jnp.where(value == red, sixth * (green - blue), hue)
    hue = jnp.where(spread > 0, hue, 0.0) + (hue < 0).astype(images.dtype)
    return jnp.stack([hue, saturation, value], axis)


def hsv_to_rgb(images: Array, data_format: str | None = None) -> Array:
    """Red, green and blue of hue, saturation and value, all in [0, 1]; the inverse of `rgb_to_hsv`.

    With the hue in sixths of the circle, `s = 6 (hue mod 1)`, a fully saturated, fully bright colour is

        red    clip(|s - 3| - 1, 0, 1)
        green  clip(2 - |s - 2|, 0, 1)
        blue   clip(2 - |s - 4|, 0, 1)

    and any other one is `value (1 - saturation + saturation colour)`.

    Args:
        images: `(b, h, w, 3)` or `(h, w, 3)`, of a floating dtype.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Raises:
        ShapeError: rank, channels or dtype do not fit.

    Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978.

    >>> hsv_to_rgb(jnp.array([[[0.0, 1.0, 0.5], [0.5, 1.0, 1.0]]])).tolist()
    [[[0.5, 0.0, 0.0], [0.0, 1.0, 1.0]]]
    """
    axis = _check_color(images, data_format, "hsv_to_rgb")
    hue, saturation, value = _planes(images, axis)
    sixths = jnp.mod(hue, 1.0) * 6.0
    red = jnp.clip(jnp.abs(sixths - 3.0) - 1.0, 0.0, 1.0)
    green = jnp.clip(2.0 - jnp.abs(sixths - 2.0), 0.0, 1.0)
    blue = jnp.clip(2.0 - jnp.abs(sixths - 4.0), 0.0, 1.0)
    pale = 1.0 - saturation
    return jnp.stack([value * (pale + saturation * color) for color in (red, green, blue)], axis)


def _planes(images: Array, axis: int) -> list[Array]:
    return [jnp.take(images, channel, axis) for channel in range(3)]


def _check_color(images: Array, data_format: str | None, path: str) -> int:
    """The channel axis of images with three channels and a floating dtype."""
    axis = image_axes(images.ndim, data_format, path)[2]
    _check_channels(images, axis, path)
    if not dtypes.is_float(images.dtype):
        raise ShapeError(
            f"`images` must have a floating-point dtype with values in [0, 1], got {images.dtype}.",
            path=path,
            expected="a floating dtype, values in [0, 1]",
            received=str(images.dtype),
            write="images = images / 255",
        )
    return axis


def _check_channels(images: Array, axis: int, path: str) -> None:
    if images.shape[axis] != 3:
        raise ShapeError(
            f"`images` must have 3 channels, red, green and blue, got {images.shape[axis]}.",
            path=path,
            expected="3 channels, red, green and blue",
            received=f"{images.shape[axis]} channels, shape {images.shape}",
            write=f"images = jnp.repeat(images, 3, axis={axis})   # grey as red, green and blue"
            if images.shape[axis] == 1
            else f"{path}(images, data_format='channels_{'first' if axis == -1 else 'last'}')   # the other layout",
        )

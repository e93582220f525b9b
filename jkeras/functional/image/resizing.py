"""Sizes of images: resized, cropped, padded, scaled and moved."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jkeras import dtypes
from jkeras.errors import ArgumentError
from jkeras.functional.arguments import standardize_tuple
from jkeras.functional.layout import image_axes
from jkeras.typing import Array, DTypeLike

INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")
INVERSE = {
    "pad_images": "crop_images(images, ...)   # to make the images smaller",
    "crop_images": "pad_images(images, ...)   # to make the images larger",
}
METHODS = ("linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3", "lanczos5")


def resize(
    images: Array,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Array:
    """Images of another height and width, sampled at pixel centres.

    Args:
        images: `(b, h, w, c)` or `(h, w, c)`.
        size: the new `(height, width)`.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: widen the kernel where the image shrinks, so that it averages over the pixels that it leaves out.
        crop_to_aspect_ratio: keep the aspect ratio and cut the middle out, in the ratio of `size`, first.
        pad_to_aspect_ratio: keep the aspect ratio and pad both sides equally, to the ratio of `size`, first.
        fill_mode: `"constant"`, the only one.
        fill_value: the value of the padding.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        In the dtype of the images; integers are rounded and clipped to the range of the dtype.

    Raises:
        ArgumentError: an argument has a value that it cannot have, or images are both to be cropped and padded.
        ShapeError: the rank is neither 3 nor 4.

    Source: R. Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics,
    Speech and Signal Processing 29(6), 1981; C. Duchon, "Lanczos filtering in one and two dimensions", 1979.

    >>> resize(jnp.array([[[0.0], [2.0]]]), (1, 4)).ravel().tolist()
    [0.0, 0.5, 1.5, 2.0]
    """
    height, width, _ = image_axes(images.ndim, data_format, "resize")
    target = standardize_tuple(tuple(size), 2, "size", "resize")
    check_choice(interpolation, INTERPOLATIONS, "interpolation", "resize")
    check_choice(fill_mode, ("constant",), "fill_mode", "resize")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError(
            "`crop_to_aspect_ratio` and `pad_to_aspect_ratio` must not both be true.",
            path="resize",
            expected="one of crop_to_aspect_ratio and pad_to_aspect_ratio",
            received="both",
            write="resize(images, size, pad_to_aspect_ratio=True)",
        )
    dtype = images.dtype
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        edges = (_cropping if crop_to_aspect_ratio else _padding)(images.shape[height], images.shape[width], *target)
        images = _pad(images, dict(zip((height, width), edges, strict=True)), fill_value)
    shape = list(images.shape)
    shape[height], shape[width] = target
    resized = jax.image.resize(images, tuple(shape), interpolation, antialias)
    return _saturated(resized, dtype)


def _cropping(height: int, width: int, target_height: int, target_width: int) -> list[tuple[int, int]]:
    """The (negative) amounts to add before and after to crop to the ratio of the target.

    >>> _cropping(4, 8, 2, 2)
    [(0, 0), (-2, -2)]
    """
    kept_height = max(min(height, int(width * target_height / target_width)), 1)
    kept_width = max(min(width, int(height * target_width / target_height)), 1)
    kept = (height, kept_height), (width, kept_width)
    return [(-(n // 2), n // 2 - n) for n in (size - keep for size, keep in kept)]


def _padding(height: int, width: int, target_height: int, target_width: int) -> list[tuple[int, int]]:
    """The amounts to add on both sides to get the ratio of the target; an odd rest is left out.

    >>> _padding(4, 8, 2, 2)
    [(2, 2), (0, 0)]
    """
    rows = (max(height, int(width * target_height / target_width)) - height) // 2
    columns = (max(width, int(height * target_width / target_height)) - width) // 2
    return [(rows, rows), (0, 0) if rows else (columns, columns)]


def pad_images(
    images: Array,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Images with rows and columns of zeros around them.

    Args:
        images: `(b, h, w, c)` or `(h, w, c)`.
        top_padding, bottom_padding, target_height: two of the three, ints >= 0; the third follows.
        left_padding, right_padding, target_width: two of the three, ints >= 0; the third follows.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Raises:
        ArgumentError: not exactly two of three are given, or one of the three is negative.
        ShapeError: the rank is neither 3 nor 4.

    >>> pad_images(jnp.ones((1, 1, 1)), 1, 0, target_height=2, target_width=3)[..., 0].tolist()
    [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    height, width, _ = image_axes(images.ndim, data_format, "pad_images")
    rows = _third(images.shape[height], top_padding, bottom_padding, target_height, ("top_padding", "bottom_padding"))
    columns = _third(images.shape[width], left_padding, right_padding, target_width, ("left_padding", "right_padding"))
    return _pad(images, {height: rows, width: columns})


def crop_images(
    images: Array,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Array:
    """Images without some of their outer rows and columns.

    Args:
        images: `(b, h, w, c)` or `(h, w, c)`.
        top_cropping, bottom_cropping, target_height: two of the three, ints >= 0; the third follows.
        left_cropping, right_cropping, target_width: two of the three, ints >= 0; the third follows.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Raises:
        ArgumentError: not exactly two of three are given, or one of the three is negative.
        ShapeError: the rank is neither 3 nor 4.

    >>> crop_images(jnp.arange(6.0).reshape(2, 3, 1), 1, 0, target_height=1, target_width=2)[..., 0].tolist()
    [[3.0, 4.0]]
    """
    height, width, _ = image_axes(images.ndim, data_format, "crop_images")
    names = ("top_cropping", "bottom_cropping"), ("left_cropping", "right_cropping")
    rows = _third(images.shape[height], top_cropping, bottom_cropping, target_height, names[0], -1)
    columns = _third(images.shape[width], left_cropping, right_cropping, target_width, names[1], -1)
    return _pad(images, {height: rows, width: columns})


def _third(
    size: int, before: int | None, behind: int | None, target: int | None, names: tuple[str, str], sign: int = 1
) -> tuple[Any, Any]:
    """The numbers of elements to add before and after an axis; `sign` -1 takes them away. Symbolic ones go unchecked.

    >>> _third(5, 1, None, 8, ("top_padding", "bottom_padding"))
    (1, 2)
    """
    path = "pad_images" if sign == 1 else "crop_images"
    extent = "target_height" if names[0].startswith("top") else "target_width"
    given = {names[0]: before, names[1]: behind, extent: target}
    if list(given.values()).count(None) != 1:
        word = "padding" if sign == 1 else "cropping"
        sides = ", ".join(f"{side}_{word}=2" for side in ("top", "bottom", "left", "right"))
        raise ArgumentError(
            f"exactly two of `{names[0]}`, `{names[1]}` and `{extent}` must be given.",
            path=path,
            expected=f"two of {', '.join(given)}",
            received=f"{given}",
            write=f"{path}(images, {sides})",
        )
    change = 0 if target is None else sign * (target - size)
    if before is None:
        before = change - (behind or 0)
    if behind is None:
        behind = change - before
    found = {names[0]: before, names[1]: behind, extent: size + sign * (before + behind)}
    for name, value in found.items():
        if isinstance(value, int) and value < 0:
            raise ArgumentError(
                f"`{name}` must not be negative, got {value}.",
                path=path,
                expected=f"{name} >= 0",
                received=f"{name}={value} for {size} pixels",
                write=None if name == extent else INVERSE[path],
            )
    return sign * before, sign * behind


def _pad(images: Array, edges: dict[int, tuple[Any, Any]], value: float = 0) -> Array:
    """Elements added before and after axes, or taken away where the count is negative."""
    config = [(0, 0, 0)] * images.ndim
    for axis, (before, behind) in edges.items():
        config[axis] = (before, behind, 0)
    return lax.pad(images, jnp.asarray(value, images.dtype), config)


def scale_and_translate(
    images: Array,
    output_shape: Sequence[int],
    scale: Array,
    translation: Array,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Array:
    """Images scaled, then moved: what was at `x` is at `scale x + translation`; outside is zero.

    Args:
        images: any shape.
        output_shape: that of the result, of the same rank.
        scale, translation: one number for each of `spatial_dims`; gradients flow into them.
        spatial_dims: the axes that are scaled and moved.
        method: `"linear"`, `"cubic"`, `"lanczos3"`, `"lanczos5"`; `"bi-"` and `"tri-"` mean the same.
        antialias: widen the kernel where the image shrinks.

    Raises:
        ArgumentError: an unknown method.

    >>> image = jnp.array([[1.0, 2.0, 3.0]])
    >>> scale_and_translate(image, (1, 3), jnp.ones(1), jnp.ones(1), (1,), "linear").tolist()
    [[0.0, 1.0, 2.0]]
    """
    check_choice(method, METHODS, "method", "scale_and_translate")
    array: Array = jax.image.scale_and_translate(
        images, tuple(output_shape), tuple(spatial_dims), jnp.asarray(scale), jnp.asarray(translation), method,
        antialias,
    )  # fmt: skip
    return array


def check_choice(value: object, choices: Sequence[str], name: str, path: str) -> None:
    """Raises `ArgumentError` unless a value is among the choices.

    >>> check_choice("nearest", ("nearest", "bilinear"), "interpolation", "resize")
    """
    if value not in choices:
        known = ", ".join(map(repr, choices))
        raise ArgumentError(
            f"`{name}` must be one of {known}, got {value!r}.",
            path=path,
            expected=f"one of {known}",
            received=repr(value),
            write=f"{name}={choices[0]!r}",
        )


def _saturated(values: Array, dtype: DTypeLike) -> Array:
    """Values in a dtype; into integers rounded, and clipped to its range; true where they are not 0."""
    if values.dtype == dtype or dtypes.is_float(dtype) or dtype == "bool":
        return values.astype(dtype)
    bounds = jnp.iinfo(dtype)
    return jnp.clip(jnp.round(values), bounds.min, bounds.max).astype(dtype)

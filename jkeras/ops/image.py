"""The images of the table: `jkeras.functional.image`, recordable on symbolic tensors."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras import keys
from jkeras.core.lift import lift, listed
from jkeras.core.seed import SeedGenerator
from jkeras.errors import ArgumentError
from jkeras.functional import image
from jkeras.functional.arguments import standardize_tuple
from jkeras.typing import Array, ArrayLike, Key

affine_transform = lift(image.affine_transform, "affine_transform")
crop_images = lift(image.crop_images, "crop_images")
extract_patches = lift(image.extract_patches, "extract_patches")
gaussian_blur = lift(image.gaussian_blur, "gaussian_blur")
hsv_to_rgb = lift(image.hsv_to_rgb, "hsv_to_rgb")
map_coordinates = lift(image.map_coordinates, "map_coordinates")
pad_images = lift(image.pad_images, "pad_images")
perspective_transform = lift(image.perspective_transform, "perspective_transform")
resize = lift(image.resize, "resize")
rgb_to_grayscale = lift(image.rgb_to_grayscale, "rgb_to_grayscale")
rgb_to_hsv = lift(image.rgb_to_hsv, "rgb_to_hsv")
scale_and_translate = lift(image.scale_and_translate, "scale_and_translate")
sobel_edges = lift(image.sobel_edges, "sobel_edges")
ssim = lift(image.ssim, "ssim")


def extract_patches_3d(
    volumes: ArrayLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """`extract_patches` of volumes: an int as size is that of three axes.

    >>> extract_patches_3d(jnp.arange(8).reshape(2, 2, 2, 1), 2).tolist()
    [[[[0, 1, 2, 3, 4, 5, 6, 7]]]]
    """
    sizes = standardize_tuple(size, 3, "size", "extract_patches_3d")
    return extract_patches(volumes, sizes, strides, dilation_rate, padding, data_format)


@listed
def elastic_transform(
    images: Array,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: int | SeedGenerator | Key | None = None,
    data_format: str | None = None,
) -> Array:
    """Images whose pixels are displaced by a smooth random field; as `jkeras.functional.image.elastic_transform`.

    Args:
        images: `(h, w, c)` or `(b, h, w, c)`, or with channels first.
        alpha: how far pixels move, in pixels before the field is smoothed.
        sigma: how smooth the field is: the standard deviation of a Gaussian filter, in pixels.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: the values outside of an image: `"reflect"`, `"wrap"`, `"constant"`, `"nearest"` or `"mirror"`.
        fill_value: the value outside with `"constant"`.
        seed: an int, a key of JAX, or a `SeedGenerator` within a layer's call.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        The shape and dtype of the images.

    Raises:
        ArgumentError: `seed` is None; jkeras has no global random generator.

    Source: P. Y. Simard, D. Steinkraus and J. C. Platt, "Best practices for convolutional neural networks applied to
    visual document analysis", ICDAR 2003.

    >>> images = jnp.ones((4, 4, 1))
    >>> bool((elastic_transform(images, seed=0) == images).all())
    True
    """
    key = _key(seed)
    return image.elastic_transform(images, key, alpha, sigma, interpolation, fill_mode, fill_value, data_format)


def _key(seed: int | Key | SeedGenerator | None) -> Key:
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        return seed
    if seed is None:
        raise ArgumentError(
            "`seed` must be given: jkeras has no global random generator.",
            path="elastic_transform",
            expected="an int, a key of JAX, or a SeedGenerator within a layer's call",
            received="seed=None",
            write="ops.image.elastic_transform(images, seed=0)",
        )
    return keys.from_seed(keys.check_seed(seed, "elastic_transform"))  # type: ignore[arg-type]


__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "extract_patches_3d",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]

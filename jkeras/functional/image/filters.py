"""Filters: images smoothed, and their edges."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from jkeras import dtypes
from jkeras.errors import ShapeError
from jkeras.functional.arguments import standardize_tuple
from jkeras.functional.layout import image_axes
from jkeras.functional.windows import check_windows
from jkeras.typing import Array, ArrayLike


def gaussian_blur(
    images: Array,
    kernel_size: Sequence[int] = (3, 3),
    sigma: Sequence[float] | Array = (1.0, 1.0),
    data_format: str | None = None,
) -> Array:
    """Every pixel a mean of its neighbours, weighted with a normal density; zeros lie outside.

        outputs[y, x] = sum_ij kernel(i; sigma[1]) kernel(j; sigma[0]) images[y + i, x + j]

    The kernel is a product, so rows and columns are smoothed one after the other.

    Args:
        images: `(b, h, w, c)` or `(h, w, c)`.
        kernel_size: the numbers of pixels of a row and of a column to average, in this order: `(width, height)`.
        sigma: the standard deviations along rows and columns, in pixels; may be traced.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        In the dtype of the images; less than float32 is averaged in float32, and integers are rounded.

    Raises:
        ArgumentError: the size of the kernel is not two ints >= 1.
        ShapeError: the rank is neither 3 nor 4.

    >>> blurred = gaussian_blur(jnp.array([[[0.0], [1.0], [0.0]]]), (3, 1), (1.0, 1.0))
    >>> [round(x, 3) for x in blurred.ravel().tolist()]
    [0.274, 0.452, 0.274]
    """
    height, width, _ = image_axes(images.ndim, data_format, "gaussian_blur")
    columns, rows = standardize_tuple(kernel_size, 2, "kernel_size", "gaussian_blur")
    x = images.astype(jnp.promote_types(images.dtype, jnp.float32))
    x = _correlate(x, gaussian_kernel(rows, sigma[1]).astype(x.dtype), height)
    x = _correlate(x, gaussian_kernel(columns, sigma[0]).astype(x.dtype), width)
    return (x if dtypes.is_float(images.dtype) else jnp.round(x)).astype(images.dtype)


def gaussian_kernel(size: int, sigma: ArrayLike) -> Array:
    """A normal density at `size` integers around its mean, normalized to the sum 1.

    >>> [round(x, 3) for x in gaussian_kernel(3, 1.0).tolist()]
    [0.274, 0.452, 0.274]
    """
    x = jnp.arange(size) - (size - 1) / 2
    kernel = jnp.exp(-0.5 * jnp.square(x / sigma))
    return kernel / jnp.sum(kernel)


def sobel_edges(images: Array, data_format: str | None = None) -> Array:
    """Slopes of brightness: differences of neighbours, smoothed across; zeros lie outside.

        dy = [1, 2, 1] along rows of [-1, 0, 1] along columns,    dx the other way round

    Args:
        images: `(b, h, w, c)`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `(b, h, w, c, 2)`: `dy` and `dx`, in the dtype of the images.

    Raises:
        ShapeError: the rank is not 4.

    Source: I. Sobel and G. Feldman, "A 3x3 isotropic gradient operator for image processing", 1968.

    >>> edges = sobel_edges(jnp.tile(jnp.arange(3.0), (3, 1)).reshape(1, 3, 3, 1))
    >>> edges[0, 1, 1, 0].tolist()
    [0.0, 8.0]
    """
    if images.ndim != 4:
        rule = "`images` must be a batch of images, of rank 4"
        write = "sobel_edges(images[None])" if images.ndim == 3 else None
        raise ShapeError.must(rule, f"rank {images.ndim}", path="sobel_edges", write=write)
    height, width, _ = image_axes(4, data_format, "sobel_edges")
    smooth, slope = jnp.array([1, 2, 1], images.dtype), jnp.array([-1, 0, 1], images.dtype)
    dy = _correlate(_correlate(images, smooth, width), slope, height)
    dx = _correlate(_correlate(images, smooth, height), slope, width)
    return jnp.stack([dy, dx], -1)


def ssim(
    image1: Array,
    image2: Array,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Array:
    """Structural similarity: how alike two images are in brightness, contrast and structure; 1 for equal ones.

        (2 m1 m2 + c1) (2 s12 + c2) / ((m1^2 + m2^2 + c1) (s1^2 + s2^2 + c2)),    c = (k max_val)^2

    with means `m`, variances `s^2` and covariance `s12` in a window of normal weights, averaged over all windows that
    lie in the image and over channels.

    Args:
        image1, image2: `(b, h, w, c)` or `(h, w, c)`, of one shape.
        max_val: the largest value that a pixel can have, such as 1 or 255.
        filter_size, filter_sigma: pixels of a side of the window, and its standard deviation.
        k1, k2: small constants that keep the quotients finite.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `(b,)`, or a scalar for two single images, in the dtype of the first; float32 for integers.

    Raises:
        ShapeError: shapes differ, or are smaller than the window.

    Source: Z. Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE
    Transactions on Image Processing 13(4), 2004.

    >>> image = jnp.linspace(0.0, 1.0, 144).reshape(12, 12, 1)
    >>> float(ssim(image, image)), bool(ssim(image, 1 - image) < 0)
    (1.0, True)
    """
    height, width, channels = image_axes(image1.ndim, data_format, "ssim")
    if image1.shape != image2.shape:
        rule = f"`image2` must have the shape of `image1`, {image1.shape}"
        write = "ssim(image1, jnp.broadcast_to(image2, image1.shape))   # one image against a batch"
        raise ShapeError.must(rule, image2.shape, path="ssim", expected=image1.shape, write=write)
    check_windows((image1.shape[height], image1.shape[width]), (filter_size, filter_size), "valid", "ssim")
    dtype = jnp.promote_types(image1.dtype, jnp.float32)
    one, two = image1.astype(dtype), image2.astype(dtype)
    window = gaussian_kernel(filter_size, filter_sigma).astype(dtype)
    moments = jnp.stack([one, two, one * one, two * two, one * two])  # smoothed in one go
    smooth = _correlate(_correlate(moments, window, height, same=False), window, width, same=False)
    mean1, mean2, square1, square2, product = smooth
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    covariance, variances = product - mean1 * mean2, square1 - mean1**2 + square2 - mean2**2
    similarity = (2 * mean1 * mean2 + c1) * (2 * covariance + c2) / ((mean1**2 + mean2**2 + c1) * (variances + c2))
    result = jnp.mean(similarity, (height, width, channels))
    return result.astype(image1.dtype if dtypes.is_float(image1.dtype) else dtype)


def _correlate(x: Array, kernel: Array, axis: int, *, same: bool = True) -> Array:
    """A correlation along one axis, as a sum of shifted copies: one fused loop over the pixels, where a convolution of
    single channels runs far below the speed of memory."""
    (size,) = kernel.shape
    if same:
        padding = [(0, 0)] * x.ndim
        padding[axis] = ((size - 1) // 2, size // 2)
        x = jnp.pad(x, padding)
    count = x.shape[axis] - size + 1
    parts = [kernel[index] * lax.slice_in_dim(x, index, index + count, axis=axis) for index in range(size)]
    return sum(parts[1:], parts[0])

"""Patches: the windows of an image as vectors, images put together from them, and pixels moved into channels."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from jkeras.errors import ShapeError
from jkeras.functional.arguments import standardize_padding, standardize_tuple
from jkeras.functional.layout import check_rank, image_axes
from jkeras.functional.windows import check_windows, frames, spread, window_extent
from jkeras.typing import Array, Sizes

Ints = int | Sequence[int]


def extract_patches(
    images: Array,
    size: Ints,
    strides: Ints | None = None,
    dilation_rate: Ints = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The windows of images or volumes, each as one vector.

        outputs[b, y, x, (i kw + j) c + k] = images[b, y sy + i ry, x sx + j rx, k]

    Args:
        images: `(b, h, w, c)` or `(h, w, c)`; volumes `(b, d, h, w, c)` or `(d, h, w, c)`.
        size: of a window, one int or two; three for volumes.
        strides: steps between windows; by default their size, so that they do not overlap.
        dilation_rate: distance between the pixels of a window.
        padding: `"valid"` takes whole windows only; `"same"` adds zeros around, for `ceil(n / stride)` windows.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        The images' shape, with windows in place of pixels and their elements in place of channels.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the rank does not fit, or no window does.

    >>> extract_patches(jnp.arange(16).reshape(4, 4, 1), 2)[0].tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    n = 3 if isinstance(size, Sequence) and len(size) == 3 else 2
    sizes = standardize_tuple(size, n, "size", "extract_patches")
    steps = standardize_tuple(sizes if strides is None else strides, n, "strides", "extract_patches")
    rates = standardize_tuple(dilation_rate, n, "dilation_rate", "extract_patches")
    padding = standardize_padding(padding, "extract_patches")
    single = images.ndim == n + 1
    x = jnp.expand_dims(images, 0) if single else images
    check_rank(x.shape, n, "extract_patches")
    first = image_axes(4, data_format)[2] == -3
    x = jnp.moveaxis(x, 1, -1) if first else x
    extents = tuple(window_extent(size, rate) for size, rate in zip(sizes, rates, strict=True))
    check_windows(x.shape[1:-1], extents, padding, "extract_patches")
    if padding == "same":
        pads = lax.padtype_to_pads(x.shape[1:-1], extents, steps, "SAME")
        x = jnp.pad(x, [(0, 0), *pads, (0, 0)])
    for axis, (count, step, rate) in enumerate(zip(sizes, steps, rates, strict=True)):
        x = frames(x, 1 + 2 * axis, count, step, rate)  # (b, windows, elements, ..., c)
    x = jnp.transpose(x, (0, *range(1, 2 * n, 2), *range(2, 2 * n + 1, 2), 2 * n + 1))
    x = jnp.reshape(x, (*x.shape[: n + 1], -1))
    x = jnp.moveaxis(x, -1, 1) if first else x
    return jnp.squeeze(x, 0) if single else x


def unfold(x: Array, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1) -> Array:
    """The windows of images with channels first, each as one column.

    Args:
        x: `(b, c, h, w)`.
        kernel_size: of a window, one int or two.
        dilation: distance between the pixels of a window.
        padding: zeros added on both sides of an axis.
        stride: steps between windows.

    Returns:
        `(b, c kh kw, windows)`.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the rank is not 4, or no window fits.

    >>> unfold(jnp.arange(6.0).reshape(1, 1, 2, 3), 2)[0].tolist()
    [[0.0, 1.0], [1.0, 2.0], [3.0, 4.0], [4.0, 5.0]]
    """
    sizes, rates, pads, steps = _window_arguments("unfold", kernel_size, dilation, padding, stride)
    check_rank(x.shape, 2, "unfold")
    x = jnp.pad(x, ((0, 0), (0, 0), (pads[0], pads[0]), (pads[1], pads[1]))) if any(pads) else x
    extents = [window_extent(size, rate) for size, rate in zip(sizes, rates, strict=True)]
    check_windows(x.shape[2:], extents, "valid", "unfold")
    for axis in range(2):
        x = frames(x, 2 + 2 * axis, sizes[axis], steps[axis], rates[axis])  # (b, c, rows, kh, columns, kw)
    batch, channels, rows, _, columns, _ = x.shape
    x = jnp.transpose(x, (0, 1, 3, 5, 2, 4))
    return jnp.reshape(x, (batch, channels * sizes[0] * sizes[1], rows * columns))


def fold(
    x: Array, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Ints = 0, stride: Ints = 1
) -> Array:
    """Images with channels first, as the sum of their windows; the transpose of `unfold`.

    Args:
        x: `(b, c kh kw, windows)`.
        output_size: height and width of the images.
        kernel_size, dilation, padding, stride: as for `unfold`.

    Returns:
        `(b, c, h, w)`.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: channels or windows do not fit.

    >>> fold(jnp.ones((1, 4, 2)), (2, 3), 2)[0, 0].tolist()
    [[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]
    """
    sizes, rates, pads, steps = _window_arguments("fold", kernel_size, dilation, padding, stride)
    target = standardize_tuple(output_size, 2, "output_size", "fold")
    whole = [n + 2 * pad for n, pad in zip(target, pads, strict=True)]
    rows, columns = (
        (n - window_extent(size, rate)) // step + 1
        for n, size, rate, step in zip(whole, sizes, rates, steps, strict=True)
    )
    if x.ndim != 3 or x.shape[1] % (sizes[0] * sizes[1]) or x.shape[2] != rows * columns:
        raise ShapeError(
            "`x` must have one row per element of a window, and one column per window of an image.",
            path="fold",
            expected=f"shape (b, c * {sizes[0] * sizes[1]}, {rows * columns})",
            received=f"shape {x.shape}",
            write="fold(unfold(images, kernel_size), output_size, kernel_size)",
        )
    channels = x.shape[1] // (sizes[0] * sizes[1])
    x = jnp.reshape(x, (x.shape[0], channels, *sizes, rows, columns))
    x = jnp.transpose(x, (0, 1, 4, 2, 5, 3))  # (b, c, rows, kh, columns, kw)
    x = spread(spread(x, 4, whole[1], steps[1], rates[1]), 2, whole[0], steps[0], rates[0])
    return x[:, :, pads[0] : whole[0] - pads[0], pads[1] : whole[1] - pads[1]]


def _window_arguments(
    path: str, kernel_size: Ints, dilation: Ints, padding: Ints, stride: Ints
) -> tuple[tuple[int, ...], ...]:
    return (
        standardize_tuple(kernel_size, 2, "kernel_size", path),
        standardize_tuple(dilation, 2, "dilation", path),
        standardize_tuple(padding, 2, "padding", path, minimum=0),
        standardize_tuple(stride, 2, "stride", path),
    )


def depth_to_space(x: Array, block_size: int, data_format: str | None = "channels_last") -> Array:
    """Channels laid out as blocks of pixels: height and width grow by `n`, the channels shrink by `n^2`.

        outputs[b, h n + i, w n + j, k] = x[b, h, w, (i n + j) c + k]        channels last, c = channels / n^2
        outputs[b, k, h n + i, w n + j] = x[b, k n^2 + i n + j, h, w]        channels first

    Args:
        x: `(b, h, w, c)`, or `(b, c, h, w)` with `"channels_first"`.
        block_size: `n`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Raises:
        ArgumentError: the block size is not an int >= 2.
        ShapeError: the rank is not 4, or the channels are not a multiple of `n^2`.

    Source: W. Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", CVPR 2016.

    >>> depth_to_space(jnp.arange(4).reshape(1, 1, 1, 4), 2)[0, :, :, 0].tolist()
    [[0, 1], [2, 3]]
    """
    n, channels = _block(x, block_size, data_format, "depth_to_space")
    _check_multiple(x.shape[channels], n * n, "channels", "depth_to_space")
    if channels == -1:
        b, h, w, c = x.shape
        blocks = jnp.reshape(x, (b, h, w, n, n, c // n**2))
        return jnp.reshape(jnp.transpose(blocks, (0, 1, 3, 2, 4, 5)), (b, h * n, w * n, c // n**2))
    b, c, h, w = x.shape
    blocks = jnp.reshape(x, (b, c // n**2, n, n, h, w))
    return jnp.reshape(jnp.transpose(blocks, (0, 1, 4, 2, 5, 3)), (b, c // n**2, h * n, w * n))


def space_to_depth(x: Array, block_size: int, data_format: str | None = "channels_last") -> Array:
    """Blocks of pixels laid out as channels: the inverse of `depth_to_space`.

    Args:
        x: `(b, h, w, c)`, or `(b, c, h, w)` with `"channels_first"`.
        block_size: pixels of a side of a block, `n`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Raises:
        ArgumentError: the block size is not an int >= 2.
        ShapeError: the rank is not 4, or height or width are not multiples of `n`.

    >>> space_to_depth(jnp.arange(4).reshape(1, 2, 2, 1), 2).tolist()
    [[[[0, 1, 2, 3]]]]
    """
    n, channels = _block(x, block_size, data_format, "space_to_depth")
    height, width, _ = image_axes(4, data_format)
    _check_multiple(x.shape[height], n, "rows", "space_to_depth")
    _check_multiple(x.shape[width], n, "columns", "space_to_depth")
    if channels == -1:
        b, h, w, c = x.shape
        blocks = jnp.reshape(x, (b, h // n, n, w // n, n, c))
        return jnp.reshape(jnp.transpose(blocks, (0, 1, 3, 2, 4, 5)), (b, h // n, w // n, c * n**2))
    b, c, h, w = x.shape
    blocks = jnp.reshape(x, (b, c, h // n, n, w // n, n))
    return jnp.reshape(jnp.transpose(blocks, (0, 1, 3, 5, 2, 4)), (b, c * n**2, h // n, w // n))


def _block(x: Array, block_size: Sizes, data_format: str | None, path: str) -> tuple[int, int]:
    """The size of a block, and the axis of the channels."""
    check_rank(x.shape, 2, path)
    (n,) = standardize_tuple(block_size, 1, "block_size", path, minimum=2)
    return n, image_axes(4, data_format)[2]


def _check_multiple(size: int, n: int, what: str, path: str) -> None:
    """Symbolic sizes go unchecked."""
    if isinstance(size, int) and size % n:
        raise ShapeError(
            f"the number of {what} must be a multiple of {n}, got {size}.",
            path=path,
            expected=f"a multiple of {n}",
            received=f"{size} {what}",
            write=f"{path}(x, block_size, data_format='channels_first')   # if that is the layout of x",
        )

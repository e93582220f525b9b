"""Convolution: every output is a weighted sum over a window, with the same weights everywhere.

For one spatial axis, stride `s` and dilation `r`,

    outputs[b, t, o] = sum over k, i of  inputs[b, s * t + r * k - before, i] * kernel[k, i, o]

where `before` zeros stand in front of the axis. (Signal processing calls this cross-correlation: the kernel is not
flipped.) Kernels have the layout `(spatial..., channels per group, filters)` whatever the layout of the data is. Each
function here is one `jax.lax` convolution whose dimension numbers name the layout, so that the compiler, and not we,
decides where data has to move.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional.arguments import standardize_padding, standardize_tuple
from jkeras.functional.layout import channel_axis, check_rank, spatial_axes
from jkeras.functional.windows import check_windows, window_extent
from jkeras.typing import Array

Ints = int | Sequence[int]


def dimension_numbers(ndim: int, data_format: str | None = None) -> lax.ConvDimensionNumbers:
    """The dimension numbers of `jax.lax` for data in `data_format` and kernels in `(spatial..., i, o)`.

    >>> dimension_numbers(3, "channels_last")
    ConvDimensionNumbers(lhs_spec=(0, 2, 1), rhs_spec=(2, 1, 0), out_spec=(0, 2, 1))
    """
    data = (0, channel_axis(ndim, data_format), *spatial_axes(ndim, data_format))
    return lax.ConvDimensionNumbers(data, (ndim - 1, ndim - 2, *range(ndim - 2)), data)


def conv(
    inputs: Array,
    kernel: Array,
    *,
    strides: Ints = 1,
    padding: str = "valid",
    dilation: Ints = 1,
    groups: int = 1,
    data_format: str | None = None,
    path: str = "conv",
) -> Array:
    """Convolution over one, two or three spatial axes.

    `outputs[b, t, o] = sum over k, i of inputs[b, s t + r k - before, i] kernel[k, i, o]`; with groups, filter `o`
    sees only the channels of its own group.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; cast to the kernel's dtype.
        kernel: `(spatial..., c // groups, filters)`.
        strides: steps between windows, one int or one per spatial axis.
        padding: `"valid"` pads nothing; `"same"` pads zeros evenly, an odd one at the end, so that `ceil(n / stride)`
            windows fit; `"causal"` (one spatial axis) pads only in front, so that no output sees a later input.
        dilation: distance between the elements of a window.
        groups: the number of groups into which channels and filters are divided.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        path: the path of the layer, for messages.

    Returns:
        `(b, windows..., filters)`, or `(b, filters, windows...)`, in the kernel's dtype. Per spatial axis there are
        `floor((n - (k - 1) * dilation - 1) / stride) + 1` windows with `"valid"`, `ceil(n / stride)` otherwise.

    Raises:
        ShapeError: ranks or channels do not fit, or the input is smaller than a window.
        ArgumentError: an argument has a value that it cannot have.

    Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.

    >>> import jax.numpy as jnp
    >>> inputs, kernel = jnp.arange(5.0).reshape(1, 5, 1), jnp.array([1.0, 10.0]).reshape(2, 1, 1)
    >>> conv(inputs, kernel).ravel().tolist()
    [10.0, 21.0, 32.0, 43.0]
    >>> conv(inputs, kernel, padding="causal", strides=2).ravel().tolist()
    [0.0, 21.0, 43.0]
    """
    *kernel_size, _, _ = kernel.shape
    n = len(kernel_size)
    check_rank(inputs.shape, n, path)
    _check_groups(inputs.shape[channel_axis(n + 2, data_format)], kernel.shape, groups, path)
    rates = standardize_tuple(dilation, n, "dilation", path)
    padding = standardize_padding(padding, path, causal=n == 1)
    extents = [window_extent(size, rate) for size, rate in zip(kernel_size, rates, strict=True)]
    check_windows([inputs.shape[axis] for axis in spatial_axes(n + 2, data_format)], extents, padding, path)
    return lax.conv_general_dilated(
        inputs.astype(kernel.dtype),
        kernel,
        window_strides=standardize_tuple(strides, n, "strides", path),
        padding=[(extents[0] - 1, 0)] if padding == "causal" else padding.upper(),
        rhs_dilation=rates,
        dimension_numbers=dimension_numbers(n + 2, data_format),
        feature_group_count=groups,
    )


def depthwise_conv(
    inputs: Array,
    kernel: Array,
    *,
    strides: Ints = 1,
    padding: str = "valid",
    dilation: Ints = 1,
    data_format: str | None = None,
    path: str = "conv",
) -> Array:
    """Convolves every channel on its own, with `multiplier` kernels each.

    `outputs[b, t, i * multiplier + m] = sum over k of inputs[b, s t + r k - before, i] kernel[k, i, m]`

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        kernel: `(spatial..., c, multiplier)`.
        strides, padding, dilation, data_format, path: as in `conv`.

    Returns:
        As `conv` with `c * multiplier` filters.

    Raises:
        ShapeError: ranks or channels do not fit, or the input is smaller than a window.

    Source: L. Sifre, "Rigid-motion scattering for image classification", 2014, section 6.2.

    >>> import jax.numpy as jnp
    >>> inputs, kernel = jnp.array([[[1.0, 2.0], [3.0, 4.0]]]), jnp.array([[[1.0], [10.0]]])
    >>> depthwise_conv(inputs, kernel).tolist()
    [[[1.0, 20.0], [3.0, 40.0]]]
    """
    *kernel_size, channels, multiplier = kernel.shape
    return conv(
        inputs,
        jnp.reshape(kernel, (*kernel_size, 1, channels * multiplier)),
        strides=strides,
        padding=padding,
        dilation=dilation,
        groups=channels,
        data_format=data_format,
        path=path,
    )


def _check_groups(channels: int, kernel_shape: tuple[int, ...], groups: int, path: str) -> None:
    """Raises unless channels and filters divide into groups that fit the kernel."""
    *_, per_group, filters = kernel_shape
    if not isinstance(groups, int) or groups < 1 or filters % groups:
        rule = f"`groups` must be a positive divisor of the {filters} filters"
        raise ArgumentError.must(rule, repr(groups), path=path, write="groups=1")
    if channels != per_group * groups:
        raise ShapeError.must(
            f"the input must have the {per_group * groups} channels of the kernel",
            f"{channels} channels",
            path=path,
            expected=f"{per_group * groups} channels: {groups} group(s) of {per_group}, from kernel {kernel_shape}",
            write="conv(..., data_format='channels_first')   # if that is the layout of the input",
        )

"""Transposed convolution: the linear map that turns gradients of a convolution's outputs into those of its inputs.

For one spatial axis, stride `s` and dilation `r`,

    outputs[b, s * t + r * k - before, o] += inputs[b, t, i] * kernel[k, o, i]

for every input `t` and window element `k`. Kernels have the layout `(spatial..., filters, channels)`: that of the
convolution which it transposes.
"""

from collections.abc import Sequence

from jax import lax

from jkeras.errors import ShapeError
from jkeras.functional.arguments import standardize_padding, standardize_tuple
from jkeras.functional.convolution import dimension_numbers
from jkeras.functional.layout import channel_axis, check_rank
from jkeras.functional.windows import window_extent
from jkeras.typing import Array

Ints = int | Sequence[int]


def conv_transpose(
    inputs: Array,
    kernel: Array,
    *,
    strides: Ints = 1,
    padding: str = "valid",
    output_padding: Ints | None = None,
    dilation: Ints = 1,
    data_format: str | None = None,
    path: str = "conv_transpose",
) -> Array:
    """Transposed convolution over one, two or three spatial axes.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; cast to the kernel's dtype.
        kernel: `(spatial..., filters, c)`.
        strides: steps between the windows that inputs spread over, one int or one per spatial axis.
        padding: `"valid"` keeps every window whole; `"same"` makes `strides` outputs out of every input.
        output_padding: the number of outputs to add at the end; by default as many as `padding` needs.
        dilation: distance between the elements of a window.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        path: the path of the layer, for messages.

    Returns:
        In the kernel's dtype. Per spatial axis, with `e` the extent of a window and `p` the output padding: with
        `"valid"` `(n - 1) s + e + p` outputs, `p` being `max(s - e, 0)` by default; with `"same"` `n s`, or
        `(n - 1) s + e mod 2 + p` where `p` is given.

    Raises:
        ShapeError: ranks or channels do not fit.
        ArgumentError: an argument has a value that it cannot have.

    Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285,
    chapter 4.

    >>> import jax.numpy as jnp
    >>> inputs, kernel = jnp.array([1.0, 2.0]).reshape(1, 2, 1), jnp.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    >>> conv_transpose(inputs, kernel, strides=2).ravel().tolist()
    [1.0, 10.0, 102.0, 20.0, 200.0]
    >>> conv_transpose(inputs, kernel, strides=2, padding="same").ravel().tolist()
    [1.0, 10.0, 102.0, 20.0]
    """
    *kernel_size, _, channels = kernel.shape
    n = len(kernel_size)
    check_rank(inputs.shape, n, path)
    given = inputs.shape[channel_axis(n + 2, data_format)]
    if given != channels:
        rule, wanted = f"the input must have the {channels} channels of the kernel", f"{channels}, from {kernel.shape}"
        write = "conv_transpose(..., data_format='channels_first')   # if that is the layout of the input"
        raise ShapeError.must(rule, f"{given} channels", path=path, expected=wanted, write=write)
    rates = standardize_tuple(dilation, n, "dilation", path)
    steps = standardize_tuple(strides, n, "strides", path)
    more: tuple[int | None, ...] = (None,) * n
    if output_padding is not None:
        more = standardize_tuple(output_padding, n, "output_padding", path, minimum=0)
    padding = standardize_padding(padding, path)
    extents = [window_extent(size, rate) for size, rate in zip(kernel_size, rates, strict=True)]
    return lax.conv_transpose(
        inputs.astype(kernel.dtype),
        kernel,
        steps,
        [_pads(*axis, padding) for axis in zip(extents, steps, more, strict=True)],
        rhs_dilation=rates,
        dimension_numbers=dimension_numbers(n + 2, data_format),
        transpose_kernel=True,
    )


def _pads(extent: int, stride: int, more: int | None, padding: str) -> tuple[int, int]:
    """Zeros before and after the inputs, which are `stride` apart; `extent - 1` on both sides keep windows whole.

    >>> _pads(3, 2, None, "valid"), _pads(3, 2, None, "same")
    ((2, 2), (2, 1))
    """
    if padding == "valid":
        return extent - 1, extent - 1 + (max(stride - extent, 0) if more is None else more)
    total = extent + stride - 2 if more is None else extent + extent % 2 - 2 + more
    before = min(-(-total // 2), extent - 1)
    return before, total - before

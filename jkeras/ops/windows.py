"""Pooling and convolution in the table. In layers, messages of these functions begin with the path of
the layer; here they do not."""

from jkeras import functional
from jkeras.core.lift import lift, listed
from jkeras.functional import image
from jkeras.functional.layout import channel_axis
from jkeras.typing import Array, Sizes

depth_to_space = lift(image.depth_to_space, "depth_to_space")
fold = lift(image.fold, "fold")
space_to_depth = lift(image.space_to_depth, "space_to_depth")
unfold = lift(image.unfold, "unfold")


@listed
def adaptive_average_pool(inputs: Array, output_size: Sizes, data_format: str | None = None) -> Array:
    """The mean of every window, for a given number of windows, independent of the length of the input.

    `outputs[b, i, c] = mean over t in [floor(i n / m), ceil((i + 1) n / m)) of inputs[b, t, c]`, for `m` windows on an
    axis of `n` elements. Neighbours share elements where `m` does not divide `n`.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; any number of spatial axes.
        output_size: the number `m` of windows, one int or one per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `(b, output_size..., c)`, or `(b, c, output_size...)`, in the dtype of the inputs. Half precision is summed in
        float32; means of integers are float32.

    Raises:
        ArgumentError: `output_size` is neither a positive int nor one per spatial axis.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> inputs = jnp.arange(5.0).reshape(1, 5, 1)
    >>> adaptive_average_pool(inputs, 3).ravel().tolist()  # of 0 1, of 1 2 3, of 3 4
    [0.5, 2.0, 3.5]
    """
    return functional.adaptive_average_pool(inputs, output_size, data_format)


@listed
def adaptive_max_pool(inputs: Array, output_size: Sizes, data_format: str | None = None) -> Array:
    """The maximum of every window, for a given number of windows, independent of the length of the input.

    `outputs[b, i, c] = max over t in [floor(i n / m), ceil((i + 1) n / m)) of inputs[b, t, c]`, for `m` windows on an
    axis of `n` elements. Neighbours share elements where `m` does not divide `n`.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; any number of spatial axes.
        output_size: the number `m` of windows, one int or one per spatial axis.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `(b, output_size..., c)`, or `(b, c, output_size...)`, in the dtype of the inputs.

    Raises:
        ArgumentError: `output_size` is neither a positive int nor one per spatial axis.

    Source: K. He et al., "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729, section 2.3.

    >>> import jax.numpy as jnp
    >>> adaptive_max_pool(jnp.array([4, 1, 0, 3, 2]).reshape(1, 5, 1), 3).ravel().tolist()
    [4, 3, 3]
    """
    return functional.adaptive_max_pool(inputs, output_size, data_format)


@listed
def average_pool(
    inputs: Array,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The mean of every window, over the elements that are not padding.

    `outputs[b, t, c] = mean over k of inputs[b, s t + k - before, c]`, with stride `s` and `before` elements of padding
    in front.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`.
        pool_size: size of the window, one int or one per spatial axis.
        strides: steps between windows, likewise; the pool size by default, so that windows touch and do not overlap.
        padding: `"valid"` drops elements that do not fill a window; `"same"` keeps `ceil(n / stride)` windows.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `(b, windows..., c)`, or `(b, c, windows...)`, in the dtype of the inputs; per spatial axis there are
        `floor((n - size) / stride) + 1` windows with `"valid"`, `ceil(n / stride)` with `"same"`. Half precision is
        summed in float32; means of integers are float32.

    Raises:
        ShapeError: the input is smaller than a window.
        ArgumentError: an argument has a value that it cannot have.

    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 1998, section II.

    >>> import jax.numpy as jnp
    >>> inputs = jnp.arange(5.0).reshape(1, 5, 1)
    >>> average_pool(inputs, 2).ravel().tolist(), average_pool(inputs, 2, padding="same").ravel().tolist()
    ([0.5, 2.5], [0.5, 2.5, 4.0])
    """
    return functional.average_pool(inputs, pool_size, strides, padding, data_format)


@listed
def max_pool(
    inputs: Array,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Array:
    """The maximum of every window; padding is never the largest.

    `outputs[b, t, c] = max over k of inputs[b, s t + k - before, c]`, with stride `s` and `before` elements of padding
    in front.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; floats, integers or booleans.
        pool_size: size of the window, one int or one per spatial axis.
        strides: steps between windows, likewise; the pool size by default, so that windows touch and do not overlap.
        padding: `"valid"` drops elements that do not fill a window; `"same"` keeps `ceil(n / stride)` windows.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.

    Returns:
        `(b, windows..., c)`, or `(b, c, windows...)`, in the dtype of the inputs; per spatial axis there are
        `floor((n - size) / stride) + 1` windows with `"valid"`, `ceil(n / stride)` with `"same"`.

    Raises:
        ShapeError: the input is smaller than a window.
        ArgumentError: an argument has a value that it cannot have.

    Source: K. Yamaguchi et al., "A neural network for speaker-independent isolated word recognition", ICSLP 1990.

    >>> import jax.numpy as jnp
    >>> inputs = jnp.array([1.0, 5.0, 2.0, 4.0, 3.0]).reshape(1, 5, 1)
    >>> max_pool(inputs, 2).ravel().tolist(), max_pool(inputs, 2, strides=1).ravel().tolist()
    ([5.0, 4.0], [5.0, 5.0, 4.0, 4.0])
    """
    return functional.max_pool(inputs, pool_size, strides, padding, data_format)


@listed
def conv(
    inputs: Array,
    kernel: Array,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Array:
    """Convolution over one, two or three spatial axes.

    `outputs[b, t, o] = sum over k, i of inputs[b, s t + r k - before, i] kernel[k, i, o]`, with stride `s`, dilation
    `r` and `before` zeros in front. The kernel is not flipped. Where the kernel has `g` times fewer channels than the
    inputs, channels and filters are in `g` groups, and a filter sees only its own group.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; cast to the kernel's dtype.
        kernel: `(spatial..., c // g, filters)`, in either data format.
        strides: steps between windows, one int or one per spatial axis.
        padding: `"valid"` pads nothing; `"same"` pads zeros evenly, an odd one at the end, so that `ceil(n / stride)`
            windows fit; `"causal"` (one spatial axis) pads only in front, so that no output sees a later input.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        dilation_rate: distance between the elements of a window, one int or one per spatial axis.

    Returns:
        `(b, windows..., filters)`, or `(b, filters, windows...)`, in the kernel's dtype. Per spatial axis there are
        `floor((n - (k - 1) r - 1) / s) + 1` windows with `"valid"`, `ceil(n / s)` otherwise.

    Raises:
        ShapeError: ranks or channels do not fit, or the input is smaller than a window.
        ArgumentError: an argument has a value that it cannot have.

    Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.

    >>> import jax.numpy as jnp
    >>> inputs, kernel = jnp.arange(5.0).reshape(1, 5, 1), jnp.array([1.0, 10.0]).reshape(2, 1, 1)
    >>> conv(inputs, kernel).ravel().tolist(), conv(inputs, kernel, dilation_rate=2).ravel().tolist()
    ([10.0, 21.0, 32.0, 43.0], [20.0, 31.0, 42.0])
    """
    return functional.conv(
        inputs,
        kernel,
        strides=strides,
        padding=padding,
        dilation=dilation_rate,
        groups=_groups(inputs.shape[channel_axis(inputs.ndim, data_format)], *kernel.shape[-2:]),
        data_format=data_format,
    )


def _groups(channels: int, per_group: int, filters: int) -> int:
    """The number of groups; one where the channels fit no number of them."""
    groups = channels // per_group
    return groups if groups * per_group == channels and filters % groups == 0 else 1


@listed
def depthwise_conv(
    inputs: Array,
    kernel: Array,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Array:
    """Convolution of every channel on its own, with `multiplier` kernels each.

    `outputs[b, t, i multiplier + m] = sum over k of inputs[b, s t + r k - before, i] kernel[k, i, m]`, with stride `s`,
    dilation `r` and `before` zeros in front.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; cast to the kernel's dtype.
        kernel: `(spatial..., c, multiplier)`, in either data format.
        strides: steps between windows, one int or one per spatial axis.
        padding: `"valid"` pads nothing; `"same"` pads zeros evenly, an odd one at the end, so that `ceil(n / stride)`
            windows fit; `"causal"` (one spatial axis) pads only in front, so that no output sees a later input.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        dilation_rate: distance between the elements of a window, one int or one per spatial axis.

    Returns:
        `(b, windows..., c multiplier)`, or `(b, c multiplier, windows...)`, in the kernel's dtype; as many windows as
        in `conv`.

    Raises:
        ShapeError: ranks or channels do not fit, or the input is smaller than a window.
        ArgumentError: an argument has a value that it cannot have.

    Source: L. Sifre, "Rigid-motion scattering for image classification", 2014, section 6.2.

    >>> import jax.numpy as jnp
    >>> inputs, kernel = jnp.array([[[1.0, 2.0], [3.0, 4.0]]]), jnp.array([[[1.0], [10.0]]])
    >>> depthwise_conv(inputs, kernel).tolist()
    [[[1.0, 20.0], [3.0, 40.0]]]
    """
    return functional.depthwise_conv(
        inputs, kernel, strides=strides, padding=padding, dilation=dilation_rate, data_format=data_format
    )


@listed
def separable_conv(
    inputs: Array,
    depthwise_kernel: Array,
    pointwise_kernel: Array,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Array:
    """`depthwise_conv`, and then a convolution with windows of one element that mixes the channels.

    `outputs[b, t, o] = sum over i of depthwise[b, t, i] pointwise_kernel[i, o]`, where `depthwise` is the output of
    `depthwise_conv` with the other arguments.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; cast to the kernels' dtype.
        depthwise_kernel: `(spatial..., c, multiplier)`, in either data format.
        pointwise_kernel: `(1..., c multiplier, filters)`, a one for each spatial axis.
        strides: steps between windows of the depthwise convolution, one int or one per spatial axis.
        padding: its padding: `"valid"`, `"same"` or, with one spatial axis, `"causal"`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        dilation_rate: distance between the elements of its windows, one int or one per spatial axis.

    Returns:
        `(b, windows..., filters)`, or `(b, filters, windows...)`, in the dtype of the pointwise kernel; as many windows
        as in `conv`.

    Raises:
        ShapeError: ranks or channels do not fit, or the input is smaller than a window.
        ArgumentError: an argument has a value that it cannot have.

    Source: F. Chollet, "Xception: deep learning with depthwise separable convolutions", arXiv:1610.02357.

    >>> import jax.numpy as jnp
    >>> inputs, depthwise_kernel = jnp.array([[[1.0, 2.0], [3.0, 4.0]]]), jnp.array([[[1.0], [10.0]]])
    >>> separable_conv(inputs, depthwise_kernel, jnp.ones((1, 2, 1))).tolist()
    [[[21.0], [43.0]]]
    """
    depthwise = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return functional.conv(depthwise, pointwise_kernel, data_format=data_format)


@listed
def conv_transpose(
    inputs: Array,
    kernel: Array,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Array:
    """Transposed convolution: every input spreads a window of outputs; where windows overlap, they add up.

    `outputs[b, s t + r k - before, o] += inputs[b, t, i] kernel[k, o, i]` for every input `t`, window element `k` and
    channel `i`, with stride `s` and dilation `r`; `padding` cuts `before` outputs off in front.

    Args:
        inputs: `(b, spatial..., c)`, or `(b, c, spatial...)` with `"channels_first"`; cast to the kernel's dtype.
        kernel: `(spatial..., filters, c)`, in either data format: that of the convolution which this one transposes.
        strides: steps between the windows that inputs spread over, one int or one per spatial axis.
        padding: `"valid"` keeps every window whole; `"same"` makes `strides` outputs out of every input.
        output_padding: the number of outputs to add at the end, one int or one per spatial axis; by default as many as
            `padding` needs.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the configured one.
        dilation_rate: distance between the elements of a window, one int or one per spatial axis.

    Returns:
        `(b, spatial..., filters)`, or `(b, filters, spatial...)`, in the kernel's dtype. Per spatial axis, with the
        extent `e = (k - 1) r + 1` of a window and the output padding `p`: `(n - 1) s + e + p` outputs with `"valid"`,
        where `p` is `max(s - e, 0)` by default; with `"same"` `n s`, or `(n - 1) s + e mod 2 + p` where `p` is given.

    Raises:
        ShapeError: ranks or channels do not fit.
        ArgumentError: an argument has a value that it cannot have.

    Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285,
    chapter 4.

    >>> import jax.numpy as jnp
    >>> inputs, kernel = jnp.array([1.0, 2.0]).reshape(1, 2, 1), jnp.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    >>> conv_transpose(inputs, kernel, strides=2).ravel().tolist()
    [1.0, 10.0, 102.0, 20.0, 200.0]
    """
    return functional.conv_transpose(
        inputs,
        kernel,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation_rate,
        data_format=data_format,
    )


__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "conv",
    "conv_transpose",
    "depth_to_space",
    "depthwise_conv",
    "fold",
    "max_pool",
    "separable_conv",
    "space_to_depth",
    "unfold",
]

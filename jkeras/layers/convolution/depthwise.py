"""DepthwiseConv1D, DepthwiseConv2D: every channel convolved on its own."""

from typing import Unpack

from jkeras import arguments, registry
from jkeras.core.options import PlainOptions
from jkeras.functional import depthwise_conv
from jkeras.layers.convolution.base import WindowLayer
from jkeras.layers.weights import declare, describe
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape, Sizes


class DepthwiseConv(WindowLayer):
    """`activation(depthwise_conv(x, kernel) + bias)` over `rank` spatial axes."""

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Unpack[PlainOptions],
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            bias_constraint,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        owner = type(self).__name__
        self.depth_multiplier = arguments.positive_int(
            depth_multiplier, "depth_multiplier", owner, f"{owner}(kernel_size=3)"
        )
        describe(self, "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)

    def build(self, input_shape: Shape) -> None:
        channels = self.channels_of(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = declare(self, "depthwise", shape, name="kernel")
        self.declare_bias(channels * self.depth_multiplier)

    def call(self, inputs: Array) -> Array:
        return self.finish(depthwise_conv(inputs, self.kernel.value, **self.window))


@registry.export("keras.layers")
class DepthwiseConv1D(DepthwiseConv):
    """Convolution of every channel on its own, over time.

    `outputs[b, t, i m + j] = f(sum over k of inputs[b, s t + r k - before, i] kernel[k, i, j] + bias[i m + j])`,
    with activation `f`, strides `s`, dilation `r` and depth multiplier `m`.

    Args:
        kernel_size: the sides of a window, an int.
        strides: steps between windows, an int.
        padding: `"valid"` pads nothing; `"same"` pads zeros evenly, an odd one at the end.
        depth_multiplier: how many outputs `m` every channel has.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        dilation_rate: distance between the elements of a window, an int.
        activation: a name or function; linear by default.
        use_bias: whether a bias is added.
        depthwise_initializer, bias_initializer: names, configs or objects.
        depthwise_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        depthwise_constraint, bias_constraint: projections applied after each update.

    Shapes:
        `(b, t, c)` -> the same rank with `c m` channels; `kernel (k, c, m)`, `bias (c m,)`. Windows as in
        `Conv1D`.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank, other channels than the kernel, or is smaller than a window.

    Source: L. Sifre, "Rigid-motion scattering for image classification", 2014, section 6.2.

    >>> import jax, jax.numpy as jnp
    >>> layer, x = DepthwiseConv1D(2, depthwise_initializer="ones"), jnp.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0].tolist()
    [[[4.0, 6.0]]]
    """

    rank = 1


@registry.export("keras.layers")
class DepthwiseConv2D(DepthwiseConv):
    """Convolution of every channel on its own, over images.

    Output channel `i m + j` is the activation of the sum over the window of `inputs[..., i] kernel[..., i, j]` and a
    bias, with depth multiplier `m`.

    Args:
        padding, depth_multiplier, data_format, activation, use_bias: as in `DepthwiseConv1D`.
        kernel_size, strides, dilation_rate: one int or two, as in `DepthwiseConv1D`.
        depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer: as in `DepthwiseConv1D`.
        activity_regularizer, depthwise_constraint, bias_constraint: as in `DepthwiseConv1D`.

    Shapes:
        `(b, h, w, c)` -> the same rank with `c m` channels; `kernel (k, l, c, m)`, `bias (c m,)`. Windows as in
        `Conv1D`.

    Raises:
        ArgumentError, ShapeError: as in `DepthwiseConv1D`.

    Source: L. Sifre, "Rigid-motion scattering for image classification", 2014, section 6.2.

    >>> import jax, jax.numpy as jnp
    >>> layer, x = DepthwiseConv2D(2, depthwise_initializer="ones"), jnp.arange(8.0).reshape(1, 2, 2, 2)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0].ravel().tolist()
    [12.0, 16.0]
    """

    rank = 2

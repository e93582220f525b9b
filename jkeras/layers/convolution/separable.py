"""SeparableConv1D, SeparableConv2D: every channel on its own, then all channels at every point."""

from typing import Unpack

from jkeras import arguments, registry
from jkeras.core.options import PlainOptions
from jkeras.functional import conv, depthwise_conv
from jkeras.layers.convolution.base import WindowLayer
from jkeras.layers.weights import declare, describe
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape, Sizes


class SeparableConv(WindowLayer):
    """`activation(conv(depthwise_conv(x, depthwise_kernel), pointwise_kernel) + bias)` over `rank` spatial axes."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        depth_multiplier: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        depthwise_constraint: ConstraintLike = None,
        pointwise_constraint: ConstraintLike = None,
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
        example = f"{owner}(filters=32, kernel_size=3)"
        self.filters = arguments.positive_int(filters, "filters", owner, example)
        self.depth_multiplier = arguments.positive_int(depth_multiplier, "depth_multiplier", owner, example)
        describe(self, "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        describe(self, "pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint)

    def build(self, input_shape: Shape) -> None:
        channels = self.channels_of(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = declare(self, "depthwise", shape, name="depthwise_kernel")
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = declare(self, "pointwise", shape, name="pointwise_kernel")
        self.declare_bias(self.filters)

    def call(self, inputs: Array) -> Array:
        outputs = depthwise_conv(inputs, self.depthwise_kernel.value, **self.window)  # (b, windows..., c m)
        return self.finish(conv(outputs, self.pointwise_kernel.value, data_format=self.data_format))


@registry.export("keras.layers")
class SeparableConv1D(SeparableConv):
    """Convolution over time in two steps: every channel on its own, then a product with a matrix at every point.

    `outputs[..., o] = activation(sum over i of depthwise[..., i] pointwise_kernel[i, o] + bias[o])`, where `depthwise`
    is what `DepthwiseConv1D` computes without bias.

    Args:
        filters: the number `o` of output channels.
        kernel_size: the sides of a window, an int.
        strides: steps between windows, an int.
        padding: `"valid"` pads nothing; `"same"` pads zeros evenly, an odd one at the end.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        dilation_rate: distance between the elements of a window, an int.
        depth_multiplier: how many outputs `m` every channel has in the first step.
        activation: a name or function; linear by default.
        use_bias: whether a bias is added.
        depthwise_initializer, pointwise_initializer, bias_initializer: names, configs or objects.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        depthwise_constraint, pointwise_constraint, bias_constraint: projections applied after each update.

    Shapes:
        `(b, t, c)` -> the same rank with `o` channels; `depthwise_kernel (k, c, m)`,
        `pointwise_kernel (1, c m, o)`, `bias (o,)`. Windows as in `Conv1D`.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank, other channels than the kernel, or is smaller than a window.

    Source: F. Chollet, "Xception: Deep learning with depthwise separable convolutions", arXiv:1610.02357.

    >>> import jax, jax.numpy as jnp
    >>> layer = SeparableConv1D(1, 2, depthwise_initializer="ones", pointwise_initializer="ones")
    >>> x = jnp.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0].ravel().tolist()
    [10.0]
    """

    rank = 1


@registry.export("keras.layers")
class SeparableConv2D(SeparableConv):
    """Convolution over images in two steps: every channel on its own, then a product with a matrix at every point.

    `outputs[..., o] = activation(sum over i of depthwise[..., i] pointwise_kernel[i, o] + bias[o])`, where `depthwise`
    is what `DepthwiseConv2D` computes without bias.

    Args:
        filters, padding, data_format, depth_multiplier, activation, use_bias: as in `SeparableConv1D`.
        kernel_size, strides, dilation_rate: one int or two, as in `SeparableConv1D`.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: as in `SeparableConv1D`.
        pointwise_initializer, pointwise_regularizer, pointwise_constraint: as in `SeparableConv1D`.
        bias_initializer, bias_regularizer, bias_constraint, activity_regularizer: as in `SeparableConv1D`.

    Shapes:
        `(b, h, w, c)` -> the same rank with `o` channels; `depthwise_kernel (k, l, c, m)`,
        `pointwise_kernel (1, 1, c m, o)`, `bias (o,)`. Windows as in `Conv1D`.

    Raises:
        ArgumentError, ShapeError: as in `SeparableConv1D`.

    Source: F. Chollet, "Xception: Deep learning with depthwise separable convolutions", arXiv:1610.02357.

    >>> import jax, jax.numpy as jnp
    >>> layer = SeparableConv2D(1, 2, depthwise_initializer="ones", pointwise_initializer="ones")
    >>> x = jnp.arange(8.0).reshape(1, 2, 2, 2)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0].ravel().tolist()
    [28.0]
    """

    rank = 2

"""Conv1DTranspose, Conv2DTranspose, Conv3DTranspose: the linear map that is a convolution's gradient."""

from typing import Any, Unpack

from jkeras import arguments, registry
from jkeras.core.options import PlainOptions
from jkeras.errors import ArgumentError
from jkeras.functional import conv_transpose
from jkeras.functional.arguments import standardize_tuple
from jkeras.layers.convolution.base import WindowLayer
from jkeras.layers.weights import declare, describe
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape, Sizes


class ConvTranspose(WindowLayer):
    """`activation(conv_transpose(x, kernel) + bias)` over `rank` spatial axes."""

    strides_or_dilation = True

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        output_padding: Sizes | None = None,
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
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
        self.filters = arguments.positive_int(filters, "filters", owner, f"{owner}(filters=32, kernel_size=3)")
        self.output_padding = _output_padding(output_padding, self.strides, owner)
        describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)

    def build(self, input_shape: Shape) -> None:
        channels = self.channels_of(input_shape)
        self.kernel = declare(self, "kernel", (*self.kernel_size, self.filters, channels))
        self.declare_bias(self.filters)

    def call(self, inputs: Array) -> Array:
        return self.finish(conv_transpose(inputs, self.kernel.value, output_padding=self.output_padding, **self.window))


def _output_padding(value: Any, strides: tuple[int, ...], owner: str) -> tuple[int, ...] | None:
    """How many outputs to add at the end, per axis: less than the strides."""
    if value is None:
        return None
    more = standardize_tuple(value, len(strides), "output_padding", owner, minimum=0)
    if any(added >= step for added, step in zip(more, strides, strict=True)):
        rule, received = "`output_padding` must be less than `strides`", f"{more} for strides {strides}"
        write = f"{owner}(..., output_padding={tuple(step - 1 for step in strides)})"
        raise ArgumentError.must(rule, received, path=owner, expected=f"output_padding below {strides}", write=write)
    return more


@registry.export("keras.layers")
class Conv1DTranspose(ConvTranspose):
    """Transposed convolution over time: every input spreads a kernel over the outputs.

    `outputs[b, s t + r k - before, o]` gets `inputs[b, t, i] kernel[k, o, i]`, summed over all `t`, `k` and `i`; with
    strides `s` and dilation `r`.

    Args:
        filters: the number `o` of output channels.
        kernel_size: the sides of a window, an int.
        strides: steps between the windows that inputs spread over, an int.
        padding: `"valid"` keeps every window whole; `"same"` makes `strides` outputs out of every input.
        output_padding: how many outputs to add after what the windows cover, less than the strides; by default what
            `padding` needs.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        dilation_rate: distance between the elements of a window, an int. Not together with strides.
        activation: a name or function; linear by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: names, configs or objects.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: projections applied after each update.

    Shapes:
        `(b, t, c)` -> the same rank with `o` channels; `kernel (k, o, c)`, `bias (o,)`. Per spatial axis
        `(n - 1) s + max(extent, s)` outputs with `"valid"`, `n s` with `"same"`, where `extent = (k - 1) r + 1`.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank, or other channels than the kernel.

    Source: M. D. Zeiler et al., "Deconvolutional networks", CVPR 2010; V. Dumoulin and F. Visin, arXiv:1603.07285.

    >>> import jax, jax.numpy as jnp
    >>> layer, x = Conv1DTranspose(1, 3, strides=2, kernel_initializer="ones"), jnp.array([1.0, 10.0]).reshape(1, 2, 1)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0].ravel().tolist()
    [1.0, 1.0, 11.0, 10.0, 10.0]
    """

    rank = 1


@registry.export("keras.layers")
class Conv2DTranspose(ConvTranspose):
    """Transposed convolution over images: every input spreads a kernel over the outputs.

    `outputs[b, s t + r k - before, o]` gets `inputs[b, t, i] kernel[k, o, i]`, summed over all `t`, `k` and `i`; with
    strides `s` and dilation `r`, on every spatial axis.

    Args:
        filters, padding, output_padding, data_format, activation, use_bias: as in `Conv1DTranspose`.
        kernel_size, strides, dilation_rate: one int or two, as in `Conv1DTranspose`.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as in `Conv1DTranspose`.
        activity_regularizer, kernel_constraint, bias_constraint: as in `Conv1DTranspose`.

    Shapes:
        `(b, h, w, c)` -> the same rank with `o` channels; `kernel (k, l, o, c)`, `bias (o,)`. Per spatial axis
        `(n - 1) s + max(extent, s)` outputs with `"valid"`, `n s` with `"same"`, where `extent = (k - 1) r + 1`.

    Raises:
        ArgumentError, ShapeError: as in `Conv1DTranspose`.

    Source: M. D. Zeiler et al., "Deconvolutional networks", CVPR 2010; V. Dumoulin and F. Visin, arXiv:1603.07285.

    >>> import jax, jax.numpy as jnp
    >>> layer = Conv2DTranspose(1, 2, strides=2, kernel_initializer="ones")
    >>> x = jnp.array([1.0, 10.0]).reshape(1, 1, 2, 1)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0][0, ..., 0].tolist()
    [[1.0, 1.0, 10.0, 10.0], [1.0, 1.0, 10.0, 10.0]]
    """

    rank = 2


@registry.export("keras.layers")
class Conv3DTranspose(ConvTranspose):
    """Transposed convolution over volumes: every input spreads a kernel over the outputs.

    `outputs[b, s t + r k - before, o]` gets `inputs[b, t, i] kernel[k, o, i]`, summed over all `t`, `k` and `i`; with
    strides `s` and dilation `r`, on every spatial axis.

    Args:
        filters, padding, output_padding, data_format, activation, use_bias: as in `Conv1DTranspose`.
        kernel_size, strides, dilation_rate: one int or three, as in `Conv1DTranspose`.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as in `Conv1DTranspose`.
        activity_regularizer, kernel_constraint, bias_constraint: as in `Conv1DTranspose`.

    Shapes:
        `(b, d, h, w, c)` -> the same rank with `o` channels; `kernel (k, l, m, o, c)`, `bias (o,)`. Per spatial axis
        `(n - 1) s + max(extent, s)` outputs with `"valid"`, `n s` with `"same"`, where `extent = (k - 1) r + 1`.

    Raises:
        ArgumentError, ShapeError: as in `Conv1DTranspose`.

    Source: M. D. Zeiler et al., "Deconvolutional networks", CVPR 2010; V. Dumoulin and F. Visin, arXiv:1603.07285.

    >>> import jax, jax.numpy as jnp
    >>> layer, x = Conv3DTranspose(1, (1, 2, 2), kernel_initializer="ones"), jnp.ones((1, 1, 1, 1, 1))
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0][0, ..., 0].tolist()
    [[[1.0, 1.0], [1.0, 1.0]]]
    """

    rank = 3

"""Conv1D, Conv2D, Conv3D: a weighted sum over every window."""

import math
from typing import Any

from jkeras import arguments, registry
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional import conv
from jkeras.layers.convolution.base import WindowLayer
from jkeras.layers.weights import declare, describe
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape, Sizes


class Conv(WindowLayer):
    """`activation(conv(x, kernel) + bias)` over `rank` spatial axes.

    Low-rank adaptation of kernels is not offered: `lora_rank` and `lora_alpha`, which configs of Keras may have, must
    be `None`.
    """

    causal = True
    strides_or_dilation = True

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        groups: int = 1,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__
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
            **without_adaptation(kwargs, owner),
        )
        self.filters = arguments.positive_int(filters, "filters", owner, f"{owner}(filters=32, kernel_size=3)")
        self.groups = arguments.positive_int(groups, "groups", owner, f"{owner}(..., groups=1)")
        describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        if self.filters % self.groups:
            raise ArgumentError(
                f"`filters` must be a multiple of `groups`, got {self.filters} and {self.groups}.",
                path=owner,
                expected=f"groups that divide {self.filters} filters",
                received=f"groups={self.groups}",
                write=f"{owner}(..., groups=1)",
            )

    def build(self, input_shape: Shape) -> None:
        channels = self.channels_of(input_shape)
        if channels % self.groups:
            write = f"{type(self).__name__}(..., groups={math.gcd(channels, self.groups)})"
            raise ShapeError.must(
                "the number of channels of the input must be a multiple of `groups`",
                f"{channels} channels, input shape {input_shape}",
                path=self._label,
                expected=f"a multiple of {self.groups} channels",
                write=write,
            )
        self.kernel = declare(self, "kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self.declare_bias(self.filters)

    def call(self, inputs: Array) -> Array:
        return self.finish(conv(inputs, self.kernel.value, groups=self.groups, **self.window))


def without_adaptation(kwargs: dict[str, Any], owner: str) -> dict[str, Any]:
    """The keywords without Keras's `lora_rank` and `lora_alpha`; only `None` means something here.

    >>> without_adaptation({"lora_rank": None, "name": "stem"}, "Conv2D")
    {'name': 'stem'}
    """
    for name in ("lora_rank", "lora_alpha"):
        if kwargs.get(name) is not None:
            raise ArgumentError(
                f"`{name}` must be None, because LoRA does not adapt the kernels of convolutions.",
                path=owner,
                expected=f"{name}=None",
                received=f"{name}={kwargs[name]!r}",
                write=f"{owner}(..., {name}=None)",
            )
    return {name: value for name, value in kwargs.items() if name not in ("lora_rank", "lora_alpha")}


@registry.export("keras.layers")
class Conv1D(Conv):
    """Convolution over time.

    `outputs[b, t, o] = activation(sum over k, i of inputs[b, s t + r k - before, i] kernel[k, i, o] + bias[o])` with
    strides `s` and dilation `r`.

    Args:
        filters: the number `o` of output channels.
        kernel_size: how many steps a window sees.
        strides: steps between windows.
        padding: `"valid"`, `"same"`, or `"causal"`: zeros only in front, so that no output sees a later input.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        dilation_rate: distance between the steps of a window. Not together with strides.
        groups: into how many groups channels and filters are divided; filters see the channels of their group.
        activation: a name or function; linear by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: names, configs or objects.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: projections applied after each update.

    Shapes:
        `(b, t, i)` -> `(b, windows, o)`; `kernel (k, i // groups, o)`, `bias (o,)`. With `"channels_first"` the
        channels come before the time. `floor((t - (k - 1) r - 1) / s) + 1` windows with `"valid"`, `ceil(t / s)`
        otherwise.

    Raises:
        ArgumentError: an argument has a value that it cannot have.
        ShapeError: the input has another rank, other channels than the kernel, or is shorter than a window.

    Source: A. Waibel et al., "Phoneme recognition using time-delay neural networks", IEEE TASSP 1989.

    >>> import jax, jax.numpy as jnp
    >>> layer, x = Conv1D(1, 2, padding="causal", kernel_initializer="ones"), jnp.arange(4.0).reshape(1, 4, 1)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0].ravel().tolist()
    [0.0, 1.0, 3.0, 5.0]
    """

    rank = 1


@registry.export("keras.layers")
class Conv2D(Conv):
    """Convolution over images.

    `outputs[b, y, x, o] = activation(sum over k, l, i of inputs[b, y + k, x + l, i] kernel[k, l, i, o] + bias[o])`,
    with steps and distances as strides and dilation say.

    Args:
        filters, data_format, groups, activation, use_bias: as in `Conv1D`.
        kernel_size, strides: height and width of a window, and steps between windows, one int or two.
        padding: `"valid"` pads nothing; `"same"` pads zeros evenly, the odd one below and to the right.
        dilation_rate: distance between the elements of a window, one int or two. Not together with strides.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as in `Conv1D`.
        activity_regularizer, kernel_constraint, bias_constraint: as in `Conv1D`.

    Shapes:
        `(b, h, w, i)` -> `(b, windows, windows, o)`; `kernel (k, l, i // groups, o)`, `bias (o,)`. With
        `"channels_first"` `(b, i, h, w)` -> `(b, o, windows, windows)`. Windows as in `Conv1D`.

    Raises:
        ArgumentError, ShapeError: as in `Conv1D`.

    Source: Y. LeCun et al., "Backpropagation applied to handwritten zip code recognition", Neural Computation 1989;
    arithmetic in V. Dumoulin and F. Visin, arXiv:1603.07285.

    >>> import jax, jax.numpy as jnp
    >>> layer, x = Conv2D(1, 2, kernel_initializer="ones"), jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0][0, :, :, 0].tolist()
    [[8.0, 12.0], [20.0, 24.0]]
    """

    rank = 2


@registry.export("keras.layers")
class Conv3D(Conv):
    """Convolution over volumes, or over videos.

    `outputs[b, z, y, x, o]` is the activation of the weighted sum over the window at `(z, y, x)`, as in `Conv2D`.

    Args:
        filters, data_format, groups, activation, use_bias: as in `Conv1D`.
        kernel_size, strides, dilation_rate: one int or three, as in `Conv2D`.
        padding: as in `Conv2D`, with an odd zero at the end.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: as in `Conv1D`.
        activity_regularizer, kernel_constraint, bias_constraint: as in `Conv1D`.

    Shapes:
        `(b, d, h, w, i)` -> `(b, windows, windows, windows, o)`; `kernel (k, l, m, i // groups, o)`, `bias (o,)`. With
        `"channels_first"` the channels come before the spatial axes. Windows as in `Conv1D`.

    Raises:
        ArgumentError, ShapeError: as in `Conv1D`.

    Source: S. Ji et al., "3D convolutional neural networks for human action recognition", ICML 2010.

    >>> import jax, jax.numpy as jnp
    >>> layer, x = Conv3D(1, 2, kernel_initializer="ones"), jnp.ones((1, 2, 2, 3, 1))
    >>> layer.stateless_call(*layer.init(jax.random.key(0), x), x)[0].ravel().tolist()
    [8.0, 8.0]
    """

    rank = 3

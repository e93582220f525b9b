"""WindowLayer: what all layers share that sum over windows with learned weights.

It keeps the arguments of the window and of the bias, knows the channels, adds the bias and applies the activation.
What the kernels are, and how they are summed, is the business of its subclasses.
"""

from typing import Any, ClassVar, Unpack

from jkeras.config import standardize_data_format
from jkeras.core import InputSpec, Layer, Variable
from jkeras.core.options import LayerOptions
from jkeras.errors import BuildError
from jkeras.functional.arguments import standardize_padding, standardize_tuple
from jkeras.functional.layout import along, channel_axis
from jkeras.layers.arguments import ActivationAttribute, check_strides_or_dilation
from jkeras.layers.weights import declare, describe
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape, Sizes


class WindowLayer(Layer):
    """The base of convolutions over `rank` spatial axes.

    Attributes:
        rank: the number of spatial axes.
        causal: whether `padding="causal"` is offered, for one axis.
        strides_or_dilation: whether strides and dilation exclude each other, as they do in Keras.
    """

    rank: ClassVar[int]
    causal: ClassVar[bool] = False
    strides_or_dilation: ClassVar[bool] = False

    activation = ActivationAttribute()

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes,
        padding: str,
        data_format: str | None,
        dilation_rate: Sizes,
        activation: ActivationLike,
        use_bias: bool,
        bias_initializer: InitializerLike,
        bias_regularizer: RegularizerLike,
        bias_constraint: ConstraintLike,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.kernel_size = standardize_tuple(kernel_size, self.rank, "kernel_size", owner)
        self.strides = standardize_tuple(strides, self.rank, "strides", owner)
        self.padding = standardize_padding(padding, owner, causal=self.causal and self.rank == 1)
        self.data_format = standardize_data_format(data_format)
        self.dilation_rate = standardize_tuple(dilation_rate, self.rank, "dilation_rate", owner)
        self.activation = activation
        self.use_bias = bool(use_bias)
        describe(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.bias: Variable | None = None
        self.input_spec = InputSpec(ndim=self.rank + 2)
        if self.strides_or_dilation:
            check_strides_or_dilation(self.strides, self.dilation_rate, owner)

    @property
    def channel_axis(self) -> int:
        """The axis of the channels."""
        return channel_axis(self.rank + 2, self.data_format)

    def channels_of(self, input_shape: Shape) -> int:
        """The number of channels, which inputs must have from now on. Raises `BuildError` where it is not known."""
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise BuildError(
                "the number of channels must be known, because it is in the shape of the kernel.",
                path=self._label,
                expected=f"an int as dimension {self.channel_axis}",
                received=input_shape,
                write="jkeras.Input((28, 28, 3))   # or data_format=..., if the channels are on another axis",
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        return channels

    def declare_bias(self, filters: int) -> None:
        """Declares the bias, if there is to be one."""
        if self.use_bias:
            self.bias = declare(self, "bias", (filters,))

    @property
    def window(self) -> dict[str, Any]:
        """How the functions of `jkeras.functional` are told what a window is."""
        return {
            "strides": self.strides,
            "padding": self.padding,
            "dilation": self.dilation_rate,
            "data_format": self.data_format,
            "path": self._label,
        }

    def finish(self, outputs: Array) -> Array:
        """`activation(outputs + bias)`."""
        if self.bias is not None:
            outputs = outputs + along(self.bias.value, outputs.ndim, self.channel_axis)
        activated: Array = self.activation(outputs)
        return activated

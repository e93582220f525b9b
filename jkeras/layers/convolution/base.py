"""BaseConv: what convolutions over one, two and three spatial axes share: everything but the number of axes."""

from typing import Any, ClassVar

from jkeras import activations, constraints, initializers, regularizers
from jkeras.config import standardize_data_format
from jkeras.core import InputSpec, Layer, Variable
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional import conv
from jkeras.functional.arguments import standardize_padding, standardize_tuple
from jkeras.functional.layout import along, channel_axis
from jkeras.layers.arguments import positive_int
from jkeras.layers.convolution.channels import known_channels
from jkeras.typing import Array


class BaseConv(Layer):
    """`activation(conv(x, kernel) + bias)`.

    Subclasses set `rank` and document the arguments. Low-rank adaptation of kernels is not offered: `lora_rank` and
    `lora_alpha`, which Keras's configs may have, must be `None`.

    Attributes:
        rank: the number of spatial axes.
    """

    rank: ClassVar[int]

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__
        super().__init__(activity_regularizer=activity_regularizer, **without_adaptation(kwargs, owner))
        self.filters = positive_int(filters, "filters", owner, f"{owner}(filters=32, kernel_size=3)")
        self.kernel_size = standardize_tuple(kernel_size, self.rank, "kernel_size", owner)
        self.strides = standardize_tuple(strides, self.rank, "strides", owner)
        self.padding = standardize_padding(padding, owner, causal=self.rank == 1)
        self.data_format = standardize_data_format(data_format)
        self.dilation_rate = standardize_tuple(dilation_rate, self.rank, "dilation_rate", owner)
        self.groups = positive_int(groups, "groups", owner, f"{owner}(..., groups=1)")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Variable | None = None
        self.input_spec = InputSpec(ndim=self.rank + 2)
        check_strides(self.strides, self.dilation_rate, owner)
        if self.filters % self.groups:
            raise ArgumentError(
                "the filters do not divide into groups.",
                path=owner,
                expected=f"groups that divide {self.filters} filters",
                received=f"groups={self.groups}",
            )

    def build(self, input_shape: Any) -> None:
        axis = channel_axis(self.rank + 2, self.data_format)
        channels = known_channels(input_shape, axis, self.path or self.name)
        if channels % self.groups:
            raise ShapeError(
                "the channels of the input do not divide into groups.",
                path=self.path or self.name,
                expected=f"a multiple of {self.groups} channels",
                received=f"{channels} channels, input shape {input_shape}",
            )
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})

    def call(self, inputs: Array) -> Array:
        outputs = conv(
            inputs,
            self.kernel.value,
            strides=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=self.groups,
            data_format=self.data_format,
            path=self.path or self.name,
        )  # (b, windows..., filters)
        if self.bias is not None:
            outputs = outputs + along(self.bias.value, outputs.ndim, channel_axis(outputs.ndim, self.data_format))
        return self.activation(outputs)


def without_adaptation(kwargs: dict[str, Any], owner: str) -> dict[str, Any]:
    """The keywords without Keras's `lora_rank` and `lora_alpha`; only `None` means something here.

    >>> without_adaptation({"lora_rank": None, "name": "stem"}, "Conv2D")
    {'name': 'stem'}
    """
    for name in ("lora_rank", "lora_alpha"):
        if kwargs.get(name) is not None:
            raise ArgumentError(
                "kernels of convolutions are not adapted.",
                path=owner,
                expected=f"{name}=None",
                received=f"{name}={kwargs[name]!r}",
            )
    return {name: value for name, value in kwargs.items() if name not in ("lora_rank", "lora_alpha")}


def check_strides(strides: tuple[int, ...], dilation_rate: tuple[int, ...], owner: str) -> None:
    """Raises where windows are both strided and dilated, which Keras does not define.

    >>> check_strides((2, 1), (1, 1), "Conv2D")
    """
    if max(strides) > 1 and max(dilation_rate) > 1:
        raise ArgumentError(
            "strides and dilation exclude each other.",
            path=owner,
            expected="strides=1 or dilation_rate=1",
            received=f"strides={strides}, dilation_rate={dilation_rate}",
            write=f"{owner}(..., dilation_rate={dilation_rate})   # then every other output: y[:, ::2]",
        )

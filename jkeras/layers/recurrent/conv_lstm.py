"""ConvLSTM1D, ConvLSTM2D, ConvLSTM3D: LSTM whose products are convolutions."""

from typing import Any, ClassVar, Unpack

import jax
import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.config import standardize_data_format
from jkeras.core import InputSpec, describe
from jkeras.core.options import LayerOptions, PlainOptions
from jkeras.errors import BuildError
from jkeras.functional import conv
from jkeras.functional.arguments import standardize_padding, standardize_tuple
from jkeras.functional.recurrence import Blocks
from jkeras.layers.arguments import ActivationAttribute, check_strides_or_dilation
from jkeras.layers.recurrent.base import ForgetBias, Recurrence, RecurrentCell, States, plus, summing, times, value_of
from jkeras.layers.recurrent.gates import remember
from jkeras.layers.recurrent.own_cell import OfCell, OwnCellRNN, inherited
from jkeras.typing import (
    ActivationLike,
    Array,
    Config,
    ConstraintLike,
    InitializerLike,
    RegularizerLike,
    Shape,
    Sizes,
)


class ConvLSTMCell(RecurrentCell):
    """One step of a convolutional LSTM: `LSTMCell` with convolutions for products, that of the states padded to keep
    their size.
    """

    gates = 4

    recurrent_activation = ActivationAttribute()

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes,
        padding: str,
        data_format: str | None,
        dilation_rate: Sizes,
        recurrent_activation: ActivationLike,
        unit_forget_bias: bool,
        *common: Any,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(*common, **kwargs)
        owner = f"ConvLSTM{rank}D"
        self.rank = rank
        self.filters = arguments.positive_int(filters, "filters", owner, f"{owner}(filters=8, kernel_size=3)")
        self.kernel_size = standardize_tuple(kernel_size, rank, "kernel_size", owner)
        self.strides = standardize_tuple(strides, rank, "strides", owner)
        self.padding = standardize_padding(padding, owner)
        self.data_format = standardize_data_format(data_format)
        self.dilation_rate = standardize_tuple(dilation_rate, rank, "dilation_rate", owner)
        self.recurrent_activation = recurrent_activation
        self.unit_forget_bias = bool(unit_forget_bias)
        self.state_size, self.output_size = [self.filters, self.filters], self.filters
        self.state_shape: tuple[int, ...] | None = None
        check_strides_or_dilation(self.strides, self.dilation_rate, owner)

    @property
    def axis(self) -> int:
        """The axis of the channels, counted from the end."""
        return -1 if self.data_format == "channels_last" else -1 - self.rank

    @property
    def input_blocks(self) -> int:
        """Each gate has a mask of its own."""
        return 4

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[self.axis]
        self.declare(
            (*self.kernel_size, channels, 4 * self.filters),
            (*self.kernel_size, self.filters, 4 * self.filters),
            (4 * self.filters,),
            ForgetBias if self.unit_forget_bias else None,
        )
        if None in input_shape[1:]:
            raise BuildError(
                "the size of the images must be known, because it is in the shape of the states.",
                path=self._label,
                expected="known spatial dimensions",
                received=input_shape,
                write="jkeras.Input((None, 16, 16, 3))   # any number of images of 16 x 16",
            )
        image, kernel = (1, *input_shape[1:]), (*self.kernel_size, channels, self.filters)
        specs = (jax.ShapeDtypeStruct(shape, "float32") for shape in (image, kernel))
        self.state_shape = jax.eval_shape(self.convolve_inputs, *specs).shape[1:]

    def get_initial_state(self, batch_size: int | None = None) -> States:
        """Zeros for a batch, of the size that the convolution of the inputs has."""
        assert self.state_shape is not None, "the cell is built first"
        return [jnp.zeros((batch_size, *self.state_shape), self.compute_dtype) for _ in range(2)]

    def convolve_inputs(self, inputs: Array, kernel: Array) -> Array:
        """The inputs' convolution; they have any number of leading axes."""
        return self.convolve(inputs, kernel, strides=self.strides, padding=self.padding, dilation=self.dilation_rate)

    def convolve_states(self, states: Array, kernel: Array) -> Array:
        """The states' convolution, which keeps their size; they have any number of leading axes."""
        return self.convolve(states, kernel, padding="same")

    def convolve(self, values: Array, kernel: Array, **window: Any) -> Array:
        """A convolution of images with any number of leading axes."""
        images = jnp.reshape(values, (-1, *values.shape[-1 - self.rank :]))
        outputs = conv(images, kernel, data_format=self.data_format, path=self._label, **window)
        return jnp.reshape(outputs, (*values.shape[: -1 - self.rank], *outputs.shape[1:]))

    def get_config(self) -> Config:
        """The arguments of any layer: the layer that makes the cell writes the others."""
        return describe.base_config(self)

    def recurrence(self, step_shape: tuple[Any, ...], training: bool | None) -> Recurrence:
        kernel, recurrent_kernel, bias = self.kernel.value, self.recurrent_kernel.value, value_of(self.bias)
        drop = self.masks(self.dropout, step_shape, training, blocks=4)
        keep = self.masks(self.recurrent_dropout, (step_shape[0], *(self.state_shape or ())), training, blocks=4)

        def project(inputs: Array) -> Blocks:
            sums = plus(times(drop, inputs, self.convolve_inputs, kernel, self.axis), bias, self.axis)
            return jnp.split(sums, 4, axis=self.axis)

        def product(states: Array, kernel: Array, keep: list[Array] | None) -> Blocks:
            return jnp.split(times(keep, states, self.convolve_states, kernel, self.axis), 4, axis=self.axis)

        def advance(gates: Blocks, states: States) -> States:
            return remember(gates, states[1], *both)

        both = self.activation, self.recurrent_activation
        return summing(project, product, advance, recurrent_kernel, keep, *both)


class ConvLSTM(OwnCellRNN):
    """The base of convolutional LSTMs over `rank` spatial axes."""

    rank: ClassVar[int]
    filters = OfCell()
    kernel_size = OfCell()
    strides = OfCell()
    padding = OfCell()
    data_format = OfCell()
    dilation_rate = OfCell()
    recurrent_activation = OfCell()
    unit_forget_bias = OfCell()

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Unpack[PlainOptions],
    ) -> None:
        cell = ConvLSTMCell(
            *(self.rank, filters, kernel_size, strides, padding, data_format, dilation_rate),
            *(recurrent_activation, unit_forget_bias, activation, use_bias),
            *(kernel_initializer, recurrent_initializer, bias_initializer),
            *(kernel_regularizer, recurrent_regularizer, bias_regularizer),
            *(kernel_constraint, recurrent_constraint, bias_constraint),
            *(dropout, recurrent_dropout, seed),
            **inherited(kwargs),
            name="conv_lstm_cell",
        )
        flags = (return_sequences, return_state, go_backwards, stateful)
        super().__init__(cell, *flags, activity_regularizer=activity_regularizer, **kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def build(self, sequences_shape: Shape, initial_state_shape: Shape | None = None) -> None:
        super().build(sequences_shape, initial_state_shape)
        self.input_spec = InputSpec(shape=(None, None, *sequences_shape[2:]))


@registry.export("keras.layers")
class ConvLSTM1D(ConvLSTM):
    """LSTM over a sequence of rows of values: the products with the kernels are convolutions.

        i, f, g, q = blocks of  conv(x, kernel) + bias + conv(h, recurrent_kernel)
        c' = s(f) * c + s(i) * a(g)
        h' = s(q) * a(c')

    with `s` the recurrent activation and `a` the activation. All inputs are convolved at once, before the loop.

    Args:
        filters: the channels of the state and of each output, `o`.
        kernel_size: the size of the window, an int.
        strides, padding, data_format, dilation_rate: of the convolution of the inputs, as in `Conv1D`; that of the
            states keeps their size.
        activation: a name or function, of the candidate and of the output.
        recurrent_activation: a name or function, of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        unit_forget_bias: whether the bias of the forget gate begins at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output, an argument of `Layer`.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout, recurrent_dropout: the fractions of inputs and states that are dropped in training, for each gate
            on its own; the steps of a call share the masks.
        seed: an int, for the same masks after every `init`.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`, which also has `unroll` and
            `zero_output_for_mask`.

    Shapes:
        `(b, t, w, c)` -> `(b, w', o)`, with `return_sequences` `(b, t, w', o)`; with
        `data_format="channels_first"` the channels stand before the spatial axes. `conv_lstm_cell/kernel
        (k, c, 4 o)`, `conv_lstm_cell/recurrent_kernel (k, o, 4 o)`, `conv_lstm_cell/bias (4 o,)`.

    Raises:
        ArgumentError: a size is not a positive int, a rate is not a fraction; strides together with dilation.
        BuildError: the spatial sizes are not known.

    >>> import jax, jax.numpy as jnp
    >>> layer = ConvLSTM1D(2, 3, padding="same", return_sequences=True)
    >>> variables = layer.init(jax.random.key(0), (1, 2, 4, 1))
    >>> outputs, _ = layer.stateless_call(*variables, jnp.zeros((1, 2, 4, 1)))
    >>> outputs.shape, float(outputs.max())
    ((1, 2, 4, 2), 0.0)

    Source: X. Shi et al., "Convolutional LSTM network", arXiv:1506.04214, without peepholes.
    """

    rank = 1


@registry.export("keras.layers")
class ConvLSTM2D(ConvLSTM):
    """LSTM over a sequence of images: the products with the kernels are convolutions.

        i, f, g, q = blocks of  conv(x, kernel) + bias + conv(h, recurrent_kernel)
        c' = s(f) * c + s(i) * a(g)
        h' = s(q) * a(c')

    with `s` the recurrent activation and `a` the activation. All inputs are convolved at once, before the loop.

    Args:
        filters: the channels of the state and of each output, `o`.
        kernel_size: the size of the window, an int or 2 of them.
        strides, padding, data_format, dilation_rate: of the convolution of the inputs, as in `Conv2D`; that of the
            states keeps their size.
        activation: a name or function, of the candidate and of the output.
        recurrent_activation: a name or function, of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        unit_forget_bias: whether the bias of the forget gate begins at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output, an argument of `Layer`.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout, recurrent_dropout: the fractions of inputs and states that are dropped in training, for each gate
            on its own; the steps of a call share the masks.
        seed: an int, for the same masks after every `init`.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`, which also has `unroll` and
            `zero_output_for_mask`.

    Shapes:
        `(b, t, h, w, c)` -> `(b, h, w', o)`, with `return_sequences` `(b, t, h, w', o)`; with
        `data_format="channels_first"` the channels stand before the spatial axes. `conv_lstm_cell/kernel
        (k, k, c, 4 o)`, `conv_lstm_cell/recurrent_kernel (k, k, o, 4 o)`, `conv_lstm_cell/bias (4 o,)`.

    Raises:
        ArgumentError: a size is not a positive int, a rate is not a fraction; strides together with dilation.
        BuildError: the spatial sizes are not known.

    >>> import jax, jax.numpy as jnp
    >>> layer = ConvLSTM2D(2, 3, padding="same", return_sequences=True)
    >>> variables = layer.init(jax.random.key(0), (1, 2, 4, 4, 1))
    >>> outputs, _ = layer.stateless_call(*variables, jnp.zeros((1, 2, 4, 4, 1)))
    >>> outputs.shape, float(outputs.max())
    ((1, 2, 4, 4, 2), 0.0)

    Source: X. Shi et al., "Convolutional LSTM network", arXiv:1506.04214, without peepholes.
    """

    rank = 2


@registry.export("keras.layers")
class ConvLSTM3D(ConvLSTM):
    """LSTM over a sequence of volumes: the products with the kernels are convolutions.

        i, f, g, q = blocks of  conv(x, kernel) + bias + conv(h, recurrent_kernel)
        c' = s(f) * c + s(i) * a(g)
        h' = s(q) * a(c')

    with `s` the recurrent activation and `a` the activation. All inputs are convolved at once, before the loop.

    Args:
        filters: the channels of the state and of each output, `o`.
        kernel_size: the size of the window, an int or 3 of them.
        strides, padding, data_format, dilation_rate: of the convolution of the inputs, as in `Conv3D`; that of the
            states keeps their size.
        activation: a name or function, of the candidate and of the output.
        recurrent_activation: a name or function, of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        unit_forget_bias: whether the bias of the forget gate begins at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output, an argument of `Layer`.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout, recurrent_dropout: the fractions of inputs and states that are dropped in training, for each gate
            on its own; the steps of a call share the masks.
        seed: an int, for the same masks after every `init`.
        return_sequences, return_state, go_backwards, stateful: as in `RNN`, which also has `unroll` and
            `zero_output_for_mask`.

    Shapes:
        `(b, t, d, h, w, c)` -> `(b, d, h, w', o)`, with `return_sequences` `(b, t, d, h, w', o)`; with
        `data_format="channels_first"` the channels stand before the spatial axes. `conv_lstm_cell/kernel
        (k, k, k, c, 4 o)`, `conv_lstm_cell/recurrent_kernel (k, k, k, o, 4 o)`, `conv_lstm_cell/bias (4 o,)`.

    Raises:
        ArgumentError: a size is not a positive int, a rate is not a fraction; strides together with dilation.
        BuildError: the spatial sizes are not known.

    >>> import jax, jax.numpy as jnp
    >>> layer = ConvLSTM3D(2, 3, padding="same", return_sequences=True)
    >>> variables = layer.init(jax.random.key(0), (1, 2, 4, 4, 4, 1))
    >>> outputs, _ = layer.stateless_call(*variables, jnp.zeros((1, 2, 4, 4, 4, 1)))
    >>> outputs.shape, float(outputs.max())
    ((1, 2, 4, 4, 4, 2), 0.0)

    Source: X. Shi et al., "Convolutional LSTM network", arXiv:1506.04214, without peepholes.
    """

    rank = 3

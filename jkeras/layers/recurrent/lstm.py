"""LSTM: a cell with a memory that gates open and close."""

from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import InputSpec
from jkeras.core.options import LayerOptions
from jkeras.functional.recurrence import Blocks
from jkeras.layers.arguments import ActivationAttribute
from jkeras.layers.recurrent.base import ForgetBias, Recurrence, RecurrentCell, States, plus, summing, times, value_of
from jkeras.layers.recurrent.gates import remember
from jkeras.layers.recurrent.own_cell import OfCell, OwnCellRNN, check_cudnn, inherited
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class LSTMCell(RecurrentCell):
    """One step of LSTM, with `s` the recurrent activation and `a` the activation.

        i, f, g, q = blocks of  x @ kernel + bias + h @ recurrent_kernel
        c' = s(f) * c + s(i) * a(g)
        h' = s(q) * a(c')

    Args:
        units: the size of the state, `o`.
        activation: a name or function, of the candidate and of the output.
        recurrent_activation: a name or function, of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        unit_forget_bias: whether the bias of the forget gate begins at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout: the fraction of the inputs that is dropped in training.
        recurrent_dropout: the fraction of the states that is dropped in training. Then each gate has masks of its own.
        seed: an int, for the same masks after every `init`.

    Shapes:
        `(b, i)`, `[h (b, o), c (b, o)]` -> `(b, o)`, `[h, c]`; `kernel (i, 4 o)`, `recurrent_kernel (o, 4 o)`,
        `bias (4 o,)`.

    Raises:
        ArgumentError: `units` is not a positive int, or a rate is not a fraction.

    >>> import jax, jax.numpy as jnp
    >>> cell = LSTMCell(1, activation=None, kernel_initializer="zeros", unit_forget_bias=False)
    >>> variables = cell.init(jax.random.key(0), (1, 2), [(1, 1), (1, 1)])
    >>> states = [jnp.zeros((1, 1)), jnp.array([[8.0]])]  # gates are half open: sigmoid(0)
    >>> output, states = cell.stateless_call(*variables, jnp.ones((1, 2)), states)[0]
    >>> output.tolist(), states[1].tolist()
    ([[2.0]], [[4.0]])

    Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 1997; the forget gate:
    F. Gers et al., "Learning to forget", Neural Computation 2000.
    """

    gates = 4

    recurrent_activation = ActivationAttribute()

    def __init__(
        self,
        units: int,
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
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            *(activation, use_bias),
            *(kernel_initializer, recurrent_initializer, bias_initializer),
            *(kernel_regularizer, recurrent_regularizer, bias_regularizer),
            *(kernel_constraint, recurrent_constraint, bias_constraint),
            *(dropout, recurrent_dropout),
            seed,
            **kwargs,
        )
        self.units = arguments.positive_int(units, "units", "LSTMCell", "LSTMCell(units=64)")
        self.recurrent_activation = recurrent_activation
        self.unit_forget_bias = bool(unit_forget_bias)
        self.state_size, self.output_size = [self.units, self.units], self.units

    def build(self, input_shape: Shape) -> None:
        start = ForgetBias if self.unit_forget_bias else None
        self.declare((input_shape[-1], 4 * self.units), (self.units, 4 * self.units), (4 * self.units,), start)

    def recurrence(self, step_shape: tuple[Any, ...], training: bool | None) -> Recurrence:
        kernel, recurrent_kernel, bias = self.kernel.value, self.recurrent_kernel.value, value_of(self.bias)
        drop = self.masks(self.dropout, step_shape, training, blocks=self.input_blocks)
        keep = self.masks(self.recurrent_dropout, (step_shape[0], self.units), training, blocks=4)

        def project(inputs: Array) -> Blocks:
            return jnp.split(plus(times(drop, inputs, jnp.matmul, kernel), bias), 4, axis=-1)

        def product(state: Array, kernel: Array, keep: list[Array] | None) -> Blocks:
            return jnp.split(times(keep, state, jnp.matmul, kernel), 4, axis=-1)

        def advance(gates: Blocks, states: States) -> States:
            return remember(gates, states[1], *both)

        both = self.activation, self.recurrent_activation
        return summing(project, product, advance, recurrent_kernel, keep, *both)


@registry.export("keras.layers")
class LSTM(OwnCellRNN):
    """Long short-term memory over a sequence: `LSTMCell` in a loop.

    All inputs are multiplied by the kernel in one matrix product before the loop, and the kernels' gradients are
    products after it.

    Args:
        units: the size of the state and of each output, `o`.
        activation: a name or function, of the candidate and of the output.
        recurrent_activation: a name or function, of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        unit_forget_bias: whether the bias of the forget gate begins at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output, an argument of `Layer`.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout, recurrent_dropout: the fractions of inputs and states that are dropped in training; the steps of a
            call share one mask (Y. Gal and Z. Ghahramani, arXiv:1512.05287).
        seed: an int, for the same masks after every `init`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        use_cudnn: `"auto"`, `True` or `False`, for Keras's configs: the loop is compiled by XLA on every device.

    Shapes:
        `(b, t, i)` -> `(b, o)`, with `return_sequences` `(b, t, o)`; `lstm_cell/kernel (i, 4 o)`,
        `lstm_cell/recurrent_kernel (o, 4 o)`, `lstm_cell/bias (4 o,)`: blocks for input, forget, candidate, output.

    Raises:
        ArgumentError: `units` is not a positive int, a rate is not a fraction, or `use_cudnn` something else.

    >>> import jax, jax.numpy as jnp
    >>> layer = LSTM(1, activation=None, kernel_initializer="zeros", return_sequences=True)
    >>> variables = layer.init(jax.random.key(0), (1, 2, 3))
    >>> states = [jnp.zeros((1, 1)), jnp.ones((1, 1))]
    >>> outputs, _ = layer.stateless_call(*variables, jnp.ones((1, 2, 3)), initial_state=states)
    >>> outputs.shape, round(float(outputs[0, 0, 0]), 4)  # sigmoid(0) * sigmoid(1) * 1
    ((1, 2, 1), 0.3655)

    Source: S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 1997; the forget gate:
    F. Gers et al., "Learning to forget", Neural Computation 2000.
    """

    units = OfCell()
    recurrent_activation = OfCell()
    unit_forget_bias = OfCell()

    def __init__(
        self,
        units: int,
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
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)  # how Keras multiplies, not what; here there is one way
        cell = LSTMCell(
            *(units, activation, recurrent_activation, use_bias),
            *(kernel_initializer, recurrent_initializer, bias_initializer, unit_forget_bias),
            *(kernel_regularizer, recurrent_regularizer, bias_regularizer),
            *(kernel_constraint, recurrent_constraint, bias_constraint),
            *(dropout, recurrent_dropout),
            seed,
            **inherited(kwargs),
            name="lstm_cell",
        )
        flags = (return_sequences, return_state, go_backwards, stateful, unroll)
        super().__init__(cell, *flags, activity_regularizer=activity_regularizer, **kwargs)
        self.input_spec = InputSpec(ndim=3)

        self.use_cudnn = check_cudnn(use_cudnn, "LSTM")

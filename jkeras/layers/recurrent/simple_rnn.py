"""SimpleRNN: the fully connected recurrence."""

from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import InputSpec
from jkeras.core.options import LayerOptions, PlainOptions
from jkeras.functional.recurrence import Blocks
from jkeras.layers.recurrent.base import Recurrence, RecurrentCell, States, plus, summing, times, value_of
from jkeras.layers.recurrent.own_cell import OfCell, OwnCellRNN, inherited
from jkeras.typing import ActivationLike, Array, Config, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class SimpleRNNCell(RecurrentCell):
    """One step of SimpleRNN: `h' = activation(x @ kernel + bias + h @ recurrent_kernel)`.

    Args:
        units: the size of the state, `o`.
        activation: a name or function.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout: the fraction of the inputs that is dropped in training.
        recurrent_dropout: the fraction of the states that is dropped in training.
        seed: an int, for the same masks after every `init`.

    Shapes:
        `(b, i)`, `[(b, o)]` -> `(b, o)`, `[(b, o)]`; `kernel (i, o)`, `recurrent_kernel (o, o)`, `bias (o,)`.

    Raises:
        ArgumentError: `units` is not a positive int, or a rate is not a fraction.

    >>> import jax, jax.numpy as jnp
    >>> cell = SimpleRNNCell(1, activation=None, kernel_initializer="ones", recurrent_initializer="ones")
    >>> variables = cell.init(jax.random.key(0), (1, 2), [(1, 1)])
    >>> output, states = cell.stateless_call(*variables, jnp.array([[1.0, 2.0]]), [jnp.array([[10.0]])])[0]
    >>> output.tolist(), states[0].tolist()
    ([[13.0]], [[13.0]])

    Source: J. L. Elman, "Finding structure in time", Cognitive Science 1990.
    """

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
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
        self.units = arguments.positive_int(units, "units", "SimpleRNNCell", "SimpleRNNCell(units=64)")
        self.state_size = self.output_size = self.units

    def build(self, input_shape: Shape) -> None:
        self.declare((input_shape[-1], self.units), (self.units, self.units), (self.units,))

    def recurrence(self, step_shape: tuple[Any, ...], training: bool | None) -> Recurrence:
        kernel, recurrent_kernel, bias = self.kernel.value, self.recurrent_kernel.value, value_of(self.bias)
        drop = self.masks(self.dropout, step_shape, training, blocks=1)
        keep = self.masks(self.recurrent_dropout, (step_shape[0], self.units), training, blocks=1)

        def project(inputs: Array) -> Blocks:
            return [plus(times(drop, inputs, jnp.matmul, kernel), bias)]

        def product(state: Array, kernel: Array, keep: list[Array] | None) -> Blocks:
            return [times(keep, state, jnp.matmul, kernel)]

        def advance(sums: Blocks, states: States) -> States:
            return [self.activation(sums[0])]

        return summing(project, product, advance, recurrent_kernel, keep, self.activation)


@registry.export("keras.layers")
class SimpleRNN(OwnCellRNN):
    """The fully connected recurrence: `h[t] = activation(x[t] @ kernel + bias + h[t-1] @ recurrent_kernel)`.

    All `x[t] @ kernel + bias` are one matrix product before the loop.

    Args:
        units: the size of the state and of each output, `o`.
        activation: a name or function.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output, an argument of `Layer`.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout, recurrent_dropout: the fractions of inputs and states that are dropped in training; the steps of a
            call share one mask (Y. Gal and Z. Ghahramani, arXiv:1512.05287).
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        seed: an int, for the same masks after every `init`.

    Shapes:
        `(b, t, i)` -> `(b, o)`, with `return_sequences` `(b, t, o)`; `simple_rnn_cell/kernel (i, o)`,
        `simple_rnn_cell/recurrent_kernel (o, o)`, `simple_rnn_cell/bias (o,)`.

    Raises:
        ArgumentError: `units` is not a positive int, or a rate is not a fraction.

    >>> import jax, jax.numpy as jnp
    >>> layer = SimpleRNN(1, activation=None, kernel_initializer="ones", recurrent_initializer="ones")
    >>> variables = layer.init(jax.random.key(0), (1, 3, 1))
    >>> layer.stateless_call(*variables, jnp.array([[[1.0], [2.0], [3.0]]]))[0].tolist()
    [[6.0]]

    Source: J. L. Elman, "Finding structure in time", Cognitive Science 1990.
    """

    units = OfCell()

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Unpack[PlainOptions],
    ) -> None:
        cell = SimpleRNNCell(
            *(units, activation, use_bias),
            *(kernel_initializer, recurrent_initializer, bias_initializer),
            *(kernel_regularizer, recurrent_regularizer, bias_regularizer),
            *(kernel_constraint, recurrent_constraint, bias_constraint),
            *(dropout, recurrent_dropout),
            seed,
            **inherited(kwargs),
            name="simple_rnn_cell",
        )
        flags = (return_sequences, return_state, go_backwards, stateful, unroll)
        super().__init__(cell, *flags, activity_regularizer=activity_regularizer, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def get_config(self) -> Config:
        config = super().get_config()
        return config if self.seed is not None else {name: config[name] for name in config if name != "seed"}

"""GRU: a cell whose state is a mixture of what it was and a candidate."""

from typing import Any, Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import InputSpec
from jkeras.core.options import LayerOptions
from jkeras.functional.recurrence import Blocks, added
from jkeras.layers.arguments import ActivationAttribute
from jkeras.layers.recurrent.base import Recurrence, RecurrentCell, States, first, plus, summing, times, value_of
from jkeras.layers.recurrent.gates import blend
from jkeras.layers.recurrent.own_cell import OfCell, OwnCellRNN, check_cudnn, inherited
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class GRUCell(RecurrentCell):
    """One step of GRU, with `s` the recurrent activation, `a` the activation and `U` the recurrent kernel.

        z  = s(x_z + h @ U_z)                 how much of the state stays
        r  = s(x_r + h @ U_r)                 how much of it the candidate sees
        h^ = a(x_h + r * (h @ U_h))           or, with reset_after=False, a(x_h + (r * h) @ U_h)
        h' = z * h + (1 - z) * h^

    where `x_z, x_r, x_h` are the blocks of `x @ kernel + bias`. With `reset_after` there is a second bias, of the
    products with `U`.

    Args:
        units: the size of the state, `o`.
        activation: a name or function, of the candidate and of the output.
        recurrent_activation: a name or function, of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout: the fraction of the inputs that is dropped in training.
        recurrent_dropout: the fraction of the states that is dropped in training. Then each gate has masks of its own.
        reset_after: whether the reset gate is applied after the product with the kernel, or before.
        seed: an int, for the same masks after every `init`.

    Shapes:
        `(b, i)`, `[(b, o)]` -> `(b, o)`, `[(b, o)]`; `kernel (i, 3 o)`, `recurrent_kernel (o, 3 o)`, `bias (2, 3 o)`,
        without `reset_after` `(3 o,)`.

    Raises:
        ArgumentError: `units` is not a positive int, or a rate is not a fraction.

    >>> import jax, jax.numpy as jnp
    >>> cell = GRUCell(1, kernel_initializer="zeros", recurrent_initializer="zeros")
    >>> variables = cell.init(jax.random.key(0), (1, 2), [(1, 1)])
    >>> cell.stateless_call(*variables, jnp.ones((1, 2)), [jnp.array([[8.0]])])[0][0].tolist()  # half stays
    [[4.0]]

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder", arXiv:1406.1078; with
    `reset_after`, the form of cuDNN.
    """

    gates = 3

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
        kernel_regularizer: RegularizerLike = None,
        recurrent_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        recurrent_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
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
        self.units = arguments.positive_int(units, "units", "GRUCell", "GRUCell(units=64)")
        self.recurrent_activation = recurrent_activation
        self.reset_after = bool(reset_after)
        self.state_size = self.output_size = self.units

    def build(self, input_shape: Shape) -> None:
        bias = (2, 3 * self.units) if self.reset_after else (3 * self.units,)
        self.declare((input_shape[-1], 3 * self.units), (self.units, 3 * self.units), bias)

    def recurrence(self, step_shape: tuple[Any, ...], training: bool | None) -> Recurrence:
        drop = self.masks(self.dropout, step_shape, training, blocks=self.input_blocks)
        keep = self.masks(self.recurrent_dropout, (step_shape[0], self.units), training, blocks=3)
        return (self.resetting_after if self.reset_after else self.resetting_before)(drop, keep)

    def resetting_after(self, drop: list[Array] | None, keep: list[Array] | None) -> Recurrence:
        """The candidate is `a(n + r * m)`: blocks for z, r, n from the inputs, for z, r, m from the state."""
        kernel, bias = self.kernel.value, value_of(self.bias)
        both = self.activation, self.recurrent_activation

        def project(inputs: Array) -> Blocks:
            z, r, n = jnp.split(times(drop, inputs, jnp.matmul, kernel), 3, axis=-1)
            if bias is None:
                return [z, r, n, jnp.zeros_like(n)]
            (z_0, r_0, n_0), (z_1, r_1, m_1) = (jnp.split(row, 3) for row in bias)
            return [plus(z, z_0 + z_1), plus(r, r_0 + r_1), plus(n, n_0), plus(jnp.zeros_like(n), m_1)]

        def product(state: Array, kernel: Array, keep: list[Array] | None) -> Blocks:
            z, r, m = jnp.split(times(keep, state, jnp.matmul, kernel), 3, axis=-1)
            return [z, r, jnp.zeros_like(m), m]

        def advance(gates: Blocks, states: States) -> States:
            return [blend(gates, states[0], *both)]

        return summing(project, product, advance, self.recurrent_kernel.value, keep, *both)

    def resetting_before(self, drop: list[Array] | None, keep: list[Array] | None) -> Recurrence:
        """The candidate is `a(n + (r * h) @ kernel)`, so a step has one product after the other."""
        kernel, bias = self.kernel.value, value_of(self.bias)
        gates, candidate = jnp.split(self.recurrent_kernel.value, [2 * self.units], axis=-1)
        keep_gates, keep_candidate = (None, None) if keep is None else (keep[:2], keep[2:])

        def project(inputs: Array) -> Blocks:
            return jnp.split(plus(times(drop, inputs, jnp.matmul, kernel), bias), 3, axis=-1)

        def step(x: Blocks, states: States) -> tuple[Array, States]:
            z, r = added(x[:2], jnp.split(times(keep_gates, states[0], jnp.matmul, gates), 2, axis=-1))
            z, r = self.recurrent_activation(z), self.recurrent_activation(r)
            seen = times(keep_candidate, r * states[0], jnp.matmul, candidate)
            state = z * states[0] + (1 - z) * self.activation(x[2] + seen)
            return state, [state]

        return Recurrence(project, step, first)


@registry.export("keras.layers")
class GRU(OwnCellRNN):
    """Gated recurrent units over a sequence: `GRUCell` in a loop.

    All inputs are multiplied by the kernel in one matrix product before the loop, and with `reset_after` the kernels'
    gradients are products after it.

    Args:
        units: the size of the state and of each output, `o`.
        activation: a name or function, of the candidate and of the output.
        recurrent_activation: a name or function, of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: names, configs or objects.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output, an argument of `Layer`.
        kernel_constraint, recurrent_constraint, bias_constraint: projections applied after each update.
        dropout, recurrent_dropout: the fractions of inputs and states that are dropped in training; the steps of a
            call share one mask (Y. Gal and Z. Ghahramani, arXiv:1512.05287).
        seed: an int, for the same masks after every `init`.
        return_sequences, return_state, go_backwards, stateful, unroll: as in `RNN`.
        reset_after: whether the reset gate is applied after the product with the kernel, or before.
        use_cudnn: `"auto"`, `True` or `False`, for Keras's configs: the loop is compiled by XLA on every device.

    Shapes:
        `(b, t, i)` -> `(b, o)`, with `return_sequences` `(b, t, o)`; `gru_cell/kernel (i, 3 o)`,
        `gru_cell/recurrent_kernel (o, 3 o)`, `gru_cell/bias (2, 3 o)`: blocks for update, reset, candidate.

    Raises:
        ArgumentError: `units` is not a positive int, a rate is not a fraction, or `use_cudnn` something else.

    >>> import jax, jax.numpy as jnp
    >>> layer = GRU(1, kernel_initializer="zeros", recurrent_initializer="zeros", return_sequences=True)
    >>> variables = layer.init(jax.random.key(0), (1, 3, 2))
    >>> layer.stateless_call(*variables, jnp.ones((1, 3, 2)), initial_state=jnp.array([[8.0]]))[0].ravel().tolist()
    [4.0, 2.0, 1.0]

    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder", arXiv:1406.1078; with
    `reset_after`, the form of cuDNN.
    """

    units = OfCell()
    recurrent_activation = OfCell()
    reset_after = OfCell()

    def __init__(
        self,
        units: int,
        activation: ActivationLike = "tanh",
        recurrent_activation: ActivationLike = "sigmoid",
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
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)  # how Keras multiplies, not what; here there is one way
        cell = GRUCell(
            *(units, activation, recurrent_activation, use_bias),
            *(kernel_initializer, recurrent_initializer, bias_initializer),
            *(kernel_regularizer, recurrent_regularizer, bias_regularizer),
            *(kernel_constraint, recurrent_constraint, bias_constraint),
            dropout,
            recurrent_dropout,
            reset_after,
            seed,
            **inherited(kwargs),
            name="gru_cell",
        )
        flags = (return_sequences, return_state, go_backwards, stateful, unroll)
        super().__init__(cell, *flags, activity_regularizer=activity_regularizer, **kwargs)
        self.input_spec = InputSpec(ndim=3)

        self.use_cudnn = check_cudnn(use_cudnn, "GRU")

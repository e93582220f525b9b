"""SwiGLU: the gated feed-forward layer of today's Transformers."""

from typing import Any, Unpack

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.layers.arguments import ActivationAttribute
from jkeras.layers.core.dense import Dense
from jkeras.layers.weights import describe, descriptions
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("jkeras.layers")
class SwiGLU(Layer):
    """`(activation(x G) * (x U)) D`: a hidden layer that is gated by another one, and a projection.

    Args:
        hidden_units: the size `h` of the hidden layer. With `8 / 3` of the input's features it costs as much as an
            ungated one with 4 times.
        units: the size `o` of the output's last axis; by default the input's.
        activation: of the gate, a name or function; `"gelu"` makes it GEGLU, `"sigmoid"` GLU.
        use_bias: whether the three maps add biases.
        kernel_initializer, bias_initializer: names, configs or objects.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        kernel_constraint, bias_constraint: projections applied after each update.

    Shapes:
        `(..., i)` -> `(..., o)`; `gate/kernel (i, h)`, `up/kernel (i, h)`, `down/kernel (h, o)`, and biases.

    Raises:
        ArgumentError: a size is not a positive int.

    >>> import jax, jax.numpy as jnp
    >>> layer = SwiGLU(2, activation="linear", kernel_initializer="ones")
    >>> variables = layer.init(jax.random.key(0), (1, 1))
    >>> layer.stateless_call(*variables, jnp.array([[3.0]]))[0].tolist()
    [[18.0]]

    Source: N. Shazeer, "GLU variants improve Transformer", arXiv:2002.05202, equation 6.
    """

    activation = ActivationAttribute()

    def __init__(
        self,
        hidden_units: int,
        units: int | None = None,
        activation: ActivationLike = "silu",
        use_bias: bool = False,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.hidden_units = arguments.positive_int(hidden_units, "hidden_units", "SwiGLU", "SwiGLU(hidden_units=256)")
        self.units = (
            None if units is None else arguments.positive_int(units, "units", "SwiGLU", "SwiGLU(256, units=64)")
        )
        self.activation = activation
        self.use_bias = bool(use_bias)
        describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        describe(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.gate: Dense | None = None
        self.up: Dense | None = None
        self.down: Dense | None = None
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        hidden = (*input_shape[:-1], self.hidden_units)
        self.gate = self._dense("gate", input_shape, self.hidden_units)
        self.up = self._dense("up", input_shape, self.hidden_units)
        self.down = self._dense("down", hidden, input_shape[-1] if self.units is None else self.units)

    def _dense(self, name: str, input_shape: Shape, units: int) -> Dense:
        dense = Dense(
            units,
            use_bias=self.use_bias,
            **descriptions(self, "kernel", "bias"),
            dtype=self.declared_dtype_policy,
            name=name,
        )
        dense.build(input_shape)
        return dense

    def call(self, inputs: Array) -> Array:
        assert self.gate and self.up and self.down
        array: Array = self.down(self.activation(self.gate(inputs)) * self.up(inputs))
        return array

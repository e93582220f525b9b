"""Dense: an affine map of the last axis."""

from typing import Any

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import InputSpec, Variable, record_origin
from jkeras.errors import BuildError
from jkeras.layers.arguments import ActivationAttribute
from jkeras.layers.core.low_rank import LowRankAdaptable
from jkeras.layers.weights import declare, declared, describe
from jkeras.losses import LinearLogits
from jkeras.typing import ActivationLike, Array, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class Dense(LowRankAdaptable):
    """`activation(x @ kernel + bias)` over the last axis.

    With `lora_rank` the kernel is frozen and `kernel + lora_alpha / lora_rank * a @ b` takes its place, where the pair
    `lora_kernel_a (i, rank)`, `lora_kernel_b (rank, o)` is trained.

    Args:
        units: the size `o` of the output's last axis.
        activation: a name or function; linear by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: names, configs or objects.
        kernel_regularizer, bias_regularizer: penalties on the weights.
        activity_regularizer: penalty on the output.
        kernel_constraint, bias_constraint: projections applied after each update.
        lora_rank: the rank of the adaptation, from the start.
        lora_alpha: its scale; by default `lora_rank`.

    Shapes:
        `(..., i)` -> `(..., o)`; `kernel (i, o)`, `bias (o,)`. Inputs of rank 2 or more.

    Raises:
        ArgumentError: `units` or `lora_rank` is not a positive int; LoRA together with a kernel constraint.
        ShapeError: the input has rank below 2, or another last axis than the kernel.

    >>> import jax, jax.numpy as jnp
    >>> layer = Dense(2, kernel_initializer="ones", bias_initializer="ones")
    >>> variables = layer.init(jax.random.key(0), jnp.zeros((1, 3)))
    >>> layer.stateless_call(*variables, jnp.ones((1, 3)))[0].tolist()
    [[4.0, 4.0]]

    Source: the linear unit of F. Rosenblatt, "The perceptron", Psychological Review 1958; LoRA: arXiv:2106.09685.
    """

    adapted = "kernel"

    activation = ActivationAttribute()
    kernel: Variable = declared()

    def __init__(
        self,
        units: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = arguments.positive_int(units, "units", "Dense", "Dense(units=64)")
        self.activation = activation
        self.use_bias = bool(use_bias)
        describe(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        describe(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.set_lora(lora_rank, lora_alpha, kernel_constraint)
        self.bias: Variable | None = None
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        features = input_shape[-1]
        if features is None:
            rule = "the last axis of the input must be known, because it is in the shape of the kernel"
            write = "jkeras.Input((8,))"
            raise BuildError.must(rule, input_shape, path=self._label, expected="an int as last dimension", write=write)
        self.kernel = declare(self, "kernel", (features, self.units))
        if self.use_bias:
            self.bias = declare(self, "bias", (self.units,))
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})
        self.declare_lora()

    def call(self, inputs: Array, training: bool | None = None) -> Array:
        outputs = self.kernel.matmul(inputs)  # (..., o)
        bias = None if self.bias is None else self.bias.value
        if bias is not None:
            outputs = outputs + jnp.expand_dims(bias, tuple(range(outputs.ndim - 1)))
        activated: Array = self.activation(outputs)
        if activated is outputs:
            record_origin(outputs, lambda: LinearLogits(inputs, self.kernel.value, bias))
        return activated

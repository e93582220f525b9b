"""Dense: an affine map of the last axis, and its low-rank adaptation."""

from typing import Any

import jax.numpy as jnp

from jkeras import activations, constraints, initializers, registry, regularizers
from jkeras.core import InputSpec, Layer, Variable
from jkeras.errors import ArgumentError, BuildError
from jkeras.layers.arguments import positive_int
from jkeras.typing import Array, Config


@registry.export("keras.layers")
class Dense(Layer):
    """`activation(x @ kernel + bias)` over the last axis.

    With LoRA (Hu et al., 2021) the kernel is frozen and `kernel + alpha / rank * a @ b` takes its place, where
    `a (i, rank)` and `b (rank, o)` are trained.

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
        ArgumentError: `units` or `lora_rank` is no positive int.
        ShapeError: the input has rank below 2, or another last axis than the kernel.

    >>> import jax, jax.numpy as jnp
    >>> layer = Dense(2, kernel_initializer="ones", bias_initializer="ones")
    >>> variables = layer.init(jax.random.key(0), jnp.zeros((1, 3)))
    >>> layer.stateless_call(*variables, jnp.ones((1, 3)))[0].tolist()
    [[4.0, 4.0]]
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **_without_quantization(kwargs))
        self.units = positive_int(units, "units", "Dense", "Dense(units=64)")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.lora_rank = (
            lora_rank if lora_rank is None else positive_int(lora_rank, "lora_rank", "Dense", "Dense(64, lora_rank=4)")
        )
        self.lora_alpha = lora_alpha
        self.lora_enabled = False
        self.bias: Variable | None = None
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        if features is None:
            raise BuildError(
                "the last axis of the input is not known, so the kernel has no shape.",
                path=self.path or self.name,
                expected="an int as last dimension",
                received=input_shape,
                write="jkeras.Input((8,))",
            )
        self._kernel = self.add_weight(
            shape=(features, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})
        if self.lora_rank:
            self._declare_lora(self.lora_rank, self.lora_alpha, "he_uniform", "zeros")

    @property
    def kernel(self) -> Any:
        """The kernel's declaration; with LoRA the merged value, inside a scope."""
        if not self.lora_enabled:
            return self._kernel
        a, b = self.lora_kernel_a.value, self.lora_kernel_b.value
        return self._kernel.value + (self.lora_alpha / self.lora_rank) * (a @ b)  # type: ignore[operator]

    def call(self, inputs: Array, training: bool | None = None) -> Array:
        kernel = self.kernel.value if isinstance(self.kernel, Variable) else self.kernel
        outputs = inputs @ kernel  # (..., o)
        if self.bias is not None:
            outputs = outputs + jnp.expand_dims(self.bias.value, tuple(range(outputs.ndim - 1)))
        return self.activation(outputs)

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: Any = "he_uniform",
        b_initializer: Any = "zeros",
    ) -> None:
        """Freezes the kernel and declares the pair `lora_kernel_a`, `lora_kernel_b` of rank `rank`.

        Existing values move with `layer.repartition(variables, key)`, which also draws the pair; with the default
        initializers the layer computes what it did before.

        Raises:
            BuildError: the layer is not built, or has LoRA already.
            ArgumentError: the layer has a kernel constraint.
        """
        rank = positive_int(rank, "rank", self.path or self.name, "layer.enable_lora(rank=4)")
        if self.kernel_constraint is not None:
            raise ArgumentError(
                "LoRA and a kernel constraint exclude each other.",
                path=self.path or self.name,
                expected="kernel_constraint=None",
                received=repr(self.kernel_constraint),
            )
        if not self.built:
            raise BuildError("LoRA needs the kernel's shape.", path=self.name, write="layer.build((None, 8))   # first")
        if self.lora_enabled:
            raise BuildError(
                "LoRA is already enabled.", path=self.path or self.name, expected="one call of enable_lora"
            )
        self._is_building = True
        try:
            self._declare_lora(rank, lora_alpha, a_initializer, b_initializer)
        finally:
            self._is_building = False
        self.address_variables()

    def _declare_lora(self, rank: int, alpha: float | None, a_initializer: Any, b_initializer: Any) -> None:
        features, units = self._kernel.shape
        # float32 whatever the policy: the pair's small updates would be lost in half precision
        pair: dict[str, Any] = {"dtype": "float32", "regularizer": self.kernel_regularizer}
        self.lora_kernel_a = self.add_weight(
            shape=(features, rank), initializer=initializers.get(a_initializer), name="lora_kernel_a", **pair
        )
        self.lora_kernel_b = self.add_weight(
            shape=(rank, units), initializer=initializers.get(b_initializer), name="lora_kernel_b", **pair
        )
        self._kernel.trainable = False
        self.lora_enabled, self.lora_rank = True, rank
        self.lora_alpha = alpha if alpha is not None else rank

    def disable_lora(self) -> None:
        """Removes the pair from the declaration and makes the kernel trainable again; `jkeras.lora.merge` calls it."""
        self.own_variables = [v for v in self.own_variables if v not in (self.lora_kernel_a, self.lora_kernel_b)]
        del self.lora_kernel_a, self.lora_kernel_b
        self._kernel.trainable = True
        self.lora_enabled, self.lora_rank, self.lora_alpha = False, None, None

    def get_config(self) -> Config:
        config = super().get_config()
        if not self.lora_rank:
            del config["lora_rank"], config["lora_alpha"]
        return {**config, "quantization_config": None}


def _without_quantization(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keras's configs have `quantization_config`; only `None` means something here."""
    if kwargs.pop("quantization_config", None) is not None:
        raise ArgumentError("layers are not quantized.", path="Dense", expected="quantization_config=None")
    return kwargs

"""Embedding: a row of a table for every integer."""

import warnings
from typing import Any

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import Variable
from jkeras.errors import ArgumentError
from jkeras.layers.core.low_rank import LowRankAdaptable
from jkeras.layers.weights import declare, declared, describe
from jkeras.typing import Array, ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class Embedding(LowRankAdaptable):
    """`outputs[..., :] = embeddings[inputs[...], :]`.

    Args:
        input_dim: the number of rows; inputs are integers in `[0, input_dim)`. A larger one gives a row of NaN, as
            `jnp.take` does, so that it cannot go unnoticed.
        output_dim: the length of a row.
        embeddings_initializer: a name, a config or an object.
        embeddings_regularizer: penalty on the table.
        embeddings_constraint: projection of the table applied after each update.
        mask_zero: whether 0 stands for padding: the output's mask is then `inputs != 0`.
        lora_rank: the rank of the adaptation, from the start. The table is then frozen, and
            `embeddings + lora_alpha / lora_rank * a @ b` takes its place.
        lora_alpha: its scale; by default `lora_rank`.

    Shapes:
        `(...)` -> `(..., output_dim)`; `embeddings (input_dim, output_dim)`. Inputs of other than an integer dtype are
        cast to int32; outputs have the compute dtype.

    Raises:
        ArgumentError: a size is not a positive int; LoRA together with a constraint; values given as `weights`.

    >>> import jax, jax.numpy as jnp
    >>> layer = Embedding(3, 2, embeddings_initializer="identity")
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> layer.stateless_call(*variables, jnp.array([[1, 0]]))[0].tolist()
    [[[0.0, 1.0], [1.0, 0.0]]]

    Source: Y. Bengio et al., "A neural probabilistic language model", JMLR 2003; LoRA: arXiv:2106.09685.
    """

    adapted = "embeddings"

    embeddings: Variable = declared()

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        *,  # Keras has `weights` next
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("weights", None) is not None:
            raise ArgumentError(
                "`weights` must be None, because a layer holds no values.",
                path="Embedding",
                expected="weights=None",
                received="weights=...",
                write="variables = embedding.set_weights(variables, [table])   # after init",
            )
        if kwargs.pop("input_length", None) is not None:
            warnings.warn("Embedding: `input_length` has no effect; leave it out.", stacklevel=2)
        super().__init__(**kwargs)
        self.input_dim = arguments.positive_int(
            input_dim, "input_dim", "Embedding", "Embedding(input_dim=1000, output_dim=64)"
        )
        self.output_dim = arguments.positive_int(
            output_dim, "output_dim", "Embedding", "Embedding(1000, output_dim=64)"
        )
        describe(self, "embeddings", embeddings_initializer, embeddings_regularizer, embeddings_constraint)
        self.set_lora(lora_rank, lora_alpha, embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.supports_masking = self.mask_zero
        self.autocast = False  # rows are cast after they are taken, not the whole table before

    def build(self, input_shape: Shape | None = None) -> None:
        self.embeddings = declare(self, "embeddings", (self.input_dim, self.output_dim))
        self.declare_lora()

    def call(self, inputs: Array) -> Array:
        indices = inputs if jnp.issubdtype(inputs.dtype, jnp.integer) else inputs.astype("int32")
        return self.embeddings.take(indices).astype(self.compute_dtype)  # (..., output_dim)

    def compute_mask(self, inputs: Array, mask: Array | None = None) -> Array | None:
        return inputs != 0 if self.mask_zero else None

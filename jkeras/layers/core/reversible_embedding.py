"""ReversibleEmbedding: from integers to rows of a table, and from vectors back to a score for each row."""

from typing import Any

import jax.numpy as jnp

from jkeras import arguments, dtypes, registry
from jkeras.core import Variable, record_origin, set_mask
from jkeras.layers.core.embedding import Embedding
from jkeras.layers.weights import declare
from jkeras.losses import LinearLogits
from jkeras.typing import Array, ConstraintLike, DTypeLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class ReversibleEmbedding(Embedding):
    """`outputs[..., :] = embeddings[inputs[...], :]`; with `reverse=True`, `outputs = inputs @ embeddings.T`.

    A language model's first and last layer in one. With `tie_weights=False` the way back has a table of its own,
    `reverse_embeddings`.

    Args:
        input_dim: the number of rows; inputs are integers in `[0, input_dim)`.
        output_dim: the length of a row.
        tie_weights: whether the way back uses the same table.
        embeddings_initializer: a name, a config or an object, for both tables.
        embeddings_regularizer: penalty on `embeddings`.
        embeddings_constraint: projection of `embeddings` applied after each update.
        mask_zero: whether 0 stands for padding: the mask of the rows is then `inputs != 0`.
        reverse_dtype: the dtype of the scores, and in which they are computed; by default the compute dtype.
        logit_soft_cap: a bound of the scores, `cap * tanh(scores / cap)`; none by default.
        lora_rank, lora_alpha: rank and scale of an adaptation of `embeddings`, as in `Embedding`.

    Shapes:
        Integers `(...)` -> `(..., output_dim)`; with `reverse=True` `(..., output_dim)` -> `(..., input_dim)`.
        `embeddings (input_dim, output_dim)`, `reverse_embeddings (output_dim, input_dim)`. The mask of vectors passes
        on to their scores.

    Raises:
        ArgumentError: a size is not a positive int, or `logit_soft_cap` is not a positive number; LoRA together with a
            constraint.

    >>> import jax, jax.numpy as jnp
    >>> layer = ReversibleEmbedding(3, 2, embeddings_initializer="identity")
    >>> variables = layer.init(jax.random.key(0), (1,))
    >>> layer.stateless_call(*variables, jnp.array([[5.0, 7.0]]), reverse=True)[0].tolist()
    [[5.0, 7.0, 0.0]]

    Source: O. Press and L. Wolf, "Using the output embedding to improve language models", arXiv:1608.05859.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: RegularizerLike = None,
        embeddings_constraint: ConstraintLike = None,
        mask_zero: bool = False,
        reverse_dtype: DTypeLike | None = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **kwargs,
        )
        self.tie_weights = bool(tie_weights)
        self.reverse_dtype = None if reverse_dtype is None else dtypes.standardize(reverse_dtype)
        if logit_soft_cap is not None and not logit_soft_cap > 0:
            line = "ReversibleEmbedding(..., logit_soft_cap=30.0)"
            raise arguments.refusal(
                logit_soft_cap, "logit_soft_cap", "ReversibleEmbedding", "a number > 0 or None", write=line
            )
        self.logit_soft_cap = logit_soft_cap
        self.supports_masking = True
        self.reverse_embeddings: Variable | None = None

    def build(self, input_shape: Shape | None = None) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = declare(
                self,
                "embeddings",
                (self.output_dim, self.input_dim),
                regularizer=None,
                constraint=None,
                name="reverse_embeddings",
            )

    def call(self, inputs: Array, reverse: bool = False) -> Array:
        if reverse:
            return self._scores(inputs)
        outputs = super().call(inputs)
        if self.mask_zero:
            set_mask(outputs, inputs != 0)
        return outputs

    def _scores(self, inputs: Array) -> Array:
        """A score for each row of the table, of vectors `(..., output_dim)`."""
        dtype = self.reverse_dtype or self.compute_dtype
        vectors, tied = inputs.astype(dtype), self.reverse_embeddings is None
        if self.reverse_embeddings is not None:
            scores = vectors @ self.reverse_embeddings.value.astype(dtype)  # (..., input_dim)
        else:
            scores = self.embeddings.matmul(vectors, transposed=True, dtype=dtype)
        cap = self.logit_soft_cap
        scores = scores if cap is None else jnp.tanh(scores / cap) * cap
        table = self.embeddings if self.reverse_embeddings is None else self.reverse_embeddings
        record_origin(scores, lambda: LinearLogits(vectors, table.value.astype(dtype), None, tied, cap))
        return scores

    def compute_mask(self, inputs: Array, mask: Array | None = None) -> Any:
        """Scores are masked as the vectors are; the mask of rows is set by `call`."""
        return mask

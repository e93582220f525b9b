"""GroupQueryAttention: heads that share keys and values in groups."""

from collections.abc import Mapping
from typing import Any, Unpack

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.core.options import PlainOptions
from jkeras.errors import ArgumentError, ShapeError
from jkeras.functional.attention_kernels import Implementation
from jkeras.layers.attention.base import HeadedAttention, Heads
from jkeras.typing import Array, ConstraintLike, InitializerLike, RegularizerLike


@registry.export("keras.layers")
class GroupQueryAttention(HeadedAttention):
    """`MultiHeadAttention` in which each key and value head serves `num_query_heads / num_key_value_heads` queries.

    One key and value head for all is multi-query attention; as many as queries is `MultiHeadAttention`.

    Args:
        head_dim: the features `c` of a head.
        num_query_heads: the number `n` of query heads.
        num_key_value_heads: the number `m` of key and value heads, which divides `n`.
        dropout: the fraction of weights that are dropped in training.
        use_bias: whether the projections add biases.
        sliding_window: queries see positions nearer than that, on both sides.
        flash_attention: `True` demands the fused kernel of the GPU or TPU, `False` excludes it; by default it runs
            where it can.
        kernel_initializer, bias_initializer: of the projections: names, configs or objects.
        kernel_regularizer, bias_regularizer: penalties on the weights of the projections.
        activity_regularizer: penalty on the outputs of the projections, and on those of the layer.
        kernel_constraint, bias_constraint: applied to their weights after each update.
        use_gate: whether what a head attends to is multiplied by `sigmoid(query G)`, before the output projection.
        seed: of the dropout, an int.
        position_embedding: a layer that is applied to the projected queries `(b, t, n, c)` and keys `(b, s, m, c)`,
            such as `RotaryEmbedding()`.
        implementation: a kernel's name or a function of yours, as in `functional.dot_product_attention`.

    Call:
        As `MultiHeadAttention`.

    Shapes:
        `(b, t, i)`, `(b, s, j)`, `(b, s, k)` -> `(b, t, i)`, and the weights `(b, n, t, s)`. Weights:
        `query/kernel (i, n, c)`, `key/kernel (k, m, c)`, `value/kernel (j, m, c)`, `attention_output/kernel (n, c, i)`,
        with `use_gate` also `gate/kernel (i, n, c)`, and biases.

    Raises:
        ArgumentError: an argument has a value that it cannot have; the fused kernel is demanded and cannot do the call.
        ShapeError: the tensors or masks do not fit together.

    >>> import jax
    >>> layer = GroupQueryAttention(head_dim=4, num_query_heads=6, num_key_value_heads=2)
    >>> variables = layer.init(jax.random.key(0), (1, 5, 8), (1, 5, 8))
    >>> {name: leaves["kernel"].shape for name, leaves in variables.trainable.items()}
    {'query': (8, 6, 4), 'key': (8, 2, 4), 'value': (8, 2, 4), 'attention_output': (6, 4, 8)}

    Source: J. Ainslie et al., "GQA: training generalized multi-query transformer models from multi-head checkpoints",
    arXiv:2305.13245; the gate: arXiv:2505.06708.
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        use_gate: bool = False,
        seed: int | None = None,
        position_embedding: Layer | Mapping[str, Any] | None = None,
        implementation: Implementation | Mapping[str, Any] = None,
        **kwargs: Unpack[PlainOptions],
    ) -> None:
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            use_gate=use_gate,
            seed=seed,
            position_embedding=position_embedding,
            implementation=implementation,
            **kwargs,
        )
        owner = "GroupQueryAttention"
        example = "GroupQueryAttention(head_dim=64, num_query_heads=8, num_key_value_heads=2)"
        self.head_dim = arguments.positive_int(head_dim, "head_dim", owner, example)
        self.num_query_heads = arguments.positive_int(num_query_heads, "num_query_heads", owner, example)
        self.num_key_value_heads = arguments.positive_int(num_key_value_heads, "num_key_value_heads", owner, example)
        _check_groups(num_query_heads, num_key_value_heads, example)
        self.heads = Heads(num_query_heads, num_key_value_heads, head_dim, head_dim)
        self.activity_regularizer = self.projection_regularizer

    def check_shapes(self, query: Array, value: Array, key: Array) -> None:
        super().check_shapes(query, value, key)
        if len(query) != 3:
            raise ShapeError.must(
                "the query must be a sequence with one axis of positions",
                f"shape {tuple(query)}",
                path=self._label,
                expected="(b, t, i)",
                write="MultiHeadAttention(...)   # attends over any axes",
            )


def _check_groups(queries: int, keys: int, example: str) -> None:
    """Raises unless the query heads divide into groups, one for each key and value head."""
    if queries % keys:
        raise ArgumentError(
            f"`num_query_heads` must be a multiple of `num_key_value_heads`, got {queries} and {keys}.",
            path="GroupQueryAttention",
            expected="a `num_key_value_heads` that divides `num_query_heads`",
            received=f"{queries} query heads, {keys} key and value heads",
            write=example,
        )

"""MultiHeadAttention: several attentions at once, each over features of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from jkeras import arguments, registry
from jkeras.core import Layer
from jkeras.core.options import PlainOptions
from jkeras.errors import ArgumentError
from jkeras.functional.attention_kernels import Implementation
from jkeras.layers.attention.base import HeadedAttention, Heads
from jkeras.typing import ConstraintLike, InitializerLike, RegularizerLike, Shape


@registry.export("keras.layers")
class MultiHeadAttention(HeadedAttention):
    """`concatenate over heads h of attention(query W_h, key U_h, value V_h)`, projected to the output.

    `attention(q, k, v) = softmax(q k^T / sqrt(key_dim)) v`, over the keys that a query may look at.

    Args:
        num_heads: the number `n` of heads.
        key_dim: the features `c` of a head's query and key.
        value_dim: the features `o` of a head's value; `key_dim` by default.
        dropout: the fraction of weights that are dropped in training.
        use_bias: whether the projections add biases.
        output_shape: the shape of one position of the output, an int or several; by default the query's features.
        attention_axes: the axes that are attended over; by default all between batch and features.
        sliding_window: queries see positions nearer than that, on both sides.
        flash_attention: `True` demands the fused kernel of the GPU or TPU, `False` excludes it; by default it runs
            where it can.
        kernel_initializer, bias_initializer: of the projections: names, configs or objects.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties on the weights and outputs of projections.
        kernel_constraint, bias_constraint: applied to their weights after each update.
        use_gate: whether what a head attends to is multiplied by `sigmoid(query G)`, before the output projection.
        seed: of the dropout, an int.
        position_embedding: a layer that is applied to the projected queries and keys `(b, t, n, c)`, such as
            `RotaryEmbedding()`.
        implementation: a kernel's name or a function of yours, as in `functional.dot_product_attention`.

    Call:
        query, value, key: what looks, what is taken, what is looked at; `key` is `value` by default.
        query_mask, value_mask, key_mask: true where a position is not padding; they come along with the tensors by
            themselves. Padding may hold anything, NaN included: it reaches no other position.
        attention_mask: true where a query may look at a key: `(b, t, s)`, or with heads `(b, n, t, s)`.
        return_attention_scores: whether the weights are returned too, as they are before dropout.
        use_causal_mask: whether a query sees nothing after its own position.
        segment_ids: `(b, t)`: queries see keys of their own segment, for several sequences in a row. A pair where
            queries and keys differ.

    Shapes:
        `(b, t, i)`, `(b, s, j)`, `(b, s, k)` -> `(b, t, i)`, and the weights `(b, n, t, s)`. There may be several axes
        of positions. Weights: `query/kernel (i, n, c)`, `key/kernel (k, n, c)`, `value/kernel (j, n, o)`,
        `attention_output/kernel (n, o, i)`, with `use_gate` also `gate/kernel (i, n, o)`, and biases.

    Raises:
        ArgumentError: an argument has a value that it cannot have; the fused kernel is demanded and cannot do the call.
        ShapeError: the tensors or masks do not fit together.

    >>> import jax, jax.numpy as jnp
    >>> layer = MultiHeadAttention(1, 2, kernel_initializer="ones")
    >>> variables = layer.init(jax.random.key(0), (1, 2, 1), (1, 2, 1))
    >>> x = jnp.array([[[1.0], [3.0]]])
    >>> layer.stateless_call(*variables, x, x, use_causal_mask=True)[0].round(2).tolist()
    [[[2.0], [6.0]]]

    Source: A. Vaswani et al., "Attention is all you need", arXiv:1706.03762, section 3.2; the gate: arXiv:2505.06708.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
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
        example = "MultiHeadAttention(num_heads=8, key_dim=64)"
        self.num_heads = arguments.positive_int(num_heads, "num_heads", "MultiHeadAttention", example)
        self.key_dim = arguments.positive_int(key_dim, "key_dim", "MultiHeadAttention", example)
        value_dim = key_dim if value_dim is None else value_dim
        self.value_dim = arguments.positive_int(value_dim, "value_dim", "MultiHeadAttention", example)
        self.heads = Heads(num_heads, num_heads, key_dim, value_dim)
        self.output_shape = None if output_shape is None else _ints(output_shape, "output_shape")
        self.attention_axes = None if attention_axes is None else _ints(attention_axes, "attention_axes")

    def build(self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        self.attention_axes = self.attended_axes(len(query_shape))

    def output_features(self, query_shape: Shape) -> tuple[int, ...]:
        return super().output_features(query_shape) if self.output_shape is None else self.output_shape

    def attended_axes(self, ndim: int) -> tuple[int, ...]:
        if self.attention_axes is None:
            return super().attended_axes(ndim)
        axes = tuple(axis % ndim for axis in self.attention_axes)
        if len(set(axes)) < len(axes) or not set(axes) <= set(range(1, ndim - 1)):
            raise ArgumentError(
                f"`attention_axes` must be different axes of positions, got {self.attention_axes}.",
                path=self._label,
                expected=f"different axes between the batch and the features of a tensor of rank {ndim}",
                received=self.attention_axes,
                write="MultiHeadAttention(..., attention_axes=(1,))",
            )
        return axes


def _ints(value: object, argument: str) -> tuple[int, ...]:
    """An int, or a sequence of ints, as a tuple."""
    entries = (value,) if isinstance(value, int) else value
    if not isinstance(entries, list | tuple) or not entries or not all(type(entry) is int for entry in entries):
        raise ArgumentError(
            f"`{argument}` must be an integer or a tuple of integers, got {arguments.shown(value)}.",
            path="MultiHeadAttention",
            expected="an int, or a tuple of ints",
            received=repr(value)[:60],
            write=f"MultiHeadAttention(..., {argument}=64)"
            if argument == "output_shape"
            else f"MultiHeadAttention(..., {argument}=(1,))",
        )
    return tuple(entries)

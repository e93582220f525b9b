"""Attention: scores are products of queries and keys."""

from typing import Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import Variable
from jkeras.core.options import LayerOptions
from jkeras.layers.attention.scored import ScoredAttention
from jkeras.typing import Array, Shape


@registry.export("keras.layers")
class Attention(ScoredAttention):
    """`outputs = softmax(scores) @ value`, where `scores[t, s] = scale * query[t] . key[s]`.

    With `score_mode="concat"`, `scores[t, s] = weight * sum over i of tanh(scale * (query[t, i] + key[s, i]))`.

    Args:
        use_scale: whether `scale` is learned; otherwise it is 1.
        score_mode: `"dot"` or `"concat"`.
        dropout: the fraction of weights that are dropped in training.
        seed: of the dropout, an int.

    Call:
        inputs: `[query, value]` or `[query, value, key]`; the key is the value by default.
        mask: `[query_mask, value_mask]`, true where a position is not padding. Padding may hold anything, NaN included.
        return_attention_scores: whether the weights `(b, t, s)` are returned too, without what is dropped.
        use_causal_mask: whether a query sees nothing after its own position.

    Shapes:
        `(b, t, i)`, `(b, s, o)`, `(b, s, i)` -> `(b, t, o)`; `scale ()`, `concat_score_weight ()`. Padding of the
        query gets zeros, and so does a query that may look at nothing.

    Raises:
        ArgumentError: an unknown `score_mode`, or a `dropout` that is not a fraction.
        ShapeError: the inputs are not two or three.

    >>> import jax, jax.numpy as jnp
    >>> layer = Attention()
    >>> variables = layer.init(jax.random.key(0), [(1, 2, 1), (1, 2, 1)])
    >>> query, value = jnp.zeros((1, 2, 1)), jnp.array([[[1.0], [3.0]]])
    >>> layer.stateless_call(*variables, [query, value], use_causal_mask=True)[0].tolist()
    [[[1.0], [2.0]]]

    Source: M.-T. Luong, H. Pham and C. D. Manning, "Effective approaches to attention-based neural machine
    translation", arXiv:1508.04025.
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **kwargs)
        arguments.one_of(score_mode, "score_mode", "Attention", ("dot", "concat"))
        self.score_mode = score_mode
        self.scale: Variable | None = None
        self.concat_score_weight: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        self.check_list(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(shape=(), initializer="ones", name="concat_score_weight")

    def scores(self, query: Array, key: Array) -> Array:
        if self.concat_score_weight is None:
            wide = jnp.promote_types(query.dtype, "float32")  # a sum of products leaves the range of float16
            scores = jnp.matmul(query, jnp.swapaxes(key, -1, -2), preferred_element_type=wide)
            return scores if self.scale is None else self.scale.value * scores
        sums = jnp.expand_dims(query, -2) + jnp.expand_dims(key, -3)  # (..., t, s, i)
        sums = sums if self.scale is None else self.scale.value * sums
        return self.concat_score_weight.value * jnp.sum(
            jnp.tanh(sums), -1, dtype=jnp.promote_types(sums.dtype, "float32")
        )

"""AdditiveAttention: scores are learned sums of what queries and keys have in common."""

from typing import Unpack

import jax.numpy as jnp

from jkeras import registry
from jkeras.core import Variable
from jkeras.core.options import LayerOptions
from jkeras.errors import BuildError
from jkeras.layers.attention.scored import ScoredAttention
from jkeras.typing import Array, Shape


@registry.export("keras.layers")
class AdditiveAttention(ScoredAttention):
    """`outputs = softmax(scores) @ value`, where `scores[t, s] = sum over i of scale[i] tanh(query[t, i] + key[s, i])`.

    Args:
        use_scale: whether `scale` is learned; otherwise it is 1.
        dropout: the fraction of weights that are dropped in training.
        seed: of the dropout, an int.

    Call:
        As `Attention`.

    Shapes:
        `(b, t, i)`, `(b, s, o)`, `(b, s, i)` -> `(b, t, o)`; `scale (i,)`.

    Raises:
        ArgumentError: `dropout` is not a fraction.
        BuildError: the query's features are not known.
        ShapeError: the inputs are not two or three.

    >>> import jax, jax.numpy as jnp
    >>> layer = AdditiveAttention(use_scale=False)
    >>> variables = layer.init(jax.random.key(0), [(1, 1, 1), (1, 2, 1), (1, 2, 1)])
    >>> query, value, key = jnp.ones((1, 1, 1)), jnp.array([[[1.0], [3.0]]]), jnp.zeros((1, 2, 1))
    >>> layer.stateless_call(*variables, [query, value, key])[0].tolist()
    [[[2.0]]]

    Source: D. Bahdanau, K. Cho and Y. Bengio, "Neural machine translation by jointly learning to align and translate",
    arXiv:1409.0473.
    """

    def __init__(
        self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **kwargs)
        self.scale: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        features = self.check_list(input_shape)[0][-1]
        if features is None:
            raise BuildError(
                "the number of features of the query must be known, because it is the shape of the scale.",
                path=self._label,
                expected="an int as last dimension",
                received=input_shape[0],
                write="jkeras.Input((None, 64))",
            )
        if self.use_scale:
            self.scale = self.add_weight(shape=(features,), initializer="glorot_uniform", name="scale")

    def scores(self, query: Array, key: Array) -> Array:
        fits = jnp.tanh(jnp.expand_dims(query, -2) + jnp.expand_dims(key, -3))  # (..., t, s, i)
        wide = jnp.promote_types(fits.dtype, "float32")
        if self.scale is None:
            return jnp.sum(fits, -1, dtype=wide)
        return jnp.matmul(fits, self.scale.value, preferred_element_type=wide)

"""CategoryEncoding: integers that stand for categories, as vectors."""

from typing import Unpack

from jkeras import arguments, dtypes, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.core.tensor import check_dense
from jkeras.errors import ArgumentError
from jkeras.layers.preprocessing.encoding import check_output_mode, encode
from jkeras.typing import Array, Config


@registry.export("keras.layers")
class CategoryEncoding(Layer):
    """Category numbers as vectors of `num_tokens` entries.

        one_hot:    outputs[..., k] = 1 where inputs[...] == k, else 0
        multi_hot:  outputs[..., k] = 1 where k occurs in inputs[..., :], else 0
        count:      outputs[..., k] = sum over t of count_weights[..., t] where inputs[..., t] == k

    A number outside of `[0, num_tokens)` adds nothing, since compiled code cannot raise.

    Args:
        num_tokens: how many categories there are.
        output_mode: `"one_hot"`, `"multi_hot"` or `"count"`.
        sparse: `False`.

    Shapes:
        `(..., t)` -> `(..., num_tokens)`. `"one_hot"` gives `(..., t, num_tokens)` unless `t == 1`. Integers, or floats
        that are integers, to the compute dtype. `count_weights` has the shape of the inputs.

    Raises:
        ArgumentError: `num_tokens` is not a positive int, the mode is unknown, `sparse` is set, or `count_weights` are
            given in another mode than `"count"`.

    >>> import jax, jax.numpy as jnp
    >>> layer = CategoryEncoding(4, output_mode="count")
    >>> tokens, weights = jnp.array([[0, 1, 1]]), jnp.array([[0.5, 1.0, 2.0]])
    >>> layer.stateless_call(*layer.init(jax.random.key(0), tokens), tokens, count_weights=weights)[0].tolist()
    [[0.5, 3.0, 0.0, 0.0]]

    Source: the definition above.
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.num_tokens = arguments.positive_int(
            num_tokens, "num_tokens", "CategoryEncoding", "CategoryEncoding(num_tokens=10)"
        )
        self.output_mode = check_output_mode(output_mode, "CategoryEncoding", ("one_hot", "multi_hot", "count"))
        check_dense("CategoryEncoding", sparse)
        self.sparse = False
        self.autocast = False  # half precision cannot tell 2048 from 2049

    def call(self, inputs: Array, count_weights: Array | None = None) -> Array:
        if count_weights is not None:
            if self.output_mode != "count":
                problem = f"`count_weights` needs `output_mode='count'`, got {self.output_mode!r}."
                wanted, received = "output_mode='count'", f"output_mode={self.output_mode!r}"
                write = f"CategoryEncoding(num_tokens={self.num_tokens}, output_mode='count')"
                raise ArgumentError(problem, path=self._label, expected=wanted, received=received, write=write)
            count_weights = count_weights.astype(self.compute_dtype)
        indices = inputs.astype("int32") if dtypes.is_float(inputs.dtype) else inputs
        return encode(indices, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def get_config(self) -> Config:
        config = super().get_config()
        del config["sparse"]  # which can only be False, and which Keras does not write
        return config

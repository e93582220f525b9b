"""Masking: steps that are padding throughout are marked as such."""

from typing import Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import Layer, set_mask
from jkeras.core.options import LayerOptions
from jkeras.typing import Array


@registry.export("keras.layers")
class Masking(Layer):
    """Masks the positions whose features all equal `mask_value`, and sets them to zero.

    `mask[...] = any over c of inputs[..., c] != mask_value`

    Args:
        mask_value: a number.

    Shapes:
        `(..., c)` -> the same; the mask is `(...)`, true where a position counts.

    Raises:
        ArgumentError: `mask_value` is not a number.

    >>> import jax, jax.numpy as jnp
    >>> layer = Masking(mask_value=-1.0)
    >>> variables = layer.init(jax.random.key(0), (1, 2, 2))
    >>> layer.stateless_call(*variables, jnp.array([[[-1.0, 3.0], [-1.0, -1.0]]]))[0].tolist()
    [[[-1.0, 3.0], [0.0, 0.0]]]

    Source: the definition above.
    """

    def __init__(self, mask_value: float = 0.0, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        if not isinstance(mask_value, int | float):
            raise arguments.refusal(mask_value, "mask_value", "Masking", "a number", write="Masking(mask_value=0.0)")
        self.mask_value = mask_value
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        mask = self.compute_mask(inputs, None)
        outputs = jnp.where(jnp.expand_dims(mask, -1), inputs, jnp.zeros((), inputs.dtype))
        set_mask(outputs, mask)
        return outputs

    def compute_mask(self, inputs: Array, mask: Array | None = None) -> Array:
        return jnp.any(inputs != self.mask_value, axis=-1)

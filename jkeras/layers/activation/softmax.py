"""Softmax as a layer, with a mask."""

from typing import Unpack

import jax.numpy as jnp

from jkeras import activations, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.errors import ShapeError
from jkeras.typing import Array, Axes


@registry.export("keras.layers")
class Softmax(Layer):
    """`exp(x) / sum(exp(x))` along an axis, over the entries that a mask keeps; the others are 0.

    Args:
        axis: the axis, or several of them.

    Shapes:
        Any shape -> the same. The mask is broadcast to it; without one that is given, the inputs' own counts.

    Raises:
        ShapeError: the mask cannot be broadcast to the inputs.

    >>> import jax, jax.numpy as jnp
    >>> layer = Softmax()
    >>> variables = layer.init(jax.random.key(0), (3,))
    >>> mask = jnp.array([True, True, False])
    >>> layer.stateless_call(*variables, jnp.ones(3), mask=mask)[0].tolist()
    [0.5, 0.5, 0.0]

    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    """

    def __init__(self, axis: Axes = -1, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.supports_masking = True

    def call(self, inputs: Array, mask: Array | None = None) -> Array:
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        if mask is None:
            return activations.softmax(inputs, axis)
        keep = _broadcast(mask if mask.dtype == bool else mask > 0.5, inputs, self._label)
        inputs = inputs.astype(jnp.promote_types(inputs.dtype, self.compute_dtype))  # of integers, floats
        # finite, so that a row without any entry gives zeros and no NaN; below all that counts
        low = jnp.finfo(inputs.dtype).min
        outputs = activations.softmax(jnp.where(keep, inputs, low), axis)
        return jnp.where(keep, outputs, jnp.zeros((), outputs.dtype))


def _broadcast(mask: Array, inputs: Array, path: str) -> Array:
    """The mask in the shape of the inputs; its axes are their last ones."""
    fits = mask.ndim <= inputs.ndim and all(
        size == 1 or size == other for size, other in zip(reversed(mask.shape), reversed(inputs.shape), strict=False)
    )
    if not fits:
        raise ShapeError(
            "the mask must broadcast to the inputs.",
            path=path,
            expected=f"a mask of shape {inputs.shape}, with 1 or nothing for some axes",
            received=f"a mask of shape {mask.shape}",
            write="softmax(x, mask=mask[..., None])   # a mask of positions holds for all features",
        )
    return jnp.broadcast_to(jnp.expand_dims(mask, tuple(range(inputs.ndim - mask.ndim))), inputs.shape)

"""Rescaling: an affine map with fixed numbers."""

from collections.abc import Sequence
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from jkeras import arguments, config, registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.typing import Array, ArrayLike, Config


@registry.export("keras.layers")
class Rescaling(Layer):
    """`outputs = inputs * scale + offset`.

    `Rescaling(1 / 255)` maps bytes to [0, 1], `Rescaling(1 / 127.5, offset=-1)` to [-1, 1].

    Args:
        scale, offset: a number, or a number per channel. Channels are the last axis, or the third from the end where
            `jkeras.config.image_data_format()` is `"channels_first"` when the layer is made.

    Shapes:
        Any shape -> the same, in the compute dtype. Integers are welcome.

    Raises:
        ArgumentError: `scale` or `offset` is neither a number nor a sequence of numbers.

    >>> import jax, jax.numpy as jnp
    >>> layer = Rescaling(1 / 127.5, offset=-1.0)
    >>> variables = layer.init(jax.random.key(0), (2,))
    >>> layer.stateless_call(*variables, jnp.array([0, 255], "uint8"))[0].tolist()
    [-1.0, 1.0]

    Source: the definition above.
    """

    allows_python_arguments = True

    def __init__(
        self, scale: ArrayLike | Sequence[Any], offset: ArrayLike | Sequence[Any] = 0.0, **kwargs: Unpack[LayerOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = _numbers(scale, "scale"), _numbers(offset, "offset")
        self.supports_masking = True
        self._channels_first = config.image_data_format() == "channels_first"

    def call(self, inputs: Array) -> Array:
        outputs = inputs.astype(self.compute_dtype)
        return outputs * self._laid(self.scale, outputs.ndim) + self._laid(self.offset, outputs.ndim)

    def _laid(self, numbers: ArrayLike, ndim: int) -> Array:
        """Numbers, ready to broadcast to the inputs."""
        array = jnp.asarray(numbers, self.compute_dtype)
        if array.ndim == 0:
            return array
        if self._channels_first:
            array = jnp.expand_dims(array, tuple(range(array.ndim, 3)))
        return jnp.expand_dims(array, tuple(range(ndim - array.ndim)))

    @classmethod
    def from_config(cls, config: Config) -> Any:
        numbers: Config = {name: registry.deserialize(config[name]) for name in ("scale", "offset") if name in config}
        return super().from_config({**config, **numbers})


def _numbers(value: object, argument: str) -> Any:
    """A number, or a nested list of numbers: a layer holds no arrays."""
    try:
        array = np.asarray(value, "float64")
    except (TypeError, ValueError):
        wanted, write = "a number or a list of numbers", "Rescaling(scale=1 / 255)"
        raise arguments.refusal(value, argument, "Rescaling", wanted, write=write) from None
    if array.ndim == 0:
        return value if isinstance(value, int | float) else float(array)
    return array.tolist()

"""Flatten: every example becomes one vector."""

import math
from typing import Unpack

import jax.numpy as jnp

from jkeras import registry
from jkeras.config import standardize_data_format
from jkeras.core import InputSpec, Layer
from jkeras.core.options import LayerOptions
from jkeras.typing import Array


@registry.export("keras.layers")
class Flatten(Layer):
    """All axes but the first become one; an example that is a scalar becomes a vector of one.

    `outputs[b, (y w + x) c + i] = inputs[b, y, x, i]`

    Args:
        data_format: with `"channels_first"` the channels are moved after the other axes before flattening, so that
            weights after this layer do not depend on the layout. The configured format by default.

    Shapes:
        `(b, ...)` -> `(b, product of the others)`. The dtype stays.

    Raises:
        ShapeError: the input has no batch axis.

    >>> import jax.numpy as jnp
    >>> Flatten().stateless_call({}, {}, jnp.arange(6).reshape(1, 2, 3))[0].tolist()
    [[0, 1, 2, 3, 4, 5]]
    >>> Flatten("channels_first").stateless_call({}, {}, jnp.arange(6).reshape(1, 2, 3))[0].tolist()
    [[0, 3, 1, 4, 2, 5]]
    """

    def __init__(self, data_format: str | None = None, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Array) -> Array:
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = jnp.moveaxis(inputs, 1, -1)
        return jnp.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))

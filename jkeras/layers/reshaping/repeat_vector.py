"""RepeatVector: a vector becomes a sequence."""

from typing import Unpack

import jax.numpy as jnp

from jkeras import arguments, registry
from jkeras.core import InputSpec, Layer
from jkeras.core.options import LayerOptions
from jkeras.typing import Array


@registry.export("keras.layers")
class RepeatVector(Layer):
    """The same vector at every step: `outputs[b, t, c] = inputs[b, c]`.

    Args:
        n: the number of steps.

    Shapes:
        `(b, c)` -> `(b, n, c)`. The dtype stays.

    Raises:
        ArgumentError: `n` is not a positive int.
        ShapeError: the input has another rank.

    >>> import jax.numpy as jnp
    >>> RepeatVector(2).stateless_call({}, {}, jnp.array([[1, 2]]))[0].tolist()
    [[[1, 2], [1, 2]]]
    """

    def __init__(self, n: int, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.n = arguments.positive_int(n, "n", "RepeatVector", "RepeatVector(3)")
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Array) -> Array:
        batch, channels = inputs.shape
        return jnp.broadcast_to(jnp.expand_dims(inputs, 1), (batch, self.n, channels))

"""Identity: nothing happens."""

from typing import Unpack

from jkeras import registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.typing import ArrayTree, PyTree


@registry.export("keras.layers")
class Identity(Layer):
    """`outputs = inputs`: a placeholder for a layer.

    Shapes:
        Any tensor or structure of tensors, returned as it is; floats are cast to the compute dtype.

    >>> import jax, jax.numpy as jnp
    >>> layer = Identity()
    >>> variables = layer.init(jax.random.key(0), (2,))
    >>> layer.stateless_call(*variables, jnp.array([1.0, 2.0]))[0].tolist()
    [1.0, 2.0]

    Source: the definition.
    """

    def __init__(self, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: ArrayTree) -> PyTree:
        return inputs

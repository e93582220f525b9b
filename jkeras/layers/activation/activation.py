"""Activation: any activation function as a layer."""

from typing import Unpack

from jkeras import registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.layers.arguments import ActivationAttribute
from jkeras.typing import ActivationLike, Array


@registry.export("keras.layers")
class Activation(Layer):
    """`outputs = activation(inputs)`.

    Args:
        activation: a name, a config or a function.

    Shapes:
        Any shape -> the same.

    Raises:
        UnknownNameError: no activation has the name.

    >>> import jax, jax.numpy as jnp
    >>> layer = Activation("relu")
    >>> variables = layer.init(jax.random.key(0), (2,))
    >>> layer.stateless_call(*variables, jnp.array([-1.0, 2.0]))[0].tolist()
    [0.0, 2.0]

    Source: `jkeras.activations` names one for each function.
    """

    activation = ActivationAttribute()

    def __init__(self, activation: ActivationLike, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.activation = activation
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        activated: Array = self.activation(inputs)
        return activated

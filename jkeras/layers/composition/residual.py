"""Residual: the input is added to what a layer makes of it."""

from typing import Unpack

from jkeras import registry
from jkeras.core import Layer
from jkeras.core.options import LayerOptions
from jkeras.errors import ShapeError
from jkeras.layers.core.wrapper import Wrapper
from jkeras.typing import Array


@registry.export("jkeras.layers")
class Residual(Wrapper):
    """`outputs = inputs + layer(inputs)`.

    Args:
        layer: keeps the shape of its input. Several layers one after the other are a `Sequential`.

    Shapes:
        That of the layer's input -> the same. A mask passes through.

    Raises:
        ArgumentError: `layer` is not a layer.
        ShapeError: the layer changes the shape.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import layers
    >>> layer = Residual(layers.Dense(2, kernel_initializer="ones"))
    >>> variables = layer.init(jax.random.key(0), (1, 2))
    >>> layer.stateless_call(*variables, jnp.array([[1.0, 2.0]]))[0].tolist()
    [[4.0, 5.0]]

    Source: K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", arXiv:1512.03385.
    """

    def __init__(self, layer: Layer, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Array) -> Array:
        change = self.layer(inputs)
        if change.shape != inputs.shape:
            raise ShapeError(
                "the layer must keep the shape of its input, because its output is added to it.",
                path=self._label,
                expected=f"outputs of shape {inputs.shape}",
                received=change.shape,
                write=f"layers.Dense({inputs.shape[-1]})   # as the last layer of the branch" if inputs.ndim else None,
            )
        array: Array = inputs + change
        return array

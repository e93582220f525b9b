"""Wrapper: the base of layers that change what one other layer does."""

from typing import Any, Self

from jkeras import registry, tree
from jkeras.core import Layer
from jkeras.errors import ArgumentError
from jkeras.typing import Config


@registry.export("keras.layers")
class Wrapper(Layer):
    """The base of layers around one layer: it builds that one, and writes it into its config. Subclasses have a `call`.

    Args:
        layer: the layer inside.

    Attributes:
        layer: the same; its weights are under `layer`, or under its own name, in the tree of the wrapper.

    Raises:
        ArgumentError: `layer` is no layer.

    >>> import jax, jax.numpy as jnp
    >>> from jkeras import layers
    >>> class Twice(Wrapper):
    ...     def call(self, inputs):
    ...         return self.layer(self.layer(inputs))
    >>> twice = Twice(layers.Dense(2, kernel_initializer="ones"))
    >>> variables = twice.init(jax.random.key(0), (1, 2))
    >>> twice.stateless_call(*variables, jnp.array([[1.0, 2.0]]))[0].tolist()
    [[6.0, 6.0]]
    >>> list(variables.trainable)
    ['layer']
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = check_wrapped(layer, type(self).__name__)

    def build(self, input_shape: Any = None) -> None:
        """Builds the layer inside for these inputs, below a `build` of a subclass; without one, `call` builds it."""
        if not self.overrides_build:
            super().build(input_shape)
        elif not self.layer.built:
            if self.layer.path is None:
                self.layer.path = tree.join(self.path or "", self.structure().components[self.layer])
            self.layer.build(input_shape)

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The wrapper of a config, around the layer of the config in it."""
        return super().from_config({**config, "layer": registry.deserialize(config["layer"])})  # type: ignore[return-value]


Wrapper.overrides_build = False  # a `build` of a subclass does


def check_wrapped(layer: Any, owner: str) -> Layer:
    """The layer; raises `ArgumentError` where it is none."""
    if isinstance(layer, Layer):
        return layer
    raise ArgumentError(
        "a wrapper needs a layer to wrap.",
        path=owner,
        expected="a layer",
        received=repr(layer)[:60],
        write=f"{owner}(layers.Dense(8))",
    )

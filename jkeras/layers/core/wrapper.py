"""Wrapper: the base of layers that change what one other layer does."""

import inspect
from typing import Self, Unpack

from jkeras import arguments, registry
from jkeras.core import Layer, in_building_scope
from jkeras.core.options import LayerOptions
from jkeras.errors import ArgumentError
from jkeras.typing import Config, PyTree


@registry.export("keras.layers")
class Wrapper(Layer):
    """The base of layers around one layer: it builds that one, and writes it into its config. Subclasses have a `call`.

    Args:
        layer: the layer inside.

    Attributes:
        layer: the same; its weights are under `layer`, or under its own name, in the tree of the wrapper.

    Raises:
        ArgumentError: `layer` is not a layer.

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

    def __init__(self, layer: Layer, **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.layer = check_wrapped(layer, type(self).__name__)

    def build(self, input_shape: PyTree = None) -> None:
        """Builds the layer inside for these inputs, as in Keras. A layer of several inputs, or without `build`, is left
        to `call`.

        A subclass whose `call` gives the layer inputs of another shape needs a `build` of its own.
        """
        is_default = type(self).build is Wrapper.build
        if not self.layer.built and (takes_one_shape(self.layer) or not is_default):
            self.layer.build(input_shape)
        if is_default and not in_building_scope():
            self._infer_shapes((input_shape,), {})

    def _parts_are_built(self) -> bool:
        return type(self).build is Wrapper.build and self.layer.built

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """The wrapper of a config, around the layer of the config in it."""
        return super().from_config({**config, "layer": registry.deserialize(config["layer"])})


def takes_one_shape(layer: Layer) -> bool:
    """Whether a layer has a `build` that needs one shape.

    >>> from jkeras import layers
    >>> takes_one_shape(layers.Dense(2)), takes_one_shape(layers.MultiHeadAttention(2, 4))
    (True, False)
    """
    needed = [p for p in inspect.signature(layer.build).parameters.values() if p.default is p.empty]
    return layer.overrides_build and len(needed) == 1


def check_wrapped(layer: Layer, owner: str) -> Layer:
    """The layer; raises `ArgumentError` where it is not one."""
    if isinstance(layer, Layer):
        return layer
    rule, write = "a wrapper must be given a layer", f"{owner}(layers.Dense(8))"
    raise ArgumentError.must(rule, arguments.shown(layer), path=owner, expected="a layer", write=write)

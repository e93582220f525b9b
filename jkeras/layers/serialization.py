"""Layers as configs, and back."""

from collections.abc import Mapping
from typing import Any

from jkeras import registry
from jkeras.core import Layer
from jkeras.errors import ConfigError
from jkeras.typing import Config


def serialize(layer: Layer) -> Config:
    """The config of a layer, as Keras writes it: its class, its constructor's arguments, and what it was built for.

    Args:
        layer: a layer or a model.

    Returns:
        JSON-able values under `"module"`, `"class_name"`, `"config"` and `"registered_name"`, of a layer that is built
        also `"build_config"`.

    Raises:
        SerializationError: a part of the layer has no config, such as a lambda.

    >>> from jkeras import layers
    >>> layers.serialize(layers.Flatten(name="flat"))["config"]["name"]
    'flat'

    Source: the format of Keras 3.
    """
    result: Config = registry.serialize(layer)
    return result


def deserialize(config: Config, custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """The layer of a config that `serialize`, or Keras, has written. It is built if that one was; values are not in it.

    Args:
        config: the config. Without a `"module"` its class is one of `jkeras.layers`.
        custom_objects: classes and functions by name, before all others.

    Raises:
        UnknownNameError: no class has the name.
        ConfigError: the class cannot be made from the config, or is none of a layer.

    >>> from jkeras import layers
    >>> layers.deserialize({"class_name": "Dense", "config": {"units": 3}}).units
    3

    Source: the format of Keras 3.
    """
    known = {"module": "keras.layers", **config} if isinstance(config, Mapping) else config
    layer = registry.deserialize(known, custom_objects)
    if not isinstance(layer, Layer):
        problem = "`config` must be the config of a layer."
        wanted = '{"module": "keras.layers", "class_name": ..., "config": {...}}'
        received, write = repr(config)[:80], "layers.deserialize(layers.serialize(layers.Dense(8)))"
        raise ConfigError(problem, path="layers.deserialize", expected=wanted, received=received, write=write)
    return layer

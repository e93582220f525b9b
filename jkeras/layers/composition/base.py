"""Composition: what the layers that are given a layer share: the config of the inner one."""

from typing import ClassVar

from jkeras import registry
from jkeras.core import Layer
from jkeras.typing import Config


class Composition(Layer):
    """A layer made of another one, which is the argument `inner`."""

    inner: ClassVar[str] = "layer"

    @classmethod
    def from_config(cls, config: Config) -> "Composition":
        """The layer of a config, with the inner layer that the config describes."""
        found = super().from_config({**config, cls.inner: registry.deserialize(config[cls.inner])})
        assert isinstance(found, Composition)
        return found

"""Composition: what the layers that are given a layer share: the config of the inner one."""

from collections.abc import Iterator
from typing import ClassVar

from jkeras import registry
from jkeras.core import Layer, Variable
from jkeras.core.structure import Component
from jkeras.typing import Config


class Composition(Layer):
    """A layer made of another one, which is the argument `inner`, and whose address is that name."""

    inner: ClassVar[str] = "layer"

    def components(self) -> Iterator[tuple[str, Component | Variable]]:
        """The inner layer, whatever its own name is: a config of it has one, the layer that it describes had none."""
        inner = getattr(self, self.inner)
        yield self.inner, inner
        yield from ((name, part) for name, part in super().components() if part is not inner)

    @classmethod
    def from_config(cls, config: Config) -> "Composition":
        """The layer of a config, with the inner layer that the config describes."""
        found = super().from_config({**config, cls.inner: registry.deserialize(config[cls.inner])})
        assert isinstance(found, Composition)
        return found

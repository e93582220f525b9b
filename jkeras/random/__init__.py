"""Random numbers in layers: a stream of keys as a leaf of the non-trainable tree."""

from jkeras.core.seed import SeedGenerator

__all__ = ["SeedGenerator"]
